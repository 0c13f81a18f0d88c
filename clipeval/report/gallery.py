"""Pictures that a model found for texts: a row for each text, score above and caption under each picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipeval.data.dataset import Dataset, Item
from clipeval.data.pictures import read_picture
from clipeval.report.style import INK, new_figure, save_png
from clipeval.report.text import printable, wrapped
from clipeval.studies.retrieval import Gallery

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIDE = 360
"""Pixels of a picture's longer side: more would not be seen."""

CELL, GAP, MARGIN = 1.9, 0.15, 0.2
ABOVE, BELOW, HEAD = 0.55, 0.5, 0.55
"""Inches: a picture's square, between two, at the edges; text over and under it; the title."""


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
        Of the figure: study and model.
    """
    columns = max(len(gallery.items) for gallery in galleries)
    width = max(5.0, 2 * MARGIN + columns * (CELL + GAP) - GAP)
    height = HEAD + len(galleries) * (ABOVE + CELL + BELOW) + MARGIN
    figure = new_figure(width, height)
    figure.set_layout_engine("none")  # every place is given in inches

    def write(x: float, y: float, text: str, size: float, **rest: Any) -> None:
        figure.text(x / width, 1 - y / height, text, fontsize=size, color=INK, va="top", **rest)

    write(MARGIN, 0.1, wrapped(printable(title), width=int(13 * width), lines=2), 10)
    for number, gallery in enumerate(galleries):
        top = HEAD + number * (ABOVE + CELL + BELOW)
        write(MARGIN, top + 0.05, f"“{printable(gallery.query, longest=90)}”", 10, weight="bold")
        for place, (at, score) in enumerate(zip(gallery.items, gallery.scores, strict=True)):
            left = MARGIN + place * (CELL + GAP)
            middle = left + CELL / 2
            caption = wrapped(printable(dataset.items[at].captions[0]), width=30, lines=3)
            write(middle, top + ABOVE - 0.2, f"{score:.3f}", 9, ha="center")
            write(middle, top + ABOVE + CELL + 0.04, caption, 7, ha="center")
            bottom = 1 - (top + ABOVE + CELL) / height
            axes = figure.add_axes((left / width, bottom, CELL / width, CELL / height))
            axes.set_axis_off()
            _show(axes, dataset.items[at])
    save_png(figure, path)


def _show(axes: Axes, item: Item) -> None:
    if item.picture is None:
        axes.text(0.5, 0.5, "no picture", ha="center", va="center", color=INK, fontsize=8)
        return
    picture = read_picture(item.picture)
    picture.thumbnail((SIDE, SIDE))
    axes.imshow(picture)
