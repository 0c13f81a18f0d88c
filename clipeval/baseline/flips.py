"""(4) Which queries gained or lost the first place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clipeval.baseline.result import Flip, Flips
from clipeval.baseline.snapshot import DirectionSnapshot, QueryResult, Snapshot
from clipeval.errors import InvalidInputError
from clipeval.evaluation import DIRECTIONS, Direction

SAME_HIT = 1e-9
"""Expected hits closer than this are equal: they are fractions of small whole numbers."""


FLIP = 0.5
"""A first place is lost or gained where the expected hit at 1 changed by at least this: a guess among 500
that becomes a miss has lost nothing."""


def query_flips(old: Snapshot, new: Snapshot, direction: Direction) -> Flips:
    """Find the queries of one direction that lost or gained the first place (`FLIP`).

    Parameters
    ----------
    old, new : Snapshot
        Of the same data.
    direction : {"i2t", "t2i"}

    Returns
    -------
    Flips
        Largest change of the expected rank first; equal ones in canonical order.

    Raises
    ------
    InvalidInputError
        The two did not ask the same queries (`check_same_queries`).

    Examples
    --------
    >>> from clipeval.baseline.snapshot import take_snapshot
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> texts = ([[3, 1], [1, 3]], [[3, 1], [3, 2]])
    >>> sides = [evaluation_of_rows([[1, 0], [0, 1]], rows) for rows in texts]
    >>> before, after = (take_snapshot(side, fingerprint={}, data="") for side in sides)
    >>> [(flip.caption, flip.new_rank, flip.rival) for flip in query_flips(before, after, "t2i").lost]
    [('caption 0 of picture 1', 2.0, 'picture 0')]
    """
    before, after = old.direction(direction), new.direction(direction)
    check_same_queries(before, after, direction)
    change = after.hits(1) - before.hits(1)
    return Flips(
        direction,
        gained=flips_of(old, new, direction, np.flatnonzero(change >= FLIP - SAME_HIT)),
        lost=flips_of(old, new, direction, np.flatnonzero(change <= SAME_HIT - FLIP)),
    )


def flips_of(
    old: Snapshot, new: Snapshot, direction: Direction, queries: NDArray[np.integer]
) -> tuple[Flip, ...]:
    """Describe some queries, largest change of the expected rank first.

    Parameters
    ----------
    old, new : Snapshot
        Of the same data.
    direction : {"i2t", "t2i"}
    queries : ndarray of int
        Their places among the queries of the direction.

    Returns
    -------
    tuple of Flip
        The rival is that of the side on which the query has the worse rank.
    """
    before, after = old.direction(direction), new.direction(direction)
    old_ranks, new_ranks = before.ranks(), after.ranks()
    captions = {item.id: item.captions for item in old.items}
    ordered = sorted(queries.tolist(), key=lambda at: -abs(new_ranks[at] - old_ranks[at]))
    found = []
    for at in ordered:
        was, now = before.queries[at], after.queries[at]
        lost = now if new_ranks[at] >= old_ranks[at] else was
        found.append(
            Flip(
                item=was.item,
                caption=None if was.caption is None else captions[was.item][was.caption],
                old_rank=float(old_ranks[at]),
                new_rank=float(new_ranks[at]),
                old_score=was.score,
                new_score=now.score,
                rival=_name(lost, captions),
                rival_score=lost.rival_score,
            )
        )
    return tuple(found)


def check_same_queries(old: DirectionSnapshot, new: DirectionSnapshot, direction: Direction) -> None:
    """Refuse two sides that cannot be compared query by query although their items are the same.

    Raises
    ------
    InvalidInputError
        Other queries or another number of candidates: one of the files was edited or is damaged.
    """
    where = f"direction {direction}"
    fix = "save the baseline again"
    if old.n_candidates != new.n_candidates:
        what = f"the old queries searched among {old.n_candidates} candidates, the new ones among"
        raise InvalidInputError(f"{what} {new.n_candidates}", where=where, fix=fix)
    asked = [[(query.item, query.caption) for query in side.queries] for side in (old, new)]
    if asked[0] == asked[1]:
        return
    if len(asked[0]) != len(asked[1]):
        what = f"{len(asked[0])} old and {len(asked[1])} new queries on the same data"
        raise InvalidInputError(what, where=where, fix=fix)
    at = next(row for row, (one, other) in enumerate(zip(*asked, strict=True)) if one != other)
    what = f"old query {at} is of item '{asked[0][at][0]}', new query {at} of item '{asked[1][at][0]}'"
    raise InvalidInputError(what, where=where, fix=fix)


def both_directions(old: Snapshot, new: Snapshot) -> tuple[Flips, ...]:
    """Find the flips of both directions, those of picture queries first."""
    return tuple(query_flips(old, new, direction) for direction in DIRECTIONS)


def _name(query: QueryResult, captions: dict[str, tuple[str, ...]]) -> str:
    if query.rival is None:
        return ""
    item, caption = query.rival
    return item if caption is None else captions[item][caption]
