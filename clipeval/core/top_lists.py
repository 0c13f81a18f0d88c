"""The k best candidates of every query, right or wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipeval.core.duplicates import Groups
from clipeval.core.positives import Integers
from clipeval.core.rivals import Scored, merged
from clipeval.core.ties import Floats


@dataclass(frozen=True, eq=False)
class TopLists:
    """The k best candidates of some queries, best first; equal scores by candidate.

    Attributes
    ----------
    candidates : ndarray of int, shape (q, k)
    scores : ndarray of float64, shape (q, k)
        Exact similarities, not clipped.
    """

    candidates: Integers
    scores: Floats

    def select(self, keep: NDArray[np.bool_]) -> TopLists:
        """Keep the lists of some queries."""
        return TopLists(self.candidates[keep], self.scores[keep])


def top_lists(queries: Integers, known: Scored, leaders: Scored, candidates: Groups, *, k: int) -> TopLists:
    """Merge known pairs and leaders into lists of original candidates.

    Parameters
    ----------
    queries : ndarray of int, shape (q,)
        The owner of each list that is wanted.
    known, leaders : Scored
        Between them they hold the k best candidates of every owner, none twice.
    candidates : Groups
        Equal rows; copies of one row stand one after another.
    k : int
        At most the number of original candidates.

    Returns
    -------
    TopLists
    """
    both = merged(known, leaders)
    owners = np.unique(queries)
    if len(owners) < len(np.unique(both.owner)):
        asked = np.isin(both.owner, owners)
        both = Scored(both.owner[asked], both.candidate[asked], both.score[asked])
    owner, score, found = _spread(both, candidates, k)
    kept = np.arange(len(owner)) - np.searchsorted(owner, owner) < k
    shape = (len(owners), k)
    place = np.searchsorted(owners, queries)
    return TopLists(found[kept].reshape(shape)[place], score[kept].reshape(shape)[place])


def _spread(both: Scored, candidates: Groups, k: int) -> tuple[Integers, Floats, Integers]:
    """Put the original candidates in the place of their groups: owner, score and candidate of each."""
    if candidates.all_different:
        return both.owner, both.score, candidates.first[both.candidate]
    copies = candidates.copies[both.candidate]
    # rows of one score stand by their own number, whatever their groups: all copies of a score that begins
    # within the list are brought, k of each row at most, before the list is cut
    opens = np.ones(len(both.owner), dtype=bool)
    opens[1:] = (both.owner[1:] != both.owner[:-1]) | (both.score[1:] != both.score[:-1])
    total = np.cumsum(copies) - copies
    before = (total - total[np.searchsorted(both.owner, both.owner)])[opens][np.cumsum(opens) - 1]
    wanted = np.where(before < k, np.minimum(copies, k), 0)
    entry = np.repeat(np.arange(len(both.owner)), wanted)
    step = np.arange(len(entry)) - np.repeat(np.cumsum(wanted) - wanted, wanted)
    members = np.argsort(candidates.group_of, kind="stable")
    offsets = np.cumsum(candidates.copies) - candidates.copies
    found = members[offsets[both.candidate[entry]] + step]
    owner, score = both.owner[entry], both.score[entry]
    order = np.lexsort((found, -score, owner))
    return owner[order], score[order], found[order]
