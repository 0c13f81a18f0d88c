"""Pages of documents that hold all there is to show: claims, swaps, benchmarks, training runs."""

from __future__ import annotations

from clipeval.errors import ClipevalError
from clipeval.report.html.bench_page import bench_page
from clipeval.report.html.claims_page import claims_page
from clipeval.report.html.page import Page
from clipeval.report.html.private_paths import document_without_paths
from clipeval.report.html.recognise import BENCH, CLAIMS, SWAP, TRAINING, Recognised
from clipeval.report.html.saved_swap import DOCUMENT, read_sides
from clipeval.report.html.swap_explorer import OF_ANOTHER, Explored, are_of, swap_explorer
from clipeval.report.html.swap_page import swap_page
from clipeval.report.html.training_page import training_page


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
    try:
        return _page(found, show_paths=show_paths)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ClipevalError(
            f"the document of '{found.kind}' is not whole: {type(error).__name__} {error}",
            where=str(found.path),
            fix="write it again with this version of clipeval",
        ) from error


def _page(found: Recognised, *, show_paths: bool) -> Page:
    if found.kind == CLAIMS:
        return claims_page(found.document, show_paths=show_paths)
    if found.kind == SWAP:
        return swap_page(found.document, _items_beside(found), show_paths=show_paths)
    document = found.document if show_paths else document_without_paths(found.document)
    return {BENCH: bench_page, TRAINING: training_page}[found.kind](document)


def _items_beside(found: Recognised) -> Explored:
    """Lay out the items that lie beside an answer, if they are its own."""
    if "rows" not in found.document and found.path.name != DOCUMENT:
        return swap_explorer(None)  # of an earlier version, and saved by itself: they may be of another swap
    sides = read_sides(found.path.parent)
    if sides is not None and "rows" in found.document and not are_of(sides, found.document):
        return swap_explorer(None, why=OF_ANOTHER)
    return swap_explorer(sides)
