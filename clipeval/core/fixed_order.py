"""Sums in one fixed order: the same number on every machine, whatever BLAS, block size or device.

A matrix product adds the terms of a score in an order that depends on the library, the shape of the block and
the position of the row, so its last bits do too. What decides a rank is summed here instead: elementwise
products, then halves folded onto each other until one column is left. Only float64 ``*`` and ``+`` of single
numbers are used, which IEEE 754 defines to the last bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval.core.ties import Floats

_CHUNK = 32  # rows at a time: their float64 copies stay in the cache


def fold_columns(terms: Any) -> Any:
    """Sum every row of a matrix in the fixed order.

    With w columns and h the largest power of two below w, columns ``h ... w`` are added to the first
    ``w - h``; then w is h, until one column is left. A sum of d terms passes through at most
    ``ceil(log2 d)`` additions.

    Parameters
    ----------
    terms : ndarray or torch.Tensor of float64, shape (n, d)
        May be overwritten.

    Returns
    -------
    ndarray or torch.Tensor of float64, shape (n,)

    Examples
    --------
    >>> fold_columns(np.array([[1.0, 2.0, 4.0], [0.5, 0.0, 0.25]])).tolist()
    [7.0, 0.75]
    """
    width = terms.shape[1]
    if width & (width - 1):  # to a power of two; from there on halves, which need no copy of the rest
        half = 1 << (width.bit_length() - 1)
        terms[:, : width - half] += terms[:, half:]
        width = half
    while width > 1:
        half = width // 2
        terms = terms[:, :half] + terms[:, half:width]
        width = half
    return terms[:, 0]


def fixed_order_dot(left: NDArray[np.floating[Any]], right: NDArray[np.floating[Any]]) -> Floats:
    """Dot product of row i with row i: float64 products, summed in the fixed order.

    The product of two float32 numbers is exact in float64, so for unit rows of width d the result is within
    ``gamma(ceil(log2 d)) * |x| |y|`` of the real number (about 1e-15; Higham 2002, section 4.2).

    Parameters
    ----------
    left, right : ndarray, shape (n, d)
        float32 or float64.

    Returns
    -------
    ndarray of float64, shape (n,)

    Examples
    --------
    >>> fixed_order_dot(np.array([[0.5, 2.0]]), np.array([[4.0, 0.25]])).tolist()
    [2.5]
    """
    out = np.empty(len(left))
    for start in range(0, len(left), _CHUNK):
        terms = left[start : start + _CHUNK].astype(np.float64)
        terms *= right[start : start + _CHUNK].astype(np.float64)
        out[start : start + _CHUNK] = fold_columns(terms)
    return out
