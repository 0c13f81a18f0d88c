"""``report.html`` of a comparison, beside its other files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clipeval.compare.job import Comparison
from clipeval.report.chart import Chart, NotDrawn
from clipeval.report.files import encoded, replace_file
from clipeval.report.html.comparison_page import comparison_page
from clipeval.report.html.explorer import shown_images
from clipeval.report.html.render import page_html
from clipeval.report.html.saved_items import ITEMS, read_items, write_items
from clipeval.report.html.thumbnails import thumbnails

PAGE = "report.html"


def write_comparison_items(path: Path, job: Comparison) -> None:
    """Write ``items.json`` of a comparison."""
    ran = [result.evaluation for result in job.models if result.evaluation is not None]
    write_items(path, job.dataset, thumbnails(job.dataset.items, shown_images(job.dataset, ran)))


def write_comparison_page(path: Path, job: Comparison, charts: Sequence[Chart | NotDrawn]) -> None:
    """Write the page of a comparison, with the pictures of ``items.json`` and the drawings of ``charts/``.

    Both lie beside it already, so that no picture is made small twice and no chart drawn twice.
    """
    saved = read_items(path.parent / ITEMS)
    page = comparison_page(
        job,
        pictures=[item["picture"] for item in saved["items"]],
        charts=charts,
        drawings=_drawn(path.parent / "charts"),
    )
    replace_file(path, encoded(page_html(page)))


def _drawn(folder: Path) -> dict[str, str]:
    return {
        path.stem: path.read_text(encoding="utf-8").partition("?>")[2].strip()
        for path in folder.glob("*.svg")
    }
