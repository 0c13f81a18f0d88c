"""The rows that are ranked: normalised when they are needed, each different row once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval.core.duplicates import Groups, equal_rows, sampled_keys
from clipeval.core.fixed_order import fixed_order_dot
from clipeval.core.positives import Integers
from clipeval.core.similarity import Matrix, unit_rows_of_finite
from clipeval.core.ties import Floats

_CHUNK = 2048
_PAIRS = 256  # scored at a time: their rows stay in the cache

Runner = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


class RankedRows:
    """Unit rows of one side, equal rows grouped.

    Row g of this object is the first of the g-th group of equal rows.

    Parameters
    ----------
    rows : ndarray, shape (n, d)
        Finite embeddings.
    keep : bool
        Hold all unit rows; without it they are normalised anew for each block that needs them.
    run : callable
        ``map`` or that of an executor.
    compiled : bool
        Compute with numba; the numbers are the same.
    """

    def __init__(self, rows: Matrix, *, keep: bool, run: Runner, compiled: bool = False) -> None:
        self.width = rows.shape[1]
        self.compiled = compiled
        self._rows = rows
        self._unit = np.empty(rows.shape, dtype=np.float32) if keep else None
        keys = np.empty(len(rows), dtype=np.uint64)
        for _ in run(partial(self._prepare, keys), range(0, len(rows), _CHUNK)):
            pass
        self.groups: Groups = equal_rows(keys, self._read)

    def _prepare(self, keys: NDArray[np.uint64], start: int) -> None:
        part = slice(start, start + _CHUNK)
        room = None if self._unit is None else self._unit[part]
        keys[part] = sampled_keys(self._normalised(self._rows[part], room))

    def _read(self, index: Integers) -> NDArray[np.float32]:
        if self._unit is not None:
            return self._unit[index]
        return self._normalised(self._rows[index])

    def _normalised(self, rows: Matrix, room: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        unit = np.empty(rows.shape, dtype=np.float32) if room is None else room
        if not self.compiled or rows.dtype != np.float32:
            return unit_rows_of_finite(rows, unit)
        from clipeval.core.compiled.sums import unit_rows_of_float32

        unit_rows_of_float32(np.ascontiguousarray(rows), unit)
        return unit

    def __len__(self) -> int:
        return len(self.groups.first)

    def take(self, index: Integers) -> NDArray[np.float32]:
        """Give the unit rows of some groups, shape ``(len(index), d)``."""
        return self._read(self.groups.first[index])

    def places(self, index: Integers) -> tuple[NDArray[np.float32], Integers]:
        """Give an array that holds the unit rows of some groups, and where in it each of them is."""
        if self._unit is not None:
            return self._unit, self.groups.first[index]
        return self.take(index), np.arange(len(index))

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """Give the unit rows of consecutive groups; not to be written to."""
        if self._unit is not None and self.groups.all_different:
            return self._unit[start:stop]
        return self._read(self.groups.first[start:stop])


def score_pairs(left: RankedRows, i: Integers, right: RankedRows, j: Integers) -> Floats:
    """Compute the scores that decide: row ``i[p]`` with row ``j[p]``, summed in the fixed order.

    Parameters
    ----------
    left, right : RankedRows
        The two sides.
    i, j : ndarray of int, shape (p,)
        Rows of the two sides.

    Returns
    -------
    ndarray of float64, shape (p,)
    """
    out = np.empty(len(i))
    if left.compiled and right.compiled:
        from clipeval.core.compiled.sums import dot_pairs

        for at in range(0, len(i), _CHUNK):
            part = slice(at, at + _CHUNK)
            dot_pairs(*left.places(i[part]), *right.places(j[part]), out[part])
        return out
    for at in range(0, len(i), _PAIRS):
        part = slice(at, at + _PAIRS)
        out[part] = fixed_order_dot(left.take(i[part]), right.take(j[part]))
    return out
