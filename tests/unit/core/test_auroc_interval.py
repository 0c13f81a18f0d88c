"""The interval of the AUROC: its influences, and where it is longest."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from clipeval.core.diagonal import diagonal_statistics, diagonal_statistics_by_part
from clipeval.core.intervals import wilson_interval

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "simulate_auroc.py"


def uneven(seed: int, *, many: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give images and captions of which one image has many, so that it weighs more than others."""
    rng = np.random.default_rng(seed)
    owners = np.concatenate([np.arange(12), np.full(many, 3)])
    images = rng.normal(size=(12, 6))
    texts = images[owners] + 2.5 * rng.normal(size=(len(owners), 6))
    texts[-many:] = -images[3] + 0.3 * rng.normal(size=(many, 6))
    return images, texts, owners


def weighted_auroc(images: np.ndarray, texts: np.ndarray, owners: np.ndarray, weights: np.ndarray) -> float:
    """AUROC with a weight for each image: for its right pairs, its row, and its captions' columns."""
    unit = [(side / np.linalg.norm(side, axis=1, keepdims=True)) for side in (images, texts)]
    scores = unit[0] @ unit[1].T
    won = total = 0.0
    for caption, image in enumerate(owners):
        for row in range(len(images)):
            for column, other in enumerate(owners):
                if row == other:
                    continue
                weight = weights[image] * weights[row] * weights[other]
                total += weight
                won += weight * (scores[image, caption] > scores[row, column])
    return won / total


def test_the_interval_has_the_variance_of_the_influence_of_each_image() -> None:
    images, texts, owners = uneven(0, many=14)
    ones, step = np.ones(len(images)), 1e-4
    influence = [
        (
            weighted_auroc(images, texts, owners, ones + step * np.eye(12)[image])
            - weighted_auroc(images, texts, owners, ones - step * np.eye(12)[image])
        )
        / (2 * step)
        for image in range(12)
    ]
    variance = float(np.sum(np.square(influence))) * 12 / 11
    found = diagonal_statistics(images, texts, owners)
    trials = found.auroc * (1 - found.auroc) / variance
    assert trials < 12  # one image weighs so much that there are fewer independent trials than images
    expected = wilson_interval(found.auroc * trials, trials)
    assert found.auroc_interval is not None
    assert found.auroc_interval.low == pytest.approx(expected.low, abs=1e-6)
    assert found.auroc_interval.high == pytest.approx(expected.high, abs=1e-6)


def test_there_are_never_more_trials_than_images() -> None:
    rng = np.random.default_rng(1)
    images = rng.normal(size=(40, 8))
    owners = np.repeat(np.arange(40), 5)
    found = diagonal_statistics(images, images[owners] + rng.normal(size=(200, 8)), owners)
    expected = wilson_interval(found.auroc * 40, 40)
    assert found.auroc_interval is not None
    assert (found.auroc_interval.low, found.auroc_interval.high) == (expected.low, expected.high)


def test_without_a_lost_pair_the_interval_has_the_width_of_as_many_hits() -> None:
    found = diagonal_statistics(np.eye(20), np.eye(20))
    expected = wilson_interval(20, 20)
    assert found.auroc_interval is not None
    assert (found.auroc_interval.low, found.auroc_interval.high) == (expected.low, 1.0)


def test_without_negative_pairs_there_is_no_interval() -> None:
    assert diagonal_statistics(np.eye(1), np.eye(1)).auroc_interval is None
    assert diagonal_statistics(np.eye(3), np.eye(3), auroc=False).auroc_interval is None


def test_the_order_of_rows_changes_no_bit_and_parts_change_no_interval_of_the_whole() -> None:
    images, texts, owners = uneven(2, many=9)
    expected = diagonal_statistics(images, texts, owners).auroc_interval
    turned = diagonal_statistics(images[::-1], texts, 11 - owners).auroc_interval
    whole, parts = diagonal_statistics_by_part(images, texts, owners, part_of_image=np.arange(12) % 3 - 1)
    assert expected is not None
    for found in (turned, whole.auroc_interval):
        assert found is not None
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-14)
    assert [part.auroc_interval for part in parts] == [None, None]


def test_images_that_share_a_caption_are_one_unit() -> None:
    rng = np.random.default_rng(5)
    images, texts = rng.normal(size=(2, 6, 4))
    alone = diagonal_statistics(images, texts, [[0], [1], [2], [3], [4], [5]]).auroc_interval
    shared = diagonal_statistics(
        images, texts, [[0, 1], [0, 1], [2, 3], [2, 3], [4, 5], [4, 5]]
    ).auroc_interval
    assert alone is not None
    assert shared is not None
    assert shared.high - shared.low > alone.high - alone.low  # three units, not six


@pytest.mark.parametrize("noise", [0.8, 2.0, 8.0])
@pytest.mark.parametrize(("images", "captions", "topics"), [(20, 1, 0), (20, 5, 5)])
def test_the_interval_misses_the_truth_at_most_one_time_in_twenty(
    noise: float, images: int, captions: int, topics: int
) -> None:
    misses = runpy.run_path(str(SCRIPT))["misses"]
    _, missed, length, _ = misses(images, captions, 100, noise=noise, topics=topics)
    assert missed <= 0.05
    assert length < 0.45  # 20 hits at chance have .40
