"""Numbers as a person reads them."""

from __future__ import annotations

DIRECTIONS_IN_WORDS = {"i2t": "image to text", "t2i": "text to image"}


def with_interval(value: float, low: float, high: float, *, signed: bool = False) -> str:
    """Write a number with its 95 % interval.

    Examples
    --------
    >>> with_interval(0.5, 0.4, 0.6), with_interval(0.5, 0.4, 0.6, signed=True)
    ('0.500 [0.400, 0.600]', '+0.500 [+0.400, +0.600]')
    """
    form = "+.3f" if signed else ".3f"
    return f"{value:{form}} [{low:{form}}, {high:{form}}]"


def p_words(p: float) -> str:
    """Write a p-value.

    Examples
    --------
    >>> p_words(0.0312), p_words(1e-20)
    ('p = 0.031', 'p < 0.0001')
    """
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"
