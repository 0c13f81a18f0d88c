from __future__ import annotations

import itertools
import math
import sys
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from clipeval.core.statistics import (
    CONTRACT,
    Interval,
    Verdict,
    compare_paired,
    exact_mcnemar,
    fewest_discordant,
    holm,
    judge_non_inferiority,
    non_inferiority_test,
    paired_score_interval,
    sign_flip_test,
)
from clipeval.errors import InvalidInputError


def test_mcnemar_agrees_with_statsmodels_and_with_exact_fractions() -> None:
    for b, c in [(0, 0), (1, 0), (5, 0), (6, 0), (2, 9), (10, 10), (30, 55), (0, 60)]:
        n = b + c
        exact = min(Fraction(1), 2 * sum(Fraction(math.comb(n, i), 2**n) for i in range(min(b, c) + 1)))
        assert exact_mcnemar(b, c) == pytest.approx(float(exact), rel=1e-12)
        if n:
            assert exact_mcnemar(b, c) == pytest.approx(mcnemar([[3, b], [c, 4]], exact=True).pvalue)


@pytest.mark.parametrize(("b", "c"), [(1200, 0), (0, 1200), (5000, 17), (1_000_000, 0)])
def test_a_p_that_float64_cannot_hold_is_an_upper_bound_and_never_zero(b: int, c: int) -> None:
    exact = Fraction(2 * sum(math.comb(b + c, i) for i in range(min(b, c) + 1)), 2 ** (b + c))
    assert exact < Fraction(sys.float_info.min)
    assert exact_mcnemar(b, c) == sys.float_info.min
    assert holm([exact_mcnemar(b, c), 0.5]).min() > 0


def test_below_six_discordant_pairs_nothing_is_decided() -> None:
    assert fewest_discordant() == 6
    for n in range(6):
        assert min(exact_mcnemar(b, n - b) for b in range(n + 1)) > 0.05
        first = [1.0] * n + [0.0] * (20 - n)
        assert compare_paired(first, [0.0] * 20).verdict is Verdict.UNDECIDED
    assert exact_mcnemar(6, 0) <= 0.05
    assert compare_paired([1.0] * 6 + [0.0] * 14, [0.0] * 20).verdict is Verdict.HOLDS
    assert fewest_discordant(level=0.5) == 2
    assert fewest_discordant(level=0.9375) == 5


def slow_sign_flip(d: np.ndarray, clusters: np.ndarray) -> float:
    sums = [sum(d[clusters == c]) for c in sorted(set(clusters.tolist()))]
    totals = [
        sum(s * x for s, x in zip(signs, sums, strict=True))
        for signs in itertools.product((1, -1), repeat=len(sums))
    ]
    return float(np.mean([abs(t) >= abs(sum(sums)) - 1e-9 for t in totals]))


def test_the_exact_sign_flip_is_the_share_of_all_patterns() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        clusters = rng.integers(0, 9, size=24)
        d = rng.integers(-3, 4, size=24) / 3
        assert sign_flip_test(d, clusters) == pytest.approx(slow_sign_flip(d, clusters), abs=1e-12)


def test_the_exact_sign_flip_agrees_with_scipys_permutation_test() -> None:
    d = np.random.default_rng(1).normal(0.4, 1, 11)
    theirs = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert sign_flip_test(d) == pytest.approx(theirs)


def test_on_single_hits_the_sign_flip_is_mcnemar() -> None:
    for b, c in [(6, 0), (7, 2), (5, 5), (0, 3), (9, 7)]:
        d = [1.0] * b + [-1.0] * c + [0.0] * 30
        assert sign_flip_test(d) == pytest.approx(exact_mcnemar(b, c))


def test_the_monte_carlo_sign_flip_approaches_the_exact_value_and_is_never_zero() -> None:
    d = [1.0] * 20 + [-1.0] * 10  # 30 differing clusters: beyond enumeration
    assert sign_flip_test(d, n_resamples=99_999) == pytest.approx(exact_mcnemar(20, 10), abs=0.003)
    varied = np.random.default_rng(0).normal(0.3, 1, 40)
    flips = np.random.default_rng(7).choice([-1.0, 1.0], size=(50_000, 40)) @ varied
    expected = np.mean(np.abs(flips) >= abs(varied.sum()))
    assert sign_flip_test(varied, n_resamples=49_999) == pytest.approx(expected, abs=0.006)
    assert sign_flip_test([1.0] * 500) == 1 / 10_000


def test_the_sign_flip_is_seeded_and_sees_whole_clusters() -> None:
    d = np.random.default_rng(0).normal(0.2, 1, 60)
    assert sign_flip_test(d, seed=1) == sign_flip_test(d, seed=1)
    assert sign_flip_test(d, seed=1) != sign_flip_test(d, seed=2)
    images = np.repeat(np.arange(4), 5)
    assert sign_flip_test(np.ones(20)) < 1e-4 + 1 / 10_000
    assert sign_flip_test(np.ones(20), images) == 2 / 2**4


def test_rounding_in_the_sums_does_not_lose_the_observed_pattern() -> None:
    assert sign_flip_test([0.1, 0.2, 0.3, -0.6]) == 1.0
    d = [0.1] * 3 + [0.3] * 2 + [1e-17]
    assert sign_flip_test(d) == sign_flip_test(list(reversed(d))) == 2 / 2**5


def test_holm_agrees_with_statsmodels_and_counts_members_that_did_not_run() -> None:
    rng = np.random.default_rng(0)
    for size in (1, 2, 7, 30):
        p = rng.random(size) ** 3
        np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])
        padded = multipletests(np.r_[p, np.ones(4)], method="holm")[1][:size]
        np.testing.assert_allclose(holm(p, family_size=size + 4), padded)
    assert holm([]).tolist() == []


def test_with_thirty_claims_eleven_one_way_pairs_are_needed() -> None:
    others = [1.0] * 29
    assert holm([exact_mcnemar(10, 0), *others])[0] > 0.05
    assert holm([exact_mcnemar(11, 0), *others])[0] <= 0.05


def test_compare_takes_mcnemar_and_tango_for_single_hits() -> None:
    a = [1.0] * 9 + [0.0] * 2 + [1.0] * 20
    b = [0.0] * 9 + [1.0] * 2 + [1.0] * 20
    result = compare_paired(a, b)
    assert result.p == exact_mcnemar(9, 2)
    assert result.discordant == (9, 2)
    assert result.difference == pytest.approx(7 / 31)
    tango = paired_score_interval(9, 2, 31)
    assert (result.interval.low, result.interval.high) == (tango.low, tango.high)
    assert (result.row, result.n, result.n_clusters) == ("paired-binary", 31, 31)
    assert result.method == "exact McNemar; Tango score"


def test_compare_flips_and_resamples_whole_images_where_they_have_several_captions() -> None:
    rng = np.random.default_rng(0)
    images = np.repeat(np.arange(80), 5)
    a, b = (rng.random((2, 400)) < [[0.6], [0.4]]).astype(float)
    result = compare_paired(a, b, images)
    assert result.row == "paired-clustered"
    assert result.p == sign_flip_test(a - b, images)
    assert result.method == "sign-flip of clusters; percentile bootstrap over clusters"
    assert result.verdict is Verdict.HOLDS
    sums = [(a - b)[images == i].sum() for i in range(80)]
    assert result.discordant == (sum(s > 0 for s in sums), sum(s < 0 for s in sums))
    few = compare_paired(a[:100], b[:100], images[:100])
    assert "conservative" in few.method


def test_fractional_hits_are_not_forced_into_mcnemar() -> None:
    result = compare_paired([0.5, 1.0, 0.0], [0.0, 1.0, 0.0])
    assert result.row == "paired-clustered"
    assert result.p == 1.0


def test_swapping_the_encoders_mirrors_the_answer() -> None:
    a, b = [1.0] * 8 + [0.0] * 8, [0.0] * 15 + [1.0]
    one, other = compare_paired(a, b), compare_paired(b, a)
    assert (one.verdict, other.verdict) == (Verdict.HOLDS, Verdict.REFUTED)
    assert one.difference == -other.difference
    assert (one.interval.low, one.interval.high) == (-other.interval.high, -other.interval.low)


def test_a_verdict_never_contradicts_its_interval_and_the_interval_costs_mcnemar_nothing() -> None:
    for pairs in range(6, 60):
        for b in range(pairs + 1):
            if exact_mcnemar(b, pairs - b) <= 0.05:
                for n in (pairs, pairs + 1, 10 * pairs):
                    assert 0.0 not in paired_score_interval(b, pairs - b, n)


def test_equal_scores_are_said_to_be_equal_but_decide_nothing_about_other_queries() -> None:
    result = compare_paired([1.0] * 20, [1.0] * 20)
    assert (result.difference, result.p, result.discordant) == (0.0, 1.0, (0, 0))
    assert result.verdict is Verdict.UNDECIDED
    assert result.minimum_detectable_effect is None
    assert result.interval.high > 0.1
    assert "identity" in result.note


def test_identical_embeddings_are_equal_by_identity_without_a_test() -> None:
    result = compare_paired([1.0, 0.5], [1.0, 0.5], identical_embeddings=True)
    assert (result.interval.low, result.interval.high) == (0.0, 0.0)
    assert result.method == "no test; identity"
    swap = non_inferiority_test([1.0, 0.5], [1.0, 0.5], margin=0.0, identical_embeddings=True)
    assert swap.verdict is Verdict.HOLDS
    with pytest.raises(InvalidInputError, match="said to be identical"):
        compare_paired([1.0, 0.5], [1.0, 0.0], identical_embeddings=True)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.01, 0.2, "holds"),
        (-0.3, -0.03, "refuted"),
        (-0.03, 0.1, "undecided"),
        (-0.02, 0.1, "undecided"),
        (-0.1, -0.02, "undecided"),
    ],
)
def test_non_inferiority_reads_the_bounds(low: float, high: float, verdict: str) -> None:
    assert judge_non_inferiority(Interval(low, high, 0.95, "given"), margin=0.02) == verdict


def test_non_inferiority_uses_score_intervals_only() -> None:
    single = non_inferiority_test([1.0] * 400, [1.0] * 399 + [0.0], margin=0.02)
    assert single.verdict is Verdict.HOLDS
    assert single.interval == paired_score_interval(1, 0, 400)
    images = np.repeat(np.arange(80), 5)
    clustered = non_inferiority_test(np.ones(400), np.ones(400), images, margin=0.02)
    assert clustered.verdict is Verdict.UNDECIDED  # 80 pictures, not 400
    assert "conservative" in clustered.interval.method
    lost = non_inferiority_test([0.0] * 30 + [1.0] * 70, [1.0] * 100, margin=0.1)
    assert lost.verdict is Verdict.REFUTED


def test_every_result_names_its_row_of_the_contract() -> None:
    rows = {
        compare_paired([1.0], [0.0]).row,
        compare_paired([0.5], [0.0]).row,
        non_inferiority_test([1.0], [1.0], margin=0.1).row,
    }
    assert rows | {"rate"} <= set(CONTRACT)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: exact_mcnemar(1.5, 2), "b must be a whole number"),
        (lambda: exact_mcnemar(1, -2), "c must be a whole number"),
        (lambda: sign_flip_test([math.inf]), "position 0"),
        (lambda: sign_flip_test([1.0], n_resamples=1), "at least 99"),
        (lambda: holm([0.1, math.nan]), "position 1"),
        (lambda: holm([0.1, 0.2], family_size=1), "family of 1"),
        (lambda: compare_paired([1.0, 0.0], [1.0]), "not pairs"),
        (lambda: compare_paired([1.0], [2.0]), "b must lie in"),
        (lambda: compare_paired([1.0], [1.0], ["x", "y"]), "one label for each of 1"),
        (lambda: compare_paired([1.0], [1.0], level=1.0), "level"),
        (lambda: non_inferiority_test([1.0], [1.0], margin=-0.1), "margin"),
    ],
)
def test_bad_input_is_refused_with_the_reason(call, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        call()
