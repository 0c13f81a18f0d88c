"""Choosing claims by their ids."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from clipeval.errors import ClipevalError, near


def is_selected(claim_id: str, selector: str) -> bool:
    """Whether a selector means a claim.

    Parameters
    ----------
    claim_id : str
        Such as ``study/s5/joint-beats-random``.
    selector : str
        Patterns (``study/*``) or parts of an id (``random``), joined by commas; one must fit. Empty means
        all claims.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_selected("study/s5/joint-beats-random", "geometry/*,random")
    True
    >>> is_selected("study/s5/joint-beats-random", "s5/*")
    False
    """
    words = _words(selector)
    return not words or any(word in claim_id or fnmatchcase(claim_id, word) for word in words)


def check_selector(selector: str, claim_ids: Iterable[str]) -> None:
    """Refuse a selector with a part that means no claim at all.

    Parameters
    ----------
    selector : str
        See `is_selected`.
    claim_ids : iterable of str
        All that there are.

    Raises
    ------
    ClipevalError
        Names the part and near matches.

    Examples
    --------
    >>> check_selector("gap,hubnes", ["geometry/gap", "geometry/hubness"])
    """
    known = sorted(set(claim_ids))
    for word in _words(selector):
        if not any(is_selected(claim_id, word) for claim_id in known):
            fix = near(word, known)
            if not fix.startswith("did you mean"):  # more than a hundred ids in one line help nobody
                kinds = sorted({claim_id.partition("/")[0] + "/*" for claim_id in known if "/" in claim_id})
                fix = ", ".join([*kinds, "or a part of an id: clipeval check --list shows them"])
            raise ClipevalError(f"no claim is selected by '{word}'", where="--claims", fix=fix)


def _words(selector: str) -> list[str]:
    return [word.strip() for word in selector.split(",") if word.strip()]
