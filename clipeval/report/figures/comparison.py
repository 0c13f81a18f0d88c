"""A comparison at a glance: hit_rate@1 and @5 of all models, with intervals and chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from clipeval.compare.job import Comparison, ModelResult
from clipeval.evaluation import DIRECTIONS, Direction
from clipeval.evaluation.scores import CUTOFFS_SHOWN, Metric
from clipeval.report.chart import Chart
from clipeval.report.figures.models import TITLES, listed, model_names, of_data
from clipeval.report.style import GRID, INK, PALETTE, new_figure
from clipeval.report.text import printable, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME, TITLE = "comparison", "Hit rates of all models"
DASHES = (":", (0, (5, 2)))


def comparison(job: Comparison) -> Chart:
    """Chart hit_rate@1 and @5 of every model that ran, with 95 % intervals and chance lines.

    Parameters
    ----------
    job : Comparison
        At least one model ran.

    Returns
    -------
    Chart
    """
    ran = [result for result in job.models if result.scores is not None]
    names = model_names(job)
    rows = [
        [names[result.spec], direction, k, *("" if number is None else number for number in _numbers(metric))]
        for result in ran
        for direction in DIRECTIONS
        for k in CUTOFFS_SHOWN
        for metric in [_metric(result, direction, k)]
    ]
    return Chart(
        NAME,
        TITLE,
        f"hit_rate@1 and @5 of {of_data(job.dataset)}: the share of queries with a right answer among the "
        "first 1 and 5. Whiskers are 95 % intervals with pictures as the independent units; broken lines are "
        "chance, computed exactly.",
        listed(
            [
                f"{names[result.spec]}, hit_rate@1: "
                + ", ".join(
                    f"{_words(_metric(result, direction, 1))} {direction}" for direction in DIRECTIONS
                )
                for result in ran
            ]
        ),
        ("model", "direction", "k", "hit_rate", "low", "high", "chance"),
        rows,
        lambda: _figure(job, ran, names),
    )


def _words(metric: Metric) -> str:
    if metric.value is None or metric.low is None or metric.high is None:
        return "not defined"
    return f"{metric.value:.3f} [{metric.low:.3f}, {metric.high:.3f}]"


def _numbers(metric: Metric) -> tuple[float | None, ...]:
    return metric.value, metric.low, metric.high, metric.chance


def _figure(job: Comparison, ran: Sequence[ModelResult], names: Mapping[str, str]) -> Figure:
    figure = new_figure(10, 1.9 + 0.55 * len(ran) * len(CUTOFFS_SHOWN))
    panels = figure.subplots(1, 2, sharey=True)
    for axes, direction in zip(panels, DIRECTIONS, strict=True):
        _bars(axes, ran, direction)
    panels[0].set_yticks(
        [_place(at, 0.5) for at in range(len(ran))],
        [wrapped(names[result.spec], width=36, lines=4) for result in ran],
        fontsize=8,
    )
    panels[0].set_ylim(_place(len(ran) - 1, len(CUTOFFS_SHOWN)) - 0.3, -0.7)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    data = job.dataset
    figure.suptitle(
        f"{printable(data.name, longest=60)}: {data.n_images} pictures, {data.n_captions} captions; "
        "95 % intervals",
        fontsize=11,
        color=INK,
    )
    return figure


def _place(model: int, cutoff: float) -> float:
    return model * (len(CUTOFFS_SHOWN) + 0.8) + cutoff


def _bars(axes: Axes, ran: Sequence[ModelResult], direction: Direction) -> None:
    for at, k in enumerate(CUTOFFS_SHOWN):
        found = [_metric(result, direction, k) for result in ran]
        known = [(row, metric) for row, metric in enumerate(found) if metric.value is not None]
        if not known:
            continue  # fewer candidates than k
        places = [_place(row, at) for row, _ in known]
        values = [metric.value or 0.0 for _, metric in known]
        errors = [
            [value - (metric.low or 0.0) for value, (_, metric) in zip(values, known, strict=True)],
            [(metric.high or 0.0) - value for value, (_, metric) in zip(values, known, strict=True)],
        ]
        axes.barh(
            places,
            values,
            height=0.85,
            xerr=np.clip(errors, 0.0, None),
            color=PALETTE[at],
            label=f"hit_rate@{k}",
            error_kw={"ecolor": INK, "elinewidth": 1.1, "capsize": 2.5},
        )
        for y, value, (_, metric) in zip(places, values, known, strict=True):
            axes.text(
                (metric.high or value) + 0.015,
                y,
                f"{value:.2f}",
                va="center",
                fontsize=8,
                color=INK,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},  # over a chance line
                zorder=4,
            )
        chance = next((metric.chance for metric in found if metric.chance is not None), None)
        if chance is not None:
            axes.axvline(
                chance, color=INK, linestyle=DASHES[at], linewidth=1.3, label=f"chance of hit_rate@{k}"
            )
    axes.set_xlim(0, 1.12)
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    axes.set_title(TITLES[direction], fontsize=10, color=INK)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _metric(result: ModelResult, direction: Direction, k: int) -> Metric:
    if result.scores is None:
        raise AssertionError("only models that ran are drawn")
    return result.scores.metrics[direction][f"hit_rate@{k}"]
