"""Whether few candidates answer everything: how often each is among the first k."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clipeval.compare.job import Comparison
from clipeval.core.hubness import Hubness
from clipeval.core.hubness import hubness as count
from clipeval.core.ranking import rank_retrieval
from clipeval.evaluation import DIRECTIONS, Direction
from clipeval.report.chart import Chart, NotDrawn, tell
from clipeval.report.figures.models import (
    TITLES,
    Shown,
    in_colour,
    listed,
    of_data,
    others,
    shown,
    which_in_colour,
)
from clipeval.report.matrix_limit import MOST_PASSED, too_many_to_pass
from clipeval.report.style import INK, new_figure, plain
from clipeval.report.text import wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME, TITLE = "hubness", "How often each candidate is among the first k"
FEWEST = 20
"""Candidates; with fewer, hubs cannot be told from luck."""
LONGEST = 10
"""The largest k; of few candidates it is a tenth of them."""
MOST_DRAWN = 2_000
"""Candidates on a line; the table has all."""
FONT = 7.5
"""Of the legends, in points."""
LINE_INCHES, LINE_GAP = 1.2 * FONT / 72, 0.45
"""Height of a line of a legend, and of the gap between two entries in such lines."""


@dataclass(frozen=True, eq=False)
class Places:
    """The places of one direction: of every model, and of a scorer that knows nothing."""

    k: int
    found: Mapping[str, Hubness]
    n_queries: int
    n_candidates: int

    @property
    def never_by_chance(self) -> float:
        """The share that no list would hold: ``(1 - k / n)`` to the number of queries."""
        return float((1 - self.k / self.n_candidates) ** self.n_queries)

    def by_chance(self) -> np.ndarray:
        """Give the counts of chance, largest first: quantiles of the binomial distribution."""
        from scipy.stats import binom

        shares = 1 - (np.arange(self.n_candidates) + 0.5) / self.n_candidates
        return np.asarray(binom.ppf(shares, self.n_queries, self.k / self.n_candidates))


def hubness(job: Comparison) -> Chart | NotDrawn:
    """Chart in how many top-k lists each candidate stands, most often first, beside what chance gives.

    Parameters
    ----------
    job : Comparison

    Returns
    -------
    Chart or NotDrawn
        The latter where no model ran, candidates are fewer than `FEWEST`, or pairs too many to be passed.
    """
    models = shown(job)
    if not models:
        return NotDrawn(NAME, TITLE, "No model ran.")
    if min(job.dataset.n_images, job.dataset.n_captions) < FEWEST:
        return NotDrawn(NAME, TITLE, f"With fewer than {FEWEST} candidates hubs cannot be told from luck.")
    if too_many_to_pass(job):
        return NotDrawn(NAME, TITLE, f"Lists of more than {MOST_PASSED:,} pairs are not counted for a page.")
    places = _places(models)
    rows = []
    for direction, part in places.items():
        ids = job.dataset.caption_ids if direction == "i2t" else job.dataset.ids
        for name, one in part.found.items():
            rows += [[name, direction, part.k, ids[at], float(one.counts[at])] for at in _most_first(one)]
    return Chart(
        NAME,
        TITLE,
        f"In how many top-k lists each candidate of {of_data(job.dataset)} stands, most often first. The "
        "skewness of these counts is 0 when all are equal; the dotted line is "
        "what a scorer that knows nothing gives." + which_in_colour(models, rest="thin lines"),
        listed(
            [
                f"{TITLES[direction]}, k = {part.k}: "
                + ", ".join(f"{name} {_words(one)}" for name, one in part.found.items())
                + f", chance never {part.never_by_chance:.1%}"
                for direction, part in places.items()
            ]
        ),
        ("model", "direction", "k", "candidate", "lists"),
        rows,
        lambda: _figure(models, places),
    )


def _places(models: list[Shown]) -> dict[Direction, Places]:
    first = models[0].evaluation
    k = {
        direction: min(LONGEST, max(1, first.direction(direction).n_candidates // 10))
        for direction in DIRECTIONS
    }
    found: dict[Direction, dict[str, Hubness]] = {direction: {} for direction in DIRECTIONS}
    for model in models:
        images, texts = model.evaluation.images, model.evaluation.texts
        # one pass lists both directions, in blocks
        ranks = rank_retrieval(
            images, texts, first.dataset.image_of_caption, top=max(k.values()) + 1, rivals=False
        )
        for direction in DIRECTIONS:
            mine = ranks.i2t if direction == "i2t" else ranks.t2i
            found[direction][model.name] = count(
                images, texts, k=k[direction], direction=direction, ranks=mine
            )
    return {
        direction: Places(
            k[direction],
            found[direction],
            first.direction(direction).n_queries,
            first.direction(direction).n_candidates,
        )
        for direction in DIRECTIONS
    }


def _most_first(one: Hubness) -> np.ndarray:
    return np.argsort(-one.counts, kind="stable")


def _words(one: Hubness) -> str:
    return f"skewness {one.skewness:.2f}, never {one.antihub_share:.0%}"


def _drawn(n: int) -> np.ndarray:
    """Choose the places that are drawn: all, or of very many an even part with both ends."""
    return np.unique(np.linspace(0, n - 1, min(n, MOST_DRAWN)).round().astype(np.int64))


def _figure(models: list[Shown], places: Mapping[Direction, Places]) -> Figure:
    labels = {
        direction: [
            *(
                f"{wrapped(model.name, width=48, lines=3)}\n{_words(part.found[model.name])}"
                for model in in_colour(models)
            ),
            f"chance: never {part.never_by_chance:.0%}",
        ]
        for direction, part in places.items()
    }
    rows = max(sum(1 + LINE_GAP + label.count("\n") for label in mine) for mine in labels.values())
    figure = new_figure(9, 3.6 + LINE_INCHES * rows)
    for axes, (direction, part) in zip(figure.subplots(1, 2), places.items(), strict=True):
        drawn = _drawn(part.n_candidates)
        shares = (drawn + 0.5) / part.n_candidates
        for model in others(models):
            counts = np.sort(part.found[model.name].counts)[::-1][drawn]
            (line,) = axes.step(shares, counts, where="mid", color=INK, alpha=0.35, linewidth=0.8)
            tell(line, f"{model.name}: {_words(part.found[model.name])}")
        for model, label in zip(in_colour(models), labels[direction], strict=False):
            one = part.found[model.name]
            axes.step(
                shares,
                one.counts[_most_first(one)][drawn],
                where="mid",
                color=model.colour,
                linewidth=1.8,
                label=label,
            )
        axes.step(
            shares,
            part.by_chance()[drawn],
            where="mid",
            linestyle=":",
            color=INK,
            linewidth=1.3,
            label=labels[direction][-1],
        )
        axes.set_xlim(0, 1)
        axes.set_ylim(bottom=-0.02 * axes.get_ylim()[1])
        axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.set_xlabel("candidates, most often listed first", fontsize=9, color=INK)
        axes.set_ylabel(f"lists of {part.k} that hold it", fontsize=9, color=INK)
        axes.set_title(TITLES[direction], fontsize=10, color=INK)
        plain(axes)
        figure.legend(
            *axes.get_legend_handles_labels(),
            loc="outside lower left" if direction == "i2t" else "outside lower right",
            frameon=False,
            fontsize=FONT,
            labelcolor=INK,
        )
    return figure
