"""Markdown for files, pull requests and the summary of a CI job: escaping, rows, verdict marks."""

from __future__ import annotations

import re
from pathlib import Path

from clipeval.errors import ClipevalError
from clipeval.report.files import encoded
from clipeval.report.text import printable

MARKS = {"holds": "✅", "refuted": "❌", "undecided": "❔", "not_run": "➖", "broken": "❌"}


def literal(text: str) -> str:
    r"""Escape what Markdown or HTML would take for markup, and part what GitHub would make a link or mention.

    Examples
    --------
    >>> print(literal("a|b <img> *c* [d](e)"))
    a\|b \<img\> \*c\* \[d\](e)
    >>> print(literal("@you http://a.example"))
    @<!-- -->you http:<!-- -->//a.example
    """
    escaped = re.sub(r"([\\`*_{}\[\]<>#|~!&])", r"\\\1", printable(text))
    return re.sub(r"((?<!\w)@|:(?=//)|www(?=\.))", r"\1<!-- -->", escaped)


def table_row(*cells: str) -> str:
    """Join cells that are Markdown already to a row of a table.

    Examples
    --------
    >>> table_row("a", "b")
    '| a | b |'
    """
    return "| " + " | ".join(cells) + " |"


def append_step_summary(path: str, text: str) -> None:
    """Append Markdown to the summary of a GitHub Actions step.

    Parameters
    ----------
    path : str
        The value of ``$GITHUB_STEP_SUMMARY``.
    text : str
        Markdown.

    Raises
    ------
    ClipevalError
        It cannot be written to.
    """
    try:
        with Path(path).open("ab") as stream:
            stream.write(encoded(text))
    except OSError as error:
        raise ClipevalError(
            f"cannot append to the summary: {error.strerror or error}",
            where="$GITHUB_STEP_SUMMARY",
            fix="unset it, or let it name a file in a folder that is there",
        ) from error
