"""Blocks of a similarity matrix, against the whole matrix."""

from __future__ import annotations

import numpy as np
import pytest

from clipeval.core import score_blocks as module
from clipeval.core.score_blocks import score_blocks
from clipeval.core.similarity import cosine_similarity


@pytest.mark.parametrize(("tall", "wide"), [(1, 1), (2, 3), (7, 5), (50, 90)])
def test_means_extremes_and_moments_are_those_of_the_whole_matrix(
    tall: int, wide: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 8)  # blocks go on from one stretch to the next
    monkeypatch.setattr(module, "COLUMNS", 16)
    rng = np.random.default_rng(0)
    images, texts = rng.normal(size=(31, 6)).astype(np.float32), rng.normal(size=(47, 6)).astype(np.float32)
    images[3] = 0.0
    rows, columns = rng.permutation(31), rng.permutation(47)
    found = score_blocks(images, texts, rows, columns, tall=tall, wide=wide)
    scores = cosine_similarity(images, texts)[rows][:, columns]
    for at in np.ndindex(found.mean.shape):
        block = scores[at[0] * tall : (at[0] + 1) * tall, at[1] * wide : (at[1] + 1) * wide]
        assert found.mean[at] == pytest.approx(block.mean(), abs=1e-7)
        assert found.least is not None
        assert found.largest is not None
        assert found.least[at] == pytest.approx(block.min(), abs=1e-6)
        assert found.largest[at] == pytest.approx(block.max(), abs=1e-6)
    assert found.average == pytest.approx(scores.mean(), abs=1e-7)
    assert found.deviation == pytest.approx(scores.std(), abs=1e-6)


def test_without_extremes_no_pair_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_extremes", lambda *_: pytest.fail("pairs were scored"))
    order = np.arange(5)
    found = score_blocks(np.eye(5), np.eye(5), order, order, tall=2, wide=2, extremes=False)
    assert (found.least, found.largest) == (None, None)
