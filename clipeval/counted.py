"""A number of things in words: one, or many."""

from __future__ import annotations


def count(number: int, one: str, many: str | None = None) -> str:
    """Write a number of things.

    Parameters
    ----------
    number : int
    one, many : str
        What one is called, and several; by default with an s.

    Returns
    -------
    str

    Examples
    --------
    >>> count(1, "picture"), count(5000, "query", "queries")
    ('1 picture', '5,000 queries')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
