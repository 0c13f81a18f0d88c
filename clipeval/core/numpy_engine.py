"""Products and counts of blocks with numpy."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clipeval.core.block_budget import Budget
from clipeval.core.block_counts import count_block, entries_from
from clipeval.core.error_bound import error_bound
from clipeval.core.positives import Integers
from clipeval.core.thresholds import BlockCounts, Thresholds
from clipeval.core.ties import Floats

Hidden = tuple[Integers, Integers]


class Engine(Protocol):
    """What a pass needs of a library that multiplies; arrays of the library's own are ``Any``."""

    def fitted(self, budget: Budget) -> Budget:
        """Fit the plan of the work to the device."""
        ...

    def bound(self, width: int) -> float:
        """Largest distance of a fast product of rows of this width from the score."""
        ...

    def load(self, rows: NDArray[np.float32]) -> Any:
        """Bring unit rows to where they are multiplied."""
        ...

    def product(self, rows: Any, columns: Any, hidden: Hidden) -> tuple[Any, Floats]:
        """Fast scores of all pairs, shape ``(r, c)``, -inf where hidden, and what stood there."""
        ...

    def exact(self, rows: Any, columns: Any, hidden: Hidden) -> Floats:
        """Do the same in float64."""
        ...

    def count(
        self, block: Any, thresholds: Thresholds, *, axis: int, own: int, other: int, most_unsure: int
    ) -> BlockCounts:
        """See `clipeval.core.block_counts.count_block`."""
        ...

    def entries_from(
        self, block: Any, least: NDArray[np.float32], *, axis: int, most: int
    ) -> tuple[Integers, Integers, NDArray[np.floating[Any]]]:
        """See `clipeval.core.block_counts.entries_from`."""
        ...

    def kth(self, block: Any, k: int, *, axis: int) -> Floats:
        """Give the k-th highest entry of every row (axis 0) or column (axis 1), -inf if there are fewer."""
        ...


class NumpyEngine:
    """numpy and its BLAS library, float32; one object for each thread.

    Parameters
    ----------
    entries : int
        Of the largest block; its memory is used again and again.
    """

    def __init__(self, entries: int) -> None:
        self._room = np.empty(entries, dtype=np.float32)

    def fitted(self, budget: Budget) -> Budget:
        """See `Engine`."""
        return budget

    def bound(self, width: int) -> float:
        """See `Engine`."""
        return error_bound(width)

    def load(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Engine`."""
        return rows

    def product(
        self, rows: NDArray[np.float32], columns: NDArray[np.float32], hidden: Hidden
    ) -> tuple[NDArray[np.float32], Floats]:
        """See `Engine`; the next call overwrites the block."""
        block = self._room[: len(rows) * len(columns)].reshape(len(rows), len(columns))
        np.matmul(rows, columns.T, out=block)
        seen = block[hidden].astype(np.float64)
        block[hidden] = -np.inf
        return block, seen

    def exact(self, rows: NDArray[np.float32], columns: NDArray[np.float32], hidden: Hidden) -> Floats:
        """See `Engine`."""
        block: Floats = rows.astype(np.float64) @ columns.astype(np.float64).T
        block[hidden] = -np.inf
        return block

    def count(
        self,
        block: NDArray[np.float32],
        thresholds: Thresholds,
        *,
        axis: int,
        own: int,
        other: int,
        most_unsure: int,
    ) -> BlockCounts:
        """See `Engine`."""
        return count_block(block, thresholds, axis=axis, own=own, other=other, most_unsure=most_unsure)

    def entries_from(
        self, block: NDArray[np.floating[Any]], least: NDArray[np.floating[Any]], *, axis: int, most: int
    ) -> tuple[Integers, Integers, NDArray[np.floating[Any]]]:
        """See `Engine`."""
        return entries_from(block, least, axis=axis, most=most)

    def kth(self, block: NDArray[np.floating[Any]], k: int, *, axis: int) -> Floats:
        """See `Engine`."""
        return kth_highest(block, k, axis=axis)


def kth_highest(block: NDArray[np.floating[Any]], k: int, *, axis: int) -> Floats:
    """K-th highest entry of every row (axis 0) or column (axis 1), -inf if there are fewer."""
    length = block.shape[1 - axis]
    if k > length:
        return np.full(block.shape[axis], -np.inf)
    if k == 1:
        return np.asarray(block.max(axis=1 - axis), dtype=np.float64)
    rows = block if axis == 0 else np.ascontiguousarray(block.T)
    return np.asarray(np.partition(rows, length - k, axis=1)[:, length - k], dtype=np.float64)
