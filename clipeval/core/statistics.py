"""Intervals, paired tests and verdicts in one place; the contract that they keep is in `contract`."""

from __future__ import annotations

from clipeval.core.bootstrap import bootstrap_interval, clustered_standard_error, rate_interval
from clipeval.core.comparison import PairedTest, compare_paired
from clipeval.core.contract import CONTRACT
from clipeval.core.intervals import (
    Interval,
    conservative_score_interval,
    paired_score_interval,
    wilson_interval,
)
from clipeval.core.multiplicity import holm
from clipeval.core.noninferiority import NonInferiority, judge_non_inferiority, non_inferiority_test
from clipeval.core.paired import exact_mcnemar, fewest_discordant, sign_flip_test
from clipeval.core.power import minimum_detectable_effect
from clipeval.core.verdict import Verdict

__all__ = [
    "CONTRACT",
    "Interval",
    "NonInferiority",
    "PairedTest",
    "Verdict",
    "bootstrap_interval",
    "clustered_standard_error",
    "compare_paired",
    "conservative_score_interval",
    "exact_mcnemar",
    "fewest_discordant",
    "holm",
    "judge_non_inferiority",
    "minimum_detectable_effect",
    "non_inferiority_test",
    "paired_score_interval",
    "rate_interval",
    "sign_flip_test",
    "wilson_interval",
]
