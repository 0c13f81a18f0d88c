"""Linear bridges: each side is centred by the training mean and multiplied by a matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.bridges.folds import Places, best_by_folds
from clipeval.core.bridges.pairs import Rows, checked_unit, training_pairs
from clipeval.errors import InvalidInputError

Side = Literal["image", "text"]

STRENGTHS = tuple(10.0 ** (power / 2) for power in range(-8, 5))
"""What ridge tries."""
PENALTIES = tuple(10.0 ** (power / 2) for power in range(-4, 5))
"""What CCA tries."""


@dataclass(frozen=True, eq=False)
class LinearBridge:
    """Two centred maps into one space; see the functions that fit one.

    Attributes
    ----------
    words : str
        Kind and parameters, for a fingerprint.
    image_mean, text_mean : ndarray of float64
        Of the training pairs' unit rows.
    image_matrix, text_matrix : ndarray of float64 or None
        None leaves the centred rows as they are.
    """

    words: str
    image_mean: Rows
    text_mean: Rows
    image_matrix: Rows | None
    text_matrix: Rows | None

    def images(self, rows: ArrayLike) -> NDArray[np.float32]:
        """Carry image rows into the common space, shape ``(m, k)``."""
        return _carried(rows, self.image_mean, self.image_matrix, name="images")

    def texts(self, rows: ArrayLike) -> NDArray[np.float32]:
        """Carry text rows into the common space, shape ``(n, k)``."""
        return _carried(rows, self.text_mean, self.text_matrix, name="texts")


def _carried(rows: ArrayLike, mean: Rows, matrix: Rows | None, *, name: str) -> NDArray[np.float32]:
    centred = checked_unit(rows, len(mean), name=name) - mean
    return np.asarray(centred if matrix is None else centred @ matrix, dtype=np.float32)


def procrustes(images: ArrayLike, texts: ArrayLike) -> LinearBridge:
    """Rotate image rows onto text rows.

    W maximises ``trace(W' X'Y)`` over matrices with orthonormal rows or columns: ``U V'`` of the singular
    value decomposition of ``X'Y`` (Schönemann 1966). Directions that the pairs say nothing about (singular
    value 0, as wherever there are fewer pairs than dimensions) are left out: there any rotation is as good,
    and which one a library returns is an accident.

    Parameters
    ----------
    images : array-like, shape (n, d)
    texts : array-like, shape (n, e)
        Training pairs.

    Returns
    -------
    LinearBridge
        Into the text space.

    Raises
    ------
    InvalidInputError
        See `training_pairs`.

    Examples
    --------
    >>> turn = [[0.0, 1.0], [-1.0, 0.0]]
    >>> rows = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> bool(np.allclose(procrustes(rows, rows @ turn).images(rows), rows @ turn))
    True
    """
    x, y = training_pairs(images, texts)
    image_mean, text_mean = x.mean(axis=0), y.mean(axis=0)
    left, values, right = np.linalg.svd((x - image_mean).T @ (y - text_mean), full_matrices=False)
    known = values > values[0] * len(x) * np.finfo(np.float64).eps
    matrix = left[:, known] @ right[known]
    return LinearBridge(f"procrustes, {len(x)} pairs", image_mean, text_mean, matrix, None)


def ridge(
    images: ArrayLike,
    texts: ArrayLike,
    *,
    side: Side = "image",
    strength: float | None = None,
    groups: ArrayLike | None = None,
    seed: int = 42,
) -> LinearBridge:
    """Predict the rows of one side from those of the other by penalised least squares.

    Minimises ``|X W - Y|² + strength t |W|²`` (Hoerl & Kennard 1970) on centred unit rows, where t is the
    mean eigenvalue of ``X'X``, so that one strength means the same for any number of pairs.

    Parameters
    ----------
    images : array-like, shape (n, d)
    texts : array-like, shape (n, e)
        Training pairs.
    side : {"image", "text"}
        The side that is carried over to the other's space.
    strength : float, optional
        At least 0. If not given, the best of `STRENGTHS`; see `clipeval.core.bridges.folds`.
    groups, seed
        For the choice of the strength.

    Returns
    -------
    LinearBridge

    Raises
    ------
    InvalidInputError
        See `training_pairs` and `best_by_folds`; an unknown side, a negative strength.

    Examples
    --------
    >>> rows = np.eye(4)
    >>> ridge(rows, rows, strength=0.5).words
    'ridge, image side, strength 0.5, 4 pairs'
    """
    x, y = training_pairs(images, texts)
    if side not in ("image", "text"):
        raise InvalidInputError(f"unknown side '{side}'", fix="say 'image' or 'text'")
    prepare = prepare_ridge(side)
    if strength is None:
        strength = best_by_folds(STRENGTHS, prepare, x, y, groups=groups, seed=seed)
    if not 0 <= strength < np.inf:
        raise InvalidInputError(f"the strength of a ridge is 0 or more, not {strength!r}")
    return prepare(x, y, np.arange(len(x)))(strength)


def prepare_ridge(side: Side) -> Callable[[Rows, Rows, Places], Callable[[float], LinearBridge]]:
    """One eigenvalue decomposition for all strengths; see `clipeval.core.bridges.folds.Prepare`."""

    def prepare(x: Rows, y: Rows, places: Places) -> Callable[[float], LinearBridge]:
        del places
        means = x.mean(axis=0), y.mean(axis=0)
        source, target = (x - means[0], y - means[1]) if side == "image" else (y - means[1], x - means[0])
        width = source.shape[1]
        values, vectors = _eigen(source)
        cross = vectors.T @ (source.T @ target)

        def bridge(strength: float) -> LinearBridge:
            level = values + strength * values.sum() / width
            # without a penalty the directions that no pair shows stay empty
            seen = level > values[-1] * width * np.finfo(np.float64).eps
            matrix = vectors[:, seen] @ (cross[seen] / level[seen, None])
            pair = (matrix, None) if side == "image" else (None, matrix)
            return LinearBridge(f"ridge, {side} side, strength {strength:.6g}, {len(x)} pairs", *means, *pair)

        return bridge

    return prepare


def cca(
    images: ArrayLike,
    texts: ArrayLike,
    *,
    dim: int | None = None,
    penalty: float | None = None,
    groups: ArrayLike | None = None,
    seed: int = 42,
) -> LinearBridge:
    """Project both sides onto the directions that correlate most across the pairs.

    Regularised canonical correlation analysis (Hotelling 1936; Vinod 1976): the singular vectors of
    ``(X'X + aI)^(-1/2) X'Y (Y'Y + bI)^(-1/2)``, where a and b are `penalty` times the mean eigenvalue of each
    side. Each direction is weighted by the root of its correlation on either side, so that in the inner
    product it counts as much as it correlates.

    Parameters
    ----------
    images : array-like, shape (n, d)
    texts : array-like, shape (n, e)
        Training pairs.
    dim : int, optional
        Directions kept, at most min(d, e); all if not given.
    penalty : float, optional
        Above 0. If not given, the best of `PENALTIES`; see `clipeval.core.bridges.folds`.
    groups, seed
        For the choice of the penalty.

    Returns
    -------
    LinearBridge
        Into ``dim`` dimensions.

    Raises
    ------
    InvalidInputError
        See `training_pairs` and `best_by_folds`; dim or penalty out of range.

    Examples
    --------
    >>> cca(np.eye(3), np.eye(3), dim=2, penalty=0.1).images(np.eye(3)).shape
    (3, 2)
    """
    x, y = training_pairs(images, texts)
    most = min(x.shape[1], y.shape[1])
    dim = most if dim is None else dim
    if isinstance(dim, bool) or not isinstance(dim, (int, np.integer)) or not 1 <= dim <= most:
        raise InvalidInputError(f"dim is {dim!r}, but there are {most} directions")
    prepare = prepare_cca(int(dim))
    if penalty is None:
        penalty = best_by_folds(PENALTIES, prepare, x, y, groups=groups, seed=seed)
    if not 0 < penalty < np.inf:
        raise InvalidInputError(f"the penalty of a CCA is above 0, not {penalty!r}")
    return prepare(x, y, np.arange(len(x)))(penalty)


def prepare_cca(dim: int) -> Callable[[Rows, Rows, Places], Callable[[float], LinearBridge]]:
    """Two eigenvalue decompositions for all penalties; see `clipeval.core.bridges.folds.Prepare`."""

    def prepare(x: Rows, y: Rows, places: Places) -> Callable[[float], LinearBridge]:
        del places
        means = x.mean(axis=0), y.mean(axis=0)
        sides = x - means[0], y - means[1]
        (x_values, x_vectors), (y_values, y_vectors) = (_eigen(side) for side in sides)
        cross = x_vectors.T @ (sides[0].T @ sides[1]) @ y_vectors

        def bridge(penalty: float) -> LinearBridge:
            roots = [
                1 / np.sqrt(values + penalty * max(float(values.sum()) / width, np.finfo(np.float64).tiny))
                for values, width in ((x_values, x.shape[1]), (y_values, y.shape[1]))
            ]
            left, values, right = np.linalg.svd(roots[0][:, None] * cross * roots[1], full_matrices=False)
            weights = np.sqrt(values[:dim])
            return LinearBridge(
                f"cca, {len(weights)} directions, penalty {penalty:.6g}, {len(x)} pairs",
                *means,
                x_vectors @ (roots[0][:, None] * left[:, :dim] * weights),
                y_vectors @ (roots[1][:, None] * right[:dim].T * weights),
            )

        return bridge

    return prepare


def _eigen(side: Rows) -> tuple[Rows, Rows]:
    """Rising eigenvalues of ``side' side`` and their vectors; of few rows only those that can be above 0."""
    side = _without_repeats(side)
    if len(side) < side.shape[1]:
        _, roots, vectors = np.linalg.svd(side, full_matrices=False)
        return roots[::-1] ** 2, vectors[::-1].T
    values, vectors = np.linalg.eigh(side.T @ side)
    return np.maximum(values, 0.0), vectors


def _without_repeats(side: Rows) -> Rows:
    """Give fewer rows of the same ``side' side``: an image that stands once for each of its captions, once.

    Only neighbours are looked at. A row that stands c times weighs √c.
    """
    starts = np.flatnonzero(np.concatenate([[True], (side[1:] != side[:-1]).any(axis=1)]))
    times = np.diff(starts, append=len(side))
    return np.asarray(side[starts] * np.sqrt(times)[:, None])
