"""Several pages as one: the sections of each under its own heading, with names of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from clipeval._version import __version__
from clipeval.counted import count
from clipeval.report.html.page import Page, Section


def combined(pages: Sequence[Page]) -> Page:
    """Put pages into one.

    Parameters
    ----------
    pages : sequence of Page
        At least one; a single one stays as it is.

    Returns
    -------
    Page
    """
    if len(pages) == 1:
        return pages[0]
    sections: list[Section] = []
    data: dict[str, Any] = {}
    for number, page in enumerate(pages, start=1):
        before = f"r{number}-"
        head = {"kind": page.kind, "facts": page.facts}
        sections.append(Section(f"{before}head", f"{number}. {page.title}", "chapter", head))
        sections += [_renamed(section, before) for section in page.sections]
        data |= {f"{before}{key}": value for key, value in page.data.items()}
    return Page(
        title=count(len(pages), "result"),
        kind="report",
        facts=[" and ".join(dict.fromkeys(page.kind for page in pages)), f"clipeval {__version__}"],
        sections=sections,
        data=data,
    )


def _renamed(section: Section, before: str) -> Section:
    values = dict(section.values)
    if "data_id" in values:
        values["data_id"] = f"{before}{values['data_id']}"
    return replace(section, id=f"{before}{section.id}", values=values, chapter=False)
