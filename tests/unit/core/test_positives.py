from __future__ import annotations

import numpy as np
import pytest

from clipeval import rank_scores
from clipeval.core.positives import Positives, both_directions, parse_positives
from clipeval.errors import InvalidInputError


def as_lists(positives: Positives) -> list[list[int]]:
    return [
        positives.candidates[start:end].tolist()
        for start, end in zip(positives.offsets[:-1], positives.offsets[1:], strict=True)
    ]


def parse(values: object, *, n_queries: int = 3, n_candidates: int = 4) -> Positives:
    return parse_positives(values, n_queries=n_queries, n_candidates=n_candidates, name="owner")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values",
    [
        [2, 0, 2],
        (2, 0, 2),
        np.array([2, 0, 2]),
        np.array([2, 0, 2], dtype=np.uint8),
        [[2], [0], [2]],
        [np.array([2]), 0, (2,)],
        [np.int32(2), np.int64(0), 2],
    ],
)
def test_an_integer_vector_and_lists_of_one_mean_the_same(values: object) -> None:
    assert as_lists(parse(values)) == [[2], [0], [2]]


def test_lists_may_hold_any_number_and_keep_their_order() -> None:
    positives = parse([[3, 0, 1], [], [2]])
    assert as_lists(positives) == [[3, 0, 1], [], [2]]
    assert positives.counts.tolist() == [3, 0, 1]
    assert positives.query_of_pair.tolist() == [0, 0, 0, 2]
    assert (positives.n_queries, positives.n_candidates) == (3, 4)


def test_the_other_side_of_a_map_equals_looking_up_every_pair() -> None:
    rng = np.random.default_rng(0)
    lists = [rng.choice(9, size=rng.integers(0, 6), replace=False).tolist() for _ in range(30)]
    slow = [[q for q, row in enumerate(lists) if candidate in row] for candidate in range(9)]
    assert as_lists(parse(lists, n_queries=30, n_candidates=9).inverted()) == slow


def test_rows_pair_up_when_nothing_is_said() -> None:
    i2t, t2i = both_directions(None, None, n_images=3, n_captions=3)
    assert as_lists(i2t) == as_lists(t2i) == [[0], [1], [2]]


def test_the_second_direction_is_the_reverse_of_the_first() -> None:
    i2t, t2i = both_directions([1, 1, 0], None, n_images=3, n_captions=3)
    assert as_lists(t2i) == [[1], [1], [0]]
    assert as_lists(i2t) == [[2], [0, 1], []]


def test_each_direction_may_have_its_own_positives() -> None:
    i2t, t2i = both_directions([[0], [1], [0, 1]], [[1], []], n_images=2, n_captions=3)
    assert as_lists(t2i) == [[0], [1], [0, 1]]
    assert as_lists(i2t) == [[1], []]


@pytest.mark.parametrize("captions_of_image", [[[2], [1], [0]], [[2], [0, 1]]])
def test_captions_of_image_alone_decides_both_directions(captions_of_image: list[list[int]]) -> None:
    n = len(captions_of_image)
    i2t, t2i = both_directions(None, captions_of_image, n_images=n, n_captions=3)
    assert as_lists(i2t) == captions_of_image
    assert as_lists(t2i) == [[i for i in range(n) if j in captions_of_image[i]] for j in range(3)]


def test_a_one_to_one_guess_needs_equal_counts() -> None:
    with pytest.raises(InvalidInputError, match=r"2 images and 3 captions(.|\n)*image_of_caption"):
        both_directions(None, None, n_images=2, n_captions=3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0, 1], r"has 2 rows for 3 embeddings"),
        ([[0], [1], [2], [3]], r"has 4 rows for 3 embeddings"),
        (np.array([0.0, 1.0, 2.0]), r"float64"),
        (np.zeros((3, 2), dtype=int), r"\(3, 2\)"),
        (7, "integer vector or a list of lists"),
        ([0, 1.5, 2], r"integers, got 1.5(.|\n)*row 1"),
        ([0, True, 2], r"integers, got True(.|\n)*row 1"),
        ([0, None, 2], r"integers, got None(.|\n)*row 1"),
        (["0", "1", "2"], r"integers, got '0'(.|\n)*row 0"),
        ([[0], [[1]], [2]], r"row 1"),
        ([[0], [1, [0]], [2]], r"row 1"),
        ([[0], {1, 2}, [2]], r"row 1"),
        ([[0], [1], [2, 3, 2]], r"twice(.|\n)*row 2"),
        ([0, 4, 2], r"points to 4, but there are 4 candidates(.|\n)*row 1"),
        (np.array([0, 1, -1]), r"points to -1(.|\n)*row 2"),
        ([[0], [], [1, 9]], r"points to 9(.|\n)*row 2"),
        ([[], [], [-1]], r"points to -1(.|\n)*row 2"),
        (np.array([0, 2**63, 1], dtype=np.uint64), r"candidates(.|\n)*row 1"),
        ({0: [1], 1: [2], 2: [3]}, "dict"),
        ({0, 1, 2}, "set"),
    ],
)
def test_wrong_positives_are_refused_with_name_and_row(values: object, message: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"owner(.|\n)*{message}|{message}(.|\n)*owner"):
        parse(values)


def test_errors_of_rank_scores_name_the_argument_that_is_wrong() -> None:
    scores = np.eye(3)
    with pytest.raises(InvalidInputError, match=r"image_of_caption points to 3(.|\n)*row 2"):
        rank_scores(scores, [0, 1, 3])
    with pytest.raises(InvalidInputError, match=r"captions_of_image points to 5(.|\n)*row 1"):
        rank_scores(scores, [0, 1, 2], captions_of_image=[[0], [1, 5], []])
