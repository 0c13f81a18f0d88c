"""The similarity matrix as a picture, right cells outlined, categories separated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clipeval.evaluation import Evaluation
from clipeval.report.names import display_name
from clipeval.report.style import INK, new_figure, save_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABELLED = 40
"""Up to this many pictures and captions each row and column is labelled."""


def draw_heatmap(path: Path, evaluation: Evaluation) -> None:
    """Draw cosine similarities, pictures as rows and captions as columns, sorted by category.

    Parameters
    ----------
    path : Path
        A PNG file.
    evaluation : Evaluation
        Embeddings and dataset.
    """
    data = evaluation.dataset
    place = {category: at for at, category in enumerate(data.categories)}
    rows = sorted(range(data.n_images), key=lambda row: place.get(data.items[row].category or "", -1))
    row_place = np.empty(data.n_images, dtype=np.int64)
    row_place[rows] = np.arange(data.n_images)
    columns = np.argsort(row_place[data.image_of_caption], kind="stable")
    scores = evaluation.similarity()[rows][:, columns]
    labelled = max(scores.shape) <= LABELLED
    side = max(6.0, min(12.0, 0.3 * max(scores.shape) + 2.5)) if labelled else 9.0
    figure = new_figure(side + (3.0 if labelled else 0.5), side)
    axes = figure.add_subplot()
    picture = axes.imshow(scores, cmap="viridis", aspect="auto", interpolation="auto")
    bar = figure.colorbar(picture, ax=axes, shrink=0.8)
    bar.set_label("cosine similarity")
    right_rows = row_place[data.image_of_caption[columns]]
    if labelled:
        _outline(axes, right_rows)
        captions = [_short(data.captions[column]) for column in columns]
        axes.set_xticks(range(len(columns)), captions, rotation=60, ha="right", fontsize=7)
        axes.set_yticks(range(len(rows)), [_short(data.ids[row]) for row in rows], fontsize=7)
    else:
        axes.plot(range(len(columns)), right_rows, ",", color="white")
        axes.set_xlabel(f"{data.n_captions} captions")
        axes.set_ylabel(f"{data.n_images} pictures")
    _borders(axes, [data.items[row].category for row in rows], axis="rows")
    _borders(axes, [data.items[int(data.image_of_caption[c])].category for c in columns], axis="columns")
    hit = evaluation.ranks.i2t.hit_rate(1)
    mark = "outlined" if labelled else "white dots"
    precomputed = ", precomputed" if evaluation.precomputed else ""
    axes.set_title(
        f"{display_name(evaluation.model)}{precomputed}\nright cells {mark}; i2t hit_rate@1 {hit:.3f}",
        fontsize=10,
        color=INK,
    )
    save_png(figure, path)


def _short(text: str, length: int = 42) -> str:
    # a dollar sign would start a formula
    text = text if len(text) <= length else text[: length - 1] + "…"
    return text.replace("$", r"\$")


def _outline(axes: Axes, right_rows: np.ndarray) -> None:
    from matplotlib.patches import Rectangle

    for column, row in enumerate(right_rows):
        axes.add_patch(
            Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="white", linewidth=2.4)
        )
        axes.add_patch(
            Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="#D55E00", linewidth=1.2)
        )


def _borders(axes: Axes, categories: list[str | None], *, axis: str) -> None:
    for at in range(1, len(categories)):
        if categories[at] != categories[at - 1]:
            draw = axes.axhline if axis == "rows" else axes.axvline
            draw(at - 0.5, color="white", linewidth=1.0)
