"""From two snapshots to a verdict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clipeval.baseline.compare import compare_snapshots
from clipeval.baseline.snapshot import ItemRecord
from clipeval.core.verdict import Verdict
from clipeval.errors import InvalidInputError

CPU = {"dtype": "float32", "device": "cpu"}
BFLOAT16 = {"dtype": "bfloat16", "device": "cpu"}


def first_caption(kept, text: str):
    """Edit one caption of the first item."""
    item = kept.items[0]
    return replace(kept, items=(replace(item, captions=(text, *item.captions[1:])), *kept.items[1:]))


@pytest.fixture
def kept(snapshot, pairs):
    return snapshot(*pairs(30, noise=2.0))


def nothing_was_compared(result) -> bool:
    return not (result.fields or result.drift or result.flips or result.metrics or result.guards)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda kept: first_caption(kept, "a kitten"), "1 item with other captions ('0000.jpg')"),
        (
            lambda kept: replace(kept, items=(replace(kept.items[0], picture="zz"), *kept.items[1:])),
            "1 item with another picture ('0000.jpg')",
        ),
        (
            lambda kept: replace(kept, items=kept.items[1:]),
            "1 item removed ('0000.jpg'); the new data hold 29 of the old 30 items",
        ),
        (
            lambda kept: replace(kept, items=(*kept.items, ItemRecord("new.jpg", "nn", ("a tree",)))),
            "1 item added ('new.jpg'); the old data hold 30 of the new 31 items",
        ),
    ],
)
def test_other_data_are_named_and_nothing_is_compared(kept, edit, words: str) -> None:
    result = compare_snapshots(kept, edit(kept))
    assert result.verdict is Verdict.NOT_RUN
    assert result.reason == f"not the same data: {words}; nothing is compared"
    assert nothing_was_compared(result)


def test_an_edited_caption_is_shown_with_both_texts(kept) -> None:
    (change,) = compare_snapshots(kept, first_caption(kept, "a kitten")).data.changed
    assert (change.old, change.new) == ("caption 0 of 0000", "a kitten")


def test_another_category_alone_stops_nothing(kept) -> None:
    other = replace(kept, items=(replace(kept.items[0], category="cats"), *kept.items[1:]))
    result = compare_snapshots(kept, other)
    assert result.verdict is Verdict.HOLDS
    assert [change.what for change in result.data.changed] == ["category"]


def test_a_shuffled_dataset_makes_no_difference_at_all(snapshot, pairs) -> None:
    images, texts = pairs(60, noise=2.5, per_image=3)
    order = np.random.default_rng(4).permutation(60)
    one = snapshot(images, texts, per_image=3)
    other = snapshot(images, texts, per_image=3, order=order)
    result = compare_snapshots(one, other)
    assert result.verdict is Verdict.HOLDS
    assert {drift.kind for drift in result.drift} == {"identical"}
    assert not result.fields
    assert not result.data.changed
    assert not any(flips.gained or flips.lost for flips in result.flips)
    assert {change.difference for change in result.metrics} == {0.0}


@pytest.mark.parametrize("n", [1, 3, 30])
def test_the_same_twice_holds_by_identity_at_any_size_and_margin(snapshot, pairs, n: int) -> None:
    kept = snapshot(*pairs(n, noise=3.0))
    bare = replace(kept, images=None, texts=None)
    for new in (kept, bare):
        result = compare_snapshots(kept, new, margin=0.0)
        assert result.verdict is Verdict.HOLDS
        assert result.reason == f"the embeddings of all {n} pictures and {n} captions are identical"


def test_identical_embeddings_counted_by_another_rule_are_not_the_same_answers(kept) -> None:
    miscounted = kept.t2i.queries[0]
    other = replace(
        kept,
        t2i=replace(
            kept.t2i, queries=(replace(miscounted, better=miscounted.better + 20), *kept.t2i.queries[1:])
        ),
    )
    result = compare_snapshots(kept, other)
    assert {drift.kind for drift in result.drift} == {"identical"}
    assert result.verdict is not Verdict.HOLDS


def test_noise_that_changes_no_hit_holds_with_three_pictures(snapshot) -> None:
    rows = np.eye(3)
    result = compare_snapshots(snapshot(rows, rows), snapshot(rows + 1e-6, rows), margin=0.0)
    assert [drift.kind for drift in result.drift] == ["noise", "identical"]
    assert result.verdict is Verdict.HOLDS
    assert "equal up to the noise of the arithmetic" in result.reason
    assert "no query's hit at 1, 5 or 10 changed" in result.reason


@pytest.mark.parametrize(("size", "verdict"), [(1e-6, Verdict.HOLDS), (1e-3, Verdict.UNDECIDED)])
def test_without_rows_the_scores_tell_noise_from_drift(
    snapshot, pairs, size: float, verdict: Verdict
) -> None:
    images, texts = pairs(12, noise=0.1)
    moved = texts + size * np.random.default_rng(1).normal(size=texts.shape)
    old = replace(snapshot(images, texts), images=None, texts=None)
    result = compare_snapshots(old, snapshot(images, moved))
    assert [drift.kind for drift in result.drift] == ["identical", "not compared"]
    assert (result.verdict, all(not one.lost for one in result.flips)) == (verdict, True)
    assert ("no score moved by more than" in result.reason) is (verdict is Verdict.HOLDS)


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, Verdict.HOLDS),
        ({"torch": "2.16.0", "attention": "eager"}, Verdict.HOLDS),
        ({"weights": "b" * 64}, Verdict.UNDECIDED),
        ({"weights": "not shown by this encoder"}, Verdict.UNDECIDED),
        ({"activation": "gelu"}, Verdict.UNDECIDED),
        ({"probe tokens": "another hash"}, Verdict.UNDECIDED),
        ({"a word of the user's own": "other"}, Verdict.UNDECIDED),
    ],
)
def test_without_rows_scores_as_close_as_bfloat16s_are_noise_only_of_the_same_system(
    snapshot, pairs, changed: dict[str, str], verdict: Verdict
) -> None:
    images, texts = pairs(3, noise=0.1, width=512)
    # every row turned by 11 degrees or so: another model, or noise far beyond bfloat16's
    moved = texts + 0.2 * np.random.default_rng(1).normal(size=texts.shape)
    words = {**BFLOAT16, "weights": "a" * 64, "activation": "quick_gelu", "attention": "sdpa"}
    old = replace(snapshot(images, texts, fingerprint=words), images=None, texts=None)
    result = compare_snapshots(old, snapshot(images, moved, fingerprint={**words, **changed}))
    assert result.verdict is verdict
    assert ("equal up to the noise" in result.reason) is (verdict is Verdict.HOLDS)


def test_that_nothing_is_lost_where_nothing_was_known_shows_nothing(snapshot, pairs) -> None:
    images, texts = pairs(500, noise=0.5)
    strangers = [snapshot(images, pairs(500, seed=seed)[1]) for seed in (7, 8)]
    guessing = compare_snapshots(*strangers)
    assert {change.verdict for change in guessing.metrics if change.judged} == {Verdict.HOLDS}
    assert guessing.verdict is Verdict.UNDECIDED
    assert "one that guesses would hold too" in guessing.reason
    # better than an old one that guesses is something, and so is the margin where much could be lost
    able = snapshot(images, texts)
    assert compare_snapshots(strangers[0], able).verdict is Verdict.HOLDS
    near = snapshot(images, texts + 0.01 * np.random.default_rng(2).normal(size=texts.shape))
    assert compare_snapshots(able, near).verdict is Verdict.HOLDS


def test_noise_that_flips_a_query_is_judged_by_its_flips(snapshot) -> None:
    images = np.eye(3)
    close = np.array([[1.0, 0.9999, 0], [0, 1, 0], [0, 0, 1]])
    turned = np.array([[0.9999, 1.0, 0], [0, 1, 0], [0, 0, 1]])
    words = {"fingerprint": BFLOAT16}
    result = compare_snapshots(snapshot(images, close, **words), snapshot(images, turned, **words))
    assert [drift.kind for drift in result.drift] == ["identical", "noise"]
    assert result.verdict is Verdict.UNDECIDED


def test_drift_that_changes_no_hit_is_still_undecided_with_three_pictures(snapshot) -> None:
    rows = np.eye(3)
    result = compare_snapshots(snapshot(rows, rows), snapshot(rows + 0.01, rows))
    assert result.drift[0].kind == "drift"
    assert result.verdict is Verdict.UNDECIDED


def test_rows_in_bfloat16_hold_only_where_the_fingerprint_says_bfloat16_of_the_same_weights(
    snapshot, pairs
) -> None:
    images, texts = pairs(80, noise=0.5, width=256)
    coarse = [(rows.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32) for rows in (images, texts)]
    old = snapshot(images, texts, fingerprint=CPU | {"weights": "a" * 64})
    said = compare_snapshots(old, snapshot(*coarse, fingerprint=BFLOAT16 | {"weights": "a" * 64}))
    assert [drift.kind for drift in said.drift] == ["noise", "noise"]
    assert said.verdict is Verdict.HOLDS
    assert [(field.name, field.old, field.new) for field in said.fields] == [("dtype", "float32", "bfloat16")]
    other = compare_snapshots(old, snapshot(*coarse, fingerprint=BFLOAT16 | {"weights": "b" * 64}))
    assert [drift.kind for drift in other.drift] == ["noise", "noise"]
    assert other.verdict is Verdict.UNDECIDED  # so near may another model lie
    old = snapshot(images, texts)
    unsaid = compare_snapshots(old, snapshot(*coarse))
    assert [drift.kind for drift in unsaid.drift] == ["drift", "drift"]
    assert unsaid.verdict is Verdict.UNDECIDED  # 80 pictures cannot show a margin of 0.02


def test_many_queries_and_few_flips_hold_by_their_interval_and_the_reason_names_the_weakest(
    snapshot, pairs
) -> None:
    images, texts = pairs(600, noise=0.5)
    result = compare_snapshots(snapshot(images, texts), snapshot(images + 0.01, texts))
    assert result.verdict is Verdict.HOLDS
    lows = {
        (change.metric, change.direction): change.interval.low for change in result.metrics if change.judged
    }
    metric, direction = min(lows, key=lows.__getitem__)
    assert result.reason.startswith(f"{metric.replace('hit_rate', 'hit')} {direction} ")
    assert f"[{min(lows.values()):+.3f}," in result.reason
    assert "margin 0.02: holds; " in result.reason


def test_random_rows_instead_of_the_old_ones_are_refuted_and_called_a_different_model(
    snapshot, pairs
) -> None:
    images, texts = pairs(60, noise=0.5)
    noise = np.random.default_rng(8)
    result = compare_snapshots(
        snapshot(images, texts),
        snapshot(noise.normal(size=images.shape), noise.normal(size=texts.shape)),
    )
    assert result.verdict is Verdict.REFUTED
    assert {drift.kind for drift in result.drift} == {"different model"}
    assert "margin 0.02: refuted; " in result.reason
    lost = {flips.direction: len(flips.lost) for flips in result.flips}
    assert any(f"; {count} lost, 0 gained" in result.reason for count in lost.values())


def test_a_loss_that_only_one_uncorrected_interval_shows_is_undecided_and_said_so(snapshot) -> None:
    # seven captions of 20 fall: p = 0.0156 alone, 0.0625 after Holm
    images = np.eye(20)
    worse = images.copy()
    worse[:7:1] = 0.8 * images[:7] + np.roll(images, 10, axis=1)[:7]
    result = compare_snapshots(snapshot(images, images), snapshot(images, worse))
    alone = [change for change in result.metrics if change.judged and change.verdict is Verdict.REFUTED]
    assert alone
    assert not any(guard.tripped for guard in result.guards)
    assert result.verdict is Verdict.UNDECIDED
    assert result.reason.endswith("refuted; 7 lost, 0 gained, but not significant after Holm over 4 tests")


def test_fields_name_the_model_spec_first_and_as_no_cause_if_the_weights_are_the_same(
    snapshot, pairs
) -> None:
    rows = pairs(5)
    old = snapshot(*rows, model="hf:a", fingerprint=CPU | {"weights": "w", "torch": "2.14"})
    new = snapshot(*rows, model="hf:b", fingerprint=CPU | {"weights": "w", "torch": "2.15"})
    spec, torch = compare_snapshots(old, new).fields
    assert (spec.name, spec.old, spec.new, spec.matters) == ("model spec", "hf:a", "hf:b", False)
    assert (torch.name, torch.matters) == ("torch", True)
    other = snapshot(*rows, model="hf:b", fingerprint=CPU | {"weights": "v", "torch": "2.14"})
    assert compare_snapshots(old, other).fields[0].matters
    bridged = snapshot(*rows, model="preclip:a", fingerprint={**old.fingerprint, "projection": "gaussian"})
    assert compare_snapshots(old, bridged).fields[0].matters
    assert not compare_snapshots(old, old).fields


def test_the_reason_names_the_likeliest_causes_unless_it_holds(snapshot, pairs) -> None:
    images, texts = pairs(30)
    words = CPU | {"weights": "w"}
    old = snapshot(images, texts, fingerprint=words | {"image processor backend": "pil", "torch": "2.14"})
    torchvision = words | {"image processor backend": "torchvision", "torch": "2.15"}
    reason = compare_snapshots(old, snapshot(images, texts[::-1], fingerprint=torchvision)).reason
    assert reason.endswith(
        "cause candidates: image processor backend pil → torchvision, torch version 2.14 → 2.15"
    )
    same = compare_snapshots(old, snapshot(images, texts, fingerprint=torchvision))
    assert (same.verdict, "cause" in same.reason) == (Verdict.HOLDS, False)


def test_queries_and_independent_units_are_counted(snapshot, pairs) -> None:
    captions = [f"caption {number // 2}" for number in range(10)]  # two pictures share each
    kept = snapshot(*pairs(10), captions=captions)
    assert compare_snapshots(kept, kept).n_queries == (("i2t", 10, 5), ("t2i", 10, 5))


def test_the_same_call_gives_the_same_answer(snapshot, pairs) -> None:
    images, texts = pairs(80, noise=2.0)
    moved = texts + np.random.default_rng(1).normal(size=texts.shape)
    sides = snapshot(images, texts), snapshot(images, moved)
    assert compare_snapshots(*sides, seed=3) == compare_snapshots(*sides, seed=3)


@pytest.mark.parametrize(
    ("option", "what"),
    [({"margin": -0.1}, "margin"), ({"margin": float("nan")}, "margin"), ({"level": 1.0}, "level")],
)
def test_options_that_make_no_sense_are_refused_whatever_the_data(kept, option, what: str) -> None:
    for new in (kept, replace(kept, items=kept.items[1:])):
        with pytest.raises(InvalidInputError, match=what):
            compare_snapshots(kept, new, **option)


def test_clip_with_noise_is_called_what_it_is(snapshot, reference_data) -> None:
    images, texts = np.load(reference_data / "clip-coco500" / "features_clip.npy", allow_pickle=False)
    rng = np.random.default_rng(0)

    def noisy(relative: float):
        moved = [
            rows + relative * rng.normal(size=rows.shape) / np.sqrt(rows.shape[1]) for rows in (images, texts)
        ]
        return snapshot(*moved)

    old = snapshot(images, texts)
    found = {size: compare_snapshots(old, noisy(size)) for size in (1e-6, 1e-3, 0.3)}
    assert [result.drift[0].kind for result in found.values()] == ["noise", "drift", "drift"]
    assert [str(result.verdict) for result in found.values()] == ["holds", "holds", "refuted"]


@pytest.mark.parametrize(("weights", "matters"), [("a" * 64, False), ("not shown by this encoder", True)])
def test_another_name_is_no_cause_only_where_the_weights_are_known(kept, weights: str, matters: bool) -> None:
    words = {**CPU, "weights": weights}
    sides = [replace(kept, model=f"python:mine:{name}", fingerprint=words) for name in ("one", "two")]
    (change,) = compare_snapshots(*sides).fields
    assert (change.label, change.matters) == ("model spec", matters)


def test_frames_of_one_film_that_rounding_reorders_are_no_damage(snapshot, pairs) -> None:
    images, texts = (rows.astype(np.float64) for rows in pairs(200, noise=0.1, width=64))
    rng = np.random.default_rng(0)

    def moved(rows: np.ndarray, size: float) -> np.ndarray:
        return rows + size * rng.normal(size=rows.shape)

    images[:40], texts[:40] = moved(images[:1].repeat(40, 0), 1e-6), moved(texts[:1].repeat(40, 0), 1e-6)
    old, new = snapshot(images, texts), snapshot(moved(images, 2e-5), moved(texts, 2e-5))
    result = compare_snapshots(old, new)
    assert [drift.kind for drift in result.drift] == ["noise", "noise"]
    assert result.guards[1].queries
    assert result.verdict is not Verdict.REFUTED
