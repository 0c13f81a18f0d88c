"""Charts over all models of a comparison: hit rates with intervals, and densities of pair scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clipeval.compare.job import Comparison, ModelResult
from clipeval.evaluation import DIRECTIONS, Direction, Evaluation
from clipeval.evaluation.scores import CUTOFFS_SHOWN, Metric, Scores, finite
from clipeval.report.names import display_names
from clipeval.report.style import GRID, INK, PALETTE, new_figure, save_png
from clipeval.report.text import printable, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLES = {"i2t": "image finds caption (i2t)", "t2i": "caption finds image (t2i)"}
DASHES = (":", (0, (5, 2)))
MOST_NEGATIVES = 1_000_000
NARROW = 1e-3
"""A range of scores below which all are drawn as one bar."""


def draw_hit_rates(path: Path, job: Comparison) -> None:
    """Draw hit_rate@1 and @5 of every model that ran, with 95 % intervals and chance lines.

    Parameters
    ----------
    path : Path
        A PNG file.
    job : Comparison
        At least one model ran.
    """
    ran = [result for result in job.models if result.scores is not None]
    figure = new_figure(10, 1.9 + 0.55 * len(ran) * len(CUTOFFS_SHOWN))
    panels = figure.subplots(1, 2, sharey=True)
    for axes, direction in zip(panels, DIRECTIONS, strict=True):
        _bars(axes, ran, direction)
    names = _labels(job)
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
    save_png(figure, path)


def _place(model: int, cutoff: float) -> float:
    return model * (len(CUTOFFS_SHOWN) + 0.8) + cutoff


def _labels(job: Comparison) -> dict[str, str]:
    names = display_names([result.spec for result in job.models])
    for result in job.models:
        if result.evaluation is not None and result.evaluation.precomputed:
            names[result.spec] += " [precomputed]"
    return names


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


def draw_densities(path: Path, job: Comparison) -> None:
    """Draw histogram and density of the scores of right and of wrong pairs, one panel for each model.

    Above a million wrong pairs an evenly spaced part of them is drawn, which the panel says.

    Parameters
    ----------
    path : Path
        A PNG file.
    job : Comparison
        At least one model ran.
    """
    ran = [result for result in job.models if result.evaluation is not None and result.scores is not None]
    figure = new_figure(9, 0.6 + 2.3 * len(ran))
    panels = np.atleast_1d(figure.subplots(len(ran), 1, sharex=True))
    names = _labels(job)
    for axes, result in zip(panels, ran, strict=True):
        if result.evaluation is not None and result.scores is not None:
            _density(axes, result.evaluation)
            axes.set_title(_title(names[result.spec], result.scores), fontsize=9, color=INK, loc="left")
    panels[-1].ticklabel_format(axis="x", useOffset=False)
    panels[-1].set_xlabel("cosine similarity (scales of different models are not comparable)")
    panels[0].legend(frameon=False, fontsize=8)
    save_png(figure, path)


def _title(name: str, scores: Scores) -> str:
    area = finite(scores.diagonal.auroc)
    found = "" if area is None else f"    AUROC {area:.3f}"  # no wrong pairs, no area
    return f"{printable(name, longest=90)}{found}"


def _density(axes: Axes, evaluation: Evaluation) -> None:
    scores = evaluation.similarity()
    right = np.zeros(scores.shape, dtype=bool)
    right[evaluation.dataset.image_of_caption, np.arange(scores.shape[1])] = True
    positive, negative = scores[right], scores[~right]
    part = ""
    if len(negative) > MOST_NEGATIVES:
        step = -(-len(negative) // MOST_NEGATIVES)
        negative, part = negative[::step], f", every {step}th drawn"
    low, high = float(scores.min()), float(scores.max())
    if high - low < NARROW:
        low, high = low - NARROW, high + NARROW
    bins = np.linspace(low, high, 41)
    for values, colour, word in (
        (negative, PALETTE[1], f"wrong pairs ({len(negative)}{part})"),
        (positive, PALETTE[0], f"right pairs ({len(positive)})"),
    ):
        if not values.size:
            continue
        axes.hist(values, bins=bins.tolist(), density=True, color=colour, alpha=0.35, label=word)
        axes.axvline(float(values.mean()), color=colour, linewidth=1.2, linestyle=":")
        _smooth(axes, values, bins, colour)
    axes.set_yticks([])
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _smooth(axes: Axes, values: np.ndarray, bins: np.ndarray, colour: str) -> None:
    if len(values) < 3 or float(np.ptp(values)) < 1e-9:
        return  # a density of equal values does not exist
    from scipy.stats import gaussian_kde

    margin = 0.08 * (bins[-1] - bins[0])
    at = np.linspace(bins[0] - margin, bins[-1] + margin, 300)
    thinned = values[:: max(1, len(values) // 20_000)]
    axes.plot(at, gaussian_kde(thinned)(at), color=colour, linewidth=1.6)
