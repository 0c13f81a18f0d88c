"""One pass of fast products over all pairs: counts for both directions, and the leaders of both.

Every block of fast scores is used for its rows and for its columns and then forgotten. What a fast score
cannot decide is scored again in the fixed order, so the result does not depend on blocks, threads or the BLAS
library.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from clipeval.core.block_budget import Budget
from clipeval.core.block_counts import Crowded
from clipeval.core.crowded_blocks import count_crowded
from clipeval.core.error_bound import FLOAT64, error_bound
from clipeval.core.leaders import Leaders
from clipeval.core.numpy_engine import Engine, Hidden, NumpyEngine
from clipeval.core.positives import Integers
from clipeval.core.ranked_rows import RankedRows, Runner, score_pairs
from clipeval.core.thresholds import TIE_TOLERANCE, BlockCounts, Thresholds
from clipeval.core.ties import Floats
from clipeval.errors import WrongProductError

if TYPE_CHECKING:
    from clipeval.core.compiled.shortlists import Shortlists

Followed: TypeAlias = "Leaders | Shortlists"

_CROWD = 0.02  # share of unsure scores from which a float64 product is cheaper than scoring them one by one


@dataclass
class Tally:
    """What was counted for the thresholds of one side."""

    above: Integers
    level: Integers

    @classmethod
    def of(cls, thresholds: Thresholds) -> Tally:
        """Start at zero."""
        return cls(np.zeros(len(thresholds), np.int64), np.zeros(len(thresholds), np.int64))


@dataclass(frozen=True)
class Excluded:
    """Pairs that the pass leaves out, because their exact scores are known; sorted by row, then column."""

    row: Integers
    column: Integers
    score: Floats


@dataclass(frozen=True)
class Passed:
    """What one pass found.

    Attributes
    ----------
    tallies : two of Tally
        For the thresholds of the rows, and of the columns.
    leaders : two of (row, candidate, score), or None
        Exact scores of the best candidates: by row, best first, equals by candidate.
    rescored : int
        Scores that the fast product could not decide.
    """

    tallies: tuple[Tally, Tally]
    leaders: tuple[tuple[Integers, Integers, Floats], tuple[Integers, Integers, Floats]] | None
    rescored: int


class _Worker:
    """The state of one thread: room for a block, and what it found for the columns."""

    def __init__(self, job: FilterPass, budget: Budget) -> None:
        self.engine = job.engine or _processor(job, budget.rows * min(budget.columns, len(job.right)))
        self.columns = Tally.of(job.thresholds[1])
        self.leaders = job.followed(1, 0, len(job.right))
        self.rescored = 0


def _processor(job: FilterPass, entries: int) -> Engine:
    if not job.compiled:
        return NumpyEngine(entries)
    from clipeval.core.compiled.engine import CompiledEngine

    return CompiledEngine(entries)


class FilterPass:
    """One pass over all pairs of two sides.

    Parameters
    ----------
    left, right : RankedRows
        Rows and columns of the score matrix.
    thresholds : two of Thresholds
        What is counted for the rows, and for the columns.
    excluded : Excluded
        Pairs that are neither counted nor offered as leaders.
    k : int
        Leaders wanted for each row and each column; 0 for none.
    engine : Engine, optional
        What multiplies, in one thread; numpy in every thread if not given.
    compiled : bool
        Count with numba; without an engine only.
    """

    def __init__(
        self,
        left: RankedRows,
        right: RankedRows,
        thresholds: tuple[Thresholds, Thresholds],
        excluded: Excluded,
        *,
        k: int,
        engine: Engine | None = None,
        compiled: bool = False,
    ) -> None:
        self.left, self.right, self.thresholds, self.excluded, self.k = left, right, thresholds, excluded, k
        self.engine, self.compiled = engine, compiled
        self.bound = thresholds[0].bound
        self.exact_bound = error_bound(left.width, FLOAT64)
        self._rows = Tally.of(thresholds[0])

    def followed(self, axis: int, start: int, stop: int) -> Followed | None:
        """Leaders of some rows (axis 0) or columns (axis 1)."""
        if not self.k:
            return None

        def score(row: Integers, other: Integers) -> Floats:
            i, j = (row, other) if axis == 0 else (other, row)
            return score_pairs(self.left, i, self.right, j)

        leaders: Followed = Leaders(start, stop, k=self.k, score=score)
        if self.compiled and isfinite(self.bound):
            from clipeval.core.compiled.shortlists import MOST_CANDIDATES, Shortlists

            if len(self.right if axis == 0 else self.left) <= MOST_CANDIDATES:
                leaders = Shortlists(start, stop, k=self.k, bound=self.bound, score=score)
        offsets = self.thresholds[axis].offsets
        leaders.ignore(offsets[start + 1 : stop + 1] == offsets[start:stop])  # they are nobody's query
        return leaders

    def run(self, *, run: Runner, budget: Budget) -> Passed:
        """Go over all pairs.

        Parameters
        ----------
        run : callable
            ``map`` or that of an executor with ``budget.workers`` threads.
        budget : Budget
            Block sizes; they change the time and the memory, not the result.
        """
        width = max(1, len(self.right)) if budget.hold else budget.superblock
        starts = range(0, len(self.left), budget.rows)
        panels = {
            start: self.followed(0, start, min(start + budget.rows, len(self.left))) for start in starts
        }
        idle = [_Worker(self, budget) for _ in range(budget.workers)]
        everyone = list(idle)
        for first in range(0, len(self.right), width):
            last = min(first + width, len(self.right))
            columns = everyone[0].engine.load(self.right.block(first, last))

            def work(start: int, first: int = first, columns: Any = columns) -> None:
                worker = idle.pop()
                try:
                    self._panel(worker, budget, start, first, columns, panels[start])
                finally:
                    idle.append(worker)

            for _ in run(work, starts):
                pass
        columns_tally = everyone[0].columns
        for worker in everyone[1:]:
            columns_tally.above += worker.columns.above
            columns_tally.level += worker.columns.level
        return Passed(
            (self._rows, columns_tally),
            self._leaders(panels, everyone, run),
            sum(worker.rescored for worker in everyone),
        )

    def _leaders(self, panels: dict[int, Followed | None], everyone: list[_Worker], run: Runner) -> Any:
        if not self.k:
            return None
        rows = list(run(lambda panel: panel.settled(), panels.values()))
        for worker in everyone[1:]:
            everyone[0].leaders.merge(worker.leaders)  # type: ignore[union-attr, arg-type]
        return _joined(rows), everyone[0].leaders.settled(run)  # type: ignore[union-attr]

    def _panel(
        self,
        worker: _Worker,
        budget: Budget,
        start: int,
        first: int,
        columns: Any,
        row_leaders: Followed | None,
    ) -> None:
        stop = min(start + budget.rows, len(self.left))
        rows = worker.engine.load(self.left.block(start, stop))
        mine = slice(*np.searchsorted(self.excluded.row, [start, stop]))
        out_row, out_column = self.excluded.row[mine] - start, self.excluded.column[mine]
        order = np.argsort(out_column, kind="stable")
        out_row, out_column, known = out_row[order], out_column[order], self.excluded.score[mine][order]
        for at in range(0, len(columns), budget.columns):
            part = columns[at : at + budget.columns]
            other = first + at
            lo, hi = np.searchsorted(out_column, [other, other + len(part)])
            hidden = (out_row[lo:hi], out_column[lo:hi] - other)
            self._block(worker, hidden, known[lo:hi], rows, part, start, other, row_leaders)

    def _block(
        self,
        worker: _Worker,
        hidden: Hidden,
        known: Floats,
        rows: Any,
        part: Any,
        start: int,
        other: int,
        row_leaders: Followed | None,
    ) -> None:
        engine = worker.engine
        proved = isfinite(self.bound)  # else a fast score says nothing
        scores: Any = None
        if proved:
            scores, seen = engine.product(rows, part, hidden)
            self._check(seen, known, hidden, start, other)
        wide: Floats | None = None

        def exactly() -> Floats:
            nonlocal wide
            if wide is None:
                wide = engine.exact(rows, part, hidden)
            return wide

        for axis, (own, opposite) in enumerate(((start, other), (other, start))):
            thresholds = self.thresholds[axis]
            place = {"axis": axis, "own": own, "other": opposite}
            if len(thresholds):
                most = 64 + int(_CROWD * len(rows) * len(part))
                try:
                    if not proved:
                        raise Crowded
                    found = engine.count(scores, thresholds, most_unsure=most, **place)
                except Crowded:
                    found = count_crowded(exactly(), thresholds, bound=self.exact_bound, **place)
                self._record(worker, found, axis)
            leaders = row_leaders if axis == 0 else worker.leaders
            if leaders is None or (proved and leaders.offer(scores, engine, bound=self.bound, **place)):
                continue
            leaders.offer(exactly(), None, bound=self.exact_bound, **place)

    def _check(self, seen: Floats, known: Floats, hidden: Hidden, start: int, other: int) -> None:
        """Hold the fast scores of the known pairs against their exact ones: the bound must cover them."""
        wrong = np.flatnonzero(~(np.abs(seen - known) <= self.bound))
        if wrong.size:
            at = wrong[0]
            raise WrongProductError(
                f"a matrix product gave {seen[at]:.6f} for a score of {known[at]:.6f}; "
                f"rounding alone cannot move it by more than {self.bound:.1e}",
                where=f"row {start + hidden[0][at]} with row {other + hidden[1][at]} of the different rows",
                fix="the library that multiplies (BLAS, or torch) computes wrong results on this machine: "
                "install another version of it, or another build of numpy",
            )

    def _record(self, worker: _Worker, found: BlockCounts, axis: int) -> None:
        tally = self._rows if axis == 0 else worker.columns
        thresholds = self.thresholds[axis]
        tally.above[found.threshold] += found.above
        if found.level is not None:
            tally.level[found.threshold] += found.level
        n = len(found.unsure_threshold)
        worker.rescored += n
        for at in range(0, n, 1 << 16):
            which = found.unsure_threshold[at : at + (1 << 16)]
            other = found.unsure_other[at : at + (1 << 16)]
            owner, score = thresholds.owner[which], thresholds.score[which]
            pair = (owner, other) if axis == 0 else (other, owner)
            exact = score_pairs(self.left, pair[0], self.right, pair[1])
            copies = 1 if thresholds.copies is None else thresholds.copies[other]
            higher = exact > score + TIE_TOLERANCE
            tied = (exact >= score - TIE_TOLERANCE) & ~higher
            np.add.at(tally.above, which, higher * copies)
            np.add.at(tally.level, which, tied * copies)


def _joined(parts: list[tuple[Integers, Integers, Floats]]) -> tuple[Integers, Integers, Floats]:
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    rows, candidates, scores = zip(*parts, strict=True)
    return np.concatenate(rows), np.concatenate(candidates), np.concatenate(scores)
