"""A comparison with a baseline as JUnit XML."""

from __future__ import annotations

from typing import Literal

from clipeval.baseline.changes import metric_in_words
from clipeval.baseline.result import SwapResult
from clipeval.core.verdict import Verdict
from clipeval.report.junit import JunitCase, junit_xml
from clipeval.report.swap_text import headline, swap_message

Outcome = Literal["passed", "failed", "skipped"]
OUTCOME: dict[Verdict, Outcome] = {
    Verdict.HOLDS: "passed",
    Verdict.REFUTED: "failed",
    Verdict.UNDECIDED: "skipped",
    # a check that compares nothing would stay silent for ever
    Verdict.NOT_RUN: "failed",
}
"""What a test says for a verdict."""


def swap_junit(result: SwapResult) -> str:
    """Write a comparison as a JUnit report of one test.

    Parameters
    ----------
    result : SwapResult
        Of `clipeval.baseline.compare.compare_snapshots`.

    Returns
    -------
    str
        XML.
    """
    return junit_xml(
        JunitCase(
            group="clipeval.baseline",
            name=headline(result),
            outcome=OUTCOME[result.verdict],
            summary=f"{result.verdict.value}: {result.reason}",
            text=swap_message(result),
            properties=swap_properties(result),
        )
    )


def swap_properties(result: SwapResult) -> dict[str, str]:
    """Give the evidence under names that machines can read.

    Parameters
    ----------
    result : SwapResult

    Returns
    -------
    dict of str to str
        Verdict, reason, one entry for each metric, for each modality's drift and for each guard.
    """
    return {
        "clipeval_verdict": result.verdict.value,
        "clipeval_reason": result.reason,
        **{f"clipeval_{drift.modality}": drift.kind for drift in result.drift},
        **{
            f"clipeval_{change.metric}_{change.direction}": metric_in_words(change)
            for change in result.metrics
        },
        **{
            f"clipeval_{guard.name.replace(' ', '_')}": "tripped" if guard.tripped else "quiet"
            for guard in result.guards
        },
    }
