"""Pages of documents that hold all there is to show: claims, swaps, benchmarks, training runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clipeval.errors import ClipevalError
from clipeval.report.html.bench_page import bench_page
from clipeval.report.html.claims_page import claims_page
from clipeval.report.html.page import Page
from clipeval.report.html.private_paths import document_without_paths
from clipeval.report.html.recognise import BENCH, CLAIMS, SWAP, TRAINING, Recognised
from clipeval.report.html.saved_swap import read_sides
from clipeval.report.html.swap_explorer import swap_explorer
from clipeval.report.html.swap_page import swap_page
from clipeval.report.html.training_page import training_page

PAGES: Mapping[str, Callable[[Mapping[str, Any]], Page]] = {
    CLAIMS: claims_page,
    BENCH: bench_page,
    TRAINING: training_page,
}
"""By the kind of document; a swap may have more beside it."""


def document_page(found: Recognised, *, show_paths: bool = False) -> Page:
    """Lay out the page of a document.

    Parameters
    ----------
    found : Recognised
        Anything but a comparison.
    show_paths : bool
        Whether paths of the user's machine stay.

    Returns
    -------
    Page

    Raises
    ------
    ClipevalError
        It lacks something that every document of its kind has.
    """
    document = found.document if show_paths else document_without_paths(found.document)
    sides = read_sides(found.path.parent) if found.kind == SWAP else None
    try:
        if found.kind == SWAP:
            return swap_page(found.document, swap_explorer(sides), show_paths=show_paths)
        return PAGES[found.kind](document)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ClipevalError(
            f"the document of '{found.kind}' is not whole: {type(error).__name__} {error}",
            where=str(found.path),
            fix="write it again with this version of clipeval",
        ) from error
