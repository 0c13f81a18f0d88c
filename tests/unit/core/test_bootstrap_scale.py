"""The bootstrap over many clusters: what is drawn, in how much memory, and that blocks do not show."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from clipeval.core.statistics import bootstrap_interval


def slow_means(values: np.ndarray, clusters: np.ndarray, n_resamples: int, seed: int) -> list[float]:
    """Draw clusters one resample at a time, and add up their values and their sizes."""
    rng = np.random.Generator(np.random.PCG64(seed))
    groups = [values[clusters == label] for label in np.unique(clusters)]
    means = []
    for _ in range(n_resamples):
        chosen = [groups[at] for at in rng.integers(0, len(groups), size=len(groups))]
        means.append(sum(float(g.sum()) for g in chosen) / sum(len(g) for g in chosen))
    return means


@pytest.mark.parametrize("sizes", ["equal", "unequal"])
def test_resamples_are_those_of_a_loop_over_clusters(sizes: str) -> None:
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(80), 5 if sizes == "equal" else rng.integers(1, 9, size=80))
    values = rng.normal(size=len(clusters))
    expected = np.quantile(slow_means(values, clusters, 300, seed=9), [0.025, 0.975])
    ours = bootstrap_interval(values, clusters, n_resamples=300, seed=9)
    np.testing.assert_allclose((ours.low, ours.high), expected, rtol=1e-12)


@pytest.mark.parametrize("entries", [1, 999, 2**24])
@pytest.mark.parametrize("sizes", ["equal", "unequal"])
def test_the_size_of_blocks_changes_no_bit(monkeypatch: pytest.MonkeyPatch, entries: int, sizes: str) -> None:
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(200), 5 if sizes == "equal" else rng.integers(1, 9, size=200))
    values = rng.normal(size=len(clusters))
    before = [bootstrap_interval(values, clusters, method=m, n_resamples=500) for m in ("percentile", "bca")]
    monkeypatch.setattr("clipeval.core.bootstrap._BLOCK_ENTRIES", entries)
    after = [bootstrap_interval(values, clusters, method=m, n_resamples=500) for m in ("percentile", "bca")]
    assert after == before


def test_memory_is_bounded() -> None:
    """5,000 images with 5 captions, 10,000 resamples: drawn at once they would be 400 MB."""
    values = np.random.default_rng(0).normal(size=25_000)
    clusters = np.repeat(np.arange(5_000), 5)
    bootstrap_interval(values, clusters, n_resamples=100)
    tracemalloc.start()
    bootstrap_interval(values, clusters)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 2**20
