"""The ranks of one run: what was counted, and hits and ranks under each tie rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clipeval.core.positives import Integers
from clipeval.core.ties import Floats, TieGroups, TieRule, expected_reciprocal, miss_probability
from clipeval.core.top_lists import TopLists
from clipeval.errors import InvalidInputError


@dataclass(frozen=True, eq=False)
class DirectionRanks:
    """Ranks of one direction (images as queries, or captions as queries).

    All arrays have one entry for each ranked query, in the order of ``queries``.

    Attributes
    ----------
    queries : ndarray of int, shape (q,)
        Row of each ranked query; queries without positives are left out.
    without_positives : ndarray of int
        Rows of the queries that were declared to have no right answer.
    n_candidates : int
        Candidates for every query.
    n_positives : ndarray of int, shape (q,)
        Right answers of each query.
    ties : str
        The rule that ``hit_rate`` and the metrics follow.
    groups : TieGroups
        Where all positives stand; see `clipeval.core.ties`.
    positive_score : ndarray of float64, shape (q,)
        The best right answer's similarity, not clipped.
    best_rival : ndarray of int, shape (q,)
        The best wrong candidate (the first among equals), -1 if there is none.
    rival_score : ndarray of float64, shape (q,)
        Its similarity, NaN if there is none.
    top : TopLists or None
        The best candidates of each query, right or wrong, if they were asked for.
    """

    queries: Integers
    without_positives: Integers
    n_candidates: int
    n_positives: Integers
    ties: TieRule
    groups: TieGroups
    positive_score: Floats
    best_rival: Integers
    rival_score: Floats
    top: TopLists | None = None

    @property
    def n_queries(self) -> int:
        """Number of ranked queries."""
        return len(self.queries)

    @property
    def _first(self) -> Integers:
        return np.searchsorted(self.groups.query, np.arange(self.n_queries))

    @property
    def better(self) -> Integers:
        """Wrong candidates that score higher than the best positive (G), shape ``(q,)``."""
        return self.groups.start[self._first]

    @property
    def tied(self) -> Integers:
        """Wrong candidates that score the same as the best positive (e), shape ``(q,)``."""
        return self.groups.wrong[self._first]

    @property
    def positives_tied(self) -> Integers:
        """Positives that share the best positive score (w, at least 1), shape ``(q,)``."""
        return self.groups.positives[self._first]

    @property
    def optimistic(self) -> Integers:
        """Rank with ties broken for the positive: ``1 + G``, shape ``(q,)``."""
        return 1 + self.better

    @property
    def pessimistic(self) -> Integers:
        """Rank with ties broken against the positive: ``1 + G + e``, shape ``(q,)``."""
        return 1 + self.better + self.tied

    @property
    def expected(self) -> Floats:
        """Mean rank over random tie breaks: ``1 + G + e / (w + 1)``, shape ``(q,)``."""
        return 1 + self.better + self.tied / (self.positives_tied + 1)

    @property
    def rank(self) -> Floats:
        """The rank under the tie rule ``ties``, as float64, shape ``(q,)``."""
        if self.ties == "expected":
            return self.expected
        return np.asarray(
            self.optimistic if self.ties == "optimistic" else self.pessimistic, dtype=np.float64
        )

    def expected_hit(self, k: int) -> Floats:
        """Probability, over random tie breaks, that a right answer is in the top k.

        Parameters
        ----------
        k : int
            From 1 to ``n_candidates``.

        Returns
        -------
        ndarray of float64, shape (q,)
            Between 0 and 1; exactly 0 or 1 where nothing is tied across the border.

        Raises
        ------
        InvalidInputError
            k out of range.
        """
        self.check_k(k)
        return 1.0 - miss_probability(k, self.better, self.tied, self.positives_tied)

    def hits(self, k: int) -> Floats:
        """Hit of each query under the tie rule ``ties``, between 0 and 1, shape ``(q,)``.

        Raises
        ------
        InvalidInputError
            k out of range.
        """
        self.check_k(k)
        if self.ties == "expected":
            return self.expected_hit(k)
        return (self.rank <= k).astype(np.float64)

    def hit_rate(self, k: int) -> float:
        """Share of queries with at least one right answer in the top k, under the tie rule ``ties``.

        CLIP papers print this number as "recall@k".

        Raises
        ------
        InvalidInputError
            k out of range, or no query has a positive.
        """
        return self.mean(self.hits(k))

    def reciprocal(self) -> Floats:
        """1 / rank of each query under the tie rule (its mean over random tie breaks), shape ``(q,)``."""
        if self.ties == "expected":
            return expected_reciprocal(self.better, self.tied, self.positives_tied)
        return 1.0 / self.rank

    def mean(self, values: Floats) -> float:
        """Mean over the ranked queries.

        Raises
        ------
        InvalidInputError
            No query has a positive.
        """
        if not len(values):
            raise InvalidInputError("no query has a right answer, so there is nothing to average")
        return float(np.mean(values))

    def check_k(self, k: int) -> None:
        """Refuse a list length that the candidates cannot fill.

        Raises
        ------
        InvalidInputError
            k is not a whole number from 1 to ``n_candidates``.
        """
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= self.n_candidates:
            raise InvalidInputError(
                f"k is {k!r}, but there are {self.n_candidates} candidates",
                fix=f"choose a whole number from 1 to {self.n_candidates}",
            )


@dataclass(frozen=True, eq=False)
class Ranks:
    """Ranks of both directions: ``i2t`` (image finds caption) and ``t2i`` (caption finds image)."""

    i2t: DirectionRanks
    t2i: DirectionRanks
