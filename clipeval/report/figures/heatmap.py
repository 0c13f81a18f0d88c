"""The similarity matrix as a picture, right cells outlined, categories separated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipeval.core.score_blocks import score_blocks
from clipeval.data.dataset import Dataset
from clipeval.evaluation import Evaluation
from clipeval.report.chart import Chart
from clipeval.report.figures.drawing_order import drawing_order
from clipeval.report.figures.models import of_data
from clipeval.report.matrix_limit import too_many_pairs
from clipeval.report.names import display_name
from clipeval.report.style import DOTS, INK, PALETTE, new_figure
from clipeval.report.text import printable, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "heatmap"
LABELLED = 40
"""Up to this many rows, or columns, each is labelled; above, each category."""

FRAMES = 500
"""Above so many, the frames of an SVG are pixels."""

POINTS = 1000
"""Of too many pairs, up to so many points on each side."""

MOST_BORDERS = 150
"""Categories, above which no lines part them."""

LONGEST = 60
"""Characters of a label."""


def heatmap(evaluation: Evaluation) -> Chart:
    """Chart cosine similarities, pictures as rows and captions as columns, sorted by category.

    Parameters
    ----------
    evaluation : Evaluation
        Embeddings and dataset.

    Returns
    -------
    Chart
        Without rows: its numbers are ``similarities.csv``. Of too many pairs for that, means of blocks are
        drawn.
    """
    data = evaluation.dataset
    tall, wide = _block(data)
    blocks = f"; each point is the mean of {tall} pictures by {wide} captions" if tall * wide > 1 else ""
    name = display_name(evaluation.model) + (", precomputed" if evaluation.precomputed else "")
    hit = f"i2t hit_rate@1 {evaluation.ranks.i2t.hit_rate(1):.3f}"
    return Chart(
        NAME,
        f"Similarity of pictures and captions: {name}",
        f"Cosine similarity of every picture (row) with every caption (column) of {of_data(data)} by {name}, "
        f"sorted by category where there are categories; right pairs are outlined{blocks}; {hit}.",
        f"{hit}.",
        (),
        (),
        lambda: _figure(
            evaluation, f"{wrapped(name, width=80, lines=2)}\nright cells outlined{blocks}; {hit}"
        ),
    )


def _block(data: Dataset) -> tuple[int, int]:
    """Give how many pictures by how many captions are one point."""
    if not too_many_pairs(data):
        return 1, 1
    return -(-data.n_images // POINTS), -(-data.n_captions // POINTS)


def _figure(evaluation: Evaluation, title: str) -> Figure:
    data = evaluation.dataset
    rows, columns = drawing_order(data)
    row_place = np.empty(data.n_images, dtype=np.int64)
    row_place[rows] = np.arange(data.n_images)
    tall, wide = _block(data)
    if too_many_pairs(data):
        sides = evaluation.images, evaluation.texts, rows, columns
        scores = score_blocks(*sides, tall=tall, wide=wide, extremes=False).mean
    else:
        scores = evaluation.similarity()[rows][:, columns]
    height, width = _inches(data.n_images), _inches(data.n_captions)
    figure = new_figure(width + 3.0, height)
    axes = figure.add_subplot()
    whole = (-0.5, scores.shape[1] * wide - 0.5, scores.shape[0] * tall - 0.5, -0.5)
    picture = axes.imshow(scores, cmap="viridis", aspect="auto", interpolation="auto", extent=whole)
    axes.set_xlim(-0.5, data.n_captions - 0.5)  # the last blocks may reach further
    axes.set_ylim(data.n_images - 0.5, -0.5)
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
    axes.set_title(title, fontsize=10, color=INK)
    return figure


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
    for colour, width in (("white", 2 * line), (PALETTE[1], line)):
        # thousands of frames are part of the picture in an SVG too, a page could not hold them one by one
        part = len(frames) > FRAMES
        axes.add_collection(
            PatchCollection(frames, facecolor="none", edgecolor=colour, linewidth=width, rasterized=part)
        )


def _blocks(categories: list[str | None]) -> tuple[list[float], list[str]]:
    """Find the middle and the name of each category; nothing where there are none, or too many to read."""
    names = list(dict.fromkeys(categories))
    if len(names) > LABELLED or names == [None]:
        return [], []
    places = [[at for at, category in enumerate(categories) if category == name] for name in names]
    middles = [(place[0] + place[-1]) / 2 for place in places]
    return middles, [printable(name or "(none)", longest=LONGEST) for name in names]


def _borders(axes: Axes, categories: list[str | None], *, axis: str) -> None:
    if len(set(categories)) > MOST_BORDERS:
        return  # nothing else would be seen
    for at in range(1, len(categories)):
        if categories[at] != categories[at - 1]:
            draw = axes.axhline if axis == "rows" else axes.axvline
            draw(at - 0.5, color="white", linewidth=1.0)
