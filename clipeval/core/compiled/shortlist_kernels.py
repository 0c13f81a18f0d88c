"""The best few of every row or column, compiled: kept in order while blocks of scores go by."""

from __future__ import annotations

from typing import Any

import numpy as np

from clipeval.core.compiled.compiler import compiled


@compiled(any_order=True)
def prime_rows(block: Any, own: int, k: int, margin: Any, limit: Any) -> None:
    """Raise the limits of rows from a first block: k parts of a row have k different best scores.

    The lowest of these is no higher than the k-th best. See `offer_rows` for the parameters.
    """
    height, width = block.shape
    if width < k:
        return
    for i in range(height):
        if limit[own + i] == np.inf:
            continue
        lowest = np.float32(np.inf)
        for part in range(k):
            values = block[i, part * width // k : (part + 1) * width // k]
            best = np.float32(-np.inf)
            for j in range(len(values)):
                best = max(best, values[j])
            lowest = min(lowest, best)
        limit[own + i] = max(limit[own + i], lowest - margin)


@compiled(any_order=True)
def prime_columns(block: Any, own: int, k: int, margin: Any, limit: Any) -> None:
    """Raise the limits of columns from a first block; see `prime_rows`."""
    height, width = block.shape
    if height < k:
        return
    lowest, best = np.full(width, np.inf, dtype=np.float32), np.empty(width, dtype=np.float32)
    for part in range(k):
        best[:] = -np.inf
        for i in range(part * height // k, (part + 1) * height // k):
            values = block[i]
            for j in range(len(values)):
                best[j] = max(best[j], values[j])
        for j in range(width):
            lowest[j] = min(lowest[j], best[j])
    for j in range(width):
        limit[own + j] = max(limit[own + j], lowest[j] - margin)


@compiled()
def insert(
    value: Any, candidate: Any, size: Any, limit: Any, k: int, margin: Any, row: int, score: Any, other: int
) -> bool:
    """Put a score into its row's list, and drop what has fallen out; False if the list is full.

    Parameters
    ----------
    value, candidate : ndarray, shape (n, room)
        The lists, best first; float32 and int32.
    size : ndarray of int32, shape (n,)
        How many are in each list.
    limit : ndarray of float32, shape (n,)
        What is below it cannot be among the k best.
    k : int
    margin : float32
        How far below the k-th best fast score the k-th best score's equals may lie.
    row, score, other
        What is put in where.
    """
    n = size[row]
    if n == value.shape[1]:
        return False
    place = n
    while place > 0 and value[row, place - 1] < score:
        value[row, place], candidate[row, place] = value[row, place - 1], candidate[row, place - 1]
        place -= 1
    value[row, place], candidate[row, place] = score, other
    n += 1
    if n >= k:
        limit[row] = max(limit[row], value[row, k - 1] - margin)
        while n > k and value[row, n - 1] < limit[row]:
            n -= 1
    size[row] = n
    return True


@compiled(any_order=True)
def offer_rows(
    block: Any, own: int, other: int, k: int, margin: Any, lists: Any, limit: Any, full: Any
) -> int:
    """Look at a block for its rows.

    Parameters
    ----------
    block : ndarray of float32, shape (r, c)
    own, other : int
        List of the block's first row, and number of its first column.
    k, margin
        See `insert`.
    lists : tuple
        value, candidate and size.
    limit : ndarray of float32, shape (n,)
        Infinite for rows that are not followed.
    full : ndarray of bool, shape (n,)
        Set where a list overflowed; that row's limit becomes infinite.

    Returns
    -------
    int
        Lists that overflowed.
    """
    value, candidate, size = lists
    height, width = block.shape
    # eight answers are looked at as one number: hardly any is yes
    wanted = np.zeros(-(-width // 8) * 8, dtype=np.uint8)
    eights = wanted.view(np.uint64)
    overflows = 0
    for i in range(height):
        row = own + i
        values, least = block[i], limit[row]
        for j in range(len(values)):
            wanted[j] = values[j] >= least
        for at in range(len(eights)):
            if eights[at] == 0:
                continue
            for j in range(8 * at, min(8 * at + 8, width)):
                if values[j] >= limit[row] and not insert(
                    value, candidate, size, limit, k, margin, row, values[j], other + j
                ):
                    limit[row], full[row] = np.inf, True
                    overflows += 1
    return overflows


@compiled(any_order=True)
def offer_columns(
    block: Any, own: int, other: int, k: int, margin: Any, lists: Any, limit: Any, full: Any
) -> int:
    """Look at a block for its columns; see `offer_rows`."""
    value, candidate, size = lists
    height, width = block.shape
    wanted = np.zeros(-(-width // 8) * 8, dtype=np.uint8)
    eights = wanted.view(np.uint64)
    least = limit[own : own + width]
    overflows = 0
    for i in range(height):
        values = block[i]
        for j in range(len(values)):
            wanted[j] = values[j] >= least[j]
        for at in range(len(eights)):
            if eights[at] == 0:
                continue
            for j in range(8 * at, min(8 * at + 8, width)):
                if values[j] >= least[j] and not insert(
                    value, candidate, size, limit, k, margin, own + j, values[j], other + i
                ):
                    least[j], full[own + j] = np.inf, True
                    overflows += 1
    return overflows


@compiled()
def take_over(
    k: int, margin: Any, lists: Any, limit: Any, full: Any, other_lists: Any, other_full: Any
) -> None:
    """Move what another object found into the lists; where one overflows, the rest stays where it was."""
    value, candidate, size = lists
    other_value, other_candidate, other_size = other_lists
    for row in range(len(size)):
        if full[row] or other_full[row]:
            continue
        n = other_size[row]
        at = 0
        while at < n:
            score = other_value[row, at]
            if score < limit[row]:
                at = n  # lists stand best first
            elif insert(value, candidate, size, limit, k, margin, row, score, other_candidate[row, at]):
                at += 1
            else:
                full[row] = True
                break
        for rest in range(at, n):
            other_value[row, rest - at] = other_value[row, rest]
            other_candidate[row, rest - at] = other_candidate[row, rest]
        other_size[row] = n - at


@compiled()
def sort_and_cut(k: int, tolerance: float, start: Any, candidate: Any, exact: Any, keep: Any) -> None:
    """Bring each row's candidates into order by their exact scores and mark those that are kept.

    Kept are the k best, and of those equal to the best each that has a lower number than all before it.

    Parameters
    ----------
    k : int
    tolerance : float
        Scores at most so far below the best equal it.
    start : ndarray of int, shape (n + 1,)
        Where each row's candidates begin.
    candidate : ndarray of int64, shape (p,)
    exact : ndarray of float64, shape (p,)
        Both are sorted: best first, equals by candidate.
    keep : ndarray of bool, shape (p,)
        Written to.
    """
    for row in range(len(start) - 1):
        first, last = start[row], start[row + 1]
        for at in range(first + 1, last):
            score, number, place = exact[at], candidate[at], at
            while place > first and (
                exact[place - 1] < score or (exact[place - 1] == score and candidate[place - 1] > number)
            ):
                exact[place], candidate[place] = exact[place - 1], candidate[place - 1]
                place -= 1
            exact[place], candidate[place] = score, number
        earliest = np.int64(2**62)
        for at in range(first, last):
            tied = exact[at] >= exact[first] - tolerance
            keep[at] = at - first < k or (tied and candidate[at] < earliest)
            if tied:
                earliest = min(earliest, candidate[at])
