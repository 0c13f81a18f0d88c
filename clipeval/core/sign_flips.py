"""Sums under random signs, eight signs at a time: a byte of random bits looks its sum up in a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_BLOCK_ENTRIES = 2**17
_WORDS_AT_ONCE = 512
"""Words of 64 signs whose tables are held at a time (8 MiB); part of the definition, as it orders sums."""


def flipped_sums(values: ArrayLike, n_resamples: int, *, seed: int) -> NDArray[np.float64]:
    """Sum values with independent fair signs, many times.

    Value ``8 g + b`` keeps its sign where bit ``b`` of byte ``g`` is 1. For each run of 8 values the 256
    signed sums stand in a table, so that n values cost n / 8 look-ups. Bytes come, little end first, from the
    raw 64-bit words of ``numpy.random.PCG64(seed)``, a stream that numpy promises to keep: for 32,768 values
    at a time, one resample after the other.

    Parameters
    ----------
    values : array-like, shape (n,)
        Finite.
    n_resamples : int
        At least 1.
    seed : int
        Not negative.

    Returns
    -------
    ndarray of float64, shape (n_resamples,)
        The same whatever the size of the blocks in which they are made; memory beside the result is at most
        some 16 MiB.

    Examples
    --------
    >>> sums = flipped_sums([1.0, 2.0, 4.0], 1000, seed=0)
    >>> np.unique(sums).tolist()
    [-7.0, -5.0, -3.0, -1.0, 1.0, 3.0, 5.0, 7.0]
    """
    numbers = np.asarray(values, dtype=np.float64)
    source = np.random.PCG64(seed)
    totals = np.zeros(n_resamples)
    for start in range(0, len(numbers), 64 * _WORDS_AT_ONCE):
        tables = _tables(numbers[start : start + 64 * _WORDS_AT_ONCE])
        groups = len(tables)
        words = -(-groups // 8)
        flat, first = tables.ravel(), 256 * np.arange(groups)
        step = max(1, _BLOCK_ENTRIES // groups)
        for row in range(0, n_resamples, step):
            rows = min(step, n_resamples - row)
            drawn = source.random_raw(rows * words).astype("<u8").view(np.uint8)
            # a sum over the last axis of one row does not depend on how many rows there are
            totals[row : row + rows] += flat[first + drawn.reshape(rows, -1)[:, :groups]].sum(axis=1)
    return totals


def _tables(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """All 256 signed sums of each run of 8 values, shape ``(n_groups, 256)``; what is missing counts as 0."""
    groups = np.zeros((-(-len(values) // 8), 8))
    groups.ravel()[: len(values)] = values
    tables = np.zeros((len(groups), 1))
    for bit in range(8):
        value = groups[:, [bit]]
        tables = np.concatenate([tables - value, tables + value], axis=1)
    return tables
