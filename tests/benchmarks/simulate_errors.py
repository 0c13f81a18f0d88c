"""How often do clipeval's verdicts and intervals err? Simulated, or summed exactly where that is possible.

A check ships only where its error is at most 5 %. Run from the repository's root:

    python tests/benchmarks/simulate_errors.py [REPETITIONS]

``tests/unit/core/test_statistics_errors.py`` runs a reduced version of the same functions.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.stats import binom

from clipeval.core.bootstrap import bootstrap_interval, rate_interval
from clipeval.core.comparison import compare_paired
from clipeval.core.intervals import conservative_score_interval, paired_score_interval
from clipeval.core.noninferiority import judge_non_inferiority, non_inferiority_test
from clipeval.core.paired import exact_mcnemar, sign_flip_test
from clipeval.core.verdict import Verdict

Pair = tuple[np.ndarray, np.ndarray]


def captions_of_images(
    rng: np.random.Generator,
    images: int,
    captions: int,
    rate_a: float,
    rate_b: float,
    spread: tuple[float, float] = (0.5, 0.5),
) -> Pair:
    """Hits of two encoders; captions of one image share its difficulty, each encoder having its own.

    Two correlations within images may be given as ``spread``; equal rates then differ in shape only.
    """

    def hits(rate: float, correlation: float) -> np.ndarray:
        total = 1.0 / correlation - 1.0
        difficulty = rng.beta(rate * total, (1.0 - rate) * total, size=images)
        return (rng.random((images, captions)) < difficulty[:, None]).astype(float).ravel()

    return hits(rate_a, spread[0]), hits(rate_b, spread[1])


def many_small_gains_few_big_losses(rng: np.random.Generator, images: int, captions: int) -> Pair:
    """Equal means, skewed differences: half the images gain one caption, a tenth lose all of them."""
    a = np.zeros((images, captions))
    b = np.zeros((images, captions))
    kind = rng.random(images)
    a[kind < 0.5, 0] = 1.0
    b[kind > 1.0 - 0.5 / captions] = 1.0
    return a.ravel(), b.ravel()


def false_alarms_clustered(
    images: int, captions: int, repetitions: int, *, null: str, seed: int = 0
) -> float:
    """Share of equal encoders about which `compare_paired` decides."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(images), captions)
    wrong = 0
    for _ in range(repetitions):
        if null == "skewed":
            a, b = many_small_gains_few_big_losses(rng, images, captions)
        else:
            spread = (0.5, 0.5) if null == "same shape" else (0.9, 0.1)
            a, b = captions_of_images(rng, images, captions, 0.4, 0.4, spread)
        # a verdict needs p <= 0.05, so most repetitions end before the bootstrap
        if sign_flip_test(a - b, clusters) <= 0.05:
            wrong += compare_paired(a, b, clusters).verdict is not Verdict.UNDECIDED
    return wrong / repetitions


def false_alarms_naive_mcnemar(images: int, captions: int, repetitions: int, *, seed: int = 0) -> float:
    """Count what McNemar over captions, the known mistake, does on the same kind of data."""
    rng = np.random.default_rng(seed)
    wrong = 0
    for _ in range(repetitions):
        a, b = captions_of_images(rng, images, captions, 0.4, 0.4)
        wrong += exact_mcnemar(int((a > b).sum()), int((b > a).sum())) <= 0.05
    return wrong / repetitions


def false_alarm_of_mcnemar(n: int, discordant: float) -> float:
    """Sum the exact probability that equal encoders are told apart; ``discordant`` is the share of pairs."""
    total = 0.0
    for pairs in range(n + 1):
        decided = [b for b in range(pairs + 1) if exact_mcnemar(b, pairs - b) <= 0.05]
        if decided:
            total += float(binom.pmf(pairs, n, discordant) * binom.pmf(decided, pairs, 0.5).sum())
    return total


def false_holds_exact(n: int, margin: float, gain: float, *, level: float = 0.95) -> float:
    """Sum the exact probability of ``holds`` when the true loss is the margin, one query in each cluster.

    ``gain`` is the probability of a query that only the new encoder answers; the loss is gain + margin.
    """
    loss = gain + margin
    total = 0.0
    for c in range(n + 1):
        p_c = float(binom.pmf(c, n, loss))
        if p_c < 1e-9:
            continue
        p_b = binom.pmf(np.arange(n - c + 1), n - c, min(1.0, gain / (1.0 - loss)))
        # the lower bound rises with b, so a bisection finds where `holds` begins
        low, high = 0, n - c + 1
        while low < high:
            middle = (low + high) // 2
            interval = paired_score_interval(middle, c, n, level=level)
            if judge_non_inferiority(interval, margin=margin) is Verdict.HOLDS:
                high = middle
            else:
                low = middle + 1
        total += p_c * float(p_b[low:].sum())
    return total


def false_holds_clustered(
    images: int, captions: int, margin: float, repetitions: int, *, bootstrap: bool = False, seed: int = 0
) -> float:
    """Share of ``holds`` when whole images are lost and the true loss is the margin."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 2 * captions, size=images)  # unequal clusters
    clusters = np.repeat(np.arange(images), sizes)
    wrong = 0
    for _ in range(repetitions):
        lost = (rng.random(images) < margin)[clusters]
        old = np.ones(len(clusters))
        new = np.where(lost, 0.0, 1.0)
        if bootstrap:
            interval = bootstrap_interval(new - old, clusters, n_resamples=1000)
            wrong += judge_non_inferiority(interval, margin=margin) is Verdict.HOLDS
        else:
            wrong += non_inferiority_test(new, old, clusters, margin=margin).verdict is Verdict.HOLDS
    return wrong / repetitions


def missed_by_intervals(
    images: int, captions: int, repetitions: int, *, rates: tuple[float, float], seed: int = 0
) -> dict[str, float]:
    """Share of 95 % intervals for a - b (and for a alone) that miss the truth."""
    rng = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(images), captions)
    truth = rates[0] - rates[1]
    missed = dict.fromkeys(("percentile", "bca", "conservative score", "compare_paired", "rate"), 0)
    for _ in range(repetitions):
        a, b = captions_of_images(rng, images, captions, *rates)
        d = a - b
        for method in ("percentile", "bca"):
            interval = bootstrap_interval(d, clusters, method=method, n_resamples=2000)
            missed[method] += truth not in interval
        missed["conservative score"] += truth not in conservative_score_interval(d, clusters)
        missed["compare_paired"] += truth not in compare_paired(a, b, clusters).interval
        missed["rate"] += rates[0] not in rate_interval(a, clusters)
    return {name: count / repetitions for name, count in missed.items()}


def main(repetitions: int) -> None:
    """Print every table."""
    write = sys.stdout.write
    write("false alarms, exact McNemar, summed exactly (n, share discordant, error)\n")
    for n in (20, 50, 200):
        for discordant in (0.1, 0.3, 0.6, 1.0):
            write(f"  {n:5d} {discordant:4.1f} {false_alarm_of_mcnemar(n, discordant):.4f}\n")
    write(
        "false alarms, 5 captions for each image "
        "(images; compare_paired: same shape, other shape, skewed; McNemar over captions)\n"
    )
    for images in (8, 20, 50, 200):
        nulls = ("same shape", "other shape", "skewed")
        errors = [false_alarms_clustered(images, 5, repetitions, null=null) for null in nulls]
        naive = false_alarms_naive_mcnemar(images, 5, repetitions)
        write(f"  {images:5d} {errors[0]:.4f} {errors[1]:.4f} {errors[2]:.4f} {naive:.4f}\n")
    write("false `holds` of non-inferiority, true loss = margin, summed exactly (n, margin, worst gain)\n")
    for margin in (0.02, 0.05, 0.1):
        for n in (20, 50, 100, 200, 500):
            errors = {gain: false_holds_exact(n, margin, gain) for gain in (0.0, 0.01, 0.03, 0.1, 0.2, 0.4)}
            worst = max(errors, key=errors.__getitem__)
            write(f"  {n:5d} {margin:.2f} {errors[worst]:.4f} at gain {worst}\n")
    write("the same, clusters of 1 to 9 captions (images, margin, score, percentile bootstrap)\n")
    for margin in (0.02, 0.05, 0.1):
        for images in (20, 50, 100, 200, 500):
            score = false_holds_clustered(images, 5, margin, repetitions)
            bootstrap = false_holds_clustered(images, 5, margin, repetitions, bootstrap=True)
            write(f"  {images:5d} {margin:.2f} {score:.4f} {bootstrap:.4f}\n")
    write("95 % intervals that miss (images x 5 captions, rates of a and b)\n")
    for rates in ((0.5, 0.4), (0.9, 0.85), (0.05, 0.02)):
        for images in (20, 50, 100, 200):
            missed = missed_by_intervals(images, 5, repetitions, rates=rates)
            row = "  ".join(f"{name} {share:.3f}" for name, share in missed.items())
            write(f"  {images:5d} {rates}: {row}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
