"""Where a model is good: hit_rate@1 of each category."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clipeval.compare.job import Comparison
from clipeval.evaluation import DIRECTIONS, Direction
from clipeval.evaluation.scores import Metric
from clipeval.report.chart import Chart, NotDrawn, tell
from clipeval.report.figures.models import (
    TITLES,
    Shown,
    in_colour,
    legend_below,
    listed,
    of_data,
    shown,
    which_in_colour,
)
from clipeval.report.style import INK, new_figure, plain
from clipeval.report.text import printable, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME, TITLE = "categories", "Hit rate of each category"
METRIC = "hit_rate@1"
MOST = 30
"""Categories that are drawn, those with most pictures; the table has all."""


def categories(job: Comparison) -> Chart | NotDrawn:
    """Chart hit_rate@1 of each category with 95 % intervals, which are long where pictures are few.

    Parameters
    ----------
    job : Comparison

    Returns
    -------
    Chart or NotDrawn
        The latter where no model ran, or there are fewer than two categories, or one picture in each.
    """
    models = shown(job)
    if not models:
        return NotDrawn(NAME, TITLE, "No model ran.")
    sizes = {name: part.n_images for name, part in models[0].categories.items()}
    if len(sizes) < 2:
        return NotDrawn(
            NAME, TITLE, "The data have no categories." if not sizes else "There is one category."
        )
    if max(sizes.values()) < 2:
        return NotDrawn(NAME, TITLE, "No category has more than one picture.")
    drawn = sorted(sizes, key=lambda name: -sizes[name])[:MOST]
    drawn = [name for name in sizes if name in drawn]
    left_out = f" Drawn are the {MOST} of {len(sizes)} with most pictures." if len(sizes) > MOST else ""
    smallest = min(sizes[name] for name in drawn)
    rows = []
    for model in models:
        for name, part in model.categories.items():
            for direction in DIRECTIONS:
                one = part.metrics[direction][METRIC]
                rows.append(
                    [model.name, name, part.n_images, direction, one.value, one.low, one.high, one.chance]
                )
    return Chart(
        NAME,
        TITLE,
        f"{METRIC} of each category's queries among all candidates, on {of_data(job.dataset)}; n counts "
        "pictures. Lines are 95 % intervals with pictures as the independent units, one category at a time, "
        f"not corrected for looking at {len(drawn)}; the smallest has {smallest}. Dotted: chance.{left_out}"
        + which_in_colour(models, rest="in the table", word="Drawn"),
        listed(
            [
                f"{model.name}, {TITLES[direction]}: "
                + ", ".join(
                    f"{printable(name)} {_words(model.categories[name].metrics[direction][METRIC])}"
                    for name in drawn
                )
                for model in models
                for direction in DIRECTIONS
            ]
        ),
        ("model", "category", "n_images", "direction", "hit_rate@1", "low", "high", "chance"),
        rows,
        lambda: _figure(in_colour(models), drawn),
    )


def _words(one: Metric) -> str:
    if one.value is None or one.low is None or one.high is None:
        return "not defined"
    return f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]"


def _figure(models: list[Shown], names: list[str]) -> Figure:
    figure = new_figure(9, 1.5 + len(names) * (0.22 + 0.17 * len(models)) + 0.2 * len(models))
    panels = figure.subplots(1, 2, sharey=True)
    for axes, direction in zip(panels, DIRECTIONS, strict=True):
        for number, model in enumerate(models):
            shift = 0.6 * ((number + 0.5) / len(models) - 0.5)
            _intervals(axes, model, direction, names, shift)
        chance = models[0].scores.metrics[direction][METRIC].chance
        if chance is not None:
            axes.axvline(chance, color=INK, linestyle=":", linewidth=1.3, label="chance")
        axes.set_xlim(-0.02, 1.02)
        axes.set_title(TITLES[direction], fontsize=10, color=INK)
        axes.set_xlabel(METRIC, fontsize=9, color=INK)
        plain(axes, grid="x")
    sizes = models[0].categories
    panels[0].set_yticks(
        range(len(names)),
        [
            wrapped(f"{printable(name, longest=40)} (n={sizes[name].n_images})", width=26, lines=2)
            for name in names
        ],
        fontsize=8,
    )
    panels[0].set_ylim(len(names) - 0.45, -0.55)
    legend_below(figure, panels[0])
    return figure


def _intervals(axes: Axes, model: Shown, direction: Direction, names: list[str], shift: float) -> None:
    found = [model.categories[name].metrics[direction][METRIC] for name in names]
    known = [at for at, one in enumerate(found) if None not in (one.value, one.low, one.high)]
    values = np.array([found[at].value for at in known], dtype=float)
    ends = np.array([(found[at].low, found[at].high) for at in known], dtype=float).reshape(-1, 2)
    places = np.array(known) + shift
    axes.hlines(places, ends[:, 0], ends[:, 1], color=model.colour, linewidth=1.6)
    axes.plot(values, places, model.marker, color=model.colour, markersize=5, label=model.name)
    for at, value, place in zip(known, values, places, strict=True):
        (mark,) = axes.plot(value, place, model.marker, color=model.colour, markersize=5)
        tell(mark, f"{model.name}, {names[at]}: {_words(found[at])}")
