"""How far down the list the right answer is: hit rate against k."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clipeval.compare.job import Comparison
from clipeval.core.bootstrap import rate_interval
from clipeval.core.metrics import at_chance
from clipeval.evaluation import DIRECTIONS, Direction
from clipeval.report.chart import Chart, NotDrawn, tell
from clipeval.report.figures.models import (
    TITLES,
    Shown,
    in_colour,
    legend_below,
    listed,
    of_data,
    others,
    shown,
    which_in_colour,
)
from clipeval.report.style import INK, new_figure, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME, TITLE = "hit-rates", "Hit rate against k"
STEPS = (1, 2, 3, 5, 10, 20, 50, 100)
FEWEST = 3
"""With fewer candidates there is no list to look down."""


@dataclass(frozen=True)
class Point:
    """A model's hit rate at one k, with its 95 % interval and chance."""

    k: int
    rate: float
    low: float
    high: float
    chance: float


def hit_rates(job: Comparison) -> Chart | NotDrawn:
    """Chart hit rate against k: one line with its band for each model, chance dotted.

    Parameters
    ----------
    job : Comparison

    Returns
    -------
    Chart or NotDrawn
        The latter where no model ran, or there are fewer than `FEWEST` candidates in both directions.
    """
    models = shown(job)
    if not models:
        return NotDrawn(NAME, TITLE, "No model ran.")
    if max(model.evaluation.direction(d).n_candidates for model in models[:1] for d in DIRECTIONS) < FEWEST:
        return NotDrawn(NAME, TITLE, f"There are fewer than {FEWEST} candidates: every list is short.")
    curves = {
        direction: [_points(model, direction, seed=job.seed) for model in models] for direction in DIRECTIONS
    }
    rows = [
        [model.name, direction, point.k, point.rate, point.low, point.high, point.chance]
        for direction in DIRECTIONS
        for model, points in zip(models, curves[direction], strict=True)
        for point in points
    ]
    firsts = [
        f"{TITLES[direction]}, at k = 1: "
        + ", ".join(
            f"{model.name} {points[0].rate:.3f} ({points[0].low:.3f} to {points[0].high:.3f})"
            for model, points in zip(models, curves[direction], strict=True)
        )
        + f", chance {curves[direction][0][0].chance:.3f}"
        for direction in DIRECTIONS
    ]
    return Chart(
        NAME,
        TITLE,
        f"Share of queries with a right answer among the first k, on {of_data(job.dataset)}. Bands are 95 % "
        "intervals with pictures as the independent units; dotted lines are chance, computed exactly."
        + which_in_colour(models, rest="thin lines without a band"),
        listed(firsts),
        ("model", "direction", "k", "hit_rate", "low", "high", "chance"),
        rows,
        lambda: _figure(models, curves),
    )


def _points(model: Shown, direction: Direction, *, seed: int) -> list[Point]:
    ranks, cluster = model.evaluation.direction(direction), model.evaluation.cluster(direction)
    blind = at_chance(ranks)
    points = []
    for k in (step for step in STEPS if step < ranks.n_candidates):
        interval = rate_interval(ranks.hits(k), cluster, seed=seed)
        points.append(Point(k, ranks.hit_rate(k), interval.low, interval.high, blind.hit_rate(k)))
    return points


def _figure(models: list[Shown], curves: dict[Direction, list[list[Point]]]) -> Figure:
    figure = new_figure(9, 4.1 + 0.22 * len(in_colour(models)))
    panels = figure.subplots(1, 2, sharey=True)
    for axes, direction in zip(panels, DIRECTIONS, strict=True):
        # those of the many below, those in colour on top
        for model, points in sorted(
            zip(models, curves[direction], strict=True), key=lambda pair: pair[0].series > 0
        ):
            _curve(axes, model, points, label=model.name if model.series else f"{len(others(models))} others")
        blind = curves[direction][0]
        axes.plot(
            [p.k for p in blind], [p.chance for p in blind], ":", color=INK, linewidth=1.4, label="chance"
        )
        ks = [point.k for point in blind]
        axes.set_xscale("log")
        axes.set_xticks(ks, [str(k) for k in ks])
        axes.minorticks_off()
        axes.set_ylim(-0.02, 1.03)
        axes.set_xlabel("k", fontsize=9, color=INK)
        axes.set_title(TITLES[direction], fontsize=10, color=INK)
        plain(axes)
    panels[0].set_ylabel("hit_rate@k", fontsize=9, color=INK)
    legend_below(figure, panels[0])
    return figure


def _curve(axes: Axes, model: Shown, points: list[Point], *, label: str) -> None:
    ks = [point.k for point in points]
    if not model.series:
        rates = [point.rate for point in points]
        (line,) = axes.plot(ks, rates, color=INK, alpha=0.35, linewidth=0.8, label=label)
        tell(line, f"{model.name}: {rates[0]:.3f} at k = {ks[0]}")
        return
    low, high = [point.low for point in points], [point.high for point in points]
    axes.fill_between(ks, low, high, color=model.colour, alpha=0.14, linewidth=0)
    axes.plot(
        ks,
        [point.rate for point in points],
        color=model.colour,
        marker=model.marker,
        markersize=5,
        linewidth=1.8,
        label=label,
    )
    for point in points:
        (mark,) = axes.plot(point.k, point.rate, marker=model.marker, markersize=5, color=model.colour)
        tell(mark, f"{model.name}, k = {point.k}: {point.rate:.3f} [{point.low:.3f}, {point.high:.3f}]")
