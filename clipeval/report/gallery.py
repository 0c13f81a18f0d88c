"""Pictures that a model found for texts: a row for each text, score above and caption under each picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clipeval.data.dataset import Dataset
from clipeval.data.pictures import read_picture
from clipeval.report.style import INK, new_figure, save_png
from clipeval.report.text import printable, wrapped
from clipeval.studies.retrieval import Gallery

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDE = 360
"""Pixels of a picture's longer side: more would not be seen."""


def draw_galleries(path: Path, galleries: Sequence[Gallery], dataset: Dataset, *, title: str) -> None:
    """Draw what was found for each text.

    Parameters
    ----------
    path : Path
        A PNG file.
    galleries : sequence of Gallery
        At least one.
    dataset : Dataset
        Whose pictures they name.
    title : str
        Of the figure: the model.
    """
    columns = max(len(gallery.items) for gallery in galleries)
    figure = new_figure(1.2 + 2.1 * columns, 0.6 + 2.75 * len(galleries))
    figure.suptitle(wrapped(printable(title), width=28 * columns, lines=3), fontsize=11, color=INK)
    rows = figure.subfigures(len(galleries), 1, squeeze=False)[:, 0]
    for row, gallery in zip(rows, galleries, strict=True):
        row.suptitle(f"“{printable(gallery.query, longest=90)}”", fontsize=10, color=INK, x=0.01, ha="left")
        panels = row.subplots(1, columns, squeeze=False)[0]
        for at, axes in enumerate(panels):
            axes.set_axis_off()
            if at < len(gallery.items):
                _show(axes, dataset, gallery.items[at], gallery.scores[at])
    save_png(figure, path)


def _show(axes: Axes, dataset: Dataset, at: int, score: float) -> None:
    item = dataset.items[at]
    if item.picture is None:
        axes.text(0.5, 0.5, "no picture", ha="center", va="center", color=INK, fontsize=8)
        axes.set(xlim=(0, 1), ylim=(1, 0))
    else:
        picture = read_picture(item.picture)
        picture.thumbnail((SIDE, SIDE))
        axes.imshow(picture)
    axes.set_title(f"{score:.3f}", fontsize=9, color=INK)
    caption = wrapped(printable(item.captions[0]), width=28, lines=3)
    axes.text(0.5, -0.04, caption, transform=axes.transAxes, ha="center", va="top", fontsize=7, color=INK)
