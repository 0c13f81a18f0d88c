"""Class embeddings and hits against loops that say what they mean."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clipeval.core.classification import class_embeddings, rank_classes
from clipeval.errors import InvalidInputError


def slow_class(rows: list[list[float]]) -> list[float]:
    total = [0.0] * len(rows[0])
    for row in rows:
        norm = math.sqrt(sum(x * x for x in row))
        total = [t + x / norm for t, x in zip(total, row, strict=True)]
    norm = math.sqrt(sum((t / len(rows)) ** 2 for t in total))
    return [t / len(rows) / norm for t in total]


def slow_hits(images, classes, right) -> list[float]:
    hits = []
    for image, own in zip(images, right, strict=True):
        norm = math.sqrt(sum(float(x) ** 2 for x in image))
        scores = [sum(float(a) / norm * float(b) for a, b in zip(image, one, strict=True)) for one in classes]
        better = sum(score > scores[own] + 1e-9 for score in scores)
        level = sum(abs(score - scores[own]) <= 1e-9 for score in scores)
        hits.append(0.0 if better else 1.0 / level)
    return hits


@pytest.mark.parametrize("seed", range(3))
def test_a_class_is_the_mean_of_unit_rows_made_unit_again(seed) -> None:
    rng = np.random.default_rng(seed)
    which = rng.permutation(np.repeat(np.arange(5), 7))
    rows = rng.normal(size=(35, 8)) * rng.uniform(0.01, 100, size=(35, 1))
    expected = [slow_class(rows[which == number].tolist()) for number in range(5)]
    assert np.allclose(class_embeddings(rows, which), expected, atol=1e-6)


def test_a_long_row_has_no_more_weight_than_a_short_one() -> None:
    assert class_embeddings([[1000.0, 0.0], [0.0, 0.001]], [0, 0])[0] == pytest.approx([0.5**0.5] * 2)


@pytest.mark.parametrize("seed", range(3))
def test_hits_are_those_of_a_loop_over_pictures_and_classes(seed) -> None:
    rng = np.random.default_rng(seed)
    images, classes = rng.normal(size=(60, 6)), rng.normal(size=(9, 6))
    classes[4] = 3.0 * classes[2]  # a tie for whoever is right there
    classes = class_embeddings(classes, np.arange(9))
    right = rng.integers(0, 9, size=60)
    assert rank_classes(images, classes, right).hits(1).tolist() == slow_hits(images, classes, right)


def test_one_embedding_for_everything_is_exactly_chance_whatever_class_is_frequent() -> None:
    ranks = rank_classes(np.ones((50, 4)), np.ones((10, 4)), [0] * 40 + [7] * 10)
    assert ranks.hit_rate(1) == pytest.approx(0.1, abs=1e-15)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: class_embeddings([[1, 0], [0, 1]], [0, 2]), "class 1 of 3 has no text"),
        (lambda: class_embeddings([[1, 0], [0, 1]], [0]), "class_of_row must hold 2 whole numbers"),
        (lambda: class_embeddings([[1, 0], [0, 1]], [0.0, 1.0]), "whole numbers"),
        (lambda: class_embeddings([[1, 0], [0, 1]], [0, -1]), "negative"),
        (lambda: class_embeddings([[1, float("nan")]], [0]), "NaN"),
        (lambda: rank_classes([[1, 0]], [[1, 0]], [0, 0]), "class_of_image must hold 1"),
        (lambda: rank_classes([[1, 0]], [[1, 0]], [-1]), "negative"),
        (lambda: rank_classes([[1, 0]], [[1, 0]], [1]), "1"),
        (lambda: rank_classes([[1, 0]], [[1, 0, 0]], [0]), "width"),
    ],
)
def test_numbers_that_do_not_fit_are_refused_in_words(call, words) -> None:
    with pytest.raises(InvalidInputError, match=words):
        call()
