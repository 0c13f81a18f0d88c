"""Retrieval metrics of each query, from tie groups, and the chance level of every one of them.

Each function returns one value for each ranked query; ``ranks.mean(values)`` is the metric. All follow the
tie rule of the ranks; under ``expected`` each is the exact mean over random tie breaks (McSherry & Najork
2008, "Computing information retrieval performance measures efficiently in the presence of tied scores").
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from clipeval.core.ranks import DirectionRanks
from clipeval.core.ties import Floats, TieGroups
from clipeval.errors import InvalidInputError


def recall(ranks: DirectionRanks, *, k: int) -> Floats:
    """Right answers found in the top k / right answers that exist.

    Not what CLIP papers print as "recall@k": that is `DirectionRanks.hit_rate`. Tied candidates fill the
    places they share in equal parts.

    Parameters
    ----------
    ranks : DirectionRanks
        q ranked queries.
    k : int
        From 1 to ``n_candidates``.

    Returns
    -------
    ndarray of float64, shape (q,)
        Between 0 and 1.

    Raises
    ------
    InvalidInputError
        k out of range.

    Examples
    --------
    >>> from clipeval import rank_scores
    >>> recall(rank_scores([[3.0, 2.0, 1.0]], [[0], [], [0]]).i2t, k=2).tolist()
    [0.5]
    """
    ranks.check_k(k)
    groups = ranks.groups.broken(ranks.ties)
    return _found(groups, np.full(len(groups.query), k), ranks.n_queries) / ranks.n_positives


def r_precision(ranks: DirectionRanks) -> Floats:
    """Recall in the top R, R being the number of right answers of the query.

    Parameters
    ----------
    ranks : DirectionRanks
        q ranked queries.

    Returns
    -------
    ndarray of float64, shape (q,)
        Between 0 and 1.

    Examples
    --------
    >>> from clipeval import rank_scores
    >>> r_precision(rank_scores([[3.0, 2.0, 1.0]], [[0], [], [0]]).i2t).tolist()
    [0.5]
    """
    groups = ranks.groups.broken(ranks.ties)
    return _found(groups, ranks.n_positives[groups.query], ranks.n_queries) / ranks.n_positives


def _found(groups: TieGroups, k: np.ndarray, n_queries: int) -> Floats:
    filled = np.clip(k - groups.start, 0, groups.size)
    return groups.per_query(groups.positives * filled / groups.size, n_queries)


def average_precision_at_r(ranks: DirectionRanks) -> Floats:
    """Average precision over the first R places: ``1/R sum over i <= R of precision@i * right(i)``.

    mAP@R of ECCV Caption (Chun et al. 2022, after Musgrave et al. 2020) is its mean.

    Parameters
    ----------
    ranks : DirectionRanks
        q ranked queries.

    Returns
    -------
    ndarray of float64, shape (q,)
        Between 0 and 1.

    Examples
    --------
    >>> from clipeval import rank_scores
    >>> average_precision_at_r(rank_scores([[1.0, 3.0, 2.0]], [[0], [0], []]).i2t).tolist()
    [0.5]
    """
    groups = ranks.groups.broken(ranks.ties)
    r = ranks.n_positives[groups.query]
    length = np.clip(r - groups.start, 0, groups.size)
    group = np.repeat(np.arange(len(length)), length)
    within = np.arange(len(group)) - np.repeat(np.cumsum(length) - length, length)
    right, size = groups.positives[group], groups.size[group]
    # given that this place is right, the other right ones of the group are spread over its other places
    earlier = within * (right - 1) / np.maximum(size - 1, 1)
    precision = (groups.before[group] + 1 + earlier) / (groups.start[group] + within + 1)
    sums = np.bincount(groups.query[group], weights=right / size * precision, minlength=ranks.n_queries)
    return np.asarray(sums / ranks.n_positives, dtype=np.float64)


def ndcg(ranks: DirectionRanks, *, k: int) -> Floats:
    """Discounted cumulative gain in the top k with gains 0 and 1, over the best one possible.

    Discount ``1 / log2(1 + place)`` (Järvelin & Kekäläinen 2002).

    Parameters
    ----------
    ranks : DirectionRanks
        q ranked queries.
    k : int
        From 1 to ``n_candidates``.

    Returns
    -------
    ndarray of float64, shape (q,)
        Between 0 and 1.

    Raises
    ------
    InvalidInputError
        k out of range.

    Examples
    --------
    >>> from clipeval import rank_scores
    >>> ndcg(rank_scores([[1.0, 3.0, 2.0]], [[0], [], []]).i2t, k=3).round(12).tolist()
    [0.5]
    """
    ranks.check_k(k)
    groups = ranks.groups.broken(ranks.ties)
    gained = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(2, k + 2)))])
    first = np.minimum(groups.start, k)
    last = np.minimum(groups.start + groups.size, k)
    gain = groups.positives / groups.size * (gained[last] - gained[first])
    best = gained[np.minimum(ranks.n_positives, k)]
    return np.asarray(groups.per_query(gain, ranks.n_queries) / best, dtype=np.float64)


def median_rank(ranks: DirectionRanks) -> float:
    """Median over the queries of the rank under the tie rule (of the mean rank under ``expected``).

    Parameters
    ----------
    ranks : DirectionRanks
        At least one ranked query.

    Returns
    -------
    float
        At least 1.

    Raises
    ------
    InvalidInputError
        No query has a right answer.

    Examples
    --------
    >>> from clipeval import rank_scores
    >>> median_rank(rank_scores([[3.0, 1.0], [2.0, 2.0]]).i2t)
    1.25
    """
    ranks.mean(ranks.rank)
    return float(np.median(ranks.rank))


def at_chance(ranks: DirectionRanks) -> DirectionRanks:
    """Rank the same queries as a scorer would that knows nothing: everything tied.

    The chance level of a metric is the metric of these ranks: for hit_rate@k and one positive ``k / n``,
    for several ``1 - C(n - |P|, k) / C(n, k)``.

    Parameters
    ----------
    ranks : DirectionRanks
        Any ranks; only the numbers of candidates and positives are used.

    Returns
    -------
    DirectionRanks
        One tie group for each query, rule ``expected``; no scores and no rivals.

    Examples
    --------
    >>> from clipeval import rank_scores
    >>> at_chance(rank_scores([[3.0, 1.0], [2.0, 2.0]]).i2t).hit_rate(1)
    0.5
    """
    q = ranks.n_queries
    nothing = np.full(q, np.nan)
    zeros = np.zeros(q, dtype=np.int64)
    groups = TieGroups(np.arange(q), zeros, ranks.n_positives, ranks.n_candidates - ranks.n_positives, zeros)
    return replace(
        ranks,
        ties="expected",
        groups=groups,
        positive_score=nothing,
        best_rival=zeros - 1,
        rival_score=nothing,
        top=None,
    )


def select_queries(ranks: DirectionRanks, keep: ArrayLike) -> DirectionRanks:
    """Ranks of a part of the queries (a category); the candidates stay the same.

    Parameters
    ----------
    ranks : DirectionRanks
        q ranked queries.
    keep : ndarray of bool, shape (q,)
        Which of them to keep.

    Returns
    -------
    DirectionRanks

    Raises
    ------
    InvalidInputError
        `keep` is not one boolean for each ranked query.

    Examples
    --------
    >>> from clipeval import rank_scores
    >>> both = rank_scores([[3.0, 1.0], [4.0, 2.0]]).i2t
    >>> select_queries(both, np.array([False, True])).hit_rate(1)
    0.0
    """
    chosen = np.asarray(keep)
    if chosen.dtype != np.bool_ or chosen.shape != (ranks.n_queries,):
        raise InvalidInputError(
            f"keep must be {ranks.n_queries} booleans, one for each ranked query, "
            f"got {chosen.dtype} {chosen.shape}"
        )
    kept = chosen[ranks.groups.query]
    new_place = np.cumsum(chosen) - 1
    groups = TieGroups(
        new_place[ranks.groups.query[kept]],
        ranks.groups.start[kept],
        ranks.groups.positives[kept],
        ranks.groups.wrong[kept],
        ranks.groups.before[kept],
    )
    return replace(
        ranks,
        queries=ranks.queries[chosen],
        n_positives=ranks.n_positives[chosen],
        groups=groups,
        positive_score=ranks.positive_score[chosen],
        best_rival=ranks.best_rival[chosen],
        rival_score=ranks.rival_score[chosen],
        top=None if ranks.top is None else ranks.top.select(chosen),
    )
