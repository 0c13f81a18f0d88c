"""A table of shares as coloured cells, numbers in them where there is room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from clipeval.report.chart import tell
from clipeval.report.style import INK, LETTERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

LABELLED = 60
"""Up to so many rows and columns each is labelled, up to half of them each cell is numbered."""
LIGHT = 0.6
"""Of viridis: above it letters are dark."""


def draw_cells(
    axes: Axes,
    shares: NDArray[np.float64],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    numbers: Callable[[int, int], str],
    hover: Callable[[int, int], str],
) -> ScalarMappable:
    """Draw shares between 0 and 1.

    Parameters
    ----------
    axes : Axes
    shares : ndarray, shape (m, n)
    rows, columns : sequence of str
        Their labels, left out above `LABELLED`.
    numbers, hover : callable
        What stands in the cell of a row and column, and what a pointer over it shows; of cells above 0.

    Returns
    -------
    ScalarMappable
        For a colour bar.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.patches import Rectangle

    colours = ScalarMappable(Normalize(0.0, 1.0), colormaps["viridis"])
    painted = colours.to_rgba(shares)
    m, n = shares.shape
    labelled = max(m, n) <= LABELLED
    if labelled:
        axes.add_patch(Rectangle((-0.5, -0.5), n, m, color=colormaps["viridis"](0.0), linewidth=0))
        for row, column in zip(*np.nonzero(shares), strict=True):
            cell = Rectangle((column - 0.5, row - 0.5), 1, 1, color=painted[row, column], linewidth=0)
            axes.add_patch(cell)
            tell(cell, hover(row, column))
            if max(m, n) <= LABELLED // 2:
                letters = LETTERS[int(shares[row, column] >= LIGHT)]
                axes.text(
                    column, row, numbers(row, column), ha="center", va="center", fontsize=7, color=letters
                )
        axes.set_yticks(range(m), rows, fontsize=8)
        axes.set_xticks(range(n), columns, rotation=50, ha="right", rotation_mode="anchor", fontsize=8)
    else:
        axes.imshow(shares, cmap="viridis", vmin=0.0, vmax=1.0, aspect="auto", interpolation="auto")
        axes.set_xticks([])
        axes.set_yticks([])
    axes.set_xlim(-0.5, n - 0.5)
    axes.set_ylim(m - 0.5, -0.5)
    axes.tick_params(length=0, colors=INK)
    for edge in axes.spines.values():
        edge.set_visible(False)
    return colours
