"""numpy's products, counted by compiled code."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clipeval.core.block_counts import Crowded
from clipeval.core.compiled.counting import count_columns, count_rows
from clipeval.core.numpy_engine import NumpyEngine
from clipeval.core.thresholds import BlockCounts, Thresholds

_NO_WEIGHTS = np.zeros(0, dtype=np.int64)


class CompiledEngine(NumpyEngine):
    """See `clipeval.core.numpy_engine.NumpyEngine`; what is counted is the same."""

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
        """See `clipeval.core.block_counts.count_block`."""
        return count_compiled(block, thresholds, axis=axis, own=own, other=other, most_unsure=most_unsure)


def count_compiled(
    block: NDArray[np.float32], thresholds: Thresholds, *, axis: int, own: int, other: int, most_unsure: int
) -> BlockCounts:
    """Count a block against the thresholds of its rows or columns; see `block_counts.count_block`.

    Raises
    ------
    Crowded
        More scores are unsure than accepted.
    """
    size = block.shape[axis]
    weights = _NO_WEIGHTS
    if thresholds.copies is not None:
        weights = thresholds.copies[other : other + block.shape[1 - axis]]
    first, last = int(thresholds.offsets[own]), int(thresholds.offsets[own + size])
    begin = thresholds.offsets[own : own + size + 1] - first
    high, low = thresholds.high[first:last], thresholds.low[first:last]
    above = np.zeros(last - first, dtype=np.int64)
    which, minor = np.empty((2, most_unsure), dtype=np.int64)
    rows, counted = block, np.arange(size)
    if axis == 1:  # columns with many thresholds are counted as rows
        counted = thresholds.many_between(own, own + size) - own
        rows = np.ascontiguousarray(block[:, counted].T)
    found = count_rows(rows, begin[counted], begin[counted + 1], high, low, weights, above, which, minor)
    if found >= 0 and axis == 1 and thresholds.slots:
        tables = [np.stack([slot[at][own : own + size] for slot in thresholds.slots]) for at in (0, 1)]
        found = count_columns(block, begin, tables[0], tables[1], weights, above, which, minor, found)
    if found < 0:
        raise Crowded
    return BlockCounts(np.arange(first, last), above, None, first + which[:found], other + minor[:found])
