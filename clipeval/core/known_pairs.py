"""The right pairs of both directions, among rows that are all different, with their exact scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from clipeval.core.duplicates import Groups
from clipeval.core.positives import Integers, Positives
from clipeval.core.ranked_rows import RankedRows, Runner, score_pairs
from clipeval.core.thresholds import TIE_TOLERANCE
from clipeval.core.ties import Floats

_CHUNK = 8192

Values = TypeVar("Values", bound=NDArray[Any])


@dataclass(frozen=True)
class KnownPairs:
    """Pairs whose exact score is known before the pass; each pair of different rows once.

    Attributes
    ----------
    row, column : ndarray of int, shape (p,)
        Rows of the two sides; sorted by row, then column.
    score : ndarray of float64, shape (p,)
        Exact.
    of_entry : two ndarrays of int
        The pair of each entry of the positives of i2t, and of t2i.
    """

    row: Integers
    column: Integers
    score: Floats
    of_entry: tuple[Integers, Integers]

    def ends(self, direction: int) -> tuple[Integers, Integers]:
        """Query row and candidate row of every pair, for i2t (0) or t2i (1)."""
        return (self.row, self.column) if direction == 0 else (self.column, self.row)


def known_pairs(
    left: RankedRows, right: RankedRows, i2t: Positives, t2i: Positives, *, run: Runner
) -> KnownPairs:
    """Score the right pairs of both directions.

    Parameters
    ----------
    left, right : RankedRows
        Images and captions.
    i2t, t2i : Positives
        Of the original rows.
    run : callable
        ``map`` or that of an executor.

    Returns
    -------
    KnownPairs
    """

    def scored(row: Integers, column: Integers) -> Floats:
        def part(start: int) -> Floats:
            here = slice(start, start + _CHUNK)
            return score_pairs(left, row[here], right, column[here])

        parts = list(run(part, range(0, len(row), _CHUNK)))
        return np.concatenate(parts) if parts else np.zeros(0)

    return known_among(left.groups, right.groups, i2t, t2i, score=scored)


def known_among(
    left: Groups,
    right: Groups,
    i2t: Positives,
    t2i: Positives,
    *,
    score: Callable[[Integers, Integers], Floats],
) -> KnownPairs:
    """Gather the right pairs of both directions among different rows, and have them scored.

    Parameters
    ----------
    left, right : Groups
        Equal rows of images and captions.
    i2t, t2i : Positives
        Of the original rows.
    score : callable
        Exact scores of pairs of groups.

    Returns
    -------
    KnownPairs
    """
    image, caption = left.group_of, right.group_of
    n = len(right.first)
    forward = image[i2t.query_of_pair] * n + caption[i2t.candidates]
    backward = image[t2i.candidates] * n + caption[t2i.query_of_pair]
    keys = np.sort(np.concatenate([forward, backward]))  # np.unique may hash, which takes ten times as long
    keys = keys[np.diff(keys, prepend=-1) > 0]
    row, column = np.divmod(keys, max(1, n))
    of_entry = (np.searchsorted(keys, forward), np.searchsorted(keys, backward))
    return KnownPairs(row, column, score(row, column), of_entry)


def first_where(
    values: Values, start: Integers, stop: Integers, reached: Callable[[Values], NDArray[np.bool_]]
) -> Integers:
    """First place in each stretch of ascending values where a condition holds, or the stretch's end.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Ascending within every stretch.
    start, stop : ndarray of int, shape (q,)
        The stretches.
    reached : callable
        From one value for each stretch to a boolean each; once true in a stretch, true to its end.

    Returns
    -------
    ndarray of int, shape (q,)
    """
    low, high = start.copy(), stop.copy()
    while True:
        open_ = low < high
        if not open_.any():
            return low
        middle = np.minimum((low + high) // 2, len(values) - 1)
        yes = reached(values[middle])
        high = np.where(open_ & yes, middle, high)
        low = np.where(open_ & ~yes, middle + 1, low)


def above_and_level(owner: Integers, score: Floats, copies: Integers | None) -> tuple[Integers, Integers]:
    """Count, for every entry, the entries of its owner that score higher, and those that tie with it.

    Parameters
    ----------
    owner : ndarray of int, shape (p,)
        Ascending.
    score : ndarray of float64, shape (p,)
        Ascending for one owner.
    copies : ndarray of int, shape (p,), or None
        How much each entry counts; None for 1.

    Returns
    -------
    above, level : ndarray of int, shape (p,)
        The entry itself is counted in `level`.

    Examples
    --------
    >>> above, level = above_and_level(np.array([0, 0, 0]), np.array([0.1, 0.2, 0.2]), None)
    >>> above.tolist(), level.tolist()
    ([2, 0, 0], [1, 2, 2])
    """
    n = len(owner)
    weight = np.ones(n, dtype=np.int64) if copies is None else copies
    if (owner[1:] > owner[:-1]).all():  # one entry each
        return np.zeros(n, dtype=np.int64), weight
    total = np.concatenate([[0], np.cumsum(weight)])
    begin, end = np.searchsorted(owner, owner), np.searchsorted(owner, owner, side="right")
    higher = first_where(score, begin, end, lambda value: value > score + TIE_TOLERANCE)
    level = first_where(score, begin, end, lambda value: value >= score - TIE_TOLERANCE)
    return total[end] - total[higher], total[higher] - total[level]
