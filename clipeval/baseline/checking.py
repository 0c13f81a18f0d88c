"""One value of a baseline at a time: what it must be, and where it stands if it is not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from clipeval.baseline.document import DECIMALS
from clipeval.errors import BaselineError, near

LARGEST_SCORE = 1.001
"""Cosines are not clipped; rows in float32 pass 1 by 1e-7 at most."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Check:
    """Looks at values and refuses those that do not fit; every method gives back what it accepted.

    Attributes
    ----------
    where : str
        What an error calls the file.
    fix : str
        What an error advises.

    Examples
    --------
    >>> Check("clip.json", "look").whole(-1, "t2i.queries[0], better", low=0, high=9)
    Traceback (most recent call last):
    clipeval.errors.BaselineError: -1 is not possible here: from 0 to 9 is
      where: clip.json, t2i.queries[0], better
      to do: look
    """

    where: str
    fix: str

    def refuse(self, what: str, place: str) -> NoReturn:
        """Raise BaselineError."""
        raise BaselineError(what, where=f"{self.where}, {place}" if place else self.where, fix=self.fix)

    def keys(self, value: object, expected: Iterable[str], place: str) -> dict[str, Any]:
        """Accept an object with exactly these keys."""
        if not isinstance(value, dict):
            self.refuse(f"an object is needed, not {kind(value)}", place)
        names = list(expected)
        for name in names:
            if name not in value:
                self.refuse(f"the key '{name}' is missing", place)
        for name in value:
            if name not in names:
                self.refuse(f"the key {str(name)[:80]!r} is not known: {near(str(name)[:80], names)}", place)
        return value

    def listed(self, value: object, place: str) -> list[Any]:
        """Accept a list that is not empty."""
        if not isinstance(value, list) or not value:
            self.refuse("a list is needed, and not an empty one", place)
        return value

    def text(self, value: object, place: str) -> str:
        """Accept text that UTF-8 can write."""
        if not isinstance(value, str):
            self.refuse(f"text is needed, not {kind(value)}", place)
        try:
            value.encode()
        except UnicodeEncodeError as error:
            shown = value.encode(errors="backslashreplace").decode()
            self.refuse(
                f"the text '{shown[:200]}' holds half a character (\\u{ord(value[error.start]):04x}), "
                "which UTF-8 cannot write",
                place,
            )
        return value

    def yes_or_no(self, value: object, place: str) -> bool:
        """Accept true or false."""
        if not isinstance(value, bool):
            self.refuse(f"true or false is needed, not {kind(value)}", place)
        return value

    def whole(self, value: object, place: str, *, low: int, high: int) -> int:
        """Accept a whole number from ``low`` to ``high``."""
        if type(value) is not int:
            self.refuse(f"a whole number is needed, not {kind(value)}", place)
        if not low <= value <= high:
            shown = str(value) if abs(value) < 10**12 else "a huge number"
            expected = str(low) if low == high else f"from {low} to {high}"
            self.refuse(f"{shown} is not possible here: {expected} is", place)
        return value

    def score(self, value: object, place: str) -> float:
        """Accept a cosine similarity and round it."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(f"a number is needed, not {kind(value)}", place)
        if not abs(value) <= LARGEST_SCORE:  # also refuses NaN
            self.refuse("a cosine similarity lies between -1 and 1", place)
        return round(float(value), DECIMALS) + 0.0

    def sha256(self, value: object, place: str) -> str:
        """Accept 64 hexadecimal digits."""
        if not isinstance(value, str) or not _SHA256.fullmatch(value):
            self.refuse("a SHA-256 is needed: 64 digits from 0-9 and a-f", place)
        return value


def kind(value: object) -> str:
    """Name the JSON type of a value.

    Examples
    --------
    >>> kind(None), kind([]), kind(2.5)
    ('null', 'a list', 'a number')
    """
    names = {"str": "text", "int": "a number", "float": "a number", "bool": "true or false", "list": "a list"}
    return "null" if value is None else names.get(type(value).__name__, "an object")
