"""Counting in one block of fast scores, compiled: a stretch of a row stays in the cache for all comparisons.

Three habits make numba use vector instructions: loops over an index, not over values; few slices, for each
costs as much as a hundred comparisons; counts in float32, which are exact up to 2**24. Where one score among
many is unsure, as is usual, the sum of its places is its place, which no branch needs to look for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from clipeval.core.compiled.compiler import compiled

_STRETCH = 512  # scores counted at a time
_CLOSE_LOOK = 96  # scores among which an unsure one is looked for
_PLACE = np.arange(_CLOSE_LOOK, dtype=np.float32)


@compiled(any_order=True)
def count_rows(
    block: Any,
    begin: Any,
    end: Any,
    high: Any,
    low: Any,
    weights: Any,
    above: Any,
    unsure_threshold: Any,
    unsure_other: Any,
) -> int:
    """Count rows of scores against their thresholds, which ascend.

    Parameters
    ----------
    block : ndarray of float32, shape (r, c)
    begin, end : ndarray of int, shape (r,)
        The thresholds of each row.
    high, low : ndarray of float32, shape (t,)
        What is above the one is certainly above the threshold; what is below the other is below it.
    weights : ndarray of int64, shape (c,) or (0,)
        How much each column counts; empty for 1.
    above : ndarray of int64, shape (t,)
        Added to.
    unsure_threshold, unsure_other : ndarray of int64, shape (u,)
        Filled with threshold and column of what is neither.

    Returns
    -------
    int
        Unsure scores; -1 if there are more than fit.
    """
    one, none = np.float32(1), np.float32(0)
    height, width = block.shape
    found = 0
    for i in range(height):
        for start in range(0, width, _STRETCH):
            values = block[i, start : min(start + _STRETCH, width)]
            for t in range(begin[i], end[i]):
                upper, lower = high[t], low[t]
                sure, within = none, none
                for j in range(len(values)):
                    sure += one if values[j] > upper else none
                    within += one if values[j] >= lower else none
                if within == none:
                    break  # no score reaches this threshold, nor a higher one
                if len(weights) == 0:
                    above[t] += np.int64(sure)
                elif sure > none:
                    for j in range(len(values)):
                        if values[j] > upper:
                            above[t] += weights[start + j]
                left, first = within - sure, 0
                while left > none:
                    last = min(first + _CLOSE_LOOK, len(values))
                    unsure, place = none, none
                    for j in range(first, last):
                        unsure += one if values[j] >= lower else none
                        unsure -= one if values[j] > upper else none
                        place += _PLACE[j - first] if values[j] >= lower else none
                        place -= _PLACE[j - first] if values[j] > upper else none
                    if found + np.int64(unsure) > len(unsure_other):
                        return -1
                    if unsure == one:
                        unsure_threshold[found], unsure_other[found] = t, start + first + np.int64(place)
                        found += 1
                    elif unsure > none:
                        for j in range(first, last):
                            if values[j] >= lower and not values[j] > upper:
                                unsure_threshold[found], unsure_other[found] = t, start + j
                                found += 1
                    left -= unsure
                    first = last
    return found


@compiled(any_order=True)
def count_columns(
    block: Any,
    begin: Any,
    high: Any,
    low: Any,
    weights: Any,
    above: Any,
    unsure_threshold: Any,
    unsure_other: Any,
    found: int,
) -> int:
    """Count columns of scores against their first, second … threshold.

    Parameters
    ----------
    block : ndarray of float32, shape (r, c)
    begin : ndarray of int, shape (c,) or longer
        First threshold of each column.
    high, low : ndarray of float32, shape (s, c)
        Of the s thresholds of every column, ascending; infinite where there is none.
    weights : ndarray of int64, shape (r,) or (0,)
        How much each row counts; empty for 1.
    above, unsure_threshold, unsure_other
        As in `count_rows`.
    found : int
        Unsure scores that are there already.

    Returns
    -------
    int
        Unsure scores; -1 if there are more than fit.
    """
    one, none = np.float32(1), np.float32(0)
    height, width = block.shape
    counts = np.zeros((len(high), _STRETCH), dtype=np.float32)
    for start in range(0, width, _STRETCH):
        stop = min(start + _STRETCH, width)
        counts[:] = none
        for i in range(height):
            values = block[i, start:stop]
            for s in range(len(high)):
                upper, lower = high[s, start:stop], low[s, start:stop]
                sure, within = none, none
                for j in range(len(values)):
                    sure += one if values[j] > upper[j] else none
                    within += one if values[j] >= lower[j] else none
                if within == none:
                    break  # no score reaches this threshold, nor a higher one
                if sure > none:
                    if len(weights) == 0:
                        mine = counts[s]
                        for j in range(len(values)):
                            mine[j] += one if values[j] > upper[j] else none
                    else:
                        for j in range(len(values)):
                            if values[j] > upper[j]:
                                above[begin[start + j] + s] += weights[i]
                left, first = within - sure, 0
                while left > none:
                    last = min(first + _CLOSE_LOOK, len(values))
                    unsure, place = none, none
                    for j in range(first, last):
                        unsure += one if values[j] >= lower[j] else none
                        unsure -= one if values[j] > upper[j] else none
                        place += _PLACE[j - first] if values[j] >= lower[j] else none
                        place -= _PLACE[j - first] if values[j] > upper[j] else none
                    if found + np.int64(unsure) > len(unsure_other):
                        return -1
                    if unsure == one:
                        at = start + first + np.int64(place)
                        unsure_threshold[found], unsure_other[found] = begin[at] + s, i
                        found += 1
                    elif unsure > none:
                        for j in range(first, last):
                            if values[j] >= lower[j] and not values[j] > upper[j]:
                                unsure_threshold[found], unsure_other[found] = begin[start + j] + s, i
                                found += 1
                    left -= unsure
                    first = last
        for s in range(len(high)):
            for j in range(stop - start):
                if counts[s, j] > none:
                    above[begin[start + j] + s] += np.int64(counts[s, j])
    return found
