"""Zero-shot classification: pictures ranked against one embedding for each class."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.ranking import rank_retrieval
from clipeval.core.ranks import DirectionRanks
from clipeval.core.similarity import unit_rows
from clipeval.core.thresholds import TIE_TOLERANCE
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
    images: ArrayLike,
    classes: ArrayLike,
    class_of_image: ArrayLike,
    *,
    ties: TieRule = "expected",
    top: int = 0,
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
    top : int
        Also list so many of the best classes of each picture.

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
        images, classes, captions_of_image=[[int(number)] for number in right], ties=ties, top=top
    ).i2t


def confusion_matrix(
    images: ArrayLike, classes: ArrayLike, class_of_image: ArrayLike, *, ranks: DirectionRanks
) -> NDArray[np.float64]:
    """Count which class every picture is taken for, by its right class.

    A picture whose best classes tie counts in equal parts for each of them, so the diagonal holds the hits of
    the tie rule "expected", and a row sums to the number of its class's pictures.

    Parameters
    ----------
    images, classes, class_of_image
        As for `rank_classes`.
    ranks : DirectionRanks
        From `rank_classes`, with ``top`` of at least 1.

    Returns
    -------
    ndarray of float64, shape (n_classes, n_classes)
        Row: the right class; column: what the picture was taken for.

    Raises
    ------
    InvalidInputError
        The ranks hold no lists.

    Examples
    --------
    >>> pictures, classes, right = [[1, 0], [0, 2], [1, 1]], [[1, 0], [0, 1]], [0, 0, 1]
    >>> ranks = rank_classes(pictures, classes, right, top=1)
    >>> confusion_matrix(pictures, classes, right, ranks=ranks).tolist()
    [[1.0, 1.0], [0.5, 0.5]]
    """
    if ranks.top is None:
        raise InvalidInputError("the ranks hold no lists", fix="call rank_classes with top=2")
    rows, count = np.asarray(images), len(np.asarray(classes))
    right = _numbers(class_of_image, expected=len(rows), name="class_of_image")
    table = np.zeros((count, count))
    found, scores = ranks.top.candidates, ranks.top.scores
    tied = scores >= scores[:, :1] - TIE_TOLERANCE
    # where a whole list is tied, more classes may be: those pictures get all of them
    crowded = np.flatnonzero(tied[:, -1]) if found.shape[1] < count else np.zeros(0, dtype=np.int64)
    parts = [(right, found, tied)]
    if crowded.size:
        parts = [(np.delete(right, crowded), np.delete(found, crowded, 0), np.delete(tied, crowded, 0))]
        whole = rank_classes(rows[crowded], classes, right[crowded], top=count).top
        if whole is None:
            raise AssertionError("lists were asked for")
        together = whole.scores >= whole.scores[:, :1] - TIE_TOLERANCE
        parts.append((right[crowded], whole.candidates, together))
    for of_part, candidates, equal in parts:
        shares = equal / equal.sum(axis=1, keepdims=True)
        np.add.at(table, (np.repeat(of_part, candidates.shape[1]), candidates.ravel()), shares.ravel())
    return table


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
