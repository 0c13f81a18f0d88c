"""What is counted along one side: how many scores lie above, and level with, each positive's score."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clipeval.core.positives import Integers
from clipeval.core.ties import Floats

TIE_TOLERANCE = 1e-12
"""Similarities of unit vectors closer than this are equal: far above the noise of a float64 product
(d * 2**-53, about 6e-14 at d = 512), far below the resolution of float32 embeddings."""

FEW = 8
"""Up to so many thresholds for one row are compared one after another; more are searched in sorted scores."""

_SLACK = 2.0**-50  # covers the rounding of "score + tolerance" itself


def float32_above(values: Floats) -> NDArray[np.float32]:
    """Smallest float32 numbers that are not below `values`."""
    near = values.astype(np.float32)
    return np.where(near < values, np.nextafter(near, np.float32(np.inf)), near)


def float32_below(values: Floats) -> NDArray[np.float32]:
    """Largest float32 numbers that are not above `values`."""
    near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near)


@dataclass
class Thresholds:
    """The scores that the rows of one side are counted against.

    Threshold t belongs to row ``owner[t]``. A fast value v of a score is certainly above it if
    ``v > high[t]``, certainly below it if ``v < low[t]``, and else must be scored again.

    Attributes
    ----------
    owner : ndarray of int, shape (t,)
        Ascending.
    score : ndarray of float64, shape (t,)
        Ascending for one owner.
    n_rows : int
        Rows of this side.
    bound : float
        Largest distance of a fast value from its score.
    copies : ndarray of int or None
        How often each row of the *other* side occurs; None if once each.
    slots : list of (high, low)
        The first, second … limits of all rows with few thresholds; infinite where there is none.
    many : ndarray of int
        Rows with more than `FEW` thresholds.
    """

    owner: Integers
    score: Floats
    n_rows: int
    bound: float
    copies: Integers | None
    offsets: Integers = field(init=False)
    high: NDArray[np.float32] = field(init=False)
    low: NDArray[np.float32] = field(init=False)
    many: Integers = field(init=False)
    slots: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = field(init=False)

    def __post_init__(self) -> None:
        counts = np.bincount(self.owner, minlength=self.n_rows)
        self.offsets = np.concatenate([[0], np.cumsum(counts)])
        reach = TIE_TOLERANCE + self.bound + _SLACK
        self.high, self.low = float32_above(self.score + reach), float32_below(self.score - reach)
        self.slots = []
        self.many = np.flatnonzero(counts > FEW)
        few = np.where(counts > FEW, 0, counts)
        for slot in range(int(few.max(initial=0))):
            has = few > slot
            at = self.offsets[:-1][has] + slot
            tables = []
            for values in (self.high, self.low):
                table = np.full(self.n_rows, np.inf, dtype=np.float32)
                table[has] = values[at]
                tables.append(table)
            self.slots.append((tables[0], tables[1]))

    def __len__(self) -> int:
        return len(self.owner)

    def owners(self, slot: int, start: int, stop: int) -> Integers:
        """Rows from `start` on that have a threshold in this slot, counted from `start`."""
        return np.flatnonzero(np.isfinite(self.slots[slot][0][start:stop]))

    def many_between(self, start: int, stop: int) -> Integers:
        """Rows with more than `FEW` thresholds, which have no slots."""
        first, last = np.searchsorted(self.many, [start, stop])
        return self.many[first:last]


@dataclass(frozen=True)
class BlockCounts:
    """What one block says about the thresholds of one side.

    Attributes
    ----------
    threshold : ndarray of int, shape (t,)
        The thresholds concerned; none twice.
    above : ndarray of int, shape (t,)
        Candidates of the block, copies included, that are certainly above each.
    level : ndarray of int or None
        Candidates that certainly tie; None for none.
    unsure_threshold, unsure_other : ndarray of int, shape (u,)
        Threshold, and row of the other side, of every score that must be computed exactly.
    """

    threshold: Integers
    above: Integers
    level: Integers | None
    unsure_threshold: Integers
    unsure_other: Integers
