from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from clipeval.core.statistics import (
    bootstrap_interval,
    clustered_standard_error,
    conservative_score_interval,
    minimum_detectable_effect,
    paired_score_interval,
    rate_interval,
    wilson_interval,
)
from clipeval.errors import InvalidInputError

IMAGES = np.repeat(np.arange(60), 5)


@pytest.fixture
def hits() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.random((60, 5)) < rng.beta(1, 1, 60)[:, None]).astype(float).ravel()


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("successes", "n"), [(0, 20), (1, 20), (7, 20), (20, 20), (276, 500), (1, 1)])
def test_wilson_agrees_with_statsmodels_and_scipy(successes: int, n: int, level: float) -> None:
    ours = wilson_interval(successes, n, level=level)
    expected = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    np.testing.assert_allclose((ours.low, ours.high), expected, atol=1e-12)
    scipys = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    np.testing.assert_allclose((ours.low, ours.high), scipys, atol=1e-12)


def test_wilson_reproduces_the_reference_value_and_never_leaves_the_unit_interval() -> None:
    ours = wilson_interval(0.552 * 500, 500)
    assert (round(ours.low, 4), round(ours.high, 4)) == (0.5082, 0.5950)
    for k in range(21):
        interval = wilson_interval(k, 20, level=0.999)
        assert 0.0 <= interval.low <= k / 20 <= interval.high <= 1.0


def slow_tango(b: int, c: int, n: int, delta: float) -> float:
    """The score statistic with the restricted likelihood maximised by a grid, then a finer grid."""

    def log_likelihood(q: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = [
                np.where(count > 0, count * np.log(np.maximum(probability, 0)), 0.0)
                for count, probability in ((b, q + delta), (c, q), (n - b - c, 1 - 2 * q - delta))
            ]
        return np.where((q + delta < 0) | (1 - 2 * q - delta < 0), -np.inf, sum(terms))

    low, high = max(0.0, -delta), (1 - delta) / 2
    for _ in range(12):
        grid = np.linspace(low, high, 101)
        best = int(np.argmax(log_likelihood(grid)))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, 100)]
    q = grid[best]
    return (b - c - n * delta) / math.sqrt(n * (2 * q + delta * (1 - delta)))


@pytest.mark.parametrize(
    ("b", "c", "n"), [(1, 7, 21), (7, 1, 21), (9, 4, 44), (0, 5, 20), (3, 3, 10), (12, 0, 14), (40, 55, 500)]
)
def test_tango_bounds_are_where_the_score_test_turns(b: int, c: int, n: int) -> None:
    interval = paired_score_interval(b, c, n)
    assert slow_tango(b, c, n, interval.low) == pytest.approx(1.959963984540054, abs=1e-4)
    assert slow_tango(b, c, n, interval.high) == pytest.approx(-1.959963984540054, abs=1e-4)
    inside = np.linspace(interval.low, interval.high, 9)[1:-1]
    assert all(abs(slow_tango(b, c, n, delta)) < 1.96 for delta in inside)


def test_tango_reproduces_the_published_airway_example() -> None:
    # Fagerland, Lydersen & Laake 2014 (Stat. Med. 33), airway hyper-responsiveness, 21 children
    interval = paired_score_interval(1, 7, 21)
    assert (round(interval.low, 3), round(interval.high, 3)) == (-0.517, -0.026)


def test_tango_without_discordant_pairs_has_its_closed_form() -> None:
    z2 = stats.norm.ppf(0.975) ** 2
    for n in (5, 20, 500):
        interval = paired_score_interval(0, 0, n)
        assert interval.high == pytest.approx(z2 / (n + z2), abs=1e-10)
        assert interval.low == pytest.approx(-z2 / (n + z2), abs=1e-10)
    everything = paired_score_interval(20, 0, 20)
    assert everything.high == 1.0
    assert everything.low == pytest.approx((20 - z2) / (20 + z2), abs=1e-10)


def test_tango_mirrors_when_the_encoders_change_places_and_holds_the_estimate() -> None:
    for n in (6, 15):
        for b in range(n + 1):
            for c in range(n + 1 - b):
                one, other = paired_score_interval(b, c, n), paired_score_interval(c, b, n)
                assert (one.low, one.high) == (-other.high, -other.low)
                assert -1.0 <= one.low <= (b - c) / n <= one.high <= 1.0


def test_the_conservative_interval_is_tangos_where_each_image_has_one_query() -> None:
    d = np.array([1.0] * 3 + [-1.0] * 5 + [0.0] * 12)
    ours, tango = conservative_score_interval(d), paired_score_interval(3, 5, 20)
    np.testing.assert_allclose((ours.low, ours.high), (tango.low, tango.high), atol=1e-12)


def test_repeating_every_caption_adds_no_evidence() -> None:
    d = np.array([1.0] * 3 + [-1.0] * 5 + [0.0] * 12)
    alone, repeated = (
        conservative_score_interval(np.repeat(d, times), np.repeat(np.arange(20), times)) for times in (1, 5)
    )
    np.testing.assert_allclose((alone.low, alone.high), (repeated.low, repeated.high), atol=1e-9)


def slow_bootstrap(values: np.ndarray, clusters: np.ndarray, resamples: int) -> np.ndarray:
    rng = np.random.default_rng(99)
    names = list(dict.fromkeys(clusters.tolist()))
    means = []
    for _ in range(resamples):
        drawn = [values[clusters == names[i]] for i in rng.integers(0, len(names), len(names))]
        means.append(np.concatenate(drawn).mean())
    return np.array(means)


@pytest.mark.parametrize("kinds", ["few", "many"])
@pytest.mark.parametrize("sizes", ["equal", "unequal"])
def test_the_bootstrap_resamples_images_with_all_their_captions(hits, kinds: str, sizes: str) -> None:
    values = hits if kinds == "few" else hits + np.random.default_rng(1).random(300) / 10
    keep = np.ones(300, bool) if sizes == "equal" else np.random.default_rng(2).random(300) < 0.6
    values, clusters = values[keep], IMAGES[keep]
    ours = bootstrap_interval(values, clusters, n_resamples=20_000)
    expected = np.quantile(slow_bootstrap(values, clusters, 4_000), [0.025, 0.975])
    np.testing.assert_allclose((ours.low, ours.high), expected, atol=0.008)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_single_queries_agree_with_scipys_bootstrap(method: str) -> None:
    values = np.random.default_rng(5).lognormal(0, 1.3, size=25)  # skewed: BCa and percentile differ
    ours = bootstrap_interval(values, method=method, n_resamples=40_000)
    theirs = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=40_000,
        method={"bca": "BCa"}.get(method, method),
        rng=np.random.default_rng(0),
    ).confidence_interval
    np.testing.assert_allclose((ours.low, ours.high), theirs, rtol=0.02)
    other = bootstrap_interval(values, method="percentile" if method == "bca" else "bca", n_resamples=40_000)
    assert abs(other.high - ours.high) > 0.06 * ours.high


def test_the_bootstrap_reproduces_the_reference_interval() -> None:
    ours = bootstrap_interval([1] * 276 + [0] * 224)
    np.testing.assert_allclose((ours.low, ours.high), (0.508, 0.596), atol=0.0021)


def test_the_bootstrap_is_seeded_and_blocks_do_not_matter(hits, monkeypatch) -> None:
    noisy = hits + np.random.default_rng(1).random(300)
    one = bootstrap_interval(noisy, IMAGES, seed=3)
    assert bootstrap_interval(noisy, IMAGES, seed=3) == one
    assert bootstrap_interval(noisy, IMAGES, seed=4) != one
    monkeypatch.setattr("clipeval.core.bootstrap._BLOCK_ENTRIES", 1000)
    assert bootstrap_interval(noisy, IMAGES, seed=3) == one


def test_cluster_labels_may_be_any_names_in_any_order(hits) -> None:
    order = np.random.default_rng(0).permutation(300)
    names = np.array([f"image-{i:03d}" for i in IMAGES])
    assert bootstrap_interval(hits[order], names[order]) == bootstrap_interval(hits, IMAGES)
    shuffled = clustered_standard_error(hits[order], names[order])
    assert shuffled == pytest.approx(clustered_standard_error(hits, IMAGES))


def test_clustering_widens_the_interval_of_captions_that_agree(hits) -> None:
    clustered, naive = bootstrap_interval(hits, IMAGES), bootstrap_interval(hits)
    assert clustered.high - clustered.low > 1.3 * (naive.high - naive.low)


def test_clustered_standard_error_is_millers_double_sum(hits) -> None:
    values, clusters = hits[:40], IMAGES[:40]
    n, mean = 40, hits[:40].mean()
    total = sum((x - mean) ** 2 for x in values) / (n - 1) / n
    for i in range(n):
        for j in range(n):
            if i != j and clusters[i] == clusters[j]:
                total += (values[i] - mean) * (values[j] - mean) / n**2
    assert clustered_standard_error(values, clusters) == pytest.approx(total**0.5)
    assert clustered_standard_error(values) == pytest.approx(stats.sem(values))


def test_a_rate_gets_wilson_alone_the_bootstrap_in_clusters_and_never_a_zero_width(hits) -> None:
    assert rate_interval(hits[::5]) == wilson_interval(hits[::5].sum(), 60)
    assert rate_interval(hits, IMAGES) == bootstrap_interval(hits, IMAGES)
    perfect = rate_interval(np.ones(300), IMAGES)
    assert perfect.low == wilson_interval(60, 60).low
    assert "conservative" in perfect.method
    few = rate_interval(hits[:100], IMAGES[:100])
    assert few.low == pytest.approx(wilson_interval(hits[:100].mean() * 20, 20).low)


def test_minimum_detectable_effect_is_the_formula_and_is_found_with_its_power(hits) -> None:
    d = hits - 0.3
    expected = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * d.std(ddof=1) / 300**0.5
    assert minimum_detectable_effect(d) == pytest.approx(expected)
    assert minimum_detectable_effect(d, IMAGES) > 1.3 * expected
    draws = np.random.default_rng(0).normal(0.28, 1, (2000, 100))
    found = abs(draws.mean(axis=1) / stats.sem(draws, axis=1)) > 1.96
    mde = minimum_detectable_effect(np.tile([-1.0, 1.0], 50)) / (100 / 99) ** 0.5
    assert mde == pytest.approx(0.28, abs=0.001)
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("d", [[0.0, 0.0, 0.0], [0.2, 0.2], [1.0]])
def test_a_detectable_effect_without_spread_is_not_a_number_but_none(d: list[float]) -> None:
    assert minimum_detectable_effect(d) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson_interval(3, 2), "not a proportion"),
        (lambda: wilson_interval(0, 0), "not a proportion"),
        (lambda: wilson_interval(1, 2, level=95), "level must lie between 0 and 1"),
        (lambda: paired_score_interval(3, 3, 5), "not a paired table"),
        (lambda: paired_score_interval(-1, 3, 5), "not a paired table"),
        (lambda: conservative_score_interval([0.0, 1.5]), r"\[-1, 1\]"),
        (lambda: bootstrap_interval([]), "at least one number"),
        (lambda: bootstrap_interval([0.0, math.nan]), "position 1"),
        (lambda: bootstrap_interval([0.0, 1.0], [1]), "one label for each of 2"),
        (lambda: bootstrap_interval([0.0, 1.0], method="bac"), "did you mean 'bca'"),
        (lambda: bootstrap_interval([0.0, 1.0], n_resamples=5), "at least 100"),
        (lambda: rate_interval([0.0, 1.2]), "position 1"),
        (lambda: clustered_standard_error([1.0]), "two values"),
        (lambda: minimum_detectable_effect([0.0, 1.0], power=1.0), "power"),
    ],
)
def test_bad_input_is_refused_with_the_reason(call, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        call()
