"""Zero-shot classification: pictures ranked against one embedding for each class."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.ranking import rank_retrieval
from clipeval.core.ranks import DirectionRanks
from clipeval.core.similarity import unit_rows
from clipeval.core.ties import TieRule
from clipeval.errors import InvalidInputError


def class_embeddings(rows: ArrayLike, class_of_row: ArrayLike) -> NDArray[np.float32]:
    """Join the text embeddings of each class to one: the mean of unit rows, normalised again.

    A. Radford et al. 2021, arXiv 2103.00020, section 3.1.4: prompts are averaged in embedding space, each
    with the same weight whatever its norm.

    Parameters
    ----------
    rows : array-like, shape (n, d)
        Text embeddings, unit or not: one for each class and template.
    class_of_row : array-like of int, shape (n,)
        The class of each row: all of 0 ... n_classes - 1, in any order.

    Returns
    -------
    ndarray of float32, shape (n_classes, d)
        Unit rows, by class number.

    Raises
    ------
    InvalidInputError
        NaN or infinity, classes that do not fit the rows, a number without rows.

    Examples
    --------
    >>> class_embeddings([[2, 0], [1, 0], [0, 5]], [0, 0, 1]).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    unit = unit_rows(rows, name="class texts").astype(np.float64)
    which = _numbers(class_of_row, expected=len(unit), name="class_of_row")
    if not len(which):
        raise InvalidInputError("there are no classes", fix="give each class a text")
    counts = np.bincount(which)
    if not counts.all():
        empty = int(np.flatnonzero(counts == 0)[0])
        raise InvalidInputError(f"class {empty} of {len(counts)} has no text", fix="number classes from 0 on")
    sums = np.zeros((len(counts), unit.shape[1]))
    np.add.at(sums, which, unit)
    return unit_rows(sums / counts[:, None], name="class embeddings")


def rank_classes(
    images: ArrayLike, classes: ArrayLike, class_of_image: ArrayLike, *, ties: TieRule = "expected"
) -> DirectionRanks:
    """Rank the right class of every picture among all classes.

    ``rank_classes(...).hits(1)`` are the per-picture hits and their mean is the accuracy. Ties are counted:
    an argmax would give every tie to the class that happens to stand first, so an encoder with one
    embedding for everything would be right about all pictures of the first class.

    Parameters
    ----------
    images : array-like, shape (m, d)
        Image embeddings.
    classes : array-like, shape (n_classes, d)
        See `class_embeddings`.
    class_of_image : array-like of int, shape (m,)
        The right class of each picture.
    ties : {"expected", "optimistic", "pessimistic"}
        See `rank_retrieval`.

    Returns
    -------
    DirectionRanks
        Queries are the pictures, candidates the classes.

    Raises
    ------
    InvalidInputError
        As in `rank_retrieval`; classes that do not fit the pictures.

    Examples
    --------
    >>> rank_classes([[1, 0], [0, 2], [1, 1]], [[1, 0], [0, 1]], [0, 0, 1]).hits(1).tolist()
    [1.0, 0.0, 0.5]
    """
    count = len(np.asarray(images))
    right = _numbers(class_of_image, expected=count, name="class_of_image")
    return rank_retrieval(
        images, classes, captions_of_image=[[int(number)] for number in right], ties=ties
    ).i2t


def _numbers(values: ArrayLike, *, expected: int, name: str) -> NDArray[np.int64]:
    numbers = np.asarray(values)
    if numbers.shape != (expected,) or (expected and numbers.dtype.kind not in "iu"):
        raise InvalidInputError(
            f"{name} must hold {expected} whole numbers, got {numbers.dtype} of shape {numbers.shape}",
            fix="pass one class number for each row",
        )
    if expected and numbers.min() < 0:
        raise InvalidInputError(f"{name} holds a negative number", fix="number classes from 0 on")
    return numbers.astype(np.int64)
