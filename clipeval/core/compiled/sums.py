"""Unit rows and exact scores, compiled: the operations of numpy's versions in the same order."""

from __future__ import annotations

from typing import Any

import numpy as np

from clipeval.core.compiled.compiler import compiled


@compiled()
def fold(terms: Any) -> float:
    """Sum numbers in the fixed order of `clipeval.core.fixed_order.fold_columns`; overwrites them.

    Parameters
    ----------
    terms : ndarray of float64, shape (d,)
    """
    width = len(terms)
    half = 1
    while 2 * half <= width:
        half *= 2
    for k in range(half, width):
        terms[k - half] += terms[k]
    while half > 1:
        half //= 2
        for k in range(half):
            terms[k] += terms[half + k]
    return terms[0]  # type: ignore[no-any-return]


@compiled()
def unit_rows_of_float32(rows: Any, unit: Any) -> None:
    """Normalise float32 rows in float64 and round once; see `clipeval.core.similarity.unit_rows`.

    Squares of float32 numbers neither overflow nor vanish in float64, so nothing needs to be scaled.

    Parameters
    ----------
    rows : ndarray of float32, shape (n, d)
    unit : ndarray of float32, shape (n, d)
        Written to.
    """
    n, width = rows.shape
    terms = np.empty(width)
    for i in range(n):
        for k in range(width):
            value = np.float64(rows[i, k])
            terms[k] = value * value
        norm = np.sqrt(fold(terms))
        if norm == 0.0:
            norm = 1.0
        for k in range(width):
            unit[i, k] = np.float32(np.float64(rows[i, k]) / norm)


@compiled()
def dot_pairs(left: Any, i: Any, right: Any, j: Any, out: Any) -> None:
    """Score pairs of rows; see `clipeval.core.fixed_order.fixed_order_dot`.

    Parameters
    ----------
    left, right : ndarray of float32, shape (m, d) and (n, d)
    i, j : ndarray of int, shape (p,)
        Rows of the two sides.
    out : ndarray of float64, shape (p,)
        Written to.
    """
    width = left.shape[1]
    terms = np.empty(width)
    for p in range(len(i)):
        one, other = left[i[p]], right[j[p]]
        for k in range(width):
            terms[k] = np.float64(one[k]) * np.float64(other[k])
        out[p] = fold(terms)
