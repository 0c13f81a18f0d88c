"""Ranks of rows that no memory holds: blocks of queries against blocks of candidates, merged exactly.

Every block is a piece of work of its own, for whoever has time. Counts are sums of whole numbers and leaders
are chosen by exact scores, so the result depends neither on the blocks nor on the order in which they come
back: it is that of `clipeval.rank_retrieval`, to the last integer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from clipeval.core.block_budget import BLOCK_BYTES, plan, threads
from clipeval.core.compiled.compiler import use_compiled
from clipeval.core.direction_ranks import direction_ranks, used_pairs
from clipeval.core.duplicates import Groups, equal_rows, sampled_keys
from clipeval.core.error_bound import error_bound
from clipeval.core.filtering import Excluded, FilterPass, Tally
from clipeval.core.fixed_order import fixed_order_dot
from clipeval.core.known_pairs import KnownPairs, known_among
from clipeval.core.leaders import best_of_each
from clipeval.core.neighbour_count import check_k
from clipeval.core.positives import Integers, PositivesLike, both_directions
from clipeval.core.ranked_rows import RankedRows
from clipeval.core.ranks import DirectionRanks, Ranks
from clipeval.core.rivals import Scored
from clipeval.core.similarity import Matrix, check_same_width, finite_rows, unit_rows_of_finite
from clipeval.core.thresholds import Thresholds
from clipeval.core.ties import Floats, TieRule, check_tie_rule

BLOCK_ROWS = 16384
"""Rows of a block on each side: at 512 columns a piece of work holds 64 MiB of them, and takes seconds."""

Found: TypeAlias = tuple[Integers, Integers, Floats]


class RowSource(Protocol):
    """Rows that need not be in memory: an array, or a map of files."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        ...

    def __len__(self) -> int:
        """Count the rows."""
        ...

    def __getitem__(self, places: Any) -> Matrix:
        """Load some rows."""
        ...


class Workers(Protocol):
    """Who does the pieces of work."""

    def share(self, value: Any) -> Any:
        """Make a value ready to be given to several pieces of work."""
        ...

    def run(self, work: Callable[..., Any], pieces: Iterable[tuple[Any, ...]]) -> Iterator[tuple[int, Any]]:
        """Yield the number of each piece and what the work made of it, in any order."""
        ...


class InTurn:
    """One piece after the other, here."""

    def share(self, value: Any) -> Any:
        """Keep it."""
        return value

    def run(self, work: Callable[..., Any], pieces: Iterable[tuple[Any, ...]]) -> Iterator[tuple[int, Any]]:
        """Do one after the other."""
        for number, piece in enumerate(pieces):
            yield number, work(*piece)


def rank_in_blocks(
    images: RowSource,
    texts: RowSource,
    image_of_caption: PositivesLike | None = None,
    *,
    captions_of_image: PositivesLike | None = None,
    ties: TieRule = "expected",
    top: int = 0,
    rivals: bool = True,
    block_rows: int = BLOCK_ROWS,
    workers: Workers | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Ranks:
    """Rank as `clipeval.rank_retrieval` does, with two blocks of rows in a worker's memory at a time.

    Parameters
    ----------
    images : RowSource, shape (m, d)
        Rows by their places: an array, or `clipeval.encoders.store_rows.MappedRows`.
    texts : RowSource, shape (n, d)
    image_of_caption, captions_of_image, ties, top, rivals
        As for `clipeval.rank_retrieval`.
    block_rows : int
        Rows of a block; the result is the same for all.
    workers : Workers, optional
        By default this process.
    progress : callable, optional
        Told how many blocks of pairs are counted, and of how many.

    Returns
    -------
    Ranks
        What is kept here is a few numbers for each row, right pair and leader; never the rows.

    Raises
    ------
    InvalidInputError
        As from `clipeval.rank_retrieval`.

    Examples
    --------
    >>> rows = np.eye(3, dtype=np.float32)
    >>> rank_in_blocks(rows, rows[[1, 0, 2]], block_rows=2).i2t.optimistic.tolist()
    [2, 2, 1]
    """
    check_tie_rule(ties)
    if isinstance(images, np.ndarray):
        images = finite_rows(images, name="images")
    if isinstance(texts, np.ndarray):
        texts = finite_rows(texts, name="texts")
    check_same_width(images[:1], texts[:1])
    positives = both_directions(
        image_of_caption, captions_of_image, n_images=len(images), n_captions=len(texts)
    )
    if top != 0:
        check_k(top, min(len(images), len(texts)), "candidates of the smaller side")
    workers = workers or InTurn()
    sides = [_Side(rows, name, block_rows, workers) for rows, name in ((images, "images"), (texts, "texts"))]
    groups = (sides[0].groups, sides[1].groups)
    known = known_among(*groups, *positives, score=partial(_scored, sides, block_rows, workers))
    used = (used_pairs(known, 0), used_pairs(known, 1))
    k = max(top, 1) if rivals or top else 0
    merging = _Merging(sides, known, used, k)
    blocks = [(a, b) for a in range(len(sides[0].starts)) for b in range(len(sides[1].starts))]
    pieces = ((sides[0].block(a), sides[1].block(b), *merging.asked(a, b), k) for a, b in blocks)
    for done, (number, found) in enumerate(workers.run(_counted, pieces), 1):
        merging.add(*blocks[number], found)
        if progress:
            progress(done, len(blocks))

    def finished(direction: int) -> DirectionRanks:
        return direction_ranks(
            positives[direction],
            (groups[direction], groups[1 - direction]),
            known,
            direction,
            used[direction],
            merging.tallies[direction],
            Scored(*merging.leaders(direction)) if k else None,
            ties=ties,
            top=top,
            rivals=rivals,
        )

    return Ranks(finished(0), finished(1))


class _Side:
    """The different rows of one side, in blocks."""

    def __init__(self, rows: RowSource, name: str, block_rows: int, workers: Workers) -> None:
        self._rows, self._workers = rows, workers
        starts = range(0, len(rows), block_rows)
        keys = np.empty(len(rows), dtype=np.uint64)
        # the rows that a worker reads are not in this process's hands: it looks whether they are finite
        pieces = ((part_of(rows, np.arange(at, min(at + block_rows, len(rows)))), name) for at in starts)
        for number, found in workers.run(_keys, pieces):
            keys[starts[number] : starts[number] + len(found)] = found
        self.groups: Groups = equal_rows(keys, lambda index: _unit(rows[index]))
        self.starts = range(0, len(self.groups.first), block_rows)
        self._shared: dict[int, Any] = {}

    def ends(self, number: int) -> tuple[int, int]:
        """First group of a block, and the one behind its last."""
        start = self.starts[number]
        return start, min(start + self.starts.step, len(self.groups.first))

    def block(self, number: int) -> Any:
        """Give the rows of a block, or the way to them, ready to be shared."""
        if number not in self._shared:
            start, stop = self.ends(number)
            self._shared[number] = self._workers.share(part_of(self._rows, self.groups.first[start:stop]))
        return self._shared[number]

    def taken(self, index: Integers) -> Any:
        """Give the rows of some groups, or the way to them."""
        return part_of(self._rows, self.groups.first[index])


def part_of(rows: RowSource, places: Integers) -> Any:
    """Give rows that travel: a map of files that loads them where they are needed, or the rows themselves."""
    select = getattr(rows, "part", None)
    return rows[places] if select is None else select(places)


def _loaded(part: Any) -> Matrix:
    return part if isinstance(part, np.ndarray) else part.copy()


def _unit(rows: Matrix) -> NDArray[np.float32]:
    return unit_rows_of_finite(rows, np.empty(rows.shape, dtype=np.float32))


def _keys(part: Any, name: str) -> NDArray[np.uint64]:
    return sampled_keys(_unit(finite_rows(_loaded(part), name=name)))


def _scored(
    sides: Sequence[_Side], block_rows: int, workers: Workers, row: Integers, column: Integers
) -> Floats:
    starts = range(0, len(row), block_rows)
    cuts = [slice(at, at + block_rows) for at in starts]
    pieces = ((sides[0].taken(row[cut]), sides[1].taken(column[cut])) for cut in cuts)
    out = np.empty(len(row))
    for number, found in workers.run(_dots, pieces):
        out[cuts[number]] = found
    return out


def _dots(left: Any, right: Any) -> Floats:
    return fixed_order_dot(_unit(_loaded(left)), _unit(_loaded(right)))


@dataclass(frozen=True)
class _Asked:
    """The thresholds of one side of a block, and how often each row of the other side occurs."""

    owner: Integers
    score: Floats
    copies: Integers | None


@dataclass(frozen=True)
class _Counted:
    """What one block says: counts of its thresholds, and its leaders, for rows and columns."""

    above: tuple[Integers, Integers]
    level: tuple[Integers, Integers]
    leaders: tuple[Found, Found] | None


def _counted(left: Any, right: Any, rows: _Asked, columns: _Asked, known: Excluded, k: int) -> _Counted:
    """Go over the pairs of one block."""
    one, other = _loaded(left), _loaded(right)
    budget = plan(len(one), len(other), one.shape[1], block_bytes=BLOCK_BYTES + one.nbytes + other.nbytes)
    compiled = use_compiled(None, pairs=len(one) * len(other))
    bound = error_bound(one.shape[1])
    with threads(budget.workers) as run:
        sides = [RankedRows(part, keep=budget.hold, run=run, compiled=compiled) for part in (one, other)]
        asked = (
            Thresholds(rows.owner, rows.score, len(one), bound, rows.copies),
            Thresholds(columns.owner, columns.score, len(other), bound, columns.copies),
        )
        passed = FilterPass(sides[0], sides[1], asked, known, k=k, compiled=compiled).run(
            run=run, budget=budget
        )
    first, second = passed.tallies
    return _Counted((first.above, second.above), (first.level, second.level), passed.leaders)


class _Merging:
    """What all blocks have said so far."""

    def __init__(
        self, sides: Sequence[_Side], known: KnownPairs, used: tuple[Integers, Integers], k: int
    ) -> None:
        self._sides, self._known, self._used, self._k = sides, known, used, k
        self._owners = tuple(known.ends(direction)[0][used[direction]] for direction in (0, 1))
        self.tallies = tuple(Tally(*(np.zeros(len(pairs), np.int64) for _ in range(2))) for pairs in used)
        self._leaders: tuple[dict[int, Found], dict[int, Found]] = ({}, {})

    def _stretch(self, direction: int, block: int) -> slice:
        return slice(*np.searchsorted(self._owners[direction], self._sides[direction].ends(block)))

    def asked(self, *blocks: int) -> tuple[_Asked, _Asked, Excluded]:
        """Give what a block of rows and a block of columns are to be counted against."""
        sides = []
        for direction, block in enumerate(blocks):
            start, _ = self._sides[direction].ends(block)
            here = self._stretch(direction, block)
            other = self._sides[1 - direction]
            copies = other.groups.copies[slice(*other.ends(blocks[1 - direction]))]
            sides.append(
                _Asked(
                    self._owners[direction][here] - start,
                    self._known.score[self._used[direction][here]],
                    None if (copies == 1).all() else copies,
                )
            )
        (top, bottom), (left, right) = (self._sides[i].ends(block) for i, block in enumerate(blocks))
        known = self._known
        mine = slice(*np.searchsorted(known.row, (top, bottom)))
        inside = (known.column[mine] >= left) & (known.column[mine] < right)
        excluded = Excluded(
            known.row[mine][inside] - top, known.column[mine][inside] - left, known.score[mine][inside]
        )
        return sides[0], sides[1], excluded

    def add(self, row_block: int, column_block: int, found: _Counted) -> None:
        """Take over what a block has found."""
        blocks = (row_block, column_block)
        for direction in (0, 1):
            here = self._stretch(direction, blocks[direction])
            self.tallies[direction].above[here] += found.above[direction]
            self.tallies[direction].level[here] += found.level[direction]
            if found.leaders is None:
                continue
            own = self._sides[direction].ends(blocks[direction])[0]
            other = self._sides[1 - direction].ends(blocks[1 - direction])[0]
            row, candidate, score = found.leaders[direction]
            new: Found = (row + own, candidate + other, score)
            before = self._leaders[direction].get(blocks[direction])
            if before is not None:
                joined = tuple(np.concatenate(parts) for parts in zip(before, new, strict=True))
                new = best_of_each(*joined, k=self._k)
            self._leaders[direction][blocks[direction]] = new

    def leaders(self, direction: int) -> Found:
        """Give the leaders of all rows of a side: by row, best first, equals by candidate."""
        parts = [self._leaders[direction][block] for block in sorted(self._leaders[direction])]
        row, candidate, score = (np.concatenate(column) for column in zip(*parts, strict=True))
        return row, candidate, score
