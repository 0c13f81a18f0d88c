"""Text that others wrote (captions, file names, categories), made fit for a terminal or a picture."""

from __future__ import annotations

import textwrap

# they join emoji and shape Persian; every other invisible character is spelt out
_JOINERS = "\u200c\u200d"


def printable(text: str, *, longest: int | None = None) -> str:
    r"""Spell out what would not be seen as itself: control characters, line breaks, direction overrides.

    Parameters
    ----------
    text : str
        From a dataset or a command line.
    longest : int, optional
        Cut to so many characters, the last then being an ellipsis.

    Returns
    -------
    str
        One line.

    Examples
    --------
    >>> printable("two\nlines, \x1b[31mred")
    'two\\nlines, \\x1b[31mred'
    >>> printable("a long caption", longest=7)
    'a long…'
    """
    if longest is not None and len(text) > longest:
        text = text[: longest - 1] + "…"
    return "".join(_seen(character) for character in text)


def _seen(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    return " " if character in "\xa0\u202f\u3000" else character.encode("unicode_escape").decode()


def wrapped(text: str, *, width: int, lines: int) -> str:
    r"""Break text into lines of bounded width, the last one ending in an ellipsis where it does not fit.

    Parameters
    ----------
    text : str
        One line.
    width, lines : int
        Characters in a line, and how many lines.

    Returns
    -------
    str
        Lines joined by line breaks.

    Examples
    --------
    >>> wrapped("preclip resnet50 + all-MiniLM-L6-v2", width=18, lines=2)
    'preclip resnet50 +\nall-MiniLM-L6-v2'
    """
    found = textwrap.wrap(text, width=width, max_lines=lines, placeholder="…", break_on_hyphens=False)
    return "\n".join(found).replace("\n…", "…")
