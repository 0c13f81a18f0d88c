"""What became of each query: its rank under one model joined to its rank under another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clipeval.compare.job import Comparison, PairedComparison
from clipeval.evaluation import DIRECTIONS, Direction
from clipeval.report.chart import Chart, NotDrawn, tell
from clipeval.report.figures.models import TITLES, Shown, listed, of_data, shown
from clipeval.report.style import INK, PALETTE, new_figure
from clipeval.report.text import printable, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME, TITLE = "slopes", "Ranks of the same queries under two models"
MOST_PAIRS = 3
"""The first model is drawn against so many others."""
ENDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 100_000, 1_000_000, 10_000_000)
"""The last rank of each step: queries between the same two steps are one line, as wide as they are many."""
NAMED = 5


@dataclass(frozen=True, eq=False)
class Slopes:
    """One pair of models in one direction: ranks of the same queries, and the paired test of hit_rate@1."""

    first: Shown
    second: Shown
    direction: Direction
    ids: tuple[str, ...]
    ranks: tuple[np.ndarray, np.ndarray]
    scores: tuple[np.ndarray, np.ndarray]
    test: PairedComparison

    @property
    def moved(self) -> tuple[int, int, int]:
        """How many queries rose, stayed and fell from the first model to the second."""
        change = self.ranks[1] - self.ranks[0]
        better, worse = int((change < -1e-9).sum()), int((change > 1e-9).sum())
        return better, len(change) - better - worse, worse

    @property
    def words(self) -> str:
        """The counts, and the difference of hit_rate@1 with its interval."""
        better, same, worse = self.moved
        test = self.test.test
        low, high = -test.interval.high, -test.interval.low
        return (
            f"{better} rose, {same} stayed, {worse} fell; "
            f"hit_rate@1 {-test.difference:+.3f} [{low:+.3f}, {high:+.3f}], p {self.test.p_holm:.2g}"
        )


def slopes(job: Comparison) -> Chart | NotDrawn:
    """Chart the ranks of every query under the first model and under each of up to three others.

    Parameters
    ----------
    job : Comparison

    Returns
    -------
    Chart or NotDrawn
        The latter where fewer than two models ran.
    """
    models = shown(job)
    if len(models) < 2:
        return NotDrawn(NAME, TITLE, "It takes two models that ran.")
    found = [
        _slopes(job, models[0], other, direction)
        for other in models[1 : 1 + MOST_PAIRS]
        for direction in DIRECTIONS
    ]
    rows = [
        [one.first.name, one.second.name, one.direction, query, *numbers]
        for one in found
        for query, *numbers in zip(one.ids, *one.ranks, *one.scores, strict=True)
    ]
    return Chart(
        NAME,
        TITLE,
        f"Rank of the best right answer to each query under two models, on {of_data(job.dataset)}. Queries "
        "between the same two steps of rank share a line, as wide as they are many: green where they rise, "
        "orange where they fall, grey within a step. Numbers count the queries at each step. Differences of "
        "hit_rate@1 are right minus left, with 95 % intervals from pictures as "
        "independent units, and p corrected for all pairs (Holm).",
        listed(
            [f"{one.first.name} to {one.second.name}, {TITLES[one.direction]}: {one.words}" for one in found]
        ),
        ("first", "second", "direction", "query", "rank_first", "rank_second", "score_first", "score_second"),
        rows,
        lambda: _figure(found),
    )


def _slopes(job: Comparison, first: Shown, second: Shown, direction: Direction) -> Slopes:
    sides = [model.evaluation.direction(direction) for model in (first, second)]
    asked = (first.spec, second.spec, direction)
    test = next(pair for pair in job.pairs if (pair.first, pair.second, pair.direction) == asked)
    return Slopes(
        first,
        second,
        direction,
        first.evaluation.query_ids(direction),
        (sides[0].rank, sides[1].rank),
        (sides[0].positive_score, sides[1].positive_score),
        test,
    )


def _figure(found: Sequence[Slopes]) -> Figure:
    figure = new_figure(9, 0.3 + 4.0 * (len(found) // 2))
    panels = figure.subplots(len(found) // 2, 2, squeeze=False).ravel()
    for axes, one in zip(panels, found, strict=True):
        _lines(axes, one)
    return figure


def _lines(axes: Axes, one: Slopes) -> None:
    steps = [np.searchsorted(ENDS, np.maximum(ranks - 1e-9, 1.0)) for ranks in one.ranks]
    groups: dict[tuple[int, int], list[str]] = defaultdict(list)
    for query, left, right in zip(one.ids, *(step.tolist() for step in steps), strict=True):
        groups[left, right].append(query)
    total = len(one.ids)
    # wide lines first, so that the few that moved stay visible
    for (left, right), queries in sorted(groups.items(), key=lambda group: -len(group[1])):
        colour = INK if left == right else PALETTE[2 if right < left else 1]
        width = 0.8 + 14.0 * len(queries) / total
        alpha = 0.35 if left == right else 0.75
        (line,) = axes.plot(
            [0, 1], [left, right], color=colour, linewidth=width, alpha=alpha, solid_capstyle="butt"
        )
        names = ", ".join(printable(query, longest=40) for query in queries[:NAMED])
        more = f" and {len(queries) - NAMED} more" if len(queries) > NAMED else ""
        tell(line, f"rank {_step(left)} to {_step(right)}: {len(queries)} ({names}{more})")
    last = max(int(step.max()) for step in steps)
    for x, step, side in ((-0.03, steps[0], "right"), (1.03, steps[1], "left")):
        for at, count in enumerate(np.bincount(step).tolist()):
            if count:
                axes.text(x, at, f"{count:,}", ha=side, va="center", fontsize=8, color=INK)
    axes.set_xlim(-0.22, 1.22)
    axes.set_ylim(last + 0.5, -0.5)
    axes.set_yticks(range(last + 1), [_step(at) for at in range(last + 1)], fontsize=8)
    sides = [wrapped(model.name, width=26, lines=3) for model in (one.first, one.second)]
    axes.set_xticks([0, 1], sides, fontsize=8)
    axes.set_ylabel("rank", fontsize=9, color=INK)
    axes.set_title(
        f"{TITLES[one.direction]}\n{wrapped(one.words, width=62, lines=2)}", fontsize=8.5, color=INK
    )
    for edge in axes.spines.values():
        edge.set_visible(False)
    axes.tick_params(length=0, colors=INK)


def _step(at: int) -> str:
    """Name a step of ranks.

    Examples
    --------
    >>> [_step(at) for at in (0, 1, 2, 3)]
    ['1', '2', '3–5', '6–10']
    """
    low, high = (ENDS[at - 1] + 1 if at else 1), ENDS[at]
    return f"{high:,}" if low == high else f"{low:,}–{high:,}"
