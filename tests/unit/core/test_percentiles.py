from __future__ import annotations

import math

import numpy as np
import pytest

from clipeval.core.percentiles import percentile_bound
from clipeval.errors import InvalidInputError


def slow_rank(n: int, q: float, confidence: float) -> int:
    """The largest r for which at least r of n samples lie above the quantile, surely enough."""
    best = 0
    for r in range(1, n + 1):
        fewer = sum(math.comb(n, i) * (1 - q) ** i * q ** (n - i) for i in range(r))
        if 1 - fewer >= confidence:
            best = r
    return best


@pytest.mark.parametrize(("q", "needed"), [(0.9, 64), (0.99, 662)])
def test_the_fewest_samples_are_those_at_which_the_second_largest_is_a_bound(q: float, needed: int) -> None:
    assert percentile_bound(range(needed - 1), q).value is None
    assert percentile_bound(range(needed), q).value == needed - 2
    assert percentile_bound(range(5), q).needed == needed
    assert slow_rank(needed, q, 0.99) == 2
    assert slow_rank(needed - 1, q, 0.99) == 1


@pytest.mark.parametrize("q", [0.3, 0.999, 0.99999])
def test_the_fewest_samples_are_found_however_many_they_are(q: float) -> None:
    def two_above(n: int) -> float:
        return 1 - q**n - n * (1 - q) * q ** (n - 1)

    needed = percentile_bound([1.0], q).needed
    assert two_above(needed) >= 0.99 > two_above(needed - 1)


@pytest.mark.parametrize("n", [64, 100, 150, 400])
@pytest.mark.parametrize("confidence", [0.9, 0.99])
def test_the_bound_is_the_sample_that_the_slow_count_names(n: int, confidence: float) -> None:
    rng = np.random.default_rng(n)
    samples = rng.exponential(size=n)
    expected = np.sort(samples)[-slow_rank(n, 0.9, confidence)]
    assert percentile_bound(rng.permutation(samples), 0.9, confidence=confidence).value == expected


def test_the_bound_is_kept_as_often_as_it_promises() -> None:
    samples = np.random.default_rng(0).exponential(size=(2000, 80))
    truth = -math.log(0.1)
    bounds = np.array([percentile_bound(row, 0.9).value for row in samples])
    assert np.mean(bounds >= truth) >= 0.985  # 0.99 less three standard errors


@pytest.mark.parametrize(
    ("samples", "q"), [([1.0, math.nan], 0.9), ([1.0], 0.0), ([1.0], 1.0), ([[1.0]], 0.9)]
)
def test_wrong_input_is_refused(samples, q) -> None:
    with pytest.raises(InvalidInputError):
        percentile_bound(samples, q)
