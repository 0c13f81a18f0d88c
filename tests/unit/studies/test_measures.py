"""The numbers that studies published, against the plainest way to get them."""

from __future__ import annotations

import numpy as np
import pytest

from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.errors import InvalidInputError
from clipeval.evaluation import Evaluation
from clipeval.studies.measures import improvement, measured
from clipeval.studies.retrieval import retrieved


@pytest.fixture(scope="module")
def found() -> Evaluation:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(12, 6))
    names = ["Nature"] * 5 + ["World Cuisine"] * 7
    return evaluation_of_rows(images, images + rng.normal(size=(12, 6)), categories=names)


def plain_scores(found: Evaluation) -> np.ndarray:
    a, b = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (found.images, found.texts))
    return a.astype(float) @ b.astype(float).T


@pytest.mark.parametrize(
    ("measure", "plain"),
    [
        ("right pairs mean", lambda s: s.diagonal().mean()),
        ("right pairs sd", lambda s: s.diagonal().std()),
        ("right pairs lowest", lambda s: s.diagonal().min()),
        ("right pairs highest", lambda s: s.diagonal().max()),
        ("wrong pairs mean", lambda s: s[~np.eye(12, dtype=bool)].mean()),
        ("wrong pairs highest", lambda s: s[~np.eye(12, dtype=bool)].max()),
        ("all pairs lowest", lambda s: s.min()),
        ("right pairs mean in World Cuisine", lambda s: s.diagonal()[5:].mean()),
        ("all pairs highest in Nature", lambda s: s[:5].max()),
        ("hit_rate@1 i2t", lambda s: np.mean(s.argmax(axis=1) == np.arange(12))),
        ("hits@5 t2i", lambda s: sum(c in np.argsort(-s[:, c])[:5] for c in range(12))),
    ],
)
def test_a_measure_is_what_its_words_say(found: Evaluation, measure: str, plain) -> None:
    assert measured(measure, found) == pytest.approx(plain(plain_scores(found)), abs=1e-6)


def test_what_the_data_cannot_give_is_said() -> None:
    small = evaluation_of_rows(np.eye(3), np.eye(3))
    assert measured("hit_rate@100 i2t", small) == "only 3 candidates"
    assert measured("right pairs mean in Nature", small) == "no category 'Nature'"


@pytest.mark.parametrize("measure", ["accuracy", "hits@0 t2i", "all pairs mean", "right pairs median"])
def test_unknown_measures_are_refused(found: Evaluation, measure: str) -> None:
    with pytest.raises(InvalidInputError, match="there is no measure"):
        measured(measure, found)


def test_improvement_over_zero_is_a_difference_only() -> None:
    assert improvement(0.0, 1.0) == "+1.000 (relative to 0: undefined)"
    assert improvement(0.25, 0.5) == "+0.250 (2.0 times)"


def test_the_graded_score_is_the_mean_discount_of_the_right_pictures_place(found: Evaluation) -> None:
    scores = plain_scores(found)
    places = [1 + int(np.sum(scores[:, c] > scores[c, c])) for c in range(12)]
    graded = np.mean([1 / np.log2(1 + place) if place <= 5 else 0.0 for place in places])
    one = retrieved(found, k=5)
    assert one is not None
    assert one.graded == pytest.approx(graded)
    assert one.hits == sum(place <= 5 for place in places)
    assert one.chance == pytest.approx(5.0)


def test_a_constant_model_has_exactly_chance_hits_and_grade() -> None:
    one = retrieved(evaluation_of_rows(np.ones((8, 3)), np.ones((8, 3))), k=5)
    assert one is not None
    assert one.hits == pytest.approx(one.chance)
    assert one.graded == pytest.approx(one.graded_chance)
