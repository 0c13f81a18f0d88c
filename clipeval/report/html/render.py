"""Templates, style and scripts put into one file that asks for nothing else.

The page forbids itself everything that it does not hold: its Content-Security-Policy names the hash of
its style sheet and of each script, allows pictures from ``data:`` and refuses the rest, the network included.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from clipeval._version import __version__
from clipeval.report.html.inline_svg import inline_svg
from clipeval.report.html.numbers import FILTERS
from clipeval.report.html.page import Page
from clipeval.report.text import printable

if TYPE_CHECKING:
    from jinja2 import Environment

STYLE = "page.css"
SCRIPTS = (
    "theme.js",
    "arrays.js",
    "place.js",
    "colours.js",
    "matrix.js",
    "map_labels.js",
    "map_readout.js",
    "map.js",
    "cards.js",
    "items.js",
    "start.js",
)
"""In the order in which they run; each hangs its functions on one object, ``clipeval``."""


def page_html(page: Page) -> str:
    """Render a page.

    Parameters
    ----------
    page : Page
        Its texts may come from strangers: all of them are escaped, and characters that could not be seen as
        themselves (control characters, direction overrides) are spelt out.

    Returns
    -------
    str
        One HTML document.

    Examples
    --------
    >>> page_html(Page("<b>", "comparison", (), ())).count("&lt;b&gt;")
    2
    """
    style = _asset(STYLE)
    # a page without data has nothing to explore; its one script turns the light on and off
    scripts = [_asset(name) for name in (SCRIPTS if page.data else SCRIPTS[:1])]
    return (
        _templates()
        .get_template("page.html")
        .render(
            page=page,
            version=__version__,
            style=style,
            scripts=scripts,
            policy=_policy([style], scripts),
        )
    )


def _policy(styles: list[str], scripts: list[str]) -> str:
    def hashes(texts: list[str]) -> str:
        return " ".join(
            f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts
        )

    return (
        f"default-src 'none'; img-src data:; style-src {hashes(styles)}; script-src {hashes(scripts)}; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _asset(name: str) -> str:
    text = files("clipeval.report.html").joinpath("assets", name).read_text(encoding="utf-8")
    if re.search(r"</(script|style)", text, re.IGNORECASE):
        raise AssertionError(f"{name} would end the element that holds it")
    return text


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("clipeval.report.html"),
        autoescape=True,
        undefined=StrictUndefined,  # a misspelt value is an error, not an empty place
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable_lines(value) if type(value) is str else value,
    )
    found.filters |= {**FILTERS, "inline_svg": inline_svg}
    return found


def printable_lines(text: str) -> str:
    r"""Spell out what would not be seen as itself, line breaks excepted.

    Examples
    --------
    >>> printable_lines("one\ntwo\u202e")
    'one\ntwo\\u202e'
    """
    return "\n".join(printable(line) for line in text.split("\n"))
