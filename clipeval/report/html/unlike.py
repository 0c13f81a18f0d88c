"""Names that a reader, and an address, can tell apart."""

from __future__ import annotations

from collections.abc import Iterable


def unlike(names: Iterable[str]) -> list[str]:
    """Add numbers to names that look the same: an address of one item must not lead to another.

    Parameters
    ----------
    names : iterable of str
        As they are shown: blanks of all kinds have become one.

    Returns
    -------
    list of str

    Examples
    --------
    >>> unlike(["a b.jpg", "c.jpg", "a b.jpg", "a b.jpg (2)"])
    ['a b.jpg', 'c.jpg', 'a b.jpg (3)', 'a b.jpg (2)']
    """
    shown = list(names)
    taken, seen = set(shown), set()
    for at, name in enumerate(shown):
        number = 1
        while shown[at] in seen:
            number += 1
            if f"{name} ({number})" not in taken:
                shown[at] = f"{name} ({number})"
                taken.add(shown[at])
        seen.add(shown[at])
    return shown
