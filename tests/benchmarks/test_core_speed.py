"""How long the core takes; compare two runs with --benchmark-compare-fail=median:10%."""

from __future__ import annotations

import numpy as np
import pytest

from clipeval import cosine_similarity, rank_retrieval
from clipeval.core.projection import gaussian_projection

pytest.importorskip("pytest_benchmark", reason="needs pytest-benchmark: pip install 'clipeval[dev]'")


@pytest.fixture(scope="module")
def embeddings():
    rng = np.random.default_rng(0)
    images = rng.standard_normal((1000, 512)).astype(np.float32)
    owner = np.repeat(np.arange(1000), 5)
    return images, images[owner] + 3 * rng.standard_normal((5000, 512)).astype(np.float32), owner


def test_ranking_a_thousand_pictures_and_five_thousand_captions(benchmark, embeddings):
    ranks = benchmark(rank_retrieval, *embeddings)
    assert ranks.t2i.n_queries == 5000


def test_the_bare_float64_product_that_ranking_is_measured_against(benchmark, embeddings):
    images, texts, _ = embeddings
    scores = benchmark(lambda: images.astype(np.float64) @ texts.astype(np.float64).T)
    assert scores.shape == (1000, 5000)


def test_cosine_similarity_of_a_thousand_pictures(benchmark, embeddings):
    images, texts, _ = embeddings
    assert benchmark(cosine_similarity, images, texts).shape == (1000, 5000)


def test_the_projection_of_study_s5(benchmark):
    matrix = benchmark(gaussian_projection, 2048, 384, seed=42)
    assert matrix.shape == (2048, 384)
