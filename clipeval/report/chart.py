"""One drawing for a page, a paper and a spreadsheet: a chart with its words and its numbers.

Matplotlib draws them all. For a page, `svg` gives the same drawing as SVG whose text is text and whose
colours are CSS variables, so that it follows the page's theme; alone, the variables' defaults hold.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clipeval.report.files import replace_file, write_csv
from clipeval.report.style import any_script, save_png
from clipeval.report.svg import HOVER, of_a_page
from clipeval.report.text import printable

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure


KINDS = ("png", "svg", "csv")


@dataclass(frozen=True, eq=False)
class Chart:
    """A chart, its words and its numbers.

    Attributes
    ----------
    name : str
        The stem of its files: small letters, digits and hyphens.
    title : str
        One line.
    caption : str
        Stands under it in a paper: what is drawn, of how many items, with which interval.
    alt : str
        What a screen reader says: the finding in words, with the numbers.
    columns : sequence of str
        Of its table; none where its numbers are in another file.
    rows : sequence of sequence
        The numbers that are drawn; text cells may come from strangers.
    figure : callable
        Gives a new matplotlib figure.
    """

    name: str
    title: str
    caption: str
    alt: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    figure: Callable[[], Figure]

    @property
    def files(self) -> tuple[str, ...]:
        """The names that `write_chart` writes."""
        return tuple(f"{self.name}.{kind}" for kind in (KINDS if self.columns else KINDS[:2]))


@dataclass(frozen=True)
class NotDrawn:
    """A chart that these data do not allow, and why: shown in its place.

    Attributes
    ----------
    name, title : str
        As of the chart.
    reason : str
        One sentence.
    """

    name: str
    title: str
    reason: str


def tell(artist: Artist, text: str) -> None:
    """Give a mark the text that a pointer over it shows in a page."""
    artist.set_gid(HOVER + printable(text))


def svg(chart: Chart) -> str:
    """Draw for a page: an ``<svg>`` element to put into HTML as it stands.

    Its text is text. Ink, grid, background and series are the CSS variables ``--ink``, ``--line``,
    ``--paper`` and ``--series-1`` to ``--series-6`` with the printed colours as defaults. All ids begin with
    the chart's name; there is no date, path or style sheet in it, and the same chart gives the same bytes.

    Parameters
    ----------
    chart : Chart
        What to draw.

    Returns
    -------
    str
        Well-formed XML, every text escaped.
    """
    figure = _drawn(chart)
    with any_script():
        figure.draw_without_rendering()
    return _svg(figure, chart)


def write_chart(folder: Path, chart: Chart, *, stem: str | None = None) -> list[Path]:
    """Write a chart as PNG, as SVG and its numbers, where it has them, as CSV.

    Parameters
    ----------
    folder : Path
        It exists; files of these names are replaced, each whole or not at all.
    chart : Chart
        What to write.
    stem : str, optional
        Of the files, instead of the chart's name.

    Returns
    -------
    list of Path
        The files.
    """
    png, drawing, table = (folder / f"{stem or chart.name}.{kind}" for kind in KINDS)
    figure = _drawn(chart)
    save_png(figure, png)  # which lays it out
    replace_file(drawing, f'<?xml version="1.0" encoding="utf-8"?>\n{_svg(figure, chart)}\n'.encode())
    if not chart.columns:
        return [png, drawing]
    write_csv(table, [chart.columns, *chart.rows])
    return [png, drawing, table]


def write_png(path: Path, chart: Chart) -> None:
    """Write only the picture, under a name that the caller has."""
    save_png(_drawn(chart), path)


def _drawn(chart: Chart) -> Figure:
    """Make the figure, its texts as they stand."""
    from matplotlib.text import Text

    figure = chart.figure()
    for text in figure.findobj(Text):
        text.set_parse_math(False)
        text.set_text("\n".join(printable(line) for line in text.get_text().split("\n")))
    return figure


def _svg(figure: Figure, chart: Chart) -> str:
    """Draw a figure that is laid out: the places stay, so that both pictures are one."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    figure.set_layout_engine("none")
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "clipeval"}), any_script():
        canvas = FigureCanvasSVG(figure)
        canvas.print_svg(buffer, metadata={"Date": None})  # type: ignore[no-untyped-call]
    return of_a_page(buffer.getvalue(), name=chart.name, title=chart.title, alt=chart.alt)
