"""Cosines of some pairs, one by one: no matrix is made for them."""

from __future__ import annotations

import numpy as np

from clipeval.core.fixed_order import fixed_order_dot
from clipeval.core.positives import Integers
from clipeval.core.similarity import Matrix
from clipeval.core.ties import Floats

PAIRS = 4096
"""Scored at a time."""


def pair_scores(left: Matrix, right: Matrix, rows: Integers, columns: Integers) -> Floats:
    """Score pairs of an image and a text.

    Parameters
    ----------
    left, right : ndarray, shape (m, d) and (n, d)
        Unit rows of images and of texts (`clipeval.core.similarity.unit_rows`).
    rows, columns : ndarray of int, shape (p,)
        The image and the text of each pair.

    Returns
    -------
    ndarray of float64, shape (p,)

    Examples
    --------
    >>> eye = np.eye(2)
    >>> pair_scores(eye, eye, np.array([0, 1]), np.array([0, 0])).tolist()
    [1.0, 0.0]
    """
    found = np.empty(len(rows))
    for start in range(0, len(rows), PAIRS):
        part = slice(start, start + PAIRS)
        found[part] = fixed_order_dot(left[rows[part]], right[columns[part]])
    return found
