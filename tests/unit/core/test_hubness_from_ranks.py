"""Hubs counted from lists that the ranking has made already."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipeval import rank_retrieval
from clipeval.core import hubness as module
from clipeval.core.geometry import hubness
from clipeval.errors import InvalidInputError


@settings(max_examples=60)
@given(st.integers(0, 2**16), st.integers(1, 5), st.sampled_from(["i2t", "t2i"]))
def test_hubs_from_lists_are_those_of_all_scores_even_with_ties_copies_and_unranked_queries(
    seed: int, k: int, direction: str
) -> None:
    rng = np.random.default_rng(seed)
    images, texts = rng.integers(-1, 2, size=(8, 3)), rng.integers(-1, 2, size=(6, 3))
    owners = [rng.choice(8, size=rng.integers(0, 3), replace=False).tolist() for _ in range(6)]
    ranks = rank_retrieval(images, texts, owners, top=k + 1)
    found = hubness(images, texts, k=k, direction=direction, ranks=getattr(ranks, direction))
    expected = hubness(images, texts, k=k, direction=direction)
    np.testing.assert_allclose(found.counts, expected.counts, atol=1e-12)
    assert found.antihub_share == expected.antihub_share


def test_lists_that_end_clearly_are_not_scored_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    images, texts = rng.normal(size=(20, 6)), rng.normal(size=(20, 6))
    expected = hubness(images, texts, k=4)
    ranks = rank_retrieval(images, texts, top=5).i2t
    monkeypatch.setattr(module, "top_k_membership", lambda *_, **__: pytest.fail("scored again"))
    np.testing.assert_array_equal(hubness(images, texts, k=4, ranks=ranks).counts, expected.counts)


@pytest.mark.parametrize(
    ("rows", "top", "words"), [(5, 5, "6 queries"), (6, 3, "lists of 4"), (6, 0, "lists")]
)
def test_ranks_of_another_run_or_without_long_enough_lists_are_refused(
    rows: int, top: int, words: str
) -> None:
    ranks = rank_retrieval(np.eye(6), np.eye(6), top=top).i2t
    with pytest.raises(InvalidInputError, match=words):
        hubness(np.eye(6)[:rows], np.eye(6)[:rows], k=3, ranks=ranks)
