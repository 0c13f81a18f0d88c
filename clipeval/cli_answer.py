"""How the commands that compare with a baseline print, write and end."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from clipeval.printing import printed_first
from clipeval.stopping import Ended

if TYPE_CHECKING:
    from clipeval.baseline.result import SwapResult
    from clipeval.report.html.swap_explorer import Sides

STATUS_WORDS = """Exit status: 0 it holds; 1 it is refuted; 2 the data cannot tell, or are not the same;
3 wrong usage, data or file."""


def check_report(report: Path | None) -> None:
    """Refuse, before any work, a folder for a page that holds what another command wrote."""
    from clipeval.report.html.saved_swap import DOCUMENT
    from clipeval.report.taken import check_free

    if report is not None and not _is_a_page(report):
        check_free(report, DOCUMENT)


def _is_a_page(report: Path) -> bool:
    return report.suffix.lower() in (".html", ".htm")


def give_answer(
    result: SwapResult,
    *,
    as_json: bool = False,
    markdown: Path | None = None,
    junit: Path | None = None,
    report: Path | None = None,
    sides: Callable[[], Sides | None],
    notes: tuple[str, ...] = (),
) -> None:
    """Print an answer, write the files that were asked for, and end with its status.

    Parameters
    ----------
    result : SwapResult
        Of the comparison.
    as_json : bool
        Print the JSON document instead of the message.
    markdown, junit : Path, optional
        Files to write; ``$GITHUB_STEP_SUMMARY`` gets the Markdown too.
    report : Path, optional
        An HTML page to write, or a folder for it and what it is made from.
    sides : callable
        Gives both models' items for it.
    notes : tuple of str
        Printed on standard error.

    Raises
    ------
    Ended
        Where the status is not 0.
    ClipevalError
        A file cannot be written.
    """
    from clipeval.baseline.answer import STATUS, answer_text
    from clipeval.messages import say
    from clipeval.report.claims_text import COLOURS
    from clipeval.report.files import write_text
    from clipeval.report.html.render import page_html
    from clipeval.report.html.saved_swap import write_swap
    from clipeval.report.html.swap_explorer import swap_explorer
    from clipeval.report.html.swap_page import swap_page
    from clipeval.report.markdown import append_step_summary
    from clipeval.report.swap_junit import swap_junit
    from clipeval.report.swap_markdown import swap_markdown
    from clipeval.report.swap_text import swap_message

    def show() -> None:
        if as_json:
            typer.echo(answer_text(result), nl=False)
        else:
            typer.echo(swap_message(result, paint=lambda word, text: typer.style(text, fg=COLOURS[word])))

    with printed_first(show):
        for note in notes:
            say(f"note: {note}")
        if markdown:
            write_text(markdown, swap_markdown(result))
        if junit:
            write_text(junit, swap_junit(result))
        if report and _is_a_page(report):
            page = swap_page(json.loads(answer_text(result)), swap_explorer(sides()))
            write_text(report, page_html(page))
        elif report:
            write_swap(report, result, sides())
        if os.environ.get("GITHUB_STEP_SUMMARY"):
            append_step_summary(os.environ["GITHUB_STEP_SUMMARY"], swap_markdown(result))
    status = STATUS[result.verdict]
    if status:
        raise Ended(status)
