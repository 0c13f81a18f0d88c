"""Pages of documents that hold all there is to show."""

from __future__ import annotations

from clipeval.errors import ClipevalError
from clipeval.report.html.page import Page
from clipeval.report.html.recognise import Recognised


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
    """
    raise ClipevalError(f"no page for {found.kind} yet", where=found.path.name)
