"""``report.html`` of a comparison, beside its other files."""

from __future__ import annotations

from pathlib import Path

from clipeval.compare.job import Comparison
from clipeval.report.files import encoded, replace_file
from clipeval.report.html.comparison_page import comparison_page
from clipeval.report.html.render import page_html
from clipeval.report.html.saved_items import ITEMS, read_items, write_items

PAGE = "report.html"


def write_comparison_items(path: Path, job: Comparison) -> None:
    """Write ``items.json`` of a comparison."""
    write_items(path, job.dataset)


def write_comparison_page(path: Path, job: Comparison) -> None:
    """Write the page of a comparison, with the pictures of the ``items.json`` beside it."""
    saved = read_items(path.parent / ITEMS)
    page = comparison_page(job, pictures=[item["picture"] for item in saved["items"]])
    replace_file(path, encoded(page_html(page)))
