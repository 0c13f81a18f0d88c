"""Rows that are the same to the last bit are scored once and counted as often as they occur."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipeval.core.positives import Integers

_SAMPLED_COLUMNS = 16
_CHUNK = 1024

RowReader = Callable[[Integers], NDArray[np.float32]]


@dataclass(frozen=True)
class Groups:
    """Rows gathered into groups of equal ones, in the order of their first members.

    Attributes
    ----------
    first : ndarray of int, shape (g,)
        The first row of each group, ascending.
    group_of : ndarray of int, shape (n,)
        The group of each row.
    copies : ndarray of int, shape (g,)
        Rows in each group.
    """

    first: Integers
    group_of: Integers
    copies: Integers

    @property
    def all_different(self) -> bool:
        """No row occurs twice."""
        return len(self.first) == len(self.group_of)


def sampled_keys(rows: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Hash some columns of every row: rows whose keys differ are different.

    Parameters
    ----------
    rows : ndarray of float32, shape (n, d)

    Returns
    -------
    ndarray of uint64, shape (n,)
    """
    step = max(1, rows.shape[1] // _SAMPLED_COLUMNS)
    return _keys(rows[:, ::step])


def equal_rows(keys: NDArray[np.uint64], read: RowReader) -> Groups:
    """Group rows that are equal in every entry.

    Only rows that share a key are read and compared, entry by entry, so a hash never decides.

    Parameters
    ----------
    keys : ndarray of uint64, shape (n,)
        From `sampled_keys`.
    read : callable
        Gives the rows of some indices.

    Returns
    -------
    Groups

    Examples
    --------
    >>> rows = np.array([[1, 0], [0, 1], [1, 0]], dtype=np.float32)
    >>> equal_rows(sampled_keys(rows), lambda index: rows[index]).group_of.tolist()
    [0, 1, 0]
    """
    n = len(keys)
    leader = np.arange(n)
    shared = _not_alone(keys)
    if shared.size:
        whole = np.concatenate(
            [_keys(read(shared[at : at + _CHUNK])) for at in range(0, len(shared), _CHUNK)]
        )
        leader[shared] = _first_equal(shared, whole, read)
    first, group_of, copies = np.unique(leader, return_inverse=True, return_counts=True)
    return Groups(first, group_of.ravel(), copies)


def _keys(rows: NDArray[np.float32]) -> NDArray[np.uint64]:
    # + 0.0 turns -0.0 into 0.0: the two are one number in every product
    bits = (np.ascontiguousarray(rows) + np.float32(0.0)).view(np.uint32).astype(np.uint64)
    odd = np.arange(1, 2 * rows.shape[1], 2, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    bits *= odd | np.uint64(1)
    bits ^= bits >> np.uint64(29)
    keys: NDArray[np.uint64] = bits.sum(axis=1, dtype=np.uint64)
    return keys


def _not_alone(keys: NDArray[np.uint64]) -> Integers:
    order = np.argsort(keys, kind="stable")
    same = keys[order[1:]] == keys[order[:-1]]
    shared = np.zeros(len(keys), dtype=bool)
    shared[order[1:][same]] = True
    shared[order[:-1][same]] = True
    return np.flatnonzero(shared)


def _first_equal(rows: Integers, keys: NDArray[np.uint64], read: RowReader) -> Integers:
    """Find the first of `rows` (ascending) that each of them equals."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    leader = rows[first[inverse.ravel()]]
    for at in range(0, len(rows), _CHUNK):
        part = slice(at, at + _CHUNK)
        if not (read(rows[part]) == read(leader[part])).all():
            break
    else:
        return leader
    seen: dict[bytes, int] = {}  # two different rows with one hash: compare all bytes
    for at, row in enumerate(rows):
        content = (read(rows[at : at + 1]) + np.float32(0.0)).tobytes()
        leader[at] = seen.setdefault(content, int(row))
    return leader
