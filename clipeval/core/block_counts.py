"""Counting in one block of fast scores: certainly above a threshold, certainly below, or unsure.

Three ways give the same counts. *Dense*: compare the whole block with one threshold of every row at a time;
for thresholds that many scores reach. *Sparse*: pick out the scores that reach a threshold and go on with
these; for good encoders, where hardly any score is that high. *Sorted*: sort a row once and look every
threshold up; for rows with many thresholds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval.core.positives import Integers
from clipeval.core.thresholds import BlockCounts, Thresholds

# costs in nanoseconds for each entry of a block, measured; they choose the way, not the result
_DENSE_SLOT, _SPARSE_SCAN, _SPARSE_ENTRY, _SPARSE_SLOT = 1.3, 0.6, 20.0, 15.0
_SLICE_BYTES = 2**20  # what is compared at a time stays in the second-level cache
_NONE = np.zeros(0, dtype=np.int64)

Block = NDArray[np.float32]
Mask = NDArray[np.bool_]


class Crowded(Exception):  # noqa: N818  (a message between two functions, not an error)
    """Too many scores of a block are unsure, or picked out."""


def along(values: NDArray[np.floating[Any]], axis: int) -> NDArray[np.floating[Any]]:
    """Shape one number for each row (axis 0) or column (axis 1) so that it meets the block's entries."""
    return values[:, None] if axis == 0 else values[None, :]


def slices(block: NDArray[np.floating[Any]]) -> Iterator[slice]:
    """Cut a block into stretches of rows that fit into the cache."""
    rows = max(1, _SLICE_BYTES // (block.shape[1] * block.itemsize))
    for start in range(0, len(block), rows):
        yield slice(start, min(start + rows, len(block)))


def entries_from(
    block: NDArray[np.floating[Any]],
    least: NDArray[np.floating[Any]],
    *,
    axis: int,
    most: int | None = None,
) -> tuple[Integers, Integers, NDArray[np.floating[Any]]]:
    """Pick out the entries that reach the limit of their row (axis 0) or column (axis 1).

    Parameters
    ----------
    block : ndarray, shape (r, c)
        Scores.
    least : ndarray, shape (r,) or (c,)
        The limits.
    axis : {0, 1}
        Whose limits.
    most : int, optional
        How many to accept.

    Returns
    -------
    major, minor : ndarray of int32
        Place along `axis` and along the other one.
    values : ndarray
        The entries.

    Raises
    ------
    Crowded
        More entries than accepted.
    """
    rows, columns, picked = [], [], []
    left = block.size if most is None else most
    width = np.int32(block.shape[1])
    parts = list(slices(block))
    room = np.empty((parts[0].stop - parts[0].start) * block.shape[1], dtype=bool)
    for part in parts:
        values = block[part]
        limit = along(least[part] if axis == 0 else least, axis)
        mask = np.greater_equal(values, limit, out=room[: values.size].reshape(values.shape))
        left -= int(np.count_nonzero(mask))
        if left < 0:
            raise Crowded
        flat = np.flatnonzero(mask).astype(np.int32)  # numpy divides 32 bits with vector instructions
        row, column = np.divmod(flat, width)
        rows.append(row + np.int32(part.start))
        columns.append(column)
        picked.append(values.reshape(-1)[flat])
    row, column = np.concatenate(rows), np.concatenate(columns)
    major, minor = (row, column) if axis == 0 else (column, row)
    return major, minor, np.concatenate(picked)


def count_block(
    block: Block, thresholds: Thresholds, *, axis: int, own: int, other: int, most_unsure: int
) -> BlockCounts:
    """Count a block against the thresholds of its rows (axis 0) or of its columns (axis 1).

    Parameters
    ----------
    block : ndarray of float32, shape (r, c)
        Fast scores; -inf where a pair is not to be counted.
    thresholds : Thresholds
        Of the side that `axis` names.
    axis : {0, 1}
        Whose thresholds.
    own, other : int
        First row of the block on the side of the thresholds, and on the other.
    most_unsure : int
        How many unsure scores to accept.

    Returns
    -------
    BlockCounts

    Raises
    ------
    Crowded
        More scores are unsure than accepted.
    """
    size = block.shape[axis]
    parts = []
    many = thresholds.many_between(own, own + size)
    if many.size:
        rows = block[many - own] if axis == 0 else np.ascontiguousarray(block[:, many - own].T)
        parts.append(count_sorted(rows, many, thresholds, other, most_unsure))
    slots = len(thresholds.slots)
    split = _dense_slots(block, thresholds, axis, own) if slots else 0
    if split:
        parts.append(_dense(block, thresholds, axis, own, other, most_unsure, range(split)))
    if split < slots:
        picked = entries_from(block, thresholds.slots[split][1][own : own + size], axis=axis)
        rest = range(split, slots)
        parts.append(_sparse(*picked, thresholds, own, other, size, most_unsure, rest))
    return _joined(parts)


def _dense_slots(block: Block, thresholds: Thresholds, axis: int, own: int) -> int:
    """Estimate how many thresholds of each row, from the lowest on, are cheaper to compare densely."""
    step = max(1, len(block) // 16)
    sample = block[::step]
    here = slice(own, own + len(block), step) if axis == 0 else slice(own, own + block.shape[1])
    shares = [
        np.count_nonzero(sample >= along(low[here], axis)) / max(1, sample.size)
        for _, low in thresholds.slots
    ]
    costs = [
        _DENSE_SLOT * split
        + (_SPARSE_SCAN + _SPARSE_ENTRY * shares[split] + _SPARSE_SLOT * sum(shares[split:]))
        for split in range(len(shares))
    ]
    return int(np.argmin([*costs, _DENSE_SLOT * len(shares)]))


def _joined(parts: list[BlockCounts]) -> BlockCounts:
    return _gathered(
        [part.threshold for part in parts],
        [part.above for part in parts],
        [part.unsure_threshold for part in parts],
        [part.unsure_other for part in parts],
    )


def _sparse(
    major: Integers,
    minor: Integers,
    values: Block,
    thresholds: Thresholds,
    own: int,
    other: int,
    size: int,
    most_unsure: int,
    slots: range,
) -> BlockCounts:
    begin = thresholds.offsets[own : own + size]
    which, above, unsure_which, unsure_other = [], [], [], []
    for slot in slots:
        high, low = thresholds.slots[slot]
        if slot > slots.start:  # thresholds ascend: only what reaches the next one goes on
            on = values >= low[own : own + size][major]
            values, major, minor = values[on], major[on], minor[on]
        owners = thresholds.owners(slot, own, own + size)
        if not owners.size:
            break
        sure = values > high[own : own + size][major]
        weights = None if thresholds.copies is None else thresholds.copies[other + minor[sure]]
        which.append(begin[owners] + slot)
        above.append(np.bincount(major[sure], weights=weights, minlength=size)[owners].astype(np.int64))
        rest = np.flatnonzero(~sure)
        most_unsure -= len(rest)
        if most_unsure < 0:
            raise Crowded
        unsure_which.append(begin[major[rest]] + slot)
        unsure_other.append(other + minor[rest].astype(np.int64))
    return _gathered(which, above, unsure_which, unsure_other)


def _gathered(
    which: list[Integers], above: list[Integers], unsure_which: list[Integers], unsure_other: list[Integers]
) -> BlockCounts:
    return BlockCounts(
        np.concatenate([_NONE, *which]),
        np.concatenate([_NONE, *above]),
        None,
        np.concatenate([_NONE, *unsure_which]),
        np.concatenate([_NONE, *unsure_other]),
    )


def ordered_bits(values: Block) -> NDArray[np.uint64]:
    """Give whole numbers of 32 bits in the order of the float32 numbers."""
    bits = np.ascontiguousarray(values + np.float32(0.0)).view(np.int32).astype(np.int64)
    return np.where(bits < 0, 0x7FFFFFFF - (bits & 0x7FFFFFFF), bits + 0x80000000).astype(np.uint64)


def count_sorted(
    rows: Block, owners: Integers, thresholds: Thresholds, other: int, most_unsure: int
) -> BlockCounts:
    """Count rows with many thresholds: each row is sorted once and every threshold looked up.

    Parameters
    ----------
    rows : ndarray of float32, shape (r, c)
        Fast scores of the owners.
    owners : ndarray of int, shape (r,)
        Whose they are.
    thresholds : Thresholds
        Of their side.
    other : int
        First row of the other side.
    most_unsure : int
        How many unsure scores to accept.

    Returns
    -------
    BlockCounts

    Raises
    ------
    Crowded
        More scores are unsure than accepted.
    """
    which, above, unsure_which, unsure_other = [], [], [], []
    for owner, row in zip(owners, rows, strict=True):
        first, last = int(thresholds.offsets[owner]), int(thresholds.offsets[owner + 1])
        reached = np.flatnonzero(row >= thresholds.low[first])
        values = row[reached]
        order = np.argsort(values)
        values, reached = values[order], reached[order] + other
        low = np.searchsorted(values, thresholds.low[first:last])
        high = np.searchsorted(values, thresholds.high[first:last], side="right")
        mine = np.arange(first, last)
        which.append(mine)
        if thresholds.copies is None:
            above.append(len(values) - high)
        else:
            total = np.concatenate([[0], np.cumsum(thresholds.copies[reached])])
            above.append(total[-1] - total[high])
        unsure = high - low
        most_unsure -= int(unsure.sum())
        if most_unsure < 0:
            raise Crowded
        place = np.arange(int(unsure.sum())) + np.repeat(low - (np.cumsum(unsure) - unsure), unsure)
        unsure_which.append(np.repeat(mine, unsure))
        unsure_other.append(reached[place])
    return _gathered(which, above, unsure_which, unsure_other)


def _dense(
    block: Block, thresholds: Thresholds, axis: int, own: int, other: int, most_unsure: int, slots: range
) -> BlockCounts:
    size = block.shape[axis]
    begin = thresholds.offsets[own : own + size]
    which, above, unsure_which, unsure_other = [], [], [], []
    totals = np.zeros((len(slots), size), dtype=np.int64)
    parts = list(slices(block))
    # room used again and again stays in the cache; new memory would have to be fetched page by page
    masks = [np.empty((parts[0].stop - parts[0].start) * block.shape[1], dtype=bool) for _ in range(2)]
    for part in parts:
        values = block[part]
        sure, within = (mask[: values.size].reshape(values.shape) for mask in masks)
        mine = part if axis == 0 else slice(0, size)
        weights = None
        if thresholds.copies is not None:
            first = other if axis == 0 else other + part.start
            weights = thresholds.copies[first : first + values.shape[1 - axis]]
        for slot in slots:
            high, low = thresholds.slots[slot]
            np.greater(values, along(high[own : own + size][mine], axis), out=sure)
            np.greater_equal(values, along(low[own : own + size][mine], axis), out=within)
            count = count_true(sure, axis=axis)
            touched = np.flatnonzero(count_true(within, axis=axis) > count)
            totals[slot, mine] += count if weights is None else count_true(sure, axis=axis, copies=weights)
            if not touched.size:
                continue
            at, minor = differing(within, sure, touched, axis=axis)
            if axis == 1:
                minor += np.int32(part.start)
            most_unsure -= len(at)
            if most_unsure < 0:
                raise Crowded
            unsure_which.append(begin[mine][touched[at]] + slot)
            unsure_other.append(other + minor.astype(np.int64))
    for slot, total in enumerate(totals):
        owners = thresholds.owners(slot, own, own + size)
        which.append(begin[owners] + slot)
        above.append(total[owners])
    return _gathered(which, above, unsure_which, unsure_other)


def differing(
    within: Mask, sure: Mask, touched: Integers, *, axis: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Find where two masks differ, in some rows (axis 0) or columns (axis 1).

    Parameters
    ----------
    within, sure : ndarray of bool, shape (r, c)
    touched : ndarray of int, shape (t,)
        The rows or columns.
    axis : {0, 1}
        Which of them.

    Returns
    -------
    at : ndarray of int32
        Place in `touched`.
    minor : ndarray of int32
        Place along the other axis.

    Examples
    --------
    >>> masks = np.array([[True, True], [False, True]]), np.array([[True, False], [False, True]])
    >>> [found.tolist() for found in differing(*masks, np.array([1]), axis=1)]
    [[0], [0]]
    """
    # numpy divides 32 bits with vector instructions
    if axis == 0:
        flat = np.flatnonzero(within[touched] != sure[touched]).astype(np.int32)
        at, minor = np.divmod(flat, np.int32(within.shape[1]))
    else:
        flat = np.flatnonzero(within[:, touched] != sure[:, touched]).astype(np.int32)
        minor, at = np.divmod(flat, np.int32(len(touched)))
    return at, minor


def count_true(mask: Mask, *, axis: int, copies: Integers | None = None) -> Integers:
    """Count the true entries of every row (axis 0) or of every column (axis 1) of a contiguous mask.

    Bytes are summed as bytes, 255 at most to a sum, since numpy adds 64 of them with one instruction; its
    own reduction of booleans along an axis is ten times slower.

    Parameters
    ----------
    mask : ndarray of bool, shape (r, c), C-contiguous
    axis : {0, 1}
        What is kept: rows or columns.
    copies : ndarray of int, optional
        How much each entry of the other axis counts; 1 if not given.

    Returns
    -------
    ndarray of int64, shape (r,) or (c,)

    Examples
    --------
    >>> count_true(np.array([[True, False], [True, True]]), axis=0).tolist()
    [1, 2]
    >>> count_true(np.array([[True, False], [True, True]]), axis=1, copies=np.array([5, 1])).tolist()
    [6, 1]
    """
    bytes_ = mask.view(np.uint8)
    if axis == 1:
        total = np.zeros(mask.shape[1], dtype=np.int64)
        for start in range(0, mask.shape[0], 255):
            total += np.add.reduce(bytes_[start : start + 255], axis=0, dtype=np.uint8)
    else:
        total = np.zeros(len(mask), dtype=np.int64)
        if mask.shape[1] % 8 == 0:
            eights = bytes_.view(np.uint64)
            for start in range(0, eights.shape[1], 255):
                lanes = np.add.reduce(eights[:, start : start + 255], axis=1)
                total += lanes.view(np.uint8).reshape(len(mask), 8).sum(axis=1, dtype=np.int64)
        else:
            total += np.count_nonzero(mask, axis=1)
    if copies is not None:
        several = np.flatnonzero(copies > 1)
        if several.size:
            part = mask[:, several] if axis == 0 else mask[several].T
            total += (part @ (copies[several] - 1).astype(np.float64)).astype(np.int64)
    return total
