"""A swap in a folder: answer, chart and page, and the items and rows from which the page is made again."""

from __future__ import annotations

import json
from pathlib import Path

from clipeval.baseline.answer import answer_text
from clipeval.baseline.result import SwapResult
from clipeval.report.chart import KINDS, Chart, write_chart
from clipeval.report.figures.margins import margins
from clipeval.report.files import encoded, replace_file, writing
from clipeval.report.html.render import page_html
from clipeval.report.html.saved_items import ITEMS, write_items
from clipeval.report.html.saved_run import ROWS, read_rows, read_saved_items
from clipeval.report.html.swap_explorer import NAMES, Sides, swap_explorer
from clipeval.report.html.swap_page import swap_page

DOCUMENT, PAGE, CHARTS = "swap.json", "report.html", "charts"


def write_swap(folder: Path, result: SwapResult, sides: Sides | None) -> list[Path]:
    """Write the answer, the chart of its margins, the items with both models' rows, and the page.

    Parameters
    ----------
    folder : Path
        Made if absent. Files of these names are replaced, and what an earlier swap left is removed; the
        JSON is written last: if it is there, all is.
    result : SwapResult
        Of `clipeval.baseline.compare.compare_snapshots`.
    sides : Sides, optional
        From `clipeval.report.html.swap_explorer.both_sides`.

    Returns
    -------
    list of Path
        What was written, in order.

    Raises
    ------
    ClipevalError
        The folder cannot be made or written to.
    """
    answer = answer_text(result)
    document = json.loads(answer)
    with writing("the report", folder):
        folder.mkdir(parents=True, exist_ok=True)
        drawn = (f"{CHARTS}/margins.{kind}" for kind in KINDS)
        for name in (DOCUMENT, PAGE, ITEMS, *drawn, *(f"{name}/{ROWS}" for name in NAMES)):
            (folder / name).unlink(missing_ok=True)
        written: list[Path] = []
        chart = margins(document)
        if isinstance(chart, Chart):
            (folder / CHARTS).mkdir(exist_ok=True)
            written += write_chart(folder / CHARTS, chart)
        if sides is not None:
            written += _write_sides(folder, sides)
        replace_file(folder / PAGE, encoded(page_html(swap_page(document, swap_explorer(sides)))))
        replace_file(folder / DOCUMENT, encoded(answer))
    return [*written, folder / PAGE, folder / DOCUMENT]


def _write_sides(folder: Path, sides: Sides) -> list[Path]:
    from safetensors.numpy import save

    written = [folder / ITEMS]
    write_items(folder / ITEMS, sides.dataset, sides.pictures)
    for name, (images, texts) in zip(NAMES, sides.rows, strict=True):
        place = folder / name / ROWS
        place.parent.mkdir(exist_ok=True)
        replace_file(place, save({"images": images, "texts": texts}))
        written.append(place)
    return written


def read_sides(folder: Path) -> Sides | None:
    """Read back what `write_swap` kept of both models.

    Parameters
    ----------
    folder : Path
        Of an answer.

    Returns
    -------
    Sides or None
        None where it does not hold them: they were not at hand, or the answer was saved alone.

    Raises
    ------
    ClipevalError
        A file is broken, or they are not of one swap.
    """
    if not all((folder / name).is_file() for name in (ITEMS, *(f"{name}/{ROWS}" for name in NAMES))):
        return None
    data, pictures = read_saved_items(folder)
    old, new = (read_rows(folder / name / ROWS, data) for name in NAMES)
    return Sides(data, pictures, (old, new))
