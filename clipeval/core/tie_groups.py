"""Gathering the right answers of every query into groups of equal scores."""

from __future__ import annotations

import numpy as np

from clipeval.core.order_within import order_within
from clipeval.core.positives import Integers
from clipeval.core.ties import Floats, TieGroups


def tie_groups(
    query: Integers, score: Floats, above: Integers, level: Integers, tolerance: float
) -> tuple[TieGroups, Floats]:
    """Gather the positives of each query into groups of one score, judged against the group's best.

    Parameters
    ----------
    query : ndarray of int, shape (p,)
        Position of each positive's query among the ranked ones.
    score : ndarray of float64, shape (p,)
        Its score.
    above, level : ndarray of int, shape (p,)
        Wrong candidates that score higher, and that tie with it.
    tolerance : float
        Scores at most this far apart are equal.

    Returns
    -------
    groups : TieGroups
    best : ndarray of float64, shape (q,)
        The best positive's score of each query.
    """
    order = order_within(query, -score)
    query, score, above, level = query[order], score[order], above[order], level[order]
    n = len(query)
    place = np.arange(n) - np.searchsorted(query, query)
    opens = np.ones(n, dtype=bool)
    leader = 0  # opens the group that the previous pair belongs to
    close = (query[1:] == query[:-1]) & (score[:-1] - score[1:] <= tolerance)
    rare = np.flatnonzero(close) + 1  # only pairs that touch their predecessor can be tied
    for i in rare.tolist():
        leader = i - 1 if opens[i - 1] else leader
        opens[i] = score[leader] - score[i] > tolerance
    first = np.flatnonzero(opens)
    groups = TieGroups(
        query=query[first],
        start=above[first] + place[first],
        positives=np.diff(np.append(first, n)),
        wrong=level[first],
        before=place[first],
    )
    return groups, score[place == 0]
