"""A model finds no more and no fewer than chance would, within a margin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from clipeval.claims.checks.chance_null import hits_by_chance, permutation_p
from clipeval.claims.checks.phrases import DIRECTIONS_IN_WORDS, p_words
from clipeval.claims.checks.rate_region import rate_in_region
from clipeval.claims.checks.region_finding import finding_of_region, rate_words
from clipeval.claims.checks.same_queries import check_same_queries
from clipeval.claims.checks.worst_items import worst_items
from clipeval.claims.claim import Check, Finding
from clipeval.core.metrics import at_chance as blind
from clipeval.core.verdict import Verdict
from clipeval.errors import InvalidInputError
from clipeval.evaluation import Direction, Evaluation


def at_chance(direction: Direction = "i2t", *, k: int = 1, margin: float = 0.02) -> Check:
    """Make a check of one evaluation: its hit_rate@k is the chance level, give or take a margin.

    An equivalence: it holds where the whole interval lies within the margin, which no data can show at 20
    pictures, so that ``undecided`` is the normal answer there. It is refuted where the whole interval lies
    beyond the margin *and* dealing the caption groups anew to the images (`hits_by_chance`) hardly ever gives
    as many or as few hits; that second look knows about hubs, which binomial tests do not.

    Parameters
    ----------
    direction : {"i2t", "t2i"}
    k : int
        Length of the lists.
    margin : float
        Largest distance from chance that counts as chance, positive.

    Returns
    -------
    Check
        Row "equivalence" of the contract; gives a p-value: beyond the margin, the larger of both looks.

    Raises
    ------
    InvalidInputError
        A margin that is not positive; from the check: k above the number of candidates.

    Examples
    --------
    >>> import numpy as np
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> rows = np.eye(20)
    >>> at_chance()([evaluation_of_rows(rows, rows)]).verdict.value
    'refuted'
    >>> at_chance()([evaluation_of_rows(rows, np.roll(rows, 1, axis=0))]).verdict.value
    'undecided'
    """
    if not 0.0 < margin < 1.0:
        raise InvalidInputError(
            f"margin must lie between 0 and 1, got {margin!r}", fix="for example margin=0.02"
        )

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=1)
        (evaluation,) = evaluations
        ranks = evaluation.direction(direction)
        chance = blind(ranks).hit_rate(k)
        near, far = max(0.0, chance - margin), min(1.0, chance + margin)
        test = rate_in_region(ranks.hits(k), evaluation.cluster(direction), low=near, high=far)
        dealt = permutation_p(*hits_by_chance(evaluation, direction, k))
        if not near <= test.rate <= far:  # both looks must refute, so the larger p is that of the whole
            p = max(test.p, dealt)
            test = replace(test, p=p, verdict=test.verdict if p <= 0.05 else Verdict.UNDECIDED)
        return finding_of_region(
            test,
            sentence=f"hit_rate@{k} ({DIRECTIONS_IN_WORDS[direction]}) of {evaluation.model} is "
            f"{rate_words(test)} on {test.n_clusters} images; chance is {chance:.3f}, "
            f"margin {margin:g}; as far from it with captions dealt anew: {p_words(dealt)}",
            worst=worst_items(evaluation, direction),
            origin=chance,
            unclear=f"the interval is not within {margin:g} of chance, nor wholly beyond",
        )

    return check
