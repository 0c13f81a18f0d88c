"""From what was counted over all pairs to the ranks of one direction."""

from __future__ import annotations

import numpy as np

from clipeval.core.duplicates import Groups
from clipeval.core.filtering import Tally
from clipeval.core.known_pairs import KnownPairs, above_and_level
from clipeval.core.order_within import order_within
from clipeval.core.positives import Integers, Positives
from clipeval.core.ranks import DirectionRanks
from clipeval.core.rivals import Scored, best_rivals, sort_scored
from clipeval.core.thresholds import TIE_TOLERANCE
from clipeval.core.tie_groups import tie_groups
from clipeval.core.ties import TieRule
from clipeval.core.top_lists import top_lists


def used_pairs(known: KnownPairs, direction: int) -> Integers:
    """Give the known pairs whose scores are thresholds of one direction, by owner, the lowest score first."""
    owner, _ = known.ends(direction)
    used = np.flatnonzero(np.bincount(known.of_entry[direction], minlength=len(known.row)))
    return used[order_within(owner[used], known.score[used])]


def direction_ranks(
    positives: Positives,
    groups: tuple[Groups, Groups],
    known: KnownPairs,
    direction: int,
    used: Integers,
    tally: Tally,
    leaders: Scored | None,
    *,
    ties: TieRule,
    top: int,
    rivals: bool,
) -> DirectionRanks:
    """Turn counts into ranks.

    Parameters
    ----------
    positives : Positives
        Of the original rows.
    groups : two of Groups
        Equal rows of the queries' side, and of the candidates'.
    known : KnownPairs
    direction : {0, 1}
        i2t or t2i.
    used : ndarray of int
        From `used_pairs`.
    tally : Tally
        What was counted for them among all pairs that are not known.
    leaders : Scored or None
        The best of these for each row of the queries' side.
    ties, top, rivals
        See `clipeval.rank_retrieval`.

    Returns
    -------
    DirectionRanks
    """
    own, other = groups
    owner, candidate = known.ends(direction)
    # what the pass left out: the known pairs of the owner among themselves
    order = order_within(owner, known.score)
    among = above_and_level(owner[order], known.score[order], other.copies[candidate[order]])
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    above, level = np.zeros(len(owner), np.int64), np.zeros(len(owner), np.int64)
    above[used] = tally.above + among[0][place[used]]
    level[used] = tally.level + among[1][place[used]]
    # of all candidates to the wrong ones: take away the query's own right answers
    pair, score = known.of_entry[direction], known.score[known.of_entry[direction]]
    query = positives.query_of_pair
    order = order_within(query, score)
    mine = above_and_level(query[order], score[order], None)
    wrong_above, wrong_level = above[pair], level[pair]
    wrong_above[order] -= mine[0]
    wrong_level[order] -= mine[1]
    queries = np.flatnonzero(positives.counts > 0)
    ranked = np.cumsum(positives.counts > 0) - 1
    tied, best = tie_groups(ranked[query], score, wrong_above, wrong_level, TIE_TOLERANCE)
    rival = np.full(positives.n_queries, -1, dtype=np.int64)
    rival_score = np.full(positives.n_queries, np.nan)
    lists = None
    if leaders is not None:
        scored = sort_scored(owner, candidate, known.score)
        if rivals:
            rival, rival_score = best_rivals(positives, own, other, scored, leaders)
        if top:
            lists = top_lists(own.group_of[queries], scored, leaders, other, k=top)
    return DirectionRanks(
        queries=queries,
        without_positives=np.flatnonzero(positives.counts == 0),
        n_candidates=positives.n_candidates,
        n_positives=positives.counts[queries],
        ties=ties,
        groups=tied,
        positive_score=best,
        best_rival=rival[queries],
        rival_score=rival_score[queries],
        top=lists,
    )
