"""One page from what commands have saved: each result as it is, runs on the same items side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clipeval.compare.job import Comparison
from clipeval.data.content import dataset_hash
from clipeval.data.dataset import Dataset
from clipeval.report.figures.of_comparison import comparison_charts
from clipeval.report.html.combined import combined
from clipeval.report.html.comparison_page import comparison_page
from clipeval.report.html.document_pages import document_page
from clipeval.report.html.joined import joined
from clipeval.report.html.page import Page
from clipeval.report.html.recognise import COMPARISON, recognised
from clipeval.report.html.saved_run import SavedRun, read_run


def results_page(
    results: Sequence[Path], *, dataset: Dataset | None = None, show_paths: bool = False
) -> Page:
    """Lay out a page for saved results.

    Parameters
    ----------
    results : sequence of Path
        Folders of results, or their JSON documents; at least one.
    dataset : Dataset, optional
        Of the comparisons, where their folders have no ``items.json``.
    show_paths : bool
        See `comparison_page`.

    Returns
    -------
    Page

    Raises
    ------
    ClipevalError
        One of them cannot be read, or is nothing that clipeval wrote.
    """
    pages: list[Page] = []
    runs: dict[str, list[SavedRun]] = {}
    for path in results:
        found = recognised(path)
        if found.kind != COMPARISON:
            pages.append(document_page(found, show_paths=show_paths))
            continue
        run = read_run(found.path.parent, dataset=dataset)
        runs.setdefault(dataset_hash(run.dataset), []).append(run)
    compared = [_compared(joined(same), _pictures(same), show_paths=show_paths) for same in runs.values()]
    return combined([*compared, *pages])


def _pictures(runs: Sequence[SavedRun]) -> list[str | None]:
    """Take each item's picture from the first run that has it: of large data each keeps a part."""
    return [next(filter(None, kept), None) for kept in zip(*(run.pictures for run in runs), strict=True)]


def _compared(job: Comparison, pictures: Sequence[str | None], *, show_paths: bool) -> Page:
    charts = comparison_charts(job)
    return comparison_page(job, pictures=pictures, charts=charts, show_paths=show_paths)
