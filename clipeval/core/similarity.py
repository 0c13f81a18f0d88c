"""Cosine similarity that survives zero, huge and tiny vectors."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.errors import InvalidInputError

Matrix: TypeAlias = NDArray[np.floating[Any]]


def finite_rows(rows: ArrayLike, *, name: str = "rows") -> Matrix:
    """Check that a matrix of embeddings has two dimensions and no NaN or infinity.

    Parameters
    ----------
    rows : array-like, shape (n, d)
        Embeddings; integers become float64.
    name : str
        What an error calls the matrix.

    Returns
    -------
    ndarray, shape (n, d)
        The same values, a floating dtype.

    Raises
    ------
    InvalidInputError
        Wrong number of dimensions, ragged rows, no columns, not numbers, or NaN / infinity (the row is
        named).

    Examples
    --------
    >>> finite_rows([[1, 2]]).dtype
    dtype('float64')
    """
    try:
        array = np.asarray(rows)
    except ValueError:
        raise InvalidInputError(
            f"{name} must have shape (n, d), got rows of different lengths",
            fix="pass one embedding for each row, all of one width",
        ) from None
    if array.dtype.kind not in "fiub":
        raise InvalidInputError(f"{name} must hold real numbers, got dtype {array.dtype}")
    if array.ndim != 2 or array.shape[1] == 0:
        raise InvalidInputError(
            f"{name} must have shape (n, d) with d >= 1, got {array.shape}",
            fix="pass one embedding for each row",
        )
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        with np.errstate(over="ignore"):  # a long double beyond float64 becomes infinite and is refused below
            array = array.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if bad.size:
        raise InvalidInputError(
            f"{name} holds NaN or infinity",
            where=f"row {int(bad[0])} ({bad.size} of {len(array)} rows)",
            fix="find out which input gave this embedding; it must not be ranked",
        )
    return array


def _normalise(array: Matrix) -> NDArray[np.float64]:
    # a norm squares its entries: scaling by the largest one first keeps 1e200 and 1e-200 in range, and
    # np.divide is exact enough that no entry exceeds 1
    wide = array.astype(np.float64)
    largest = np.abs(wide).max(axis=1, keepdims=True)
    scaled = np.divide(wide, largest, out=np.zeros_like(wide), where=largest > 0)
    norm = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))[:, None]
    unit: NDArray[np.float64] = np.divide(scaled, norm, out=scaled, where=norm > 0)
    return unit


def unit_rows(rows: ArrayLike, *, name: str = "rows") -> NDArray[np.float32]:
    """Normalise rows to L2 norm 1: computed in float64, rounded once to float32.

    These rows, exactly, are what every rank and every statistic of clipeval is computed from.

    Parameters
    ----------
    rows : array-like, shape (n, d)
        Embeddings of any real dtype and any finite size.
    name : str
        What an error calls the matrix.

    Returns
    -------
    ndarray of float32, shape (n, d)
        Unit rows; a zero row stays zero.

    Raises
    ------
    InvalidInputError
        See `finite_rows`.

    Examples
    --------
    >>> unit_rows([[3e200, 4e200], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """
    return _normalise(finite_rows(rows, name=name)).astype(np.float32)


def cosine_similarity(images: ArrayLike, texts: ArrayLike) -> NDArray[np.float64]:
    """Cosine of every image embedding with every text embedding.

    Each vector is divided by its largest absolute entry before its norm is taken, so that neither
    ``1e200`` nor ``1e-200`` nor float16 overflows; a zero vector has cosine 0 with everything.

    Parameters
    ----------
    images : array-like, shape (m, d)
        Image embeddings.
    texts : array-like, shape (n, d)
        Text embeddings of the same width.

    Returns
    -------
    ndarray of float64, shape (m, n)
        ``S[i, j]`` of image i with text j, clipped to [-1, 1]. For display and averages; ranks are taken
        from unclipped products (`clipeval.core.ranking`).

    Raises
    ------
    InvalidInputError
        Not two-dimensional, NaN or infinity, or different widths.

    Examples
    --------
    >>> cosine_similarity([[1, 0], [0, 0]], [[2, 0], [3, 4]])
    array([[1. , 0.6],
           [0. , 0. ]])
    """
    left = finite_rows(images, name="images")
    right = finite_rows(texts, name="texts")
    check_same_width(left, right)
    return np.clip(_normalise(left) @ _normalise(right).T, -1.0, 1.0)


def check_same_width(images: Matrix, texts: Matrix) -> None:
    """Refuse image and text embeddings of different widths.

    Raises
    ------
    InvalidInputError
        The widths differ; both are named.
    """
    if images.shape[1] != texts.shape[1]:
        raise InvalidInputError(
            f"images have width {images.shape[1]}, texts have width {texts.shape[1]}",
            fix="join the towers with a projection first",
        )
