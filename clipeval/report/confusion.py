"""The confusion matrix as a picture and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clipeval.report.files import write_csv
from clipeval.report.style import INK, new_figure, save_png
from clipeval.report.text import printable, wrapped

LABELLED = 60
"""Up to so many classes each is labelled, up to half of them each cell is numbered."""


def write_confusion(path: Path, names: Sequence[str], counts: NDArray[np.float64]) -> None:
    """Write counts as CSV: a row for each right class, a column for what its pictures were taken for."""
    rows = ([name, *(round(float(cell), 6) for cell in row)] for name, row in zip(names, counts, strict=True))
    write_csv(path, [["class", *names], *rows])


def draw_confusion(path: Path, names: Sequence[str], counts: NDArray[np.float64], *, title: str) -> None:
    """Draw the share of each class's pictures by what they were taken for.

    Parameters
    ----------
    path : Path
        A PNG file.
    names : sequence of str
        The classes; those without pictures have no row.
    counts : ndarray, shape (n_classes, n_classes)
        See `clipeval.core.classification.confusion_matrix`.
    title : str
    """
    kept = np.flatnonzero(counts.sum(axis=1) > 0)
    shares = counts[kept] / counts[kept].sum(axis=1, keepdims=True)
    # of many classes, most of which nothing was taken for, only the others have columns
    columns = np.flatnonzero((counts.sum(axis=0) > 0) | np.isin(np.arange(len(names)), kept))
    shares = shares[:, columns]
    size = [max(4.5, min(14.0, 2.5 + 0.32 * count)) for count in (len(columns), len(kept))]
    figure = new_figure(size[0] + 1.0, size[1])
    axes = figure.add_subplot()
    picture = axes.imshow(shares, cmap="viridis", vmin=0.0, vmax=1.0, aspect="auto", interpolation="auto")
    figure.colorbar(picture, ax=axes, shrink=0.8).set_label("share of the class's pictures")
    if len(kept) <= LABELLED and len(columns) <= LABELLED:
        labels = [printable(name, longest=30) for name in names]
        axes.set_yticks(range(len(kept)), [labels[at] for at in kept], fontsize=8)
        axes.set_xticks(
            range(len(columns)),
            [labels[at] for at in columns],
            rotation=50,
            ha="right",
            rotation_mode="anchor",
            fontsize=8,
        )
    if max(shares.shape) <= LABELLED // 2:
        for row, column in zip(*np.nonzero(shares), strict=True):
            colour = "white" if shares[row, column] < 0.6 else INK
            text = f"{counts[kept[row], columns[column]]:.3g}"
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    axes.set_ylabel("right class")
    axes.set_xlabel("taken for")
    axes.set_title(wrapped(printable(title), width=int(10 * size[0]), lines=3), fontsize=9, color=INK)
    save_png(figure, path)
