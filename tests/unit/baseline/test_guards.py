"""(6) Two guards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clipeval.baseline.changes import metric_changes
from clipeval.baseline.compare import compare_snapshots
from clipeval.baseline.guards import broad_drift, default_severe_rank, severe_losses
from clipeval.baseline.snapshot import Snapshot
from clipeval.core.multiplicity import holm
from clipeval.core.verdict import Verdict
from clipeval.errors import InvalidInputError


def broken(rows: np.ndarray, which: list[int]) -> np.ndarray:
    """Turn some rows round: what was most similar is now least similar."""
    worse = rows.copy()
    worse[which] = -worse[which]
    return worse


def test_a_few_terrible_losses_with_a_good_mean_trip_the_severity_guard(snapshot, pairs) -> None:
    images, texts = pairs(500, noise=1.0)
    lost = [3, 77, 401]
    result = compare_snapshots(snapshot(images, texts), snapshot(broken(images, lost), texts))
    quiet, severe = result.guards
    assert all(change.verdict is not Verdict.REFUTED for change in result.metrics if change.judged)
    assert (quiet.tripped, severe.tripped) == (False, True)
    assert result.verdict is Verdict.REFUTED
    assert "6 queries surely first before are now behind rank 25 (limit 0; 0 the other way round)" in (
        result.reason
    )
    assert {flip.item for flip in severe.queries} == {"0003.jpg", "0077.jpg", "0401.jpg"}
    assert len(severe.queries) == 5


def test_as_many_severe_losses_as_the_limit_allows_do_not_trip_it(snapshot, pairs) -> None:
    images, texts = pairs(100)
    old, new = snapshot(images, texts), snapshot(broken(images, [5]), texts)
    assert severe_losses(old, new, severe_limit=1).tripped  # the picture and its caption
    assert not severe_losses(old, new, severe_limit=2).tripped


def test_one_severe_loss_is_enough_where_nothing_else_moved(snapshot) -> None:
    images = np.eye(24)
    worse = images.copy()
    worse[7] = np.arange(24) + 1.0
    worse[7, 7] = 0.5
    guard = severe_losses(snapshot(images, images), snapshot(images, worse))
    assert guard.tripped
    assert [(flip.item, flip.caption) for flip in guard.queries] == [("0007.jpg", "caption 0 of 0007")]
    assert guard.sentence == (
        "1 query surely first before is now behind rank 10 (limit 0; 0 the other way round) while queries at "
        "large hardly moved"
    )


def test_equally_good_encoders_exchange_severe_losses_and_trip_nothing(snapshot) -> None:
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(400, 24))
    old, new = (
        snapshot(seen + 0.8 * rng.normal(size=seen.shape), seen + 0.8 * rng.normal(size=seen.shape))
        for _ in range(2)
    )
    guard = severe_losses(old, new)
    assert not guard.tripped
    assert len(guard.queries) == 5
    assert "the other way round" in guard.sentence


def test_where_queries_moved_significantly_more_severe_losses_than_gains_trip_it(snapshot) -> None:
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(400, 24))
    noise = [rng.normal(size=seen.shape) for _ in range(4)]
    old = snapshot(seen + 0.7 * noise[0], seen + 0.7 * noise[1])
    new = snapshot(seen + 1.0 * noise[2], seen + 1.0 * noise[3])
    guard = severe_losses(old, new)
    assert guard.tripped
    assert "pictures lose" in guard.sentence
    assert "(p" in guard.sentence
    assert not severe_losses(new, old).tripped
    assert not severe_losses(old, new, severe_limit=10_000).tripped


@pytest.mark.parametrize("seed", range(3))
def test_severe_losses_agree_with_a_plain_count(snapshot, pairs, seed: int) -> None:
    images, texts = pairs(60, noise=1.0, seed=seed)
    moved = texts + 5.0 * np.random.default_rng(seed + 9).normal(size=texts.shape)
    old, new = snapshot(images, texts), snapshot(images, moved)
    guard = severe_losses(old, new, severe_rank=7)
    counted = 0
    for direction in ("i2t", "t2i"):
        for was, now in zip(old.direction(direction).queries, new.direction(direction).queries, strict=True):
            counted += was.better == 0 and was.tied == 0 and now.better + 1 > 7
    assert counted > 0
    assert guard.sentence.startswith(f"{counted} quer")
    ranks = [flip.new_rank for flip in guard.queries]
    assert ranks == sorted(ranks, reverse=True)
    assert all(rank > 7 for rank in ranks)


def test_where_all_queries_moved_six_severe_losses_may_be_chance_and_seven_are_not(snapshot, pairs) -> None:
    old = snapshot(*pairs(100, noise=0.1))

    def fallen(n: int) -> Snapshot:
        queries = tuple(
            replace(query, score=query.score - 0.5, better=60 if row < n else 0)
            for row, query in enumerate(old.t2i.queries)
        )
        return replace(old, t2i=replace(old.t2i, queries=queries))

    assert not severe_losses(old, fallen(6)).tripped
    assert severe_losses(old, fallen(7)).tripped
    assert "; 1 picture loses, 0 gain (p = 1)" in severe_losses(old, fallen(1)).sentence


def test_a_first_place_that_was_shared_was_not_surely_right(snapshot) -> None:
    images = np.eye(24)
    shared = images.copy()
    shared[7, 8] = 1.0
    worse = images.copy()
    worse[7] = np.arange(24) + 1.0
    worse[7, 7] = 0.5
    assert severe_losses(snapshot(images, images), snapshot(images, worse)).tripped
    assert not severe_losses(snapshot(images, shared), snapshot(images, worse)).tripped


def test_a_severe_rank_is_never_beyond_the_middle_and_never_below_ten_where_it_can_be() -> None:
    expected = {1: 1, 2: 1, 3: 2, 19: 10, 20: 10, 200: 10, 201: 11, 500: 25, 10_000: 500}
    assert {n: default_severe_rank(n) for n in expected} == expected


def test_in_a_gallery_of_twenty_a_severe_loss_is_one_to_the_half_where_a_guess_would_stand(snapshot) -> None:
    images = np.eye(20)

    def fallen(rank: int) -> np.ndarray:
        rows = images.copy()
        rows[0] = 0.0
        rows[0, :rank] = np.arange(1.0, rank + 1)
        return rows

    old = snapshot(images, images)
    assert not severe_losses(old, snapshot(images, fallen(10))).tripped
    assert severe_losses(old, snapshot(images, fallen(11))).tripped


@pytest.mark.parametrize(
    ("option", "what"), [({"severe_rank": 0}, "rank is 0"), ({"severe_limit": -1}, "-1")]
)
def test_options_that_make_no_sense_are_refused(snapshot, option, what: str) -> None:
    kept = snapshot(np.eye(3), np.eye(3))
    with pytest.raises(InvalidInputError, match=what):
        severe_losses(kept, kept, **option)


def slightly_worse(snapshot, n: int, lost: int, gained: int = 0):
    """Orthogonal pictures; some captions fall behind one other picture, some come from there."""
    images = np.eye(n)
    second = 0.8 * images + np.roll(images, 1, axis=1)
    old, new = images.copy(), images.copy()
    new[:lost] = second[:lost]
    old[lost : lost + gained] = second[lost : lost + gained]
    return snapshot(images, old), snapshot(images, new)


def test_a_broad_small_loss_trips_the_other_guard(snapshot) -> None:
    old, new = slightly_worse(snapshot, 300, 9)
    result = compare_snapshots(old, new, margin=0.02)
    broad, severe = result.guards
    assert (broad.tripped, severe.tripped) == (True, False)
    assert result.verdict is Verdict.REFUTED
    assert broad.sentence.startswith("hit@1 t2i lost 0.030 (p = 0.0")
    assert "not shown to stay within the margin 0.02" in broad.sentence


def test_a_real_loss_that_stays_within_the_margin_does_not_trip_it(snapshot) -> None:
    old, new = slightly_worse(snapshot, 300, 9)
    changes = metric_changes(old, new, margin=0.1)
    guard = broad_drift(old, new, changes)
    assert not guard.tripped
    assert "shown to stay within the margin 0.1" in guard.sentence
    assert "not shown" not in guard.sentence


def test_a_broad_gain_trips_nothing(snapshot) -> None:
    old, new = slightly_worse(snapshot, 300, 12)
    assert not broad_drift(new, old, metric_changes(new, old, margin=0.02)).tripped


def test_significance_is_corrected_over_both_directions_and_both_judged_metrics(snapshot) -> None:
    # seven one-way losses: p = 0.0156 alone, but not after Holm over four
    old, new = slightly_worse(snapshot, 200, 7)
    changes = metric_changes(old, new, margin=0.02)
    judged = [change.p for change in changes if change.judged]
    assert min(judged) == pytest.approx(2 / 2**7)
    assert len(judged) == 4
    assert holm(judged).min() > 0.05
    guard = broad_drift(old, new, changes)
    assert not guard.tripped
    assert guard.sentence == "no significant loss (Holm over 4 tests)"
    old, new = slightly_worse(snapshot, 200, 8)
    assert broad_drift(old, new, metric_changes(old, new, margin=0.02)).tripped
