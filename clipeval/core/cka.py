"""Linear centred kernel alignment (CKA): how alike two representations see the same items."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.similarity import finite_rows, unit_rows
from clipeval.errors import InvalidInputError


def linear_cka(
    x: ArrayLike, y: ArrayLike, *, debiased: bool = False, normalise: bool = True, epsilon: float = 0.0
) -> float:
    """Linear CKA of two representations of the same items.

    ``HSIC(K, L) / sqrt(HSIC(K, K) · HSIC(L, L))`` with ``K = XXᵀ`` and ``L = YYᵀ`` (Kornblith et al. 2019,
    arXiv 1905.00414). The biased HSIC is large for any two representations when n is not much larger than
    the widths; ``debiased=True`` takes the unbiased estimator of Song et al. 2012 (J. Mach. Learn. Res. 13)
    instead. Neither forms an n x n matrix: time grows with ``n · d²``, memory with ``n · d + d²``.

    Parameters
    ----------
    x : array-like, shape (n, d)
    y : array-like, shape (n, e)
        Row i of both belongs to item i; the widths may differ.
    debiased : bool
        Which HSIC.
    normalise : bool
        Normalise the rows first, as everywhere in clipeval; False for the rows as they are (Kornblith et
        al. do not normalise).
    epsilon : float
        Added to the denominator. The code of Huh et al. 2024 (arXiv 2405.07987) adds 1e-6, which makes its
        debiased values smaller by up to 2e-4 on unit rows; pass 1e-6 to compare with such numbers. 0 is
        the definition, and the only value that keeps CKA free of scale.

    Returns
    -------
    float
        Biased: in [0, 1]. Debiased: about 0 on average for independent representations, so it can be
        negative, and up to 1. NaN when a representation has no spread left to compare (constant rows, or an
        unbiased HSIC with itself that is not positive).

    Raises
    ------
    InvalidInputError
        Bad rows, different numbers of rows, fewer than 2 (debiased: 4) rows, a negative epsilon.

    Examples
    --------
    >>> x = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.6, 0.8]]
    >>> round(linear_cka(x, x), 12), round(linear_cka(x, x, debiased=True), 12)
    (1.0, 1.0)
    """
    make = unit_rows if normalise else finite_rows
    a, scale_a = _centred(make(x, name="x"))
    b, scale_b = _centred(make(y, name="y"))
    n = len(a)
    if len(b) != n:
        raise InvalidInputError(f"x has {n} rows and y has {len(b)}: they must describe the same items")
    smallest = 4 if debiased else 2
    if n < smallest:
        raise InvalidInputError(f"CKA needs at least {smallest} items here, got {n}")
    if not epsilon >= 0.0:
        raise InvalidInputError(f"epsilon must not be negative, got {epsilon!r}")
    hsic = _unbiased_hsic if debiased else _biased_hsic
    own_a, own_b = hsic(a, a), hsic(b, b)
    if min(own_a, own_b) <= 0.0:
        return math.nan
    denominator = math.sqrt(own_a) * math.sqrt(own_b)
    if epsilon:  # stated for the HSIC of the rows before they were scaled
        denominator += epsilon * (n * (n - 3) if debiased else 1) / (scale_a * scale_b) ** 2
    return hsic(a, b) / denominator


def _centred(rows: NDArray[np.floating[Any]]) -> tuple[NDArray[np.float64], float]:
    """Subtract the mean row and divide by the largest entry that is left; return that entry too.

    The unbiased HSIC does not change by centring but loses fewer digits; CKA does not see scale, and
    without it fourth powers of large entries could leave float64's range.
    """
    if not len(rows):
        raise InvalidInputError("CKA needs rows, got none")
    wide = rows.astype(np.float64)
    wide -= wide.mean(axis=0)
    largest = float(np.abs(wide).max())
    if largest <= 1e-13 * float(np.abs(rows).max()):  # what is left is rounding
        return np.zeros_like(wide), 1.0
    wide /= largest
    return wide, largest


def _biased_hsic(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.sum((a.T @ b) ** 2))


def _unbiased_hsic(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Song et al. 2012, equation 5, with the n x n traces written as sums over features.

    K̃ and L̃ are K and L with zero diagonals: ``tr(K̃L̃) = ‖AᵀB‖² - Σ kᵢᵢ lᵢᵢ`` and
    ``K̃1 = A(Aᵀ1) - diag(K)``. The common factor 1 / (n(n - 3)) cancels in CKA.
    """
    n = len(a)
    diagonal_a, diagonal_b = np.sum(a * a, axis=1), np.sum(b * b, axis=1)
    row_sums_a = a @ a.sum(axis=0) - diagonal_a
    row_sums_b = b @ b.sum(axis=0) - diagonal_b
    trace = float(np.sum((a.T @ b) ** 2) - diagonal_a @ diagonal_b)
    means = float(row_sums_a.sum() * row_sums_b.sum()) / ((n - 1) * (n - 2))
    cross = float(row_sums_a @ row_sums_b) * 2.0 / (n - 2)
    return trace + means - cross
