"""Sorting the values of every owner, where most owners have few."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval.core.positives import Integers

_FEW = 16  # values of one owner up to which rows of a table are sorted


def order_within(owner: Integers, value: NDArray[Any]) -> Integers:
    """Order pairs by owner, then by value; equal values stay in the order they came in.

    The same as ``np.lexsort((value, owner))``, in a fraction of its time where owners have few values.

    Parameters
    ----------
    owner : ndarray of int, shape (p,)
        Not negative.
    value : ndarray, shape (p,)
        Without NaN.

    Returns
    -------
    ndarray of int, shape (p,)

    Examples
    --------
    >>> order_within(np.array([1, 0, 1]), np.array([0.5, 0.1, 0.2])).tolist()
    [1, 2, 0]
    """
    counts = np.bincount(owner)
    most = int(counts.max(initial=0))
    if most > _FEW or most * len(counts) > 4 * len(owner):  # a table would be mostly empty
        return np.lexsort((value, owner))
    ascending = (owner[1:] >= owner[:-1]).all()
    by_owner = np.arange(len(owner)) if ascending else np.argsort(owner, kind="stable")
    if most <= 1:
        return by_owner
    filled = np.arange(most) < counts[:, None]
    table = np.full(filled.shape, np.inf)
    table[filled] = value[by_owner]
    places = np.argsort(table, axis=1, kind="stable")  # what fills up comes last, being behind its equals
    starts = np.cumsum(counts) - counts
    return np.asarray(by_owner[(places + starts[:, None])[filled]])
