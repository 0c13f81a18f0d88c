"""Ready-made checks: each call makes a `Check` that a claim can carry."""

from __future__ import annotations

from clipeval.claims.checks.as_published import as_published
from clipeval.claims.checks.at_chance import at_chance
from clipeval.claims.checks.better_in_every_category import better_in_every_category
from clipeval.claims.checks.better_on_pictures import better_on_pictures
from clipeval.claims.checks.better_than import better_than
from clipeval.claims.checks.closer_pairs import closer_pairs
from clipeval.claims.checks.confusions_inside_category import confusions_inside_category
from clipeval.claims.checks.deterministic import deterministic
from clipeval.claims.checks.diagonal_dominates import diagonal_dominates
from clipeval.claims.checks.exact import exact
from clipeval.claims.checks.fewer_antihubs import fewer_antihubs
from clipeval.claims.checks.invariant import Changed, invariant, scaled, shuffled
from clipeval.claims.checks.noise_words import survives_noise
from clipeval.claims.checks.non_inferior import non_inferior
from clipeval.claims.checks.not_collapsed import not_collapsed
from clipeval.claims.checks.ordering import ordering
from clipeval.claims.checks.plausible_rows import rows_plausible
from clipeval.claims.checks.positives_above_negatives import positives_above_negatives
from clipeval.claims.checks.prompt_ensemble import ensemble_beats_single
from clipeval.claims.checks.published_accuracy import accuracy_as_published
from clipeval.claims.checks.rows_beat_threshold import rows_beat_threshold, scores_below
from clipeval.claims.checks.smaller_gap import smaller_gap
from clipeval.claims.checks.within_tolerance import within_tolerance
from clipeval.claims.checks.worst_items import worst_items

__all__ = [
    "Changed",
    "accuracy_as_published",
    "as_published",
    "at_chance",
    "better_in_every_category",
    "better_on_pictures",
    "better_than",
    "closer_pairs",
    "confusions_inside_category",
    "deterministic",
    "diagonal_dominates",
    "ensemble_beats_single",
    "exact",
    "fewer_antihubs",
    "invariant",
    "non_inferior",
    "not_collapsed",
    "ordering",
    "positives_above_negatives",
    "rows_beat_threshold",
    "rows_plausible",
    "scaled",
    "scores_below",
    "shuffled",
    "smaller_gap",
    "survives_noise",
    "within_tolerance",
    "worst_items",
]
