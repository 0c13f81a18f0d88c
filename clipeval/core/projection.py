"""Bridges that need no pairs: fixed matrices that carry rows of one width into another.

Each function returns a float64 matrix ``W`` of shape ``(d_in, d_out)``; `project` applies it as ``x @ W``.
Wherever pairs exist to learn a bridge from, these are the floor that a learned one has to beat.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.random_projection import (
    Matrix,
    Rng,
    check_widths,
    gaussian_projection,
    sign_projection,
)
from clipeval.errors import InvalidInputError, near

Kind: TypeAlias = Literal["identity", "truncation", "gaussian", "sign"]

__all__ = ["gaussian_projection", "identity", "project", "projection_matrix", "sign_projection", "truncation"]

_BLOCK = 4096  # rows held in float64 at a time


def identity(d_in: int, d_out: int) -> Matrix:
    """Leave the rows as they are: the two towers already have the same width.

    Parameters
    ----------
    d_in, d_out : int
        Widths of the two towers; they must be equal.

    Returns
    -------
    ndarray of float64, shape (d_in, d_out)

    Raises
    ------
    InvalidInputError
        The widths differ.

    Examples
    --------
    >>> identity(2, 2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    check_widths(d_in, d_out)
    if d_in != d_out:
        raise InvalidInputError(
            f"the identity needs equal widths, these are {d_in} and {d_out}",
            where="projection 'identity'",
            fix="use truncation, gaussian or sign",
        )
    return np.eye(d_in, dtype=np.float64)


def truncation(d_in: int, d_out: int) -> Matrix:
    """Keep the first ``d_out`` coordinates.

    Parameters
    ----------
    d_in, d_out : int
        Widths; ``d_out <= d_in``.

    Returns
    -------
    ndarray of float64, shape (d_in, d_out)

    Raises
    ------
    InvalidInputError
        ``d_out`` is larger than ``d_in``: there is nothing to cut.

    Examples
    --------
    >>> project([[1.0, 2.0, 3.0]], truncation(3, 2)).tolist()
    [[1.0, 2.0]]
    """
    check_widths(d_in, d_out)
    if d_out > d_in:
        raise InvalidInputError(
            f"truncation cannot make {d_out} coordinates of {d_in}",
            where="projection 'truncation'",
            fix="project the wider tower, or use gaussian or sign",
        )
    return np.eye(d_in, d_out, dtype=np.float64)


def projection_matrix(kind: str, d_in: int, d_out: int, *, seed: int = 42, rng: Rng = "clipeval") -> Matrix:
    """Make the bridge matrix of a named kind.

    Parameters
    ----------
    kind : {"identity", "truncation", "gaussian", "sign"}
        Which function of this module.
    d_in, d_out : int
        Widths.
    seed : int
        For the seeded kinds; the others ignore it.
    rng : {"clipeval", "numpy-legacy"}
        For ``gaussian``.

    Returns
    -------
    ndarray of float64, shape (d_in, d_out)

    Raises
    ------
    InvalidInputError
        An unknown kind (the nearest is offered), ``rng="numpy-legacy"`` with another kind than
        ``gaussian``, or what the kind's own function refuses.

    Examples
    --------
    >>> projection_matrix("truncation", 3, 1).tolist()
    [[1.0], [0.0], [0.0]]
    """
    if kind not in get_args(Kind):
        raise InvalidInputError(f"unknown projection '{kind}'", fix=near(kind, get_args(Kind)))
    if kind == "gaussian":
        return gaussian_projection(d_in, d_out, seed=seed, rng=rng)
    if rng != "clipeval":
        raise InvalidInputError(f"rng '{rng}' exists for the gaussian projection only, not for '{kind}'")
    if kind == "sign":
        return sign_projection(d_in, d_out, seed=seed)
    return identity(d_in, d_out) if kind == "identity" else truncation(d_in, d_out)


def project(rows: ArrayLike, matrix: ArrayLike) -> NDArray[np.float32]:
    """Carry rows through a bridge: ``rows @ matrix`` in float64, rounded once to float32.

    Parameters
    ----------
    rows : array-like, shape (n, d_in)
        Finite; any float dtype.
    matrix : array-like, shape (d_in, d_out)

    Returns
    -------
    ndarray of float32, shape (n, d_out)
        Not normalised.

    Raises
    ------
    InvalidInputError
        Not matrices, widths that do not fit, NaN or infinity (the row is named), or a result too large for
        float32.

    Examples
    --------
    >>> project([[3.0, 4.0]], [[1.0], [0.5]]).tolist()
    [[5.0]]
    """
    x = np.asarray(rows)
    w = np.asarray(matrix, dtype=np.float64)
    if x.ndim != 2 or w.ndim != 2:
        raise InvalidInputError(f"rows and matrix must have 2 dimensions, they have {x.ndim} and {w.ndim}")
    if x.shape[1] != w.shape[0]:
        raise InvalidInputError(
            f"the rows have width {x.shape[1]}, the matrix takes width {w.shape[0]}",
            fix="make the matrix with d_in equal to the width of the tower's rows",
        )
    if not np.isfinite(w).all():
        raise InvalidInputError("the projection matrix holds NaN or infinity")
    result = np.empty((len(x), w.shape[1]), dtype=np.float32)
    for start in range(0, len(x), _BLOCK):
        block = x[start : start + _BLOCK].astype(np.float64)
        _check_finite(block, start, "holds NaN or infinity before the projection")
        with np.errstate(over="ignore", invalid="ignore"):
            result[start : start + _BLOCK] = block @ w
        _check_finite(result[start : start + _BLOCK], start, "is too large for float32 after the projection")
    return result


def _check_finite(block: NDArray[np.float64] | NDArray[np.float32], start: int, complaint: str) -> None:
    bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
    if bad.size:
        raise InvalidInputError(f"row {start + int(bad[0])} {complaint}")
