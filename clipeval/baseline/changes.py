"""(5) What the swap did to each metric, on the same queries."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from clipeval.baseline.result import MetricChange
from clipeval.baseline.snapshot import DirectionSnapshot, Snapshot
from clipeval.core.comparison import compare_paired
from clipeval.core.noninferiority import non_inferiority_test
from clipeval.core.ties import Floats, expected_reciprocal, miss_probability
from clipeval.evaluation import DIRECTIONS, Direction

LENGTHS = MappingProxyType({"hit_rate@1": 1, "hit_rate@5": 5, "hit_rate@10": 10})
"""Hit rates by name, and the length of their lists."""

JUDGED = ("hit_rate@1", "mrr")
"""The metrics that have a say in the verdict: the first place, and the whole rank."""

METRICS = (*LENGTHS, "mrr")


def metric_changes(
    old: Snapshot,
    new: Snapshot,
    *,
    margin: float,
    level: float = 0.95,
    seed: int = 0,
    same_answers: bool = False,
) -> tuple[MetricChange, ...]:
    """Judge for every metric of both directions whether the new one loses less than the margin.

    The interval and the verdict are those of `clipeval.core.noninferiority.non_inferiority_test` (row
    "non-inferiority" of the contract), p that of `clipeval.core.comparison.compare_paired`; the unit of both
    is the picture with all its captions.

    Parameters
    ----------
    old, new : Snapshot
        Of the same data.
    margin : float
        Largest loss that is accepted, not negative.
    level : float
        Of the intervals, in (0, 1).
    seed : int
        For the Monte-Carlo test.
    same_answers : bool
        The embeddings are identical and so are all counts: nothing was lost, by identity.

    Returns
    -------
    tuple of MetricChange
        Pictures as queries first; hit rates whose list is longer than there are candidates are left out.

    Examples
    --------
    >>> from clipeval.baseline.snapshot import take_snapshot
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> one = take_snapshot(evaluation_of_rows([[1, 0], [0, 1]], [[1, 0], [0, 1]]), fingerprint={}, data="")
    >>> [(change.metric, change.new) for change in metric_changes(one, one, margin=0.02)][:2]
    [('hit_rate@1', 1.0), ('mrr', 1.0)]
    """
    changes = []
    for direction in DIRECTIONS:
        before, after = old.direction(direction), new.direction(direction)
        clusters = old.clusters(direction)
        for metric in METRICS:
            if LENGTHS.get(metric, 1) > before.n_candidates:
                continue
            was, now = scores(before, metric), scores(after, metric)
            safe = non_inferiority_test(
                now, was, clusters, margin=margin, level=level, identical_embeddings=same_answers
            )
            paired = compare_paired(
                now, was, clusters, level=level, seed=seed, identical_embeddings=same_answers
            )
            changes.append(
                MetricChange(
                    metric=metric,
                    direction=direction,
                    old=float(was.mean()),
                    new=float(now.mean()),
                    interval=safe.interval,
                    margin=safe.margin,
                    verdict=safe.verdict,
                    p=paired.p,
                    judged=metric in JUDGED,
                )
            )
    return tuple(changes)


def scores(side: DirectionSnapshot, metric: str) -> Floats:
    """Give the score of each query under a metric, in [0, 1], shape ``(q,)``."""
    return side.reciprocal() if metric == "mrr" else side.hits(LENGTHS[metric])


def guess_would_do(old: Snapshot, changes: Sequence[MetricChange]) -> bool:
    """Say whether no judged metric of either side is further above chance than the margin.

    Then a model that guesses would lose less than the margin too, and a small loss shows nothing.

    Parameters
    ----------
    old : Snapshot
    changes : sequence of MetricChange
        From `metric_changes`.

    Returns
    -------
    bool

    Examples
    --------
    >>> from clipeval.baseline.snapshot import take_snapshot
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> one = take_snapshot(evaluation_of_rows([[1, 0], [0, 1]], [[1, 0], [0, 1]]), fingerprint={}, data="")
    >>> [guess_would_do(one, metric_changes(one, one, margin=margin)) for margin in (0.02, 0.6)]
    [False, True]
    """
    return all(
        max(change.old, change.new) - _chance(old, change.direction, change.metric) <= change.margin
        for change in changes
        if change.judged
    )


def _chance(side: Snapshot, direction: Direction, metric: str) -> float:
    """Mean score if all candidates of every query tied."""
    found = side.direction(direction)
    captions = {item.id: len(item.captions) for item in side.items}
    right = np.array([captions[query.item] if direction == "i2t" else 1 for query in found.queries])
    none, wrong = np.zeros_like(right), found.n_candidates - right
    if metric == "mrr":
        return float(expected_reciprocal(none, wrong, right).mean())
    return float(1.0 - miss_probability(LENGTHS[metric], none, wrong, right).mean())


def metric_in_words(change: MetricChange) -> str:
    """Write a change as a person reads it.

    Examples
    --------
    >>> from clipeval.core.intervals import Interval
    >>> from clipeval.core.verdict import Verdict
    >>> interval = Interval(-0.052, 0.004, 0.95, "Tango score")
    >>> metric_in_words(
    ...     MetricChange("hit_rate@1", "t2i", 0.506, 0.482, interval, 0.02, Verdict.UNDECIDED, 0.1, True)
    ... )
    'hit@1 t2i 0.506 → 0.482, Δ -0.024 [-0.052, +0.004], margin 0.02: undecided'
    """
    numbers = (
        f"{short_name(change.metric)} {change.direction} {change.old:.3f} → {change.new:.3f}, "
        f"Δ {change.difference:+.3f} [{change.interval.low:+.3f}, {change.interval.high:+.3f}]"
    )
    if not change.judged:
        return f"{numbers} (not judged)"
    return f"{numbers}, margin {change.margin:g}: {change.verdict.value}"


def short_name(metric: str) -> str:
    """Shorten ``hit_rate@1`` to ``hit@1``."""
    return metric.replace("hit_rate", "hit")
