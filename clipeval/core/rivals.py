"""The best wrong candidate of every query, and the first among those equal to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval.core.duplicates import Groups
from clipeval.core.known_pairs import first_where
from clipeval.core.positives import Integers, Positives
from clipeval.core.thresholds import TIE_TOLERANCE
from clipeval.core.ties import Floats

_AT_ONCE = 2**18
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Scored:
    """Exactly scored candidates of different rows: sorted by owner, best first, equals by candidate."""

    owner: Integers
    candidate: Integers
    score: Floats

    def stretches(self, n_owners: int) -> Integers:
        """Give the place where each owner's candidates begin, and the end, shape ``(n_owners + 1,)``."""
        return np.searchsorted(self.owner, np.arange(n_owners + 1))


def sort_scored(owner: Integers, candidate: Integers, score: Floats) -> Scored:
    """Bring candidates into the order of `Scored`."""
    order = np.lexsort((candidate, -score, owner))
    return Scored(owner[order], candidate[order], score[order])


def merged(few: Scored, many: Scored) -> Scored:
    """Merge two sorted lists of candidates, no pair of which stands in both.

    Examples
    --------
    >>> few = Scored(np.array([0, 1]), np.array([7, 8]), np.array([0.5, 0.1]))
    >>> many = Scored(np.array([0, 0, 1]), np.array([3, 4, 5]), np.array([0.9, 0.5, 0.1]))
    >>> merged(few, many).candidate.tolist()
    [3, 4, 7, 5, 8]
    """
    begin = np.searchsorted(many.owner, few.owner)
    end = np.searchsorted(many.owner, few.owner, side="right")
    place = np.arange(len(many.owner))

    def comes_after(at: Integers) -> NDArray[np.bool_]:
        score, equal = many.score[at], many.score[at] == few.score
        return np.asarray((score < few.score) | (equal & (many.candidate[at] > few.candidate)))

    at = first_where(place, begin, end, comes_after) + np.arange(len(few.owner))
    of_few = np.zeros(len(few.owner) + len(many.owner), dtype=bool)
    of_few[at] = True

    def joined(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        out = np.empty(len(of_few), dtype=a.dtype)
        out[of_few], out[~of_few] = a, b
        return out

    return Scored(
        joined(few.owner, many.owner),
        joined(few.candidate, many.candidate),
        joined(few.score, many.score),
    )


class _OwnAnswers:
    """Which copies of a candidate answer a query."""

    def __init__(self, positives: Positives, candidates: Groups) -> None:
        group = candidates.group_of[positives.candidates]
        query = positives.query_of_pair
        order = np.lexsort((positives.candidates, group, query))
        self._keys = (query * len(candidates.first) + group)[order]
        self._answers = positives.candidates[order]
        self._n_groups = len(candidates.first)
        self._members = np.argsort(candidates.group_of, kind="stable")
        self._offsets = np.concatenate([[0], np.cumsum(candidates.copies)])

    def first_wrong(self, query: Integers, group: Integers) -> Integers:
        """Give the first copy in a group that is a wrong answer to the query; a huge number if none is."""
        key = query * self._n_groups + group
        begin = np.searchsorted(self._keys, key)
        right = np.searchsorted(self._keys, key, side="right") - begin
        copies = self._offsets[group + 1] - self._offsets[group]
        place = np.zeros(len(key), dtype=np.int64)
        going = np.flatnonzero(right > 0)
        while going.size:  # right answers and copies are both ascending: the first difference is it
            at = place[going]
            same = self._answers[begin[going] + at] == self._members[self._offsets[group[going]] + at]
            place[going[same]] += 1
            going = going[same & (at + 1 < right[going])]
        found = np.full(len(key), _NEVER)
        some = right < copies
        found[some] = self._members[self._offsets[group[some]] + place[some]]
        return found


def best_rivals(
    positives: Positives, queries: Groups, candidates: Groups, known: Scored, leaders: Scored
) -> tuple[Integers, Floats]:
    """Find the best wrong candidate of every query.

    Parameters
    ----------
    positives : Positives
        Of the original rows.
    queries, candidates : Groups
        Equal rows of the two sides.
    known : Scored
        The pairs that are right for some query of the owner; each may be wrong for another one.
    leaders : Scored
        The best of all other candidates of each owner.

    Returns
    -------
    rival : ndarray of int, shape (n_queries,)
        The first candidate within the tie tolerance of the best wrong one; -1 if none is wrong.
    score : ndarray of float64, shape (n_queries,)
        The best wrong candidate's score; NaN if there is none.
    """
    owner = queries.group_of
    n_owners, n = len(queries.first), len(owner)
    begins = leaders.stretches(n_owners)
    has = begins[1:] > begins[:-1]
    best_leader = np.full(n_owners, -np.inf)
    best_leader[has] = leaders.score[begins[:-1][has]]
    score = best_leader[owner]
    wrong_known = np.full(n, _NEVER)
    known_begins = known.stretches(n_owners)
    copies = np.concatenate([[0], np.cumsum(candidates.copies[known.candidate])])
    in_known = copies[known_begins[1:]] - copies[known_begins[:-1]]
    # where some pair of the owner is not an answer to this query, that pair is a rival too
    mixed = np.flatnonzero((in_known[owner] > positives.counts) & (positives.counts > 0))
    if mixed.size:
        answers = _OwnAnswers(positives, candidates)
        length = (known_begins[1:] - known_begins[:-1])[owner[mixed]]
        short = np.minimum(length, positives.counts[mixed] + 8)  # nearly always enough
        for part in _parts(short):
            _look(mixed[part], short[part], owner, known, known_begins, answers, score, wrong_known)
        last = known.score[known_begins[owner[mixed]] + short - 1]
        again = np.flatnonzero((short < length) & (last >= score[mixed] - TIE_TOLERANCE))
        for part in _parts(length[again]):
            chosen = again[part]
            _look(mixed[chosen], length[chosen], owner, known, known_begins, answers, score, wrong_known)
    rival = np.minimum(wrong_known, _first_leader(leaders, begins, owner, score, candidates))
    none = rival == _NEVER
    score[none], rival[none] = np.nan, -1
    return rival, score


def _parts(lengths: Integers) -> list[slice]:
    if not len(lengths):
        return []
    total = np.cumsum(lengths)
    cuts = np.unique(np.searchsorted(total, np.arange(0, int(total[-1]), _AT_ONCE)))
    return [slice(a, b) for a, b in zip(cuts, [*cuts[1:], len(lengths)], strict=True)]


def _look(
    query: Integers,
    length: Integers,
    owner: Integers,
    known: Scored,
    begins: Integers,
    answers: _OwnAnswers,
    score: Floats,
    wrong: Integers,
) -> None:
    """Go through the best known pairs of some queries; raise `score` and set the first equal in `wrong`."""
    of = np.repeat(np.arange(len(query)), length)
    step = np.arange(len(of)) - np.repeat(np.cumsum(length) - length, length)
    entry = begins[owner[query]][of] + step
    first = answers.first_wrong(query[of], known.candidate[entry])
    usable = first != _NEVER
    of, entry, first = of[usable], entry[usable], first[usable]
    best = score[query]
    np.maximum.at(best, of, known.score[entry])
    score[query] = best
    equal = known.score[entry] >= best[of] - TIE_TOLERANCE
    found = np.full(len(query), _NEVER)
    np.minimum.at(found, of[equal], first[equal])
    wrong[query] = found


def _first_leader(
    leaders: Scored, begins: Integers, owner: Integers, score: Floats, candidates: Groups
) -> Integers:
    """Give, for each query, the first leader of its owner that is within the tolerance of `score`."""
    result = np.full(len(owner), _NEVER)
    at, end = begins[owner], begins[owner + 1]
    going = np.flatnonzero(at < end)
    while going.size:  # leaders stand best first: stop at the first that is too low
        place = at[going]
        equal = leaders.score[place] >= score[going] - TIE_TOLERANCE
        going, place = going[equal], place[equal]
        result[going] = np.minimum(result[going], candidates.first[leaders.candidate[place]])
        at[going] += 1
        going = going[at[going] < end[going]]
    return result
