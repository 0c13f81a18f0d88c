"""Sums under random signs, eight at a time, against signs that are drawn and added one by one."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from clipeval.core import sign_flips
from clipeval.core.paired import sign_flip_test
from clipeval.core.sign_flips import flipped_sums


def slow_flipped_sums(values: np.ndarray, n_resamples: int, seed: int) -> list[float]:
    """One bit for each value: 32,768 values at a time, for these one resample after the other."""
    source = np.random.PCG64(seed)
    totals = [0.0] * n_resamples
    for start in range(0, len(values), 32_768):
        some = values[start : start + 32_768]
        for resample in range(n_resamples):
            signs: list[int] = []
            while len(signs) < len(some):
                word = int(source.random_raw())
                signs += [1 if word >> bit & 1 else -1 for bit in range(64)]
            totals[resample] += float(np.dot(signs[: len(some)], some))
    return totals


@pytest.mark.parametrize("n", [1, 7, 8, 9, 64, 65, 1000, 33_000])
def test_a_look_up_gives_the_sum_of_signs_drawn_one_by_one(n: int) -> None:
    whole = np.random.default_rng(n).integers(-9, 10, size=n).astype(float)
    assert flipped_sums(whole, 5, seed=3).tolist() == slow_flipped_sums(whole, 5, 3)
    values = np.random.default_rng(n).normal(size=n)
    np.testing.assert_allclose(flipped_sums(values, 5, seed=4), slow_flipped_sums(values, 5, 4), atol=1e-10)


@pytest.mark.parametrize("entries", [1, 1000, 2**30])
def test_the_size_of_blocks_changes_no_bit(monkeypatch: pytest.MonkeyPatch, entries: int) -> None:
    values = np.random.default_rng(0).normal(size=33_000)
    before = flipped_sums(values, 40, seed=5)
    monkeypatch.setattr(sign_flips, "_BLOCK_ENTRIES", entries)
    assert flipped_sums(values, 40, seed=5).tobytes() == before.tobytes()


def test_signs_are_fair_and_independent() -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0])
    sums = flipped_sums(values, 200_000, seed=0)
    patterns, counts = np.unique(sums, return_counts=True)
    assert len(patterns) == 1024
    # a chi-square of 1,023 degrees of freedom: mean 1,023, sd 45
    expected = 200_000 / 1024
    assert abs(float(((counts - expected) ** 2 / expected).sum()) - 1023) < 4 * 45


def test_seeds_give_other_signs_and_one_seed_the_same() -> None:
    values = np.random.default_rng(0).normal(size=100)
    assert flipped_sums(values, 50, seed=1).tolist() == flipped_sums(values, 50, seed=1).tolist()
    assert flipped_sums(values, 50, seed=1).tolist() != flipped_sums(values, 50, seed=2).tolist()


def test_the_first_sums_are_pinned() -> None:
    """numpy keeps the raw stream of PCG64, so these hold in every version and on every machine."""
    assert flipped_sums(np.arange(1.0, 101.0), 4, seed=42).tolist() == [366.0, -818.0, -554.0, 84.0]


def test_the_sign_flip_test_of_many_kinds_agrees_with_drawn_signs() -> None:
    rng = np.random.default_rng(7)
    differences = rng.normal(0.1, 1, 1000)
    clusters = np.repeat(np.arange(200), 5)
    sums = differences.reshape(200, 5).sum(axis=1)
    flips = rng.choice([-1.0, 1.0], size=(40_000, 200)) @ sums
    expected = np.mean(np.abs(flips) >= abs(sums.sum()))
    assert 0.001 < expected < 0.5
    assert sign_flip_test(differences, clusters, n_resamples=39_999) == pytest.approx(expected, abs=0.01)


def test_under_the_null_the_sign_flip_test_of_many_kinds_keeps_its_level() -> None:
    rng = np.random.default_rng(11)
    p = [sign_flip_test(rng.normal(size=100), n_resamples=999, seed=seed) for seed in range(400)]
    # binomial of 400 at .05: 20, sd 4.4
    assert 7 <= np.sum(np.array(p) <= 0.05) <= 33
    assert min(p) >= 1 / 1000


@pytest.mark.parametrize("kinds", ["few", "many"])
def test_blocks_do_not_change_p(monkeypatch: pytest.MonkeyPatch, kinds: str) -> None:
    rng = np.random.default_rng(2)
    d = rng.integers(-3, 5, size=300) / 3 if kinds == "few" else rng.normal(0.05, 1, 300)
    before = sign_flip_test(d)
    for entries in (1, 3000):
        monkeypatch.setattr(sign_flips, "_BLOCK_ENTRIES", entries)
        monkeypatch.setattr("clipeval.core.paired._BLOCK_ENTRIES", entries)
        assert sign_flip_test(d) == before


def test_memory_is_bounded() -> None:
    """25,000 differences and 9,999 patterns: drawn at once, the signs alone would be 2 GB."""
    differences = np.random.default_rng(0).normal(size=25_000)
    sign_flip_test(differences, n_resamples=99)
    tracemalloc.start()
    sign_flip_test(differences)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 * 2**20
