"""What a check may say."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """The four answers of every check; only ``holds`` is green.

    Attributes
    ----------
    HOLDS
        The data support the statement at its error rate.
    REFUTED
        The data support the opposite at the same error rate.
    UNDECIDED
        The data cannot tell; with 20 pictures that is a normal and honest answer.
    NOT_RUN
        Something needed was absent; the reason stands beside it.

    Examples
    --------
    >>> Verdict("holds") is Verdict.HOLDS, f"{Verdict.NOT_RUN}"
    (True, 'not_run')
    """

    HOLDS = "holds"
    REFUTED = "refuted"
    UNDECIDED = "undecided"
    NOT_RUN = "not_run"
