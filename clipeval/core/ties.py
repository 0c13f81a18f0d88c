"""Where ties leave a query's right answers: exact expectations over random tie breaks.

A *tie group* is a set of candidates with one score of which at least one is a positive. It starts behind
``start`` better candidates and holds ``positives`` right and ``wrong`` wrong answers. Everything that the
tie rules say follows from the groups, so scores are never sorted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from clipeval.core.positives import Integers
from clipeval.errors import InvalidInputError, near

TieRule: TypeAlias = Literal["optimistic", "pessimistic", "expected"]
Floats: TypeAlias = NDArray[np.float64]


def check_tie_rule(ties: str) -> None:
    """Refuse a tie rule that does not exist.

    Raises
    ------
    InvalidInputError
        Names the nearest rule.
    """
    if ties not in get_args(TieRule):
        raise InvalidInputError(f"unknown tie rule '{ties}'", fix=near(str(ties), get_args(TieRule)))


@dataclass(frozen=True)
class TieGroups:
    """The tie groups of all queries, best first within a query.

    Attributes
    ----------
    query : ndarray of int, shape (g,)
        Position of the group's query among the ranked queries.
    start : ndarray of int, shape (g,)
        Candidates, right or wrong, that score higher than the group.
    positives, wrong : ndarray of int, shape (g,)
        Right and wrong candidates in the group.
    before : ndarray of int, shape (g,)
        Positives of the same query that score higher than the group.
    """

    query: Integers
    start: Integers
    positives: Integers
    wrong: Integers
    before: Integers

    @property
    def size(self) -> Integers:
        """Candidates in the group."""
        return self.positives + self.wrong

    def per_query(self, values: Floats, n_queries: int) -> Floats:
        """Add up one value for each group over the groups of each query."""
        total: Floats = np.bincount(self.query, weights=values, minlength=n_queries).astype(np.float64)
        return total

    def broken(self, ties: TieRule) -> TieGroups:
        """Break ties for (``optimistic``) or against (``pessimistic``) the positives."""
        if ties == "expected":
            return self
        shift = self.wrong if ties == "pessimistic" else np.zeros_like(self.wrong)
        return TieGroups(
            self.query, self.start + shift, self.positives, np.zeros_like(self.wrong), self.before
        )


def miss_probability(k: int, better: Integers, wrong: Integers, positives: Integers) -> Floats:
    """Probability that a random tie break puts none of the best positives into the top k.

    ``C(e, j) / C(e + w, j)`` with ``j = clip(k - G, 0, e + w)``, written as the product of
    ``(e + i - j) / (e + i)`` over ``i = 1 ... w``, which needs no large numbers.

    Parameters
    ----------
    k : int
        Length of the list.
    better, wrong, positives : ndarray of int, shape (q,)
        G, e and w: wrong candidates above the best positive, wrong ones tied with it, positives tied with it.

    Returns
    -------
    ndarray of float64, shape (q,)
        Between 0 and 1.

    Examples
    --------
    >>> miss_probability(1, np.array([0]), np.array([3]), np.array([1])).tolist()
    [0.75]
    """
    drawn = np.clip(k - better, 0, wrong + positives)
    miss = np.ones(len(better))
    for i in range(1, int(positives.max(initial=0)) + 1):
        factor = np.maximum(wrong + i - drawn, 0) / (wrong + i)
        miss = np.where(i <= positives, miss * factor, miss)
    return miss


def expected_reciprocal(better: Integers, wrong: Integers, positives: Integers) -> Floats:
    """Mean of 1 / rank over random tie breaks.

    ``sum over t = 1 ... e + 1 of C(e + w - t, w - 1) / C(e + w, w) / (G + t)``.

    Parameters
    ----------
    better, wrong, positives : ndarray of int, shape (q,)
        G, e and w: wrong candidates above the best positive, wrong ones tied with it, positives tied with it.

    Returns
    -------
    ndarray of float64, shape (q,)
        In (0, 1].

    Examples
    --------
    >>> expected_reciprocal(np.array([0]), np.array([1]), np.array([1])).tolist()
    [0.75]
    """
    result: Floats = np.asarray(1.0 / (better + 1.0), dtype=np.float64)
    cases = np.stack([better, wrong, positives], axis=1)
    tied = np.flatnonzero(wrong > 0)
    unique, case_of = np.unique(cases[tied], axis=0, return_inverse=True)
    values = np.empty(len(unique))
    for row, (g, e, w) in enumerate(unique.tolist()):
        t = np.arange(1, e + 1)
        # probability that the first positive stands at place t + 1, from that of place t
        steps = (e + 1 - t) / (e + w - t)
        probability = (w / (e + w)) * np.concatenate([[1.0], np.cumprod(steps)])
        values[row] = np.sum(probability / (g + np.arange(1, e + 2)))
    result[tied] = values[case_of.ravel()]
    return result
