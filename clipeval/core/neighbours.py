"""Who is among whose k nearest: top-k membership without sorting, and mutual neighbourhoods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clipeval.core.neighbour_count import check_k
from clipeval.core.similarity import unit_rows
from clipeval.core.thresholds import TIE_TOLERANCE
from clipeval.errors import InvalidInputError

BLOCK_ENTRIES = 2**22
"""Similarities held at a time (32 MiB of float64)."""


@dataclass(frozen=True)
class MutualKnn:
    """Share of neighbours that two representations have in common.

    Attributes
    ----------
    value : float
        In [0, 1].
    chance : float
        ``k / (n - 1)``, what unrelated representations give on average.
    k : int
        Size of the neighbourhoods.
    """

    value: float
    chance: float
    k: int


def top_k_membership(scores: NDArray[np.float64], *, k: int) -> NDArray[np.float64]:
    """Probability that each candidate is in its query's top k under random tie breaks.

    With ``s`` the k-th highest score of a row, ``G`` candidates above it and ``e`` equal to it (closer than
    1e-12, as everywhere in clipeval): 1 above, ``(k - G) / e`` for the equal ones, 0 below.

    Parameters
    ----------
    scores : ndarray of float64, shape (q, n)
        Finite, or -inf for candidates that do not take part.
    k : int
        Between 1 and n.

    Returns
    -------
    ndarray of float64, shape (q, n)
        In [0, 1]; every row sums to k.

    Examples
    --------
    >>> import numpy as np
    >>> top_k_membership(np.array([[3.0, 1.0, 1.0, 0.0]]), k=2).tolist()
    [[1.0, 0.5, 0.5, 0.0]]
    """
    n = scores.shape[1]
    kth = np.partition(scores, n - k, axis=1)[:, n - k, None]
    above = scores > kth + TIE_TOLERANCE
    equal = (scores >= kth - TIE_TOLERANCE) & ~above
    places = (k - above.sum(axis=1)) / equal.sum(axis=1)
    membership: NDArray[np.float64] = np.where(equal, places[:, None], above)
    return membership


def mutual_knn(images: ArrayLike, texts: ArrayLike, *, k: int = 10) -> MutualKnn:
    """Overlap of image neighbourhoods and text neighbourhoods of the same items.

    For each item, the share of its k nearest images (itself left out, by cosine) whose items are also among
    its k nearest texts, averaged over items (Huh et al. 2024, "The Platonic Representation Hypothesis",
    arXiv 2405.07987). Ties at the k-th place count with their expectation under random tie breaks, so
    repeated rows do not make the value depend on a sort.

    Parameters
    ----------
    images : array-like, shape (n, d)
    texts : array-like, shape (n, e)
        Row i of both belongs to item i; the widths may differ. Rows are normalised first.
    k : int
        Between 1 and n - 1.

    Returns
    -------
    MutualKnn
        The value and its chance level ``k / (n - 1)``.

    Raises
    ------
    InvalidInputError
        Bad rows, different numbers of rows, k out of range.

    Examples
    --------
    >>> points = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]]
    >>> mutual_knn(points, points, k=1).value
    1.0
    """
    left = unit_rows(images, name="images").astype(np.float64)
    right = unit_rows(texts, name="texts").astype(np.float64)
    n = len(left)
    if len(right) != n:
        raise InvalidInputError(f"{n} images and {len(right)} texts are not pairs")
    check_k(k, n - 1, "items besides the query")
    overlap = 0.0
    step = max(1, BLOCK_ENTRIES // n)
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        members = []
        for points in (left, right):
            scores = points[rows] @ points.T
            scores[rows - start, rows] = -np.inf
            members.append(top_k_membership(scores, k=k))
        overlap += float(np.sum(members[0] * members[1]))
    return MutualKnn(overlap / (k * n), k / (n - 1), k)
