"""The contest of bridges: hit rates with intervals, and the learning curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from clipeval.bridges.contest import Contest, Entry, Way
from clipeval.bridges.curve import Point
from clipeval.bridges.document import contest_rows, curve_rows
from clipeval.evaluation import DIRECTIONS, Direction
from clipeval.report.chart import Chart
from clipeval.report.contest_table import shown_name
from clipeval.report.figures.models import TITLES, of_data
from clipeval.report.style import INK, MARKERS, PALETTE, new_figure, plain
from clipeval.report.text import printable, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS: dict[Way, str] = {
    "chance": INK,
    "no pairs": PALETTE[4],
    "learned": PALETTE[0],
    "trained": PALETTE[2],
    "model": PALETTE[3],
    "published": PALETTE[1],
}
WORDS: dict[Way, str] = {
    "no pairs": "needs no pairs",
    "learned": "learned in closed form",
    "trained": "trained by steps",
    "model": "a model of its own",
    "published": "published, not measured here",
}
CUTOFFS = (1, 5)
ABOVE = (-0.17, 0.17)
"""Where hit_rate@1 and hit_rate@5 stand in a contestant's row."""


def contest(job: Contest) -> Chart:
    """Chart hit_rate@1 and @5 of all contestants with 95 % intervals.

    Parameters
    ----------
    job : Contest
        What ran and what did not.

    Returns
    -------
    Chart
    """
    ran = [entry for entry in job.entries if not entry.reason]
    columns, *rows = contest_rows(job)
    return Chart(
        "contest",
        "Bridges between two towers",
        f"hit_rate@1 and @5 of bridges learned from {of_data(job.train)}, on held-out items: "
        f"{of_data(job.test)}. Lines are 95 % intervals with pictures as the independent units; published "
        "figures were not measured here.",
        "hit_rate@1: "
        + "; ".join(
            f"{shown_name(entry)} "
            + ", ".join(f"{_value(entry, direction)} {direction}" for direction in DIRECTIONS)
            for entry in ran
        )
        + ".",
        [str(column) for column in columns],
        rows,
        lambda: _contest(job, ran),
    )


def _value(entry: Entry, direction: Direction) -> str:
    one = entry.rates[direction].get("hit_rate@1")
    if one is None or one.value is None:
        return "not known"
    interval = "" if one.low is None or one.high is None else f" [{one.low:.3f}, {one.high:.3f}]"
    return f"{one.value:.3f}{interval}"


def _contest(job: Contest, ran: Sequence[Entry]) -> Figure:
    figure = new_figure(10, 1.7 + 0.52 * len(ran))
    panels = figure.subplots(1, 2, sharey=True)
    for axes, direction in zip(panels, DIRECTIONS, strict=True):
        for row, entry in enumerate(ran):
            for k, above in zip(CUTOFFS, ABOVE, strict=True):
                _mark(axes, entry, direction, k, row + above)
        plain(axes)
        axes.set_xlim(-0.02, 1.09)
        axes.set_xlabel("hit rate on held-out items: filled @1, open @5", fontsize=8, color=INK)
        axes.set_title(TITLES[direction], fontsize=10, color=INK)
    panels[0].set_yticks(
        range(len(ran)), [wrapped(shown_name(e), width=32, lines=2) for e in ran], fontsize=8
    )
    panels[0].set_ylim(len(ran) - 0.4, -0.6)
    from matplotlib.lines import Line2D

    ways = [way for way in WORDS if any(entry.way == way for entry in ran)]
    keys = [Line2D([], [], color=COLOURS[way], marker="o", linestyle="", label=WORDS[way]) for way in ways]
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys), frameon=False, fontsize=8)
    train, test = (printable(data.name, longest=40) for data in (job.train, job.test))
    figure.suptitle(
        f"Bridges learned from {train} ({job.train.n_images} pictures), scored on {test} "
        f"({job.test.n_images} pictures, {job.test.n_captions} captions); 95 % intervals",
        fontsize=10,
        color=INK,
    )
    return figure


def curve(points: Sequence[Point], job: Contest) -> Chart:
    """Chart hit_rate@1 against the number of training pictures.

    Parameters
    ----------
    points : sequence of Point
        At least one.
    job : Contest
        Its test data are named.

    Returns
    -------
    Chart
    """
    columns, *rows = curve_rows(points)
    most = max(point.n_images for point in points)
    ends = [point for point in points if point.n_images == most]
    return Chart(
        "curve",
        "What more pairs are worth",
        f"hit_rate@1 on held-out items, {of_data(job.test)}, against the number of training pictures with "
        "all their captions: mean over random subsets, the band from the least to the most of them.",
        f"With {most:,} pictures: "
        + "; ".join(f"{point.name} {point.i2t:.3f} i2t, {point.t2i:.3f} t2i" for point in ends)
        + ".",
        [str(column) for column in columns],
        rows,
        lambda: _curve(points, job),
    )


def _curve(points: Sequence[Point], job: Contest) -> Figure:
    figure = new_figure(10, 4.6)
    names = list(dict.fromkeys(point.name for point in points))
    sizes = sorted({point.n_images for point in points})
    top = max(max(point.i2t, point.t2i) for point in points)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, direction in zip(panels, DIRECTIONS, strict=True):
        ends = []
        for number, name in enumerate(names):
            colour, marker = PALETTE[number % len(PALETTE)], MARKERS[number % len(MARKERS)]
            xs = [size for size in sizes if any(p.name == name and p.n_images == size for p in points)]
            runs = [[getattr(p, direction) for p in points if p.name == name and p.n_images == x] for x in xs]
            means = [float(np.mean(run)) for run in runs]
            axes.fill_between(
                xs, [min(r) for r in runs], [max(r) for r in runs], color=colour, alpha=0.18, lw=0
            )
            axes.plot(xs, means, color=colour, marker=marker, markersize=4, linewidth=1.4)
            ends.append((means[-1], name, colour))
        _label_ends(axes, ends, at=sizes[-1], gap=0.045 * top)
        plain(axes)
        axes.set_xscale("log")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize=8)
        axes.minorticks_off()
        axes.set_xlim(sizes[0] * 0.85, sizes[-1] * (sizes[-1] / sizes[0]) ** 0.42 if len(sizes) > 1 else None)
        axes.set_ylim(0, 1.08 * top)
        axes.set_xlabel("training pictures (all their captions)", fontsize=8, color=INK)
        axes.set_title(TITLES[direction], fontsize=10, color=INK)
    panels[0].set_ylabel("hit_rate@1, held out", fontsize=8, color=INK)
    test = job.test
    figure.suptitle(
        f"What more pairs are worth: {printable(test.name, longest=40)}, {test.n_images} pictures; "
        "mean, least and most over subsets",
        fontsize=10,
        color=INK,
    )
    return figure


def _mark(axes: Axes, entry: Entry, direction: Direction, k: int, y: float) -> None:
    one = entry.rates[direction].get(f"hit_rate@{k}")
    if one is None or one.value is None:
        return
    colour = COLOURS[entry.way]
    if one.low is not None and one.high is not None:
        axes.plot([one.low, one.high], [y, y], color=colour, linewidth=1.6, solid_capstyle="butt")
    face = colour if k == CUTOFFS[0] else "white"
    shape = "D" if entry.way == "published" else "o"
    axes.plot([one.value], [y], marker=shape, markersize=5, color=colour, markerfacecolor=face, linestyle="")
    right = one.value if one.high is None else one.high
    text = f"{one.value:.3f}"
    axes.text(right + 0.015, y, text, va="center", fontsize=7, color=INK)


def _label_ends(axes: Axes, ends: list[tuple[float, str, str]], *, at: int, gap: float) -> None:
    """Write each line's name at its end; those that would lie on each other are moved apart."""
    place = -np.inf
    for value, name, colour in sorted(ends):
        place = max(value, place + gap)
        axes.annotate(
            f"{name} {value:.3f}",
            (at, value),
            xytext=(at * 1.12, place),
            va="center",
            fontsize=7.5,
            color=INK,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.8,
                "shrinkA": 2,
                "shrinkB": 2,
                "relpos": (0, 0.5),
            },
        )
