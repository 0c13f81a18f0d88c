"""Properties that hold for every input or not at all: no statistics, one counterexample refutes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clipeval.claims.claim import Check, Finding, WithoutP
from clipeval.core.verdict import Verdict
from clipeval.evaluation import Evaluation


def exact(counterexample: Callable[[], str], *, shown: str) -> Check:
    """Make a check of no evaluations from a function that looks for a counterexample.

    Parameters
    ----------
    counterexample : callable
        Returns what goes wrong, in one sentence, or an empty string.
    shown : str
        What is shown where it finds none.

    Returns
    -------
    Check
        Row "exact" of the contract: ``holds`` or ``refuted``; no p-value.

    Examples
    --------
    >>> exact(lambda: "", shown="one plus one is two")([]).verdict.value
    'holds'
    >>> exact(lambda: "0.1 + 0.2 is not 0.3", shown="sums are exact")([]).sentence
    '0.1 + 0.2 is not 0.3'
    """

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        found = counterexample()
        return Finding(Verdict.REFUTED, found) if found else Finding(Verdict.HOLDS, shown)

    return WithoutP(check)
