"""Error rates of verdicts and intervals, simulated; the full tables come from the script used here."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "simulate_errors.py"


@pytest.fixture(scope="module")
def simulate() -> dict:
    return runpy.run_path(str(SCRIPT))


def three_errors(share: float, repetitions: int) -> float:
    """Monte-Carlo noise allowed above a true share."""
    return 3 * (share * (1 - share) / repetitions) ** 0.5


@pytest.mark.parametrize("n", [20, 50])
@pytest.mark.parametrize("discordant", [0.1, 0.6, 1.0])
def test_mcnemar_cries_wolf_at_most_one_time_in_twenty(simulate, n: int, discordant: float) -> None:
    assert simulate["false_alarm_of_mcnemar"](n, discordant) <= 0.05


@pytest.mark.parametrize("null", ["same shape", "other shape", "skewed"])
@pytest.mark.parametrize("images", [8, 20, 60])
def test_clustered_comparisons_cry_wolf_at_most_one_time_in_twenty(simulate, images: int, null: str) -> None:
    error = simulate["false_alarms_clustered"](images, 5, 150, null=null)
    assert error <= 0.05 + three_errors(0.05, 150)


def test_mcnemar_over_captions_is_the_mistake_that_clusters_prevent(simulate) -> None:
    assert simulate["false_alarms_naive_mcnemar"](50, 5, 200) > 0.12


@pytest.mark.parametrize("n", [20, 50, 200])
@pytest.mark.parametrize("margin", [0.02, 0.1])
@pytest.mark.parametrize("gain", [0.0, 0.03, 0.2])
def test_non_inferiority_holds_falsely_at_most_one_time_in_twenty(
    simulate, n: int, margin: float, gain: float
) -> None:
    assert simulate["false_holds_exact"](n, margin, gain) <= 0.05


@pytest.mark.parametrize("images", [20, 100])
def test_clustered_non_inferiority_is_safe_where_a_bootstrap_is_not(simulate, images: int) -> None:
    assert simulate["false_holds_clustered"](images, 5, 0.02, 200) <= 0.05
    assert simulate["false_holds_clustered"](images, 5, 0.02, 200, bootstrap=True) > 0.15


@pytest.mark.parametrize(("images", "rates"), [(20, (0.05, 0.02)), (50, (0.5, 0.4))])
def test_printed_intervals_miss_about_as_rarely_as_they_say(simulate, images: int, rates) -> None:
    missed = simulate["missed_by_intervals"](images, 5, 80, rates=rates)
    for name in ("compare_paired", "rate"):
        assert missed[name] <= 0.06 + three_errors(0.06, 80), name
