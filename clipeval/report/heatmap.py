"""The similarity matrix as a picture, right cells outlined, categories separated."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipeval.evaluation import Evaluation
from clipeval.report.names import display_name
from clipeval.report.style import DOTS, INK, PALETTE, new_figure, save_png
from clipeval.report.text import printable, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABELLED = 40
"""Up to this many rows, or columns, each is labelled; above, each category."""

LONGEST = 60
"""Characters of a label."""


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
    height, width = (_inches(count) for count in scores.shape)
    figure = new_figure(width + 3.0, height)
    axes = figure.add_subplot()
    picture = axes.imshow(scores, cmap="viridis", aspect="auto", interpolation="auto")
    bar = figure.colorbar(picture, ax=axes, shrink=0.8)
    bar.set_label("cosine similarity")
    _outline(axes, row_place[data.image_of_caption[columns]], cell=DOTS * (height - 2.5) / data.n_images)
    of_rows = [data.items[row].category for row in rows]
    of_columns = [data.items[int(data.image_of_caption[column])].category for column in columns]
    if data.n_images <= LABELLED:
        labels = [printable(data.ids[row], longest=LONGEST) for row in rows]
        axes.set_yticks(range(len(rows)), labels, fontsize=7)
    else:
        axes.set_yticks(*_blocks(of_rows))
        axes.set_ylabel(f"{data.n_images} pictures")
    if data.n_captions <= LABELLED:
        labels = [printable(data.captions[column], longest=LONGEST) for column in columns]
        axes.set_xticks(
            range(len(columns)), labels, rotation=60, ha="right", rotation_mode="anchor", fontsize=7
        )
    else:
        axes.set_xticks(*_blocks(of_columns), rotation=30, ha="right", rotation_mode="anchor")
        axes.set_xlabel(f"{data.n_captions} captions")
    _borders(axes, of_rows, axis="rows")
    _borders(axes, of_columns, axis="columns")
    name = wrapped(display_name(evaluation.model), width=80, lines=2)
    precomputed = ", precomputed" if evaluation.precomputed else ""
    hit = evaluation.ranks.i2t.hit_rate(1)
    axes.set_title(
        f"{name}{precomputed}\nright cells outlined; i2t hit_rate@1 {hit:.3f}", fontsize=10, color=INK
    )
    save_png(figure, path)


def _inches(count: int) -> float:
    return max(6.0, min(12.0, 0.3 * count + 2.5))


def _outline(axes: Axes, right_rows: NDArray[np.int64], *, cell: float) -> None:
    """Draw one frame around all captions of a picture; they stand side by side. ``cell``: its pixels."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    starts = np.flatnonzero(np.diff(right_rows, prepend=-1))
    ends = np.append(starts[1:], len(right_rows))
    frames = [
        Rectangle((start - 0.5, right_rows[start] - 0.5), end - start, 1)
        for start, end in zip(starts, ends, strict=True)
    ]
    line = float(np.clip(cell / 12, 0.25, 1.2))  # thin enough to leave the cell's own colour visible
    axes.add_collection(PatchCollection(frames, facecolor="none", edgecolor="white", linewidth=2 * line))
    axes.add_collection(PatchCollection(frames, facecolor="none", edgecolor=PALETTE[1], linewidth=line))


def _blocks(categories: list[str | None]) -> tuple[list[float], list[str]]:
    """Find the middle and the name of each category; nothing where there are none, or too many to read."""
    names = list(dict.fromkeys(categories))
    if len(names) > LABELLED or names == [None]:
        return [], []
    places = [[at for at, category in enumerate(categories) if category == name] for name in names]
    middles = [(place[0] + place[-1]) / 2 for place in places]
    return middles, [printable(name or "(none)", longest=LONGEST) for name in names]


def _borders(axes: Axes, categories: list[str | None], *, axis: str) -> None:
    for at in range(1, len(categories)):
        if categories[at] != categories[at - 1]:
            draw = axes.axhline if axis == "rows" else axes.axvline
            draw(at - 0.5, color="white", linewidth=1.0)
