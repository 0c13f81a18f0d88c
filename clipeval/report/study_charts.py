"""A study's own bar chart: the similarity of every picture with its caption, model beside model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from clipeval.evaluation import Evaluation
from clipeval.report.style import GRID, INK, PALETTE, new_figure, save_png
from clipeval.report.text import printable

MOST_BARS = 60
"""Above so many pictures, categories are drawn, and above so many of them only the mean."""


def draw_right_pairs(path: Path, models: Mapping[str, Evaluation], *, title: str) -> None:
    """Draw the cosine similarity of right pairs: of each picture, each category where there are too many.

    Parameters
    ----------
    path : Path
        A PNG file.
    models : mapping of str to Evaluation
        By label; at least one, all of one dataset.
    title : str
        What it is.
    """
    first = next(iter(models.values()))
    groups = _groups(first)
    figure = new_figure(max(7.0, min(16.0, 4.5 + 0.22 * len(groups) * len(models))), 5.2)
    axes = figure.add_subplot()
    width = 0.8 / len(models)
    for number, (label, evaluation) in enumerate(models.items()):
        scores = evaluation.direction("i2t").positive_score
        values = [float(scores[rows].mean()) for _, rows in groups]
        places = np.arange(len(groups)) + (number - (len(models) - 1) / 2) * width
        colour = PALETTE[number % len(PALETTE)]
        mean = float(scores.mean())
        axes.bar(places, values, width=width, color=colour, label=f"{label} (mean {mean:.3f})")
        axes.axhline(mean, color=colour, linewidth=1.1, linestyle=":")
    axes.set_xticks(
        range(len(groups)),
        [printable(name, longest=40) for name, _ in groups],
        rotation=50,
        ha="right",
        rotation_mode="anchor",
        fontsize=8,
    )
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_ylabel("cosine similarity with the right caption")
    axes.set_title(f"{title}\nscales of different models are not comparable", fontsize=10, color=INK)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    save_png(figure, path)


def _groups(evaluation: Evaluation) -> list[tuple[str, np.ndarray]]:
    data = evaluation.dataset
    if data.n_images <= MOST_BARS:
        return [(name, np.array([row])) for row, name in enumerate(data.ids)]
    of_items = np.array([item.category or "" for item in data.items])
    if 1 < len(data.categories) <= MOST_BARS:
        return [(name, np.flatnonzero(of_items == name)) for name in data.categories]
    return [(f"all {data.n_images} pictures", np.arange(data.n_images))]
