"""One look for all charts: colours that colour-blind readers can tell apart, no interactive backend."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from clipeval.report.files import replace_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# the four of Okabe & Ito 2008 that stand out on white and on black (3:1), and two that were searched for:
# the least difference of any two, seen with red-blind or green-blind eyes, stays that of the four
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#7A68F0", "#AC4632")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""Beside the colour, so that no series is told by its colour alone."""
INK = "#222222"
GRID = "#DDDDDD"
PAPER = "#FFFFFF"
LETTERS = ("#FDFDFD", "#111111")
"""Light and dark letters on a coloured cell: the same in every theme, unlike `PAPER` and `INK`."""
DOTS = 150
"""Pixels in an inch."""


@contextmanager
def any_script() -> Iterator[None]:
    """Within it, a script that the font lacks is drawn as boxes without a warning, as everywhere else."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


def new_figure(width: float, height: float) -> Figure:
    """Make a figure (inches) that belongs to no window and no global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DOTS, layout="constrained")


def plain(axes: Axes, *, grid: Literal["x", "y", "both"] = "both") -> None:
    """Take away the frame, but for the axis at the bottom, and put a quiet grid behind the marks."""
    axes.grid(axis=grid, color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(INK)
    axes.tick_params(colors=INK, labelsize=8)
    axes.tick_params(axis="y", length=0)


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all; text is shown as it stands, never as a formula.

    The canvas is asked itself: ``Figure.savefig`` draws all of it once more to find out how large it is.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)
    buffer = io.BytesIO()
    with any_script():
        canvas = FigureCanvasAgg(figure)
        canvas.print_png(buffer, metadata={"Software": "clipeval"})  # type: ignore[no-untyped-call]
    replace_file(path, buffer.getvalue())
