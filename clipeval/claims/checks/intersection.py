"""Claims that say "all of these": an intersection-union test."""

from __future__ import annotations

from collections.abc import Sequence

from clipeval.core.comparison import PairedTest
from clipeval.core.verdict import Verdict


def all_hold(tests: Sequence[PairedTest], *, level: float = 0.95) -> tuple[Verdict, float]:
    """Judge a statement that is true only if every one of its parts is.

    It holds where every part does, each at the full level: the largest p is the p of the whole (R. L. Berger
    1982, Technometrics 24). It is refuted where one part is, with Bonferroni's correction for having looked
    at all of them.

    Parameters
    ----------
    tests : sequence of PairedTest
        The parts, at least one.
    level : float
        The level at which they were judged.

    Returns
    -------
    verdict : Verdict
    p : float
        Of the verdict that the parts point to.

    Examples
    --------
    >>> from clipeval.core.comparison import compare_paired
    >>> clear = compare_paired([1] * 9, [0] * 9)
    >>> equal = compare_paired([1] * 9, [1] * 9)
    >>> all_hold([clear, clear])[0].value, all_hold([clear, equal])[0].value
    ('holds', 'undecided')
    """
    against = [test.p for test in tests if test.verdict is Verdict.REFUTED]
    if against:
        p = min(1.0, min(against) * len(tests))
        return (Verdict.REFUTED if p <= 1 - level + 1e-12 else Verdict.UNDECIDED), p
    verdict = Verdict.HOLDS if all(test.verdict is Verdict.HOLDS for test in tests) else Verdict.UNDECIDED
    return verdict, max(test.p for test in tests)
