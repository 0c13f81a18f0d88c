"""How many neighbours may be asked for."""

from __future__ import annotations

import numpy as np

from clipeval.errors import InvalidInputError


def check_k(k: int, largest: int, what: str) -> None:
    """Refuse a k that is not a whole number between 1 and the number of candidates.

    Parameters
    ----------
    k : int
        What the caller wants.
    largest : int
        Number of candidates.
    what : str
        What the candidates are, for the error.

    Raises
    ------
    InvalidInputError
        Says how many candidates there are.

    Examples
    --------
    >>> check_k(1, 3, "texts")
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= largest:
        raise InvalidInputError(f"k must be a whole number in 1 ... {largest} ({what}), not {k!r}")
