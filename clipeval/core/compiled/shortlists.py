"""The best candidates of every row in short sorted lists, filled by compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval.core.compiled.shortlist_kernels import (
    offer_columns,
    offer_rows,
    prime_columns,
    prime_rows,
    sort_and_cut,
    take_over,
)
from clipeval.core.leaders import LOWEST, SLACK, Leaders, Scorer, score_in_parts
from clipeval.core.numpy_engine import Engine
from clipeval.core.positives import Integers
from clipeval.core.ranked_rows import Runner
from clipeval.core.thresholds import TIE_TOLERANCE
from clipeval.core.ties import Floats

MOST_CANDIDATES = 2**31
"""Their numbers are kept in 32 bits."""

_SPARE = 7  # places beyond k for candidates too close to tell apart
_ROUNDING = 2.0**-22  # of float32 arithmetic with scores


class Shortlists:
    """`clipeval.core.leaders.Leaders` for scores that differ; rows whose lists overflow go over to those.

    Parameters
    ----------
    start, stop : int
        The rows of the side that are followed.
    k : int
        How many candidates each row wants.
    bound : float
        Largest distance of a fast score from the score; finite.
    score : callable
        Exact scores of pairs ``(row, candidate)``.
    """

    def __init__(self, start: int, stop: int, *, k: int, bound: float, score: Scorer) -> None:
        n = stop - start
        self.start, self._k, self._bound, self._score = start, k, bound, score
        self._lists = (
            np.empty((n, k + _SPARE), dtype=np.float32),
            np.empty((n, k + _SPARE), dtype=np.int32),
            np.zeros(n, dtype=np.int32),
        )
        self._margin = np.float32(2 * bound + TIE_TOLERANCE + 2 * SLACK + _ROUNDING)
        self._limit = np.full(n, LOWEST, dtype=np.float32)
        self._full = np.zeros(n, dtype=bool)
        self._crowded: Leaders | None = None

    def ignore(self, rows: NDArray[np.bool_]) -> None:
        """Follow these rows no further."""
        self._limit[rows] = np.inf

    def offer(
        self, block: Any, engine: Engine | None, *, axis: int, own: int, other: int, bound: float
    ) -> bool:
        """See `clipeval.core.leaders.Leaders.offer`."""
        if engine is None:  # the second look: the first one has filled the lists
            return self._crowded is None or self._crowded.offer(
                block, None, axis=axis, own=own, other=other, bound=bound
            )
        before = self._full.copy() if self._crowded else np.zeros_like(self._full)
        prime, look = (prime_rows, offer_rows) if axis == 0 else (prime_columns, offer_columns)
        here = own - self.start
        if (self._limit[here : here + block.shape[axis]] == LOWEST).any():
            prime(block, here, self._k, self._margin, self._limit)
        if look(block, here, other, self._k, self._margin, self._lists, self._limit, self._full):
            # what this block gave is offered again
            seen = range(other, other + block.shape[1 - axis])
            self._hand_over(np.flatnonzero(self._full & ~before), seen=seen)
        if self._crowded is None or not self._full[here : here + block.shape[axis]].any():
            return True
        return self._crowded.offer(block, engine, axis=axis, own=own, other=other, bound=bound)

    def _hand_over(self, rows: Integers, *, seen: range = range(0)) -> None:
        """Give rows to `Leaders`, which has room for any number of equals; leave out what is `seen`."""
        if self._crowded is None:
            n = len(self._full)
            self._crowded = Leaders(self.start, self.start + n, k=self._k, score=self._score)
            self._crowded.ignore(np.ones(n, dtype=bool))
        value, candidate, size = self._lists
        at, place = np.nonzero(np.arange(value.shape[1]) < size[rows][:, None])
        number = candidate[rows[at], place].astype(np.int64)
        fresh = (number < seen.start) | (number >= seen.stop)
        at, place, number = at[fresh], place[fresh], number[fresh]
        self._crowded.take(
            rows, rows[at], number, value[rows[at], place].astype(np.float64), bound=self._bound
        )
        self._full[rows], self._limit[rows], size[rows] = True, np.inf, 0

    def merge(self, other: Shortlists) -> None:
        """Take over what another object found for the same rows."""
        take_over(self._k, self._margin, self._lists, self._limit, self._full, other._lists, other._full)
        crowded = np.flatnonzero(self._full | other._full)
        if crowded.size:
            self._hand_over(crowded)
            other._hand_over(crowded)
            self._crowded.merge(other._crowded)  # type: ignore[union-attr, arg-type]

    def settled(self, run: Runner = map) -> tuple[Integers, Integers, Floats]:
        """See `clipeval.core.leaders.Leaders.settled`."""
        _, candidates, size = self._lists
        row, place = np.nonzero(np.arange(candidates.shape[1]) < size[:, None])
        candidate = candidates[row, place].astype(np.int64)
        exact = score_in_parts(self._score, self.start + row, candidate, run)
        keep = np.empty(len(row), dtype=bool)
        start = np.concatenate([[0], np.cumsum(size)])
        sort_and_cut(self._k, TIE_TOLERANCE, start, candidate, exact, keep)
        mine = row[keep] + self.start, candidate[keep], exact[keep]
        if self._crowded is None:
            return mine
        both = [np.concatenate(parts) for parts in zip(mine, self._crowded.settled(run), strict=True)]
        order = np.argsort(both[0], kind="stable")
        return both[0][order], both[1][order], both[2][order]
