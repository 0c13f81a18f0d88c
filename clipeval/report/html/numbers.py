"""How numbers are written in a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from clipeval.counted import count
from clipeval.report.text import printable

if TYPE_CHECKING:
    from markupsafe import Markup


def rate(value: float | None) -> str:
    """Write a rate.

    Examples
    --------
    >>> rate(0.6), rate(None)
    ('0.600', 'n/a')
    """
    return "n/a" if value is None else f"{value:.3f}"


def percent(value: float) -> str:
    """Write a share in words' company; what is not nothing is never written as 0 %.

    Examples
    --------
    >>> percent(0.6), percent(0.0004), percent(0.9996), percent(0.0), percent(0.054)
    ('60 %', '0.04 %', '99.96 %', '0 %', '5 %')
    """
    for digits in range(4):
        text = f"{100 * value:.{digits}f}"
        if value in (0.0, 1.0) or text not in ("0", "0.0", "0.00", "100", "100.0", "100.00"):
            break
    return f"{text} %"


def signed(value: float | None, digits: int = 3) -> str:
    """Write a difference with its sign.

    Examples
    --------
    >>> signed(0.25), signed(-1e-9)
    ('+0.250', '+0.000')
    """
    if value is None:
        return "n/a"
    text = f"{value:+.{digits}f}"
    return text if float(text) else f"+{0:.{digits}f}"


def p_value(value: float | None) -> str:
    """Write a p-value: two digits that count, and a bound where it is very small.

    Examples
    --------
    >>> p_value(0.04567), p_value(1e-12), p_value(1.0)
    ('0.046', '< 0.0001', '1')
    """
    if value is None:
        return ""
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}"


def unbroken(text: str) -> Markup:
    """Keep a number and its percent sign on one line.

    Examples
    --------
    >>> unbroken("60 % of <all>")
    Markup('60&nbsp;% of &lt;all&gt;')
    """
    from markupsafe import Markup, escape

    return Markup(str(escape(printable(text))).replace(" %", "&nbsp;%"))  # noqa: S704 escaped just before


FILTERS: Mapping[str, Callable[..., Any]] = {
    "rate": rate,
    "percent": percent,
    "signed": signed,
    "p_value": p_value,
    "count": count,
    "unbroken": unbroken,
}
"""Of the templates, by name."""
