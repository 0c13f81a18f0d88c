"""From two snapshots to a verdict on the swap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipeval.baseline.changes import LENGTHS, guess_would_do, metric_changes, metric_in_words
from clipeval.baseline.data_difference import data_difference, difference_in_words
from clipeval.baseline.drift import embedding_drift, only_noise, row_distance, scores_moved
from clipeval.baseline.fields import FieldChange, changed_fields
from clipeval.baseline.fingerprint import NOT_SHOWN
from clipeval.baseline.flips import SAME_HIT, both_directions
from clipeval.baseline.guards import broad_drift, severe_losses
from clipeval.baseline.result import Drift, Flips, Guard, MetricChange, RowHashes, SwapResult
from clipeval.baseline.snapshot import Snapshot
from clipeval.core.clusters import open_unit
from clipeval.core.intervals import Interval
from clipeval.core.noninferiority import judge_non_inferiority
from clipeval.core.verdict import Verdict
from clipeval.evaluation import DIRECTIONS

CAUSES = 3
"""Cause candidates in the one sentence of the verdict; all are in ``fields``, whole."""

LONGEST = 36
SPEC = "model spec"


def compare_snapshots(
    old: Snapshot,
    new: Snapshot,
    *,
    margin: float = 0.02,
    level: float = 0.95,
    severe_rank: int | None = None,
    severe_limit: int = 0,
    seed: int = 0,
) -> SwapResult:
    """Compare a new evaluation with an old one of the same data.

    In this order: (1) the data, (2) the fingerprints, (3) the embeddings, (4) the queries that flipped,
    (5) the metrics, (6) two guards. The verdict is

    * ``not_run`` if the data are not the same; nothing else is then compared;
    * ``refuted`` if a guard trips: a judged metric (hit@1 or MRR, either direction) lost significantly and is
      not shown to stay within the margin (`clipeval.baseline.guards.broad_drift`), or first places were lost
      that no exchange between equally good encoders explains (`clipeval.baseline.guards.severe_losses`);
    * ``holds`` if the embeddings are identical; or equal up to the noise of the arithmetic (judged by the
      scores where embeddings were not kept) with no query's hit at 1, 5 or 10 changed; or every judged metric
      is shown to lose less than the margin, which a model that guesses would not be
      (`clipeval.baseline.changes.guess_would_do`);
    * ``undecided`` otherwise.

    Two of the three ways to ``holds`` need no statistics, and so can be had with three pictures: they say
    that it is the same system, not that another one is as good. Identical embeddings answer identically
    whatever the data. Rows that differ by rounding alone are what the old system itself would give in
    another batch or on another machine. The coarsest such noise, that of bfloat16, moves CLIP's hit@1 on 500
    COCO pairs by at most 0.005 on average (``tests/benchmarks/simulate_swaps.py``), and here it did nothing.

    Without any true difference it says ``refuted`` in at most 1 - level of all cases, and with a true loss of
    the margin in one judged metric it says ``holds`` in at most 1 - level; both simulated there, and both
    about queries like these, among these candidates. A metric whose interval alone says ``refuted`` does not
    refute the whole before it is significant among all that are judged: four intervals at 97.5 % each way
    err in up to 10 % of cases.

    Parameters
    ----------
    old, new : Snapshot
    margin : float
        Largest loss of a judged metric that is accepted, not negative.
    level : float
        In (0, 1).
    severe_rank : int, optional
        A lost first place is severe beyond this rank (`clipeval.baseline.guards.default_severe_rank`).
    severe_limit : int
        Severe losses that are accepted.
    seed : int
        For Monte-Carlo tests.

    Returns
    -------
    SwapResult

    Raises
    ------
    InvalidInputError
        A negative margin, a level outside (0, 1), a severe rank below 1, a negative limit, or snapshots whose
        items are the same and whose queries are not.

    Examples
    --------
    >>> from clipeval.baseline.snapshot import take_snapshot
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> one = take_snapshot(evaluation_of_rows([[1, 0], [0, 1]], [[1, 0], [0, 1]]), fingerprint={}, data="")
    >>> result = compare_snapshots(one, one)
    >>> result.verdict.value, result.reason
    ('holds', 'the embeddings of all 2 pictures and 2 captions are identical')
    """
    # also where nothing will be judged, a wrong option is an error
    judge_non_inferiority(Interval(0.0, 0.0, open_unit(level, name="level"), ""), margin=margin)
    data = data_difference(old.items, new.items)
    if not data.same:
        reason = f"not the same data: {difference_in_words(data)}; nothing is compared"
        return SwapResult(old.model, new.model, Verdict.NOT_RUN, reason, data, (), margin)
    drift = embedding_drift(old, new)
    flips = both_directions(old, new)
    same = all(one.kind == "identical" for one in drift) and _same_counts(old, new)
    metrics = metric_changes(old, new, margin=margin, level=level, seed=seed, same_answers=same)
    guards = (
        broad_drift(old, new, metrics, level=level, seed=seed),
        severe_losses(
            old,
            new,
            severe_rank=severe_rank,
            severe_limit=severe_limit,
            level=level,
            noise=all(one.kind in ("identical", "noise") for one in drift),
        ),
    )
    verdict, reason = _verdict(old, new, drift, flips, metrics, guards, same=same)
    fields = _fields(old, new)
    return SwapResult(
        old=old.model,
        new=new.model,
        verdict=verdict,
        reason=reason if verdict is Verdict.HOLDS else reason + _causes_in_words(fields),
        data=data,
        fields=fields,
        margin=margin,
        drift=drift,
        flips=flips,
        metrics=metrics,
        guards=guards,
        n_queries=tuple(
            (name, len(old.direction(name).queries), len(np.unique(old.clusters(name))))
            for name in DIRECTIONS
        ),
        rows=(RowHashes(old.images_sha256, old.texts_sha256), RowHashes(new.images_sha256, new.texts_sha256)),
    )


def _verdict(
    old: Snapshot,
    new: Snapshot,
    drift: Sequence[Drift],
    flips: Sequence[Flips],
    metrics: Sequence[MetricChange],
    guards: Sequence[Guard],
    *,
    same: bool,
) -> tuple[Verdict, str]:
    judged = [change for change in metrics if change.judged]
    lost = [change for change in judged if change.verdict is Verdict.REFUTED]
    tripped = {guard.name: guard for guard in guards if guard.tripped}
    if tripped:
        words = [f"{name}: {guard.sentence}" for name, guard in tripped.items()]
        if lost:
            words.insert(0, _in_words(min(lost, key=lambda change: change.interval.high), flips))
        return Verdict.REFUTED, "; ".join(words)
    if same:
        n = f"all {len(old.items)} pictures and {len(old.caption_texts)} captions"
        return Verdict.HOLDS, f"the embeddings of {n} are identical"
    if all(only_noise(one, old, new) for one in drift) and _same_hits(old, new):
        return Verdict.HOLDS, (
            f"equal up to the noise of the arithmetic ({_noise_in_words(drift, old, new)}), and no query's "
            "hit at 1, 5 or 10 changed"
        )
    weakest = min(judged, key=lambda change: change.interval.low)
    if weakest.verdict is Verdict.HOLDS:
        if guess_would_do(old, judged):
            empty = (
                "but neither model is further above chance than the margin: one that guesses would hold too"
            )
            return Verdict.UNDECIDED, f"{_in_words(weakest, flips)}, {empty}"
        return Verdict.HOLDS, _in_words(weakest, flips)
    alone = f", but not significant after Holm over {len(judged)} tests"
    return Verdict.UNDECIDED, _in_words(weakest, flips) + alone * (weakest.verdict is Verdict.REFUTED)


def _noise_in_words(drift: Sequence[Drift], old: Snapshot, new: Snapshot) -> str:
    allowed = max(one.tolerance for one in drift)
    if any(one.kind == "not compared" for one in drift):
        moved, most = scores_moved(old, new).max(initial=0.0), row_distance(allowed)
        return f"no score moved by more than {moved:.1g}, tolerance {most:.1g}; not all embeddings were kept"
    furthest = max(1 - one.worst[0].cosine if one.worst else 0.0 for one in drift)
    return f"1 - cosine at most {furthest:.1g}, tolerance {allowed:.1g}"


def _in_words(change: MetricChange, flips: Sequence[Flips]) -> str:
    own = next(one for one in flips if one.direction == change.direction)
    return f"{metric_in_words(change)}; {len(own.lost)} lost, {len(own.gained)} gained"


def _causes_in_words(fields: Sequence[FieldChange]) -> str:
    causes = [
        f"{change.label} {_cut(change.old)} → {_cut(change.new)}"
        for change in fields
        if change.matters and change.name != SPEC  # both models are named beside the verdict
    ]
    if not causes:
        return ""
    more = f" and {len(causes) - CAUSES} more" if len(causes) > CAUSES else ""
    return f"; cause candidates: {', '.join(causes[:CAUSES])}{more}"


def _cut(value: str) -> str:
    return value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"


def _same_counts(old: Snapshot, new: Snapshot) -> bool:
    """Whether every query has the same answer; a version that counts otherwise may differ on equal rows."""
    kept = [
        [
            (query.better, query.tied, query.positives_tied)
            for name in DIRECTIONS
            for query in side.direction(name).queries
        ]
        for side in (old, new)
    ]
    return kept[0] == kept[1]


def _same_hits(old: Snapshot, new: Snapshot) -> bool:
    return all(
        bool(np.all(np.abs(new.direction(name).hits(k) - old.direction(name).hits(k)) <= SAME_HIT))
        for name in DIRECTIONS
        for k in LENGTHS.values()
    )


def _fields(old: Snapshot, new: Snapshot) -> tuple[FieldChange, ...]:
    words = changed_fields(old.fingerprint, new.fingerprint)
    if old.model == new.model:
        return words
    weights = [value for word, value in old.fingerprint.items() if word.split(": ")[-1] == "weights"]
    known = bool(weights) and NOT_SHOWN not in weights
    # another name for what is the same in every word but its libraries' versions explains nothing
    renamed = known and not any(change.matters for change in words if not change.label.endswith(" version"))
    return (FieldChange(SPEC, SPEC, old.model, new.model, matters=not renamed), *words)
