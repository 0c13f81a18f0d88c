"""(5) What the swap did to each metric."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clipeval.baseline.changes import JUDGED, guess_would_do, metric_changes, metric_in_words
from clipeval.core.comparison import compare_paired
from clipeval.core.noninferiority import non_inferiority_test
from clipeval.core.verdict import Verdict


def slow_ranks(images, texts, per_image: int):
    """Place of the best right answer of every query, by sorting; for scores without ties."""

    def unit(rows):
        rows = np.asarray(rows, dtype=np.float64)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    scores = unit(images) @ unit(texts).T
    owner = [at // per_image for at in range(len(texts))]
    i2t = [
        1 + min(place for place, at in enumerate(np.argsort(-row)) if owner[at] == query)
        for query, row in enumerate(scores)
    ]
    t2i = [1 + list(np.argsort(-row)).index(owner[query]) for query, row in enumerate(scores.T)]
    return {"i2t": np.array(i2t), "t2i": np.array(t2i)}


@pytest.mark.parametrize("per_image", [1, 3])
def test_every_figure_agrees_with_sorted_lists_and_with_the_tests_of_the_core(
    snapshot, pairs, per_image: int
) -> None:
    n = 40
    images, texts = pairs(n, noise=2.5, per_image=per_image)
    moved = (texts + np.random.default_rng(1).normal(size=texts.shape)).astype("f4")
    changes = metric_changes(
        snapshot(images, texts, per_image=per_image),
        snapshot(images, moved, per_image=per_image),
        margin=0.03,
        level=0.9,
        seed=5,
    )
    before, after = slow_ranks(images, texts, per_image), slow_ranks(images, moved, per_image)
    assert len(changes) == 8
    for change in changes:
        sides = [side[change.direction] for side in (before, after)]
        if change.metric == "mrr":
            was, now = (1 / ranks for ranks in sides)
        else:
            k = int(change.metric.split("@")[1])
            was, now = ((ranks <= k).astype(float) for ranks in sides)
        clusters = np.repeat(np.arange(n), 1 if change.direction == "i2t" else per_image)
        assert (change.old, change.new) == pytest.approx((was.mean(), now.mean()), abs=1e-12)
        safe = non_inferiority_test(now, was, clusters, margin=0.03, level=0.9)
        assert (change.interval.low, change.interval.high) == pytest.approx(
            (safe.interval.low, safe.interval.high)
        )
        assert change.verdict is safe.verdict
        assert change.p == pytest.approx(compare_paired(now, was, clusters, level=0.9, seed=5).p)


def test_first_places_and_reciprocal_ranks_are_judged_and_longer_lists_are_for_information(
    snapshot, pairs
) -> None:
    kept = snapshot(*pairs(12))
    changes = metric_changes(kept, kept, margin=0.02)
    assert [(change.direction, change.metric) for change in changes if change.judged] == [
        (direction, metric) for direction in ("i2t", "t2i") for metric in JUDGED
    ]
    assert {change.metric for change in changes if not change.judged} == {"hit_rate@5", "hit_rate@10"}


def test_a_list_longer_than_the_gallery_is_left_out(snapshot, pairs) -> None:
    kept = snapshot(*pairs(3, per_image=2), per_image=2)
    found = [(change.direction, change.metric) for change in metric_changes(kept, kept, margin=0.02)]
    assert ("i2t", "hit_rate@5") in found  # among 6 captions
    assert ("t2i", "hit_rate@5") not in found  # among 3 pictures


def test_equal_scores_are_undecided_at_three_queries_unless_the_answers_are_the_same_by_identity(
    snapshot, pairs
) -> None:
    kept = snapshot(*pairs(3))
    assert {change.verdict for change in metric_changes(kept, kept, margin=0.02)} == {Verdict.UNDECIDED}
    same = metric_changes(kept, kept, margin=0.0, same_answers=True)
    assert {(change.verdict, change.interval.high, change.p) for change in same} == {
        (Verdict.HOLDS, 0.0, 1.0)
    }


def test_captions_shared_by_pictures_tie_their_pictures_to_one_unit(snapshot, pairs) -> None:
    images, texts = pairs(60, noise=2.5)
    moved = texts + np.random.default_rng(1).normal(size=texts.shape)
    twins = [f"caption {row // 6}" for row in range(60)]

    def width(captions):
        sides = [snapshot(images, rows, captions=captions) for rows in (texts, moved)]
        interval = metric_changes(*sides, margin=0.02)[0].interval
        return interval.high - interval.low

    assert width(twins) > 1.5 * width(None)


def test_a_change_reads_like_the_sentence_of_a_reviewer(snapshot) -> None:
    images = np.eye(4)
    worse = images.copy()
    worse[0] = [1, 2, 0, 0]
    change = metric_changes(snapshot(images, images), snapshot(images, worse), margin=0.02)[4 - 2]
    assert metric_in_words(change).startswith("hit@1 t2i 1.000 → 0.750, Δ -0.250 [-0.")
    assert metric_in_words(change).endswith("margin 0.02: undecided")


@pytest.mark.parametrize("per_image", [1, 3])
def test_the_guess_that_a_swap_is_held_against_scores_what_a_constant_encoder_does(
    snapshot, per_image: int
) -> None:
    n = 12
    constant = snapshot(np.ones((n, 4)), np.ones((n * per_image, 4)), per_image=per_image)
    same = metric_changes(constant, constant, margin=1e-12)
    assert guess_would_do(constant, same)
    for at in range(len(same)):
        better = [replace(one, new=one.new + 1e-6 * (row == at)) for row, one in enumerate(same)]
        assert guess_would_do(constant, better) is not same[at].judged
