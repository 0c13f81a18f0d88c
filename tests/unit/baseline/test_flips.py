"""(4) Which queries gained or lost the first place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clipeval.baseline.flips import both_directions, query_flips
from clipeval.errors import InvalidInputError


def slow_flips(images, old_texts, new_texts, old_images=None):
    """For one caption a picture, without ties: sort, look who is first."""

    def unit(rows):
        rows = np.asarray(rows, dtype=np.float64)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    sides = [
        unit(old_images if old_images is not None else images) @ unit(old_texts).T,
        unit(images) @ unit(new_texts).T,
    ]
    found = {}
    for direction, scores in (("i2t", sides), ("t2i", [side.T for side in sides])):
        orders = [[list(np.argsort(-row)) for row in side] for side in scores]
        ranks = [[order.index(row) + 1 for row, order in enumerate(side)] for side in orders]
        rows = range(len(images))
        for word, won, failed in (("gained", 1, 0), ("lost", 0, 1)):
            changed = [row for row in rows if ranks[won][row] == 1 and ranks[failed][row] > 1]
            changed.sort(key=lambda row: -ranks[failed][row])
            found[direction, word] = [
                (f"{row:04}.jpg", ranks[0][row], ranks[1][row], f"{orders[failed][row][0]:04}")
                for row in changed
            ]
    return found


@pytest.mark.parametrize("seed", range(5))
def test_flips_agree_with_sorting_every_row(snapshot, pairs, seed: int) -> None:
    images, texts = pairs(60, noise=2.0, seed=seed)
    rng = np.random.default_rng(seed)
    moved = (texts + rng.normal(size=texts.shape)).astype(np.float32)
    expected = slow_flips(images, texts, moved)
    for flips in both_directions(snapshot(images, texts), snapshot(images, moved)):
        for word in ("gained", "lost"):
            found = [(flip.item, flip.old_rank, flip.new_rank) for flip in getattr(flips, word)]
            wanted = [entry[:3] for entry in expected[flips.direction, word]]
            assert found == wanted
            rivals = [entry[3] for entry in expected[flips.direction, word]]
            for flip, rival in zip(getattr(flips, word), rivals, strict=True):
                name = f"caption 0 of {rival}" if flips.direction == "i2t" else f"{rival}.jpg"
                assert flip.rival == name
                assert flip.rival_score > (flip.new_score if word == "lost" else flip.old_score)
    assert any(expected.values())


def test_a_lost_caption_query_is_told_with_its_text_its_ranks_and_who_is_first_now(snapshot) -> None:
    images = np.eye(3)
    texts = np.array([[3.0, 1, 0], [0, 3, 1], [0, 0, 1]])
    worse = np.array([[1.0, 2, 3], [0, 3, 1], [0, 0, 1]])
    (flip,) = query_flips(snapshot(images, texts), snapshot(images, worse), "t2i").lost
    assert (flip.item, flip.caption) == ("0000.jpg", "caption 0 of 0000")
    assert (flip.old_rank, flip.new_rank, flip.rival) == (1.0, 3.0, "0002.jpg")
    assert flip.old_score == pytest.approx(3 / 10**0.5)
    assert (flip.new_score, flip.rival_score) == pytest.approx((1 / 14**0.5, 3 / 14**0.5))


def test_the_same_data_in_another_order_flip_nothing(snapshot, pairs) -> None:
    images, texts = pairs(50, noise=2.0, per_image=2)
    order = np.random.default_rng(2).permutation(50)
    one = snapshot(images, texts, per_image=2)
    other = snapshot(images, texts, per_image=2, order=order)
    assert [(flips.gained, flips.lost) for flips in both_directions(one, other)] == [((), ())] * 2


def test_a_first_place_that_becomes_shared_is_lost_and_swapping_the_sides_makes_it_gained(snapshot) -> None:
    images = np.array([[1.0, 0], [0, 1]])
    shared = np.array([[1.0, 0], [1, 1]])
    one, other = snapshot(images, images), snapshot(images, shared)
    (lost,) = query_flips(one, other, "t2i").lost
    assert (lost.old_rank, lost.new_rank) == (1.0, 1.5)
    (gained,) = query_flips(other, one, "t2i").gained
    assert (gained.old_rank, gained.new_rank, gained.rival) == (1.5, 1.0, "0000.jpg")


def test_a_changed_rank_below_the_first_place_is_no_flip(snapshot) -> None:
    images = np.eye(3)
    second = np.array([[2.0, 3, 1], [0, 1, 0], [0, 0, 1]])
    third = np.array([[1.0, 3, 2], [0, 1, 0], [0, 0, 1]])
    flips = query_flips(snapshot(images, second), snapshot(images, third), "t2i")
    assert (flips.gained, flips.lost) == ((), ())


def test_the_largest_fall_comes_first_and_equal_falls_by_id(snapshot) -> None:
    images = np.eye(4)
    worse = np.array([[1.0, 2, 0, 0], [2, 1, 0, 0], [3, 2, 1, 0], [0, 0, 0, 1]])
    lost = query_flips(snapshot(images, images), snapshot(images, worse), "t2i").lost
    assert [flip.item for flip in lost] == ["0002.jpg", "0000.jpg", "0001.jpg"]


def test_files_with_other_queries_are_refused_by_name(snapshot, pairs) -> None:
    kept = snapshot(*pairs(4))
    shorter = replace(kept, t2i=replace(kept.t2i, queries=kept.t2i.queries[1:]))
    with pytest.raises(InvalidInputError, match=r"4 old and 3 new queries(.|\n)*t2i"):
        both_directions(kept, shorter)
    swapped = replace(kept, i2t=replace(kept.i2t, queries=kept.i2t.queries[::-1]))
    with pytest.raises(InvalidInputError, match=r"'0000\.jpg', new query 0 of item '0003\.jpg'"):
        both_directions(kept, swapped)
    fewer = replace(kept, i2t=replace(kept.i2t, n_candidates=3))
    with pytest.raises(InvalidInputError, match="among 4 candidates, the new ones among 3"):
        both_directions(kept, fewer)


def test_a_guess_that_becomes_a_miss_has_lost_no_first_place(snapshot) -> None:
    constant, wrong = np.ones((8, 8)), np.roll(np.eye(8), 1, axis=1)
    flips = query_flips(snapshot(np.eye(8), constant), snapshot(np.eye(8), wrong), "t2i")
    assert (flips.lost, flips.gained) == ((), ())
    back = query_flips(snapshot(np.eye(8), wrong), snapshot(np.eye(8), np.eye(8)), "t2i")
    assert len(back.gained) == 8
