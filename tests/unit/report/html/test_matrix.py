from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.core.similarity import cosine_similarity
from clipeval.report.html import matrix
from clipeval.report.html.arrays import unpacked
from clipeval.report.html.matrix import block_shape, bytes_of_a_score, matrix_data


def scores(rows: int, columns: int) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Random scores, and what is stored of them."""
    rng = np.random.default_rng(0)
    images, texts = rng.normal(size=(rows, 6)), rng.normal(size=(columns, 6))
    evaluation = evaluation_of_rows(images, texts, per_image=columns // rows)
    order = np.arange(rows), np.arange(columns)
    block = block_shape(rows, columns, models=1)
    return cosine_similarity(images, texts), matrix_data(evaluation, *order, block=block, models=1)


def read(stored: dict[str, Any], name: str, shape: tuple[int, int]) -> NDArray[np.float64]:
    return stored["low"] + stored["step"] * unpacked(stored[name]).reshape(shape)


def test_every_score_comes_back_to_half_the_stated_step() -> None:
    true, stored = scores(20, 40)
    assert stored["block"] == [1, 1]
    assert np.abs(read(stored, "mean", true.shape) - true).max() <= stored["step"] / 2 + 1e-12
    assert stored["step"] < 1e-4


def test_scores_that_are_all_equal_come_back() -> None:
    evaluation = evaluation_of_rows(np.ones((2, 1)), np.ones((4, 1)), per_image=2)
    stored = matrix_data(evaluation, np.arange(2), np.arange(4), block=(1, 1), models=1)
    assert read(stored, "mean", (2, 4)).tolist() == [[1.0] * 4] * 2


def test_blocks_tell_mean_least_and_largest_of_exactly_their_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "BUDGET", 60)
    true, stored = scores(11, 22)  # neither is a multiple of a block
    tall, wide = stored["block"]
    assert tall > 1
    down, across = -(-11 // tall), -(-22 // wide)
    outwards = stored["outwards"]
    mean = read(stored, "mean", (down, across))
    least, largest = (read({**stored, **outwards}, name, (down, across)) for name in ("least", "largest"))
    noise = 1e-6  # of float32 scores
    for row in range(down):
        for column in range(across):
            block = true[row * tall : (row + 1) * tall, column * wide : (column + 1) * wide]
            assert abs(mean[row, column] - block.mean()) <= stored["step"] / 2 + noise
            assert -noise <= block.min() - least[row, column] <= outwards["step"] + noise
            assert -noise <= largest[row, column] - block.max() <= outwards["step"] + noise


def test_the_means_of_blocks_are_finer_than_three_digits_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "BUDGET", 60)
    _, stored = scores(11, 22)
    assert stored["step"] < 1e-4
    assert stored["outwards"]["step"] < 1e-2


def test_above_a_number_of_pairs_blocks_hold_their_means_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "BUDGET", 60)
    monkeypatch.setattr(matrix, "MOST_PASSED", 100)
    true, stored = scores(11, 22)
    assert not {"least", "largest", "outwards"} & set(stored)
    assert stored["low"] > true.min()
    assert abs(stored["deviation"] - true.std()) < 1e-6


@pytest.mark.parametrize(
    ("n", "c", "models"), [(20, 20, 3), (1000, 5000, 1), (1000, 5000, 4), (2000, 12000, 8)]
)
def test_all_matrices_of_a_page_keep_the_budget(n: int, c: int, models: int) -> None:
    tall, wide = block_shape(n, c, models=models)
    size = bytes_of_a_score(n * c * models)
    stored = n * c * size if size else -(-n // tall) * -(-c // wide) * matrix.BYTES_OF_A_BLOCK
    assert stored * models <= matrix.BUDGET
