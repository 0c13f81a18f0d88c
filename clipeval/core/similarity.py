"""Cosine similarity that survives zero, huge and tiny vectors."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.fixed_order import fold_columns
from clipeval.errors import InvalidInputError

_CHUNK = 32  # rows normalised at a time: float64 copies of so few stay in the cache

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
    with np.errstate(over="ignore", invalid="ignore"):
        doubtful = np.flatnonzero(~np.isfinite(array.sum(axis=1)))  # the sum of finite entries may overflow
    bad = doubtful[~np.isfinite(_largest(array[doubtful]))]
    if bad.size:
        raise InvalidInputError(
            f"{name} holds NaN or infinity",
            where=f"row {int(bad[0])} ({bad.size} of {len(array)} rows)",
            fix="find out which input gave this embedding; it must not be ranked",
        )
    return array


def _largest(array: Matrix) -> Matrix:
    """Largest absolute entry of every row, without a second matrix; NaN and infinity show in it."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.maximum(array.max(axis=1), -array.min(axis=1)))


def _normalise(array: Matrix) -> NDArray[np.float64]:
    unit = array.astype(np.float64)
    if array.dtype.itemsize == 8:  # in either byte order
        # a norm squares its entries: a power of two, which rounds nothing, keeps 1e200 and 1e-200 in range
        _, exponent = np.frexp(_largest(unit))
        far = np.abs(exponent) > 400
        if far.any():
            unit[far] = np.ldexp(unit[far], -exponent[far, None])
    # summed in a fixed order: unit rows, from which all follows, must not depend on the machine
    norm = np.sqrt(fold_columns(unit * unit))[:, None]
    norm[norm == 0] = 1.0
    unit /= norm
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
    array = finite_rows(rows, name=name)
    return unit_rows_of_finite(array, np.empty(array.shape, dtype=np.float32))


def unit_rows_of_finite(array: Matrix, unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """Write `unit_rows` of a matrix that `finite_rows` has checked, shape ``(n, d)``, to `unit`."""
    for start in range(0, len(array), _CHUNK):
        unit[start : start + _CHUNK] = _normalise(array[start : start + _CHUNK])
    return unit


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
