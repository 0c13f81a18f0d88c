"""Time and memory of the resampling statistics at 5,000 images with 25,000 captions, and beyond.

Run it: ``python tests/benchmarks/statistics_at_scale.py [REPEATS]``. Seconds are medians; the peak is what
numpy allocates beside the inputs (tracemalloc, in a run of its own). "plain" is the obvious vectorised form
of the same statistic in blocks of 16 MiB, timed in turn with ours.
"""

from __future__ import annotations

import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from clipeval.claims.checks.chance_null import hits_by_chance
from clipeval.claims.checks.confusions_inside_category import inside_by_chance
from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.core.comparison import compare_paired
from clipeval.core.paired import sign_flip_test
from clipeval.core.statistics import bootstrap_interval

Job = Callable[[], object]
BLOCK = 2**21


def plain_bootstrap(values: np.ndarray, clusters: np.ndarray, n_resamples: int = 10_000) -> np.ndarray:
    """Draw, gather and add sums and sizes, some resamples at a time."""
    sums, sizes = np.bincount(clusters, weights=values), np.bincount(clusters).astype(float)
    rng = np.random.default_rng(0)
    step = max(1, BLOCK // len(sums))
    means = []
    for start in range(0, n_resamples, step):
        drawn = rng.integers(0, len(sums), size=(min(step, n_resamples - start), len(sums)))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return np.quantile(np.concatenate(means), [0.025, 0.975])


def plain_sign_flip(values: np.ndarray, clusters: np.ndarray, n_resamples: int = 9_999) -> float:
    """Draw one sign for each cluster, some patterns at a time."""
    sums = np.bincount(clusters, weights=values)
    rng = np.random.default_rng(0)
    step = max(1, BLOCK // len(sums))
    reached = 0
    for start in range(0, n_resamples, step):
        signs = 2.0 * rng.binomial(1, 0.5, size=(min(step, n_resamples - start), len(sums))) - 1.0
        reached += int(np.sum(np.abs(signs @ sums) >= abs(sums.sum())))
    return (1 + reached) / (1 + n_resamples)


def jobs() -> list[tuple[str, Job, Job | None]]:
    rng = np.random.default_rng(0)
    images = np.repeat(np.arange(5_000), 5)
    alone = np.arange(25_000)
    uneven = np.repeat(np.arange(5_000), rng.multinomial(20_000, [1 / 5_000] * 5_000) + 1)
    hits = (rng.random(25_000) < 0.4).astype(float)
    one, two = 1.0 / rng.integers(1, 500, 25_000), 1.0 / rng.integers(1, 500, 25_000)
    difference = one - two
    rows = rng.normal(size=(5_000, 64))
    texts = np.repeat(rows, 5, axis=0) + 3 * rng.normal(size=(25_000, 64))
    evaluation = evaluation_of_rows(rows, texts, per_image=5)
    categories = np.repeat(np.arange(50), 100)
    asking, won = rng.integers(0, 5_000, 15_000), rng.integers(0, 5_000, 15_000)
    return [
        (
            "bootstrap, hits, 5 captions",
            lambda: bootstrap_interval(hits, images),
            lambda: plain_bootstrap(hits, images),
        ),
        (
            "bootstrap, 1/rank, 5 captions",
            lambda: bootstrap_interval(one, images),
            lambda: plain_bootstrap(one, images),
        ),
        (
            "bootstrap, 1/rank, uneven",
            lambda: bootstrap_interval(one, uneven),
            lambda: plain_bootstrap(one, uneven),
        ),
        ("bootstrap BCa, 1/rank", lambda: bootstrap_interval(one, images, method="bca"), None),
        (
            "bootstrap, 1/rank, 25,000 alone",
            lambda: bootstrap_interval(one),
            lambda: plain_bootstrap(one, alone),
        ),
        (
            "sign flip, 5 captions",
            lambda: sign_flip_test(difference, images),
            lambda: plain_sign_flip(difference, images),
        ),
        (
            "sign flip, 25,000 alone",
            lambda: sign_flip_test(difference),
            lambda: plain_sign_flip(difference, alone),
        ),
        ("compare_paired, 1/rank", lambda: compare_paired(one, two, images), None),
        ("hits by chance @10, i2t, 999 deals", lambda: hits_by_chance(evaluation, "i2t", 10), None),
        ("hits by chance @10, t2i, 999 deals", lambda: hits_by_chance(evaluation, "t2i", 10), None),
        ("confusions by chance, 1,999 deals", lambda: inside_by_chance(categories, asking, won), None),
    ]


def seconds(job: Job) -> float:
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


def peak_mib(job: Job) -> float:
    tracemalloc.start()
    job()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def main(repeats: int) -> None:
    print(f"{'10,000 resamples, or as said':<44}{'s':>8}{'MiB':>8}{'plain s':>9}{'plain MiB':>11}")
    for name, ours, plain in jobs():
        times: list[tuple[float, float]] = []
        for _ in range(repeats):
            times.append((seconds(ours), seconds(plain) if plain else 0.0))
        mine, theirs = (statistics.median(column) for column in zip(*times, strict=True))
        line = f"{name:<44}{mine:>8.2f}{peak_mib(ours):>8.1f}"
        print(line + (f"{theirs:>9.2f}{peak_mib(plain):>11.1f}" if plain else ""), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
