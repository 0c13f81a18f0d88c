"""The best candidates of every row, kept while blocks of scores go by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval.core.block_counts import Crowded, entries_from, ordered_bits
from clipeval.core.numpy_engine import Engine, kth_highest
from clipeval.core.positives import Integers
from clipeval.core.ranked_rows import Runner
from clipeval.core.thresholds import TIE_TOLERANCE, float32_below
from clipeval.core.ties import Floats

LOWEST = -3.0  # below every score of unit rows, above the -inf of a pair that is not offered
SLACK = 2.0**-50

_SCORED = 8192

Scorer = Callable[[Integers, Integers], Floats]


class Leaders:
    """The candidates that may be among the k best of their row, or equal to the best.

    A candidate is dropped once k others are certainly more than the tie tolerance better. What is certain
    about a score is an interval: the fast value plus or minus its error bound, or one number once it was
    scored exactly.

    Parameters
    ----------
    start, stop : int
        The rows of the side that are followed.
    k : int
        How many candidates each row wants.
    score : callable
        Exact scores of pairs ``(row, candidate)``.
    """

    def __init__(self, start: int, stop: int, *, k: int, score: Scorer) -> None:
        self.start, self.k, self._score = start, k, score
        self.floor = np.full(stop - start, -np.inf)
        """Certain lower bound of the k-th best score seen so far."""
        self._kept = _empty()
        self._new: list[tuple[Integers, Integers, Floats, Floats]] = []
        self._n_new = 0

    def ignore(self, rows: NDArray[np.bool_]) -> None:
        """Follow these rows no further."""
        self.floor[rows] = np.inf

    def offer(
        self, block: Any, engine: Engine | None, *, axis: int, own: int, other: int, bound: float
    ) -> bool:
        """Look at a block of scores; False, and nothing is taken, if too many would have to be kept.

        Parameters
        ----------
        block : array of the engine, or ndarray of float64, shape (r, c)
            -inf for pairs that are not offered.
        engine : Engine or None
            What made the block; None for float64 scores, of which all are taken, however many.
        axis : {0, 1}
            The rows that are followed are those (0) or the columns (1) of the block.
        own, other : int
            First row of the block on the followed side, and on the other.
        bound : float
            Largest distance of an entry from its score.
        """
        here = slice(own - self.start, own - self.start + block.shape[axis])
        floor = self.floor[here]
        # float64 scores come after fast ones that were too close: their k-th best says more than the floor
        if engine is None or np.isneginf(floor).any():
            kth = engine.kth if engine else kth_highest
            np.maximum(floor, kth(block, self.k, axis=axis) - bound - SLACK, out=floor)
        limit = np.maximum(floor - TIE_TOLERANCE - bound - 2 * SLACK, LOWEST)
        if engine:
            most = max(2048, 8 * self.k * block.shape[axis])
            try:
                picked = engine.entries_from(block, float32_below(limit), axis=axis, most=most)
            except Crowded:
                return False
        else:
            picked = entries_from(block, limit, axis=axis)
        major, minor, found = picked
        if not found.size:
            return True
        values, major, minor = found.astype(np.float64), major.astype(np.int64), minor.astype(np.int64)
        if self.k == 1:
            np.maximum.at(floor, major, values - bound - SLACK)
        least = float32_below(values - bound).astype(np.float64)
        self._add(major + (own - self.start), minor + other, least, values + bound)
        return True

    def take(
        self, rows: Integers, row: Integers, candidate: Integers, value: Floats, *, bound: float
    ) -> None:
        """Follow rows that were followed elsewhere so far, from what was found for them there on.

        Parameters
        ----------
        rows : ndarray of int
            Places, counted from ``start``, of the rows; those that are followed already stay as they are.
        row, candidate : ndarray of int, shape (p,)
            What was found: all that may be among the k best, or equal to the best.
        value : ndarray, shape (p,)
            Scores, each at most `bound` away from the exact one.
        """
        self.floor[rows] = np.where(np.isposinf(self.floor[rows]), -np.inf, self.floor[rows])
        self._add(row, candidate, float32_below(value - bound).astype(np.float64), value + bound)

    def _add(self, row: Integers, candidate: Integers, least: Floats, most: Floats) -> None:
        self._new.append((row, candidate, least, most))
        self._n_new += len(row)
        if self._n_new > max(1024, len(self._kept[0])):
            self._compact()

    def _compact(self) -> None:
        parts = [self._kept, *self._new]
        row, candidate, least, most = (np.concatenate([part[at] for part in parts]) for at in range(4))
        self._new, self._n_new = [], 0
        order = _by_row_then_highest(row, least)
        row, candidate, least, most = row[order], candidate[order], least[order], most[order]
        place = np.arange(len(row)) - np.searchsorted(row, row)
        # the order is one of float32 numbers, so the lowest of the first k need not stand last among them
        lowest = np.full(len(self.floor), np.inf)
        np.minimum.at(lowest, row[place < self.k], least[place < self.k])
        full = row[place == self.k - 1]
        self.floor[full] = np.maximum(self.floor[full], lowest[full])
        keep = most >= self.floor[row] - TIE_TOLERANCE - SLACK
        self._kept = (row[keep], candidate[keep], least[keep], most[keep])
        if len(self._kept[0]) > 2 * max(16384, 16 * self.k * len(self.floor)):
            self._settle()

    def _settle(self, run: Runner = map) -> None:
        """Score every kept candidate exactly and keep the k best and the first of those equal to the best."""
        row, candidate, least, most = self._kept
        open_ = np.flatnonzero(least < most)
        exact = least.copy()
        exact[open_] = score_in_parts(self._score, self.start + row[open_], candidate[open_], run)
        row, candidate, exact = best_of_each(row, candidate, exact, k=self.k)
        kth = np.flatnonzero((np.arange(len(row)) - np.searchsorted(row, row)) == self.k - 1)
        self.floor[row[kth]] = np.maximum(self.floor[row[kth]], exact[kth])
        self._kept = (row, candidate, exact, exact)

    def merge(self, other: Leaders) -> None:
        """Take over what another object found for the same rows."""
        np.maximum(self.floor, other.floor, out=self.floor)
        self._new += [other._kept, *other._new]
        self._compact()

    def settled(self, run: Runner = map) -> tuple[Integers, Integers, Floats]:
        """Row, candidate and exact score of every leader: by row, best first, equals by candidate.

        Parameters
        ----------
        run : callable
            ``map``, or that of an executor that nothing else waits for.
        """
        self._compact()
        self._settle(run)
        row, candidate, exact, _ = self._kept
        return row + self.start, candidate, exact


def best_of_each(
    row: Integers, candidate: Integers, exact: Floats, *, k: int
) -> tuple[Integers, Integers, Floats]:
    """Keep the k best candidates of each row, and the first of those equal to its best.

    What is kept of a whole is kept of what was kept of its parts, whatever the parts and their order.

    Parameters
    ----------
    row, candidate : ndarray of int, shape (p,)
        No pair twice.
    exact : ndarray of float64, shape (p,)
        Scores.
    k : int

    Returns
    -------
    row, candidate, exact
        By row, best first, equals by candidate.

    Examples
    --------
    >>> found = best_of_each(np.array([0, 0, 0]), np.array([5, 2, 3]), np.array([0.9, 0.9 - 1e-13, 0.1]), k=1)
    >>> found[1].tolist()
    [5, 2]
    """
    order = np.lexsort((candidate, -exact, row))
    row, candidate, exact = row[order], candidate[order], exact[order]
    begin = np.searchsorted(row, row)
    place = np.arange(len(row)) - begin
    keep = place < k
    # of those that may equal the best, only one that stands before all better ones can be the first
    tied = np.flatnonzero(exact >= exact[begin] - TIE_TOLERANCE)
    keep[tied[_earliest_so_far(row[tied], candidate[tied])]] = True
    return row[keep], candidate[keep], exact[keep]


def score_in_parts(score: Scorer, row: Integers, candidate: Integers, run: Runner) -> Floats:
    """Score pairs exactly, many at a time, side by side where `run` does so."""
    starts = range(0, len(row), _SCORED)
    parts = run(lambda at: score(row[at : at + _SCORED], candidate[at : at + _SCORED]), starts)
    return np.concatenate([np.zeros(0), *parts])


def _empty() -> tuple[Integers, Integers, Floats, Floats]:
    return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0)


def _by_row_then_highest(row: Integers, value: Floats) -> Integers:
    """Sort by row, best first; values are ordered by their float32 neighbour below."""
    # one whole number instead of two sort keys: five times faster
    bits = np.uint64(0xFFFFFFFF) - ordered_bits(float32_below(value))
    return np.argsort((row.astype(np.uint64) << np.uint64(32)) | bits)


def _earliest_so_far(row: Integers, candidate: Integers) -> NDArray[np.bool_]:
    """Where a candidate's number is below all that stand before it in its row."""
    n = len(row)
    if not n:
        return np.zeros(0, dtype=bool)
    # rows lifted apart, later rows lower, so that one running minimum serves all
    lift = int(candidate.max()) + 1
    lifted = candidate - row * lift
    before = np.concatenate([[np.iinfo(np.int64).max], np.minimum.accumulate(lifted)[:-1]])
    return np.asarray(lifted < before)
