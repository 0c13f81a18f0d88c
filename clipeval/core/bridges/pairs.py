"""The pairs that a bridge is learned from, checked before anything is fitted."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.similarity import unit_rows
from clipeval.errors import InvalidInputError

Rows = NDArray[np.float64]


def training_pairs(images: ArrayLike, texts: ArrayLike) -> tuple[Rows, Rows]:
    """Give the unit rows of the two sides, row i of one belonging to row i of the other.

    Parameters
    ----------
    images : array-like, shape (n, d)
    texts : array-like, shape (n, e)
        An image with several captions stands once for each of them.

    Returns
    -------
    images, texts : ndarray of float64

    Raises
    ------
    InvalidInputError
        Fewer than two pairs, different numbers of rows, NaN or infinity.

    Examples
    --------
    >>> training_pairs([[2.0, 0.0], [0.0, 3.0]], [[1.0], [-5.0]])[1].tolist()
    [[1.0], [-1.0]]
    """
    left, right = unit_rows(images, name="images"), unit_rows(texts, name="texts")
    if len(left) != len(right):
        raise InvalidInputError(
            f"{len(left)} images and {len(right)} texts are not pairs",
            where="training pairs",
            fix="repeat the row of an image for each of its captions",
        )
    if len(left) < 2:
        raise InvalidInputError(
            f"a bridge cannot be learned from {len(left)} pairs", fix="pass two pairs or more"
        )
    return left.astype(np.float64), right.astype(np.float64)


def checked_unit(rows: ArrayLike, width: int, *, name: str) -> Rows:
    """Give unit rows of the width that a bridge was fitted on.

    Raises
    ------
    InvalidInputError
        Another width, NaN or infinity.
    """
    unit = unit_rows(rows, name=name).astype(np.float64)
    if unit.shape[1] != width:
        raise InvalidInputError(
            f"the bridge was fitted on {name} of width {width}, these have width {unit.shape[1]}"
        )
    return unit
