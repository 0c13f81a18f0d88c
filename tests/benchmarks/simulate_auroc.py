"""How often does the interval of the AUROC miss the truth? And how long is it beside what would do?

Pictures and captions of a made-up world are drawn again and again; the truth is the mean of many draws. Run
from the repository's root:

    python tests/benchmarks/simulate_auroc.py [REPETITIONS]

``tests/unit/core/test_auroc_interval.py`` runs a reduced version of the same functions.
"""

from __future__ import annotations

import sys

import numpy as np

from clipeval.core.diagonal import diagonal_statistics

WIDTH = 16
TRUTH_IMAGES, TRUTH_DRAWS = 1000, 30


def draw(
    rng: np.random.Generator, images: int, captions: int, *, noise: float, topics: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw pictures around topics, and captions whose noise is half their picture's and half their own."""
    centres = np.random.default_rng(7).normal(size=(max(1, topics), WIDTH))
    pictures = rng.normal(size=(images, WIDTH))
    if topics:
        pictures = 0.6 * pictures + 1.5 * centres[rng.integers(topics, size=images)]
    owners = np.repeat(np.arange(images), captions)
    texts = (pictures + 0.7 * noise * rng.normal(size=pictures.shape))[owners]
    texts += 0.7 * noise * rng.normal(size=texts.shape)
    return pictures, texts, owners


def misses(
    images: int, captions: int, repetitions: int, *, noise: float, topics: int, seed: int = 0
) -> tuple[float, float, float, float]:
    """Give the truth, the share of intervals that miss it, their mean length, and that of an ideal one.

    The ideal one is 2 x 1.96 standard deviations of the AUROC over the repetitions.
    """
    rng = np.random.default_rng(seed)
    truth = float(
        np.mean(
            [
                diagonal_statistics(*draw(rng, TRUTH_IMAGES, 1, noise=noise, topics=topics)).auroc
                for _ in range(TRUTH_DRAWS)
            ]
        )
    )
    found = [
        diagonal_statistics(*draw(rng, images, captions, noise=noise, topics=topics))
        for _ in range(repetitions)
    ]
    intervals = [one.auroc_interval for one in found if one.auroc_interval is not None]
    missed = float(np.mean([truth not in interval for interval in intervals]))
    length = float(np.mean([interval.high - interval.low for interval in intervals]))
    return truth, missed, length, 2 * 1.96 * float(np.std([one.auroc for one in found]))


def main(repetitions: int) -> None:
    """Print one line for each world and size."""
    print("topics  noise  images  captions    truth  missed   length   ideal")
    for topics in (0, 5):
        for noise in (0.3, 0.8, 2.0, 8.0):
            for images in (5, 20, 100):
                for captions in (1, 5):
                    truth, *rest = misses(images, captions, repetitions, noise=noise, topics=topics)
                    cells = "  ".join(f"{value:6.3f}" for value in rest)
                    print(
                        f"{topics:6d}  {noise:5.1f}  {images:6d}  {captions:8d}  {truth:7.4f}  {cells}",
                        flush=True,
                    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
