"""(6) Two guards: a broad loss that is real, and a few terrible losses that no mean shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipeval.baseline.changes import scores, short_name
from clipeval.baseline.flips import flips_of
from clipeval.baseline.result import Flip, Guard, MetricChange
from clipeval.baseline.snapshot import DirectionSnapshot, Snapshot
from clipeval.core.comparison import compare_paired
from clipeval.core.multiplicity import holm
from clipeval.core.paired import exact_mcnemar
from clipeval.core.ties import Floats
from clipeval.core.verdict import Verdict
from clipeval.errors import InvalidInputError
from clipeval.evaluation import DIRECTIONS, Direction

STILL = 0.1
"""Queries at large hardly moved if the median query's lead over its best rival changed by at most this share
of the median lead. Noise of 5 % in every row, the most that counts as rounding (bfloat16), moves the leads of
CLIP on 500 COCO pairs by 0.1; two equally good encoders differ by 0.4 to 1.6 in simulation."""

SHOWN = 5


def broad_drift(
    old: Snapshot, new: Snapshot, changes: Sequence[MetricChange], *, level: float = 0.95, seed: int = 0
) -> Guard:
    """Look for a loss that is real and may be larger than the margin.

    Trips where a judged metric is significantly worse (`clipeval.core.comparison.compare_paired`: p, Holm
    over the judged metrics of both directions, and the interval wholly below 0) and its loss is not shown to
    stay within the margin. Without any true difference it trips with at most (1 - level) / 2.

    Parameters
    ----------
    old, new : Snapshot
        Of the same data.
    changes : sequence of MetricChange
        From `clipeval.baseline.changes.metric_changes`, with the same level and seed.
    level : float
        In (0, 1).
    seed : int

    Returns
    -------
    Guard
    """
    judged = [change for change in changes if change.judged]
    adjusted = holm([change.p for change in judged])
    real = [
        (float(p), change)
        for p, change in zip(adjusted, judged, strict=True)
        if p <= 1 - level + 1e-12 and change.difference < 0 and _wholly_below(old, new, change, level, seed)
    ]
    feared = [(p, change) for p, change in real if change.verdict is not Verdict.HOLDS]
    found = min(feared or real, key=lambda one: (one[0], one[1].p), default=None)
    if found is None:
        sentence = f"no significant loss (Holm over {len(judged)} tests)"
    else:
        p, change = found
        sentence = (
            f"{short_name(change.metric)} {change.direction} lost {-change.difference:.3f} "
            f"({_p_words(p)} after Holm over {len(judged)} tests), "
            + ("not shown to stay" if feared else "shown to stay")
            + f" within the margin {change.margin:g}"
        )
    return Guard("broad drift", bool(feared), sentence)


def severe_losses(
    old: Snapshot,
    new: Snapshot,
    *,
    severe_rank: int | None = None,
    severe_limit: int = 0,
    level: float = 0.95,
    noise: bool = False,
) -> Guard:
    """Look for queries that were surely first and are now far down.

    More than ``severe_limit`` of them trip the guard in either of two ways:

    * **Queries at large hardly moved** (`STILL`): the system is meant to be the same, no harmless noise does
      this to a query, and so each severe loss is damage: a broken picture, a caption cut short. Not where
      every row moved by rounding alone: then only near-duplicates (frames of one film) changed places.
    * **Queries moved**, as they do between different encoders: even two equally good ones exchange severe
      losses. Then significantly more pictures must lose than gain, where gains are losses with the sides
      exchanged (exact sign test over independent units, both directions together, at half the error; seven
      to none at level 0.95).

    Parameters
    ----------
    old, new : Snapshot
        Of the same data.
    severe_rank : int, optional
        A loss is severe if the expected rank is now beyond this; by default `default_severe_rank`.
    severe_limit : int
        Severe losses that are accepted.
    level : float
        In (0, 1).
    noise : bool
        Every row moved by rounding alone.

    Returns
    -------
    Guard
        With the severe losses, the deepest first.

    Raises
    ------
    InvalidInputError
        A rank below 1 or a negative limit.
    """
    if severe_rank is not None and severe_rank < 1:
        raise InvalidInputError(f"the severe rank is {severe_rank}", fix="a whole number of at least 1")
    if severe_limit < 0:
        raise InvalidInputError(f"the limit of severe losses is {severe_limit}", fix="0 or more")
    found = [_severe(old, new, direction, severe_rank) for direction in DIRECTIONS]
    net = np.zeros(len(old.items))
    for one in found:
        np.add.at(net, one.units, one.lost.astype(float) - one.gained)
    losing, gaining = int((net > 0).sum()), int((net < 0).sum())
    p = exact_mcnemar(losing, gaining)
    n_lost = sum(int(one.lost.sum()) for one in found)
    n_gained = sum(int(one.gained.sum()) for one in found)
    n_still = 0 if noise else sum(int(one.lost.sum()) for one in found if one.moved <= STILL)
    # half of the error: the other guard has the other half, and queries of one gallery are not independent
    more = losing > gaining and p <= (1 - level) / 2 + 1e-12
    tripped = n_still > severe_limit or (n_lost > severe_limit and more)
    ranks = " or ".join(dict.fromkeys(str(one.rank) for one in found))
    if len({one.rank for one in found}) > 1:
        ranks = " or ".join(f"{one.rank} ({one.direction})" for one in found)
    verb = "are" if n_lost > 1 else "is"
    sentence = f"{_queries(n_lost)} surely first before {verb} now behind rank {ranks}"
    if n_lost:
        sentence += f" (limit {severe_limit}; {n_gained} the other way round)"
        if n_still > severe_limit:
            sentence += " while queries at large hardly moved"
        else:
            lose = "picture loses" if losing == 1 else "pictures lose"
            gain = "gains" if gaining == 1 else "gain"
            sentence += f"; {losing} {lose}, {gaining} {gain} ({_p_words(p)})"
    return Guard("severe losses", tripped, sentence, _worst(old, new, found))


def default_severe_rank(n_candidates: int) -> int:
    """Give the rank beyond which a lost first place is severe.

    The larger of 10 and 5 % of the candidates, rounded up, but never beyond the middle of the list, where a
    guess would stand: 10 among 20 candidates, 25 among 500, 2 among 3.

    Parameters
    ----------
    n_candidates : int
        At least 1.

    Returns
    -------
    int

    Examples
    --------
    >>> [default_severe_rank(n) for n in (1, 3, 20, 100, 500, 2500)]
    [1, 2, 10, 10, 25, 125]
    """
    return min(max(10, math.ceil(n_candidates / 20)), math.ceil(n_candidates / 2))


@dataclass(frozen=True, eq=False)
class _Severe:
    """Severe losses and gains of one direction, one entry for each query.

    ``moved`` is the median change of the queries' leads, as a share of the median lead.
    """

    direction: Direction
    rank: int
    units: NDArray[np.int64]
    lost: NDArray[np.bool_]
    gained: NDArray[np.bool_]
    moved: float


def _severe(old: Snapshot, new: Snapshot, direction: Direction, rank: int | None) -> _Severe:
    before, after = old.direction(direction), new.direction(direction)
    n = before.n_candidates
    beyond = default_severe_rank(n) if rank is None else min(rank, n)
    lost = (before.hits(1) >= 1.0) & (after.ranks() > beyond)
    gained = (after.hits(1) >= 1.0) & (before.ranks() > beyond)
    return _Severe(direction, beyond, old.clusters(direction), lost, gained, _moved(before, after))


def _moved(before: DirectionSnapshot, after: DirectionSnapshot) -> float:
    leads, now = _leads(before), _leads(after)
    known = np.isfinite(leads) & np.isfinite(now)
    if not known.any():
        return 0.0  # there is no wrong candidate, so nothing can be lost
    change = float(np.median(np.abs(now - leads)[known]))
    usual = float(np.median(np.abs(leads[known])))
    return change / usual if usual > 0 else 0.0 if change == 0 else math.inf


def _leads(side: DirectionSnapshot) -> Floats:
    """Score of the best right answer minus that of the best wrong one; NaN without a wrong one."""
    return np.array(
        [math.nan if q.rival_score is None else q.score - q.rival_score for q in side.queries],
        dtype=np.float64,
    )


def _worst(old: Snapshot, new: Snapshot, found: Sequence[_Severe]) -> tuple[Flip, ...]:
    listed: list[tuple[float, Flip]] = []
    for one in found:
        n = old.direction(one.direction).n_candidates
        flips = flips_of(old, new, one.direction, np.flatnonzero(one.lost))
        listed += [(-flip.new_rank / n, flip) for flip in flips]
    return tuple(flip for _, flip in sorted(listed, key=lambda entry: entry[0])[:SHOWN])


def _wholly_below(old: Snapshot, new: Snapshot, change: MetricChange, level: float, seed: int) -> bool:
    # the sign-flip alone decides too often where differences are skewed (see compare_paired)
    after, before = (scores(side.direction(change.direction), change.metric) for side in (new, old))
    clusters = old.clusters(change.direction)
    return compare_paired(after, before, clusters, level=level, seed=seed).interval.high < 0


def _p_words(p: float) -> str:
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"


def _queries(n: int) -> str:
    return {0: "no query", 1: "1 query"}.get(n, f"{n} queries")
