"""Text that others wrote, made harmless in a spreadsheet: the one place through which every CSV cell goes."""

from __future__ import annotations

_RUN = frozenset("=+-@＝＋－＠")
"""What begins a formula; some spreadsheets take the wide forms for the others."""

_CONTROL = frozenset("\t\r\n")
_SKIPPED = " \t\r\n\v\f\xa0\u200b\ufeff'\"`"
"""White space and quotation marks, which a spreadsheet or a careless import drops before it looks."""


def safe_cell(text: str) -> str:
    r"""Put an apostrophe before text that a spreadsheet would run as a formula.

    See https://owasp.org/www-community/attacks/CSV_Injection for the characters; they count too behind white
    space and quotation marks. No two texts become one: whoever takes the apostrophe off a cell whose rest
    would be run has the text as it was.

    Examples
    --------
    >>> safe_cell("=1+1"), safe_cell(' "=1+1'), safe_cell("a cat"), safe_cell("'tis")
    ("'=1+1", '\' "=1+1', 'a cat', "'tis")
    """
    return "'" + text if _would_run(text) else text


def _would_run(text: str) -> bool:
    return text.lstrip("'")[:1] in _CONTROL or text.lstrip(_SKIPPED)[:1] in _RUN
