"""What each class was taken for: the confusion matrix of a classification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipeval.report.chart import Chart
from clipeval.report.figures.cells import draw_cells
from clipeval.report.style import INK, new_figure
from clipeval.report.text import printable, wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "confusion"


def confusion(names: Sequence[str], counts: NDArray[np.float64], *, title: str) -> Chart:
    """Chart the share of each class's pictures by what they were taken for.

    Parameters
    ----------
    names : sequence of str
        The classes; those without pictures have no row in the picture.
    counts : ndarray, shape (n_classes, n_classes)
        See `clipeval.core.classification.confusion_matrix`; at least one picture.
    title : str
        Model, prompts and accuracy.

    Returns
    -------
    Chart
        Its table has a row for each right class and a column for what its pictures were taken for.
    """
    right, total = float(np.trace(counts)), float(counts.sum())
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0.0)
    worst = [at for at in np.argsort(-wrong, axis=None, kind="stable")[:3] if wrong.flat[at] > 0]
    places = [np.unravel_index(at, wrong.shape) for at in worst]
    most = ", ".join(f"{names[row]} as {names[column]} ({wrong[row, column]:.3g})" for row, column in places)
    return Chart(
        NAME,
        title,
        f"{title}. Rows are the right classes, columns what their pictures were taken for; colour is the "
        "share of a class's pictures, numbers count them, a tie for the first place being shared.",
        f"{right:.3g} of {total:.3g} pictures in the right class"
        + (f"; most often taken for another: {printable(most)}." if most else "."),
        ("class", *names),
        [[name, *(round(float(cell), 6) for cell in row)] for name, row in zip(names, counts, strict=True)],
        lambda: _figure(names, counts, title),
    )


def _figure(names: Sequence[str], counts: NDArray[np.float64], title: str) -> Figure:
    kept = np.flatnonzero(counts.sum(axis=1) > 0)
    sizes = counts[kept].sum(axis=1)
    # of many classes, most of which nothing was taken for, only the others have columns
    columns = np.flatnonzero((counts.sum(axis=0) > 0) | np.isin(np.arange(len(names)), kept))
    shown = counts[kept][:, columns]
    size = [max(4.5, min(14.0, 2.5 + 0.32 * count)) for count in (len(columns), len(kept))]
    figure = new_figure(size[0] + 1.0, size[1])
    axes = figure.add_subplot()
    labels = [printable(name, longest=30) for name in names]
    picture = draw_cells(
        axes,
        shown / sizes[:, None],
        rows=[labels[at] for at in kept],
        columns=[labels[at] for at in columns],
        numbers=lambda row, column: f"{shown[row, column]:.3g}",
        hover=lambda row, column: (
            f"{names[kept[row]]} taken for {names[columns[column]]}: {shown[row, column]:.3g} "
            f"of {sizes[row]:g}"
        ),
    )
    figure.colorbar(picture, ax=axes, shrink=0.8).set_label("share of the class's pictures")
    axes.set_ylabel("right class")
    axes.set_xlabel("taken for")
    axes.set_title(wrapped(printable(title), width=int(10 * size[0]), lines=3), fontsize=9, color=INK)
    return figure
