from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from clipeval.report.html import matrix
from clipeval.report.html.arrays import unpacked
from clipeval.report.html.matrix import block_shape, bytes_of_a_score, matrix_data


def scores(rows: int, columns: int) -> NDArray[np.float64]:
    return np.random.default_rng(0).normal(scale=0.2, size=(rows, columns)).clip(-1, 1)


def read(stored: dict[str, Any], name: str, shape: tuple[int, int]) -> NDArray[np.float64]:
    return stored["low"] + stored["step"] * unpacked(stored[name]).reshape(shape)


def test_every_score_comes_back_to_half_the_stated_step() -> None:
    true = scores(20, 30)
    stored = matrix_data(true, models=1)
    assert stored["block"] == [1, 1]
    assert np.abs(read(stored, "mean", true.shape) - true).max() <= stored["step"] / 2 + 1e-12
    assert stored["step"] < 1e-4


def test_scores_that_are_all_equal_come_back() -> None:
    stored = matrix_data(np.full((3, 4), 0.25), models=1)
    assert read(stored, "mean", (3, 4)).tolist() == [[0.25] * 4] * 3


def test_blocks_tell_mean_least_and_largest_of_exactly_their_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "BUDGET", 60)
    true = scores(11, 23)  # neither is a multiple of a block
    stored = matrix_data(true, models=1)
    tall, wide = stored["block"]
    assert tall > 1
    down, across = -(-11 // tall), -(-23 // wide)
    for name, of in (("mean", np.mean), ("least", np.min), ("largest", np.max)):
        found = read(stored, name, (down, across))
        for row in range(down):
            for column in range(across):
                block = true[row * tall : (row + 1) * tall, column * wide : (column + 1) * wide]
                assert abs(found[row, column] - of(block)) <= stored["step"] / 2 + 1e-12


@pytest.mark.parametrize(
    ("n", "c", "models"), [(20, 20, 3), (1000, 5000, 1), (1000, 5000, 4), (2000, 12000, 8)]
)
def test_all_matrices_of_a_page_keep_the_budget(n: int, c: int, models: int) -> None:
    tall, wide = block_shape(n, c, models=models)
    size = bytes_of_a_score(n * c * models)
    stored = n * c * size if size else -(-n // tall) * -(-c // wide) * matrix.BYTES_OF_A_BLOCK
    assert stored * models <= matrix.BUDGET
