"""What is kept of an evaluation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clipeval.baseline.document import baseline_document
from clipeval.baseline.snapshot import rows_sha256, take_snapshot
from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.data.dataset import Dataset, Item


def _as_kept(snapshot):
    return baseline_document(snapshot)


def _slow_counts(scores: np.ndarray, right: np.ndarray) -> tuple[int, int, int]:
    """Wrong candidates above and level with the best right answer, and right ones level with it."""
    best = max(score for score, good in zip(scores, right, strict=True) if good)
    better = sum(score > best + 1e-12 for score, good in zip(scores, right, strict=True) if not good)
    tied = sum(abs(score - best) <= 1e-12 for score, good in zip(scores, right, strict=True) if not good)
    return better, tied, sum(best - score <= 1e-12 for score, good in zip(scores, right, strict=True) if good)


def _unit(rows: np.ndarray) -> np.ndarray:
    wide = rows.astype(np.float64)
    return (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("seed", range(5))
def test_a_shuffled_dataset_gives_the_same_snapshot(snapshot, pairs, seed) -> None:
    images, texts = pairs(30, per_image=3, seed=seed)
    order = np.random.default_rng(seed).permutation(30)
    assert _as_kept(snapshot(images, texts, per_image=3, order=order)) == _as_kept(
        snapshot(images, texts, per_image=3)
    )


@pytest.mark.parametrize("seed", range(5))
def test_a_shuffled_dataset_gives_the_same_rivals_where_captions_repeat(snapshot, pairs, seed) -> None:
    # equal captions have equal rows, so that two rivals share the best score and their order would decide
    images, texts = pairs(12, seed=seed)
    names = [f"caption {row % 4}" for row in range(12)]
    texts = texts[[row % 4 for row in range(12)]]
    order = np.random.default_rng(seed).permutation(12)
    assert _as_kept(snapshot(images, texts, captions=names, order=order)) == _as_kept(
        snapshot(images, texts, captions=names)
    )


def test_captions_of_an_item_in_another_order_give_the_same_snapshot() -> None:
    images, texts = [[1, 0], [0, 1]], [[1, 0.1], [1, 0.2], [0, 1]]
    found = [
        take_snapshot(
            evaluation_of_rows(
                images,
                [texts[at] for at in rows],
                dataset=Dataset("toy", (Item("a", words), Item("b", ("a car",)))),
            ),
            fingerprint={},
            data="toy",
        )
        for words, rows in ((("a cat", "a pet"), (0, 1, 2)), (("a pet", "a cat"), (1, 0, 2)))
    ]
    assert _as_kept(found[0]) == _as_kept(found[1])


@pytest.mark.parametrize("seed", range(3))
def test_counts_scores_and_rivals_are_those_of_a_slow_search(snapshot, pairs, seed) -> None:
    images, texts = pairs(15, per_image=2, noise=2.0, seed=seed)
    kept = snapshot(images, texts, per_image=2)
    scores = _unit(images) @ _unit(texts).T
    owner = np.repeat(np.arange(15), 2)
    ids = [item.id for item in kept.items]
    for query in kept.t2i.queries:
        row = ids.index(query.item)
        column = scores[:, 2 * row + query.caption]
        assert (query.better, query.tied, query.positives_tied) == _slow_counts(column, np.arange(15) == row)
        assert query.score == pytest.approx(column[row], abs=1e-12)
        rival = max((at for at in range(15) if at != row), key=lambda at: column[at])
        assert query.rival == (ids[rival], None)
        assert query.rival_score == pytest.approx(column[rival], abs=1e-12)
    for query in kept.i2t.queries:
        row = ids.index(query.item)
        line = scores[row]
        assert (query.better, query.tied, query.positives_tied) == _slow_counts(line, owner == row)
        rival = max((at for at in range(30) if owner[at] != row), key=lambda at: line[at])
        assert query.rival == (ids[owner[rival]], int(rival % 2))


def test_one_item_has_no_rival(snapshot) -> None:
    kept = snapshot(np.eye(2, dtype=np.float32)[:1], np.eye(2, dtype=np.float32)[:1])
    assert kept.t2i.queries[0].rival is None
    assert kept.t2i.queries[0].rival_score is None


def test_rows_are_kept_in_the_order_of_ids_and_captions(snapshot, pairs) -> None:
    images, texts = pairs(6, per_image=2)
    kept = snapshot(images, texts, per_image=2, order=[3, 1, 5, 0, 2, 4])
    np.testing.assert_array_equal(kept.images, images)
    np.testing.assert_array_equal(kept.texts, texts)
    assert (kept.images_sha256, kept.texts_sha256) == (rows_sha256(images), rows_sha256(texts))


def test_the_hash_of_rows_tells_shapes_and_single_bits_apart() -> None:
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    nudged = rows.copy()
    nudged[1, 2] = np.nextafter(nudged[1, 2], np.float32(9))
    hashes = {rows_sha256(some) for some in (rows, rows.reshape(3, 2), nudged)}
    assert len(hashes) == 3
    assert rows_sha256(rows) == rows_sha256(np.asfortranarray(rows)) == rows_sha256(rows.astype(">f4"))


def test_items_that_share_a_caption_are_one_unit(snapshot, pairs) -> None:
    images, texts = pairs(3)
    kept = snapshot(images, texts, captions=["a cat", "a dog", "a cat"])
    units = kept.clusters("t2i").tolist()
    assert units[0] == units[2] != units[1]
    assert replace(kept, items=kept.items).caption_texts == ("a cat", "a dog", "a cat")
