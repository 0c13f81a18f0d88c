"""Hits by chance, counted over pairs, against deals that are looked at query by query."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from clipeval.claims.checks.chance_null import hits_by_chance, top_k_lists
from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.data import Dataset, Item
from clipeval.evaluation import Evaluation


def slow_hits(evaluation: Evaluation, direction: str, k: int, n_permutations: int, seed: int) -> list[int]:
    """Deal the caption groups, then ask every query whether a right candidate is among its k best."""
    similarity = evaluation.similarity()
    scores = similarity if direction == "i2t" else similarity.T
    best = [set(np.argsort(-row, kind="stable")[:k].tolist()) for row in scores]
    owner = evaluation.dataset.image_of_caption
    rng = np.random.Generator(np.random.PCG64(seed))
    deals = [np.arange(evaluation.dataset.n_images)]
    deals += [rng.permutation(evaluation.dataset.n_images) for _ in range(n_permutations)]
    counts = []
    for dealt in deals:
        if direction == "i2t":
            right = [any(dealt[owner[c]] == image for c in found) for image, found in enumerate(best)]
        else:
            right = [int(dealt[owner[caption]]) in found for caption, found in enumerate(best)]
        counts.append(sum(right))
    return counts


@pytest.fixture
def uneven() -> Evaluation:
    """Thirty images with one to four captions, of which some head many lists."""
    rng = np.random.default_rng(0)
    items = tuple(
        Item(f"{n}.jpg", tuple(f"caption {n} {c}" for c in range(int(rng.integers(1, 5))))) for n in range(30)
    )
    data = Dataset("uneven", items)
    images = rng.normal(size=(30, 4)) + 1.0
    texts = images[data.image_of_caption] + rng.normal(size=(data.n_captions, 4))
    return evaluation_of_rows(images, texts, dataset=data)


@pytest.mark.parametrize("k", [1, 3, 10, 30])
@pytest.mark.parametrize("direction", ["i2t", "t2i"])
def test_hits_are_those_of_deals_looked_at_one_by_one(uneven: Evaluation, direction, k: int) -> None:
    observed, permuted = hits_by_chance(uneven, direction, k, n_permutations=50, seed=4)
    assert [observed, *permuted.tolist()] == slow_hits(uneven, direction, k, 50, 4)


def test_the_lists_keep_no_block_of_scores_in_memory() -> None:
    """200 x 60,000: the indices of all candidates would be 96 MB, the lists are 1,600 bytes."""
    rng = np.random.default_rng(0)
    items = tuple(Item(str(n), tuple(f"caption {c} of {n}" for c in range(300))) for n in range(200))
    images = rng.normal(size=(200, 2))
    texts = np.repeat(images, 300, axis=0)
    evaluation = evaluation_of_rows(images, texts, dataset=Dataset("wide", items))
    tracemalloc.start()
    lists = top_k_lists(evaluation, "i2t", 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lists.shape == (200, 1)
    assert peak < 48 * 2**20
