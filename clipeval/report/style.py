"""One look for all charts: colours that colour-blind readers can tell apart, no interactive backend."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clipeval.report.files import replace_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe & Ito 2008, without the yellow that vanishes on white
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
INK = "#222222"
GRID = "#DDDDDD"
DOTS = 150
"""Pixels in an inch."""


def new_figure(width: float, height: float) -> Figure:
    """Make a figure (inches) that belongs to no window and no global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all; text is shown as it stands, never as a formula."""
    import io
    import warnings

    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # a script that the font lacks is drawn as boxes, as everywhere else
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(buffer, format="png", dpi=DOTS, metadata={"Software": "clipeval"})
    replace_file(path, buffer.getvalue())


def save_svg(figure: Figure, path: Path) -> None:
    """Write a figure as SVG, whole or not at all: the same bytes for the same figure, letters as outlines."""
    import io

    import matplotlib as mpl
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "clipeval"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "clipeval"})
    replace_file(path, buffer.getvalue())
