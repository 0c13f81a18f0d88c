"""An evaluation: ranks, records and ids of one encoder on one dataset."""

from __future__ import annotations

import numpy as np
import pytest

from clipeval import load_encoder
from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.core.comparison import compare_paired
from clipeval.core.similarity import cosine_similarity
from clipeval.data import Dataset, Item
from clipeval.encoders.base import JointEncoder
from clipeval.errors import EncoderError
from clipeval.evaluation import DIRECTIONS, EmbeddingCache, evaluate


class Planned(JointEncoder):
    """Rows by the red of the picture and by the caption."""

    name = "planned:rows"
    fingerprint = {"name": "planned"}  # noqa: RUF012

    def __init__(self, images, texts):
        self._images, self._texts = images, texts

    def encode_images(self, pictures):
        return np.array([self._images[picture.getpixel((0, 0))[0]] for picture in pictures], np.float32)

    def encode_texts(self, texts):
        return np.array([self._texts[text] for text in texts], np.float32)


@pytest.fixture
def small(coloured):
    dataset = coloured((1, "one", "uno"), (2, "two"), (3, "three"), categories=["a", "b", "a"])
    encoder = Planned(
        {1: [1, 0, 0], 2: [0, 1, 0.2], 3: [0, 0.5, 1]},
        {"one": [1, 0.1, 0], "uno": [0, 0.1, 1], "two": [0.3, 1, 0], "three": [0, 1, 0.2]},
    )
    return encoder, dataset


def slow_ranks(scores, right):
    """1 + the wrong candidates above the best right one, for data without ties."""
    ranks = []
    for row, answers in zip(scores, right, strict=True):
        best = max(row[j] for j in answers)
        ranks.append(1 + sum(row[j] > best for j in range(len(row)) if j not in answers))
    return ranks


def test_ranks_equal_a_slow_count(small):
    encoder, dataset = small
    evaluation = evaluate(encoder, dataset)
    scores = cosine_similarity(evaluation.images, evaluation.texts)
    assert evaluation.similarity() == pytest.approx(scores, abs=1e-7)
    i2t, t2i = evaluation.direction("i2t"), evaluation.direction("t2i")
    assert i2t.rank.tolist() == slow_ranks(scores, [{0, 1}, {2}, {3}]) == [1, 2, 2]
    assert t2i.rank.tolist() == slow_ranks(scores.T, [{0}, {0}, {1}, {2}]) == [1, 3, 1, 2]


def test_records_say_query_rank_scores_and_rival_by_id(small):
    evaluation = evaluate(*small)
    scores = evaluation.similarity()
    record = list(evaluation.records("i2t"))[1]
    assert (record.query, record.rank, record.rival) == ("item1.png", 2.0, "item2.png#0")
    # the matrix is made of the very rows that are ranked, but clipped, and perhaps summed in another order
    assert min(1.0, record.positive_score) == pytest.approx(scores[1, 2], abs=1e-15)
    assert min(1.0, record.rival_score) == pytest.approx(scores[1, 3], abs=1e-15)
    assert [r.query for r in evaluation.records("t2i")] == [
        "item0.png#0",
        "item0.png#1",
        "item1.png#0",
        "item2.png#0",
    ]
    assert [r.rival for r in evaluation.records("t2i")][1] == "item2.png"


def test_the_cluster_of_a_query_is_its_image(small):
    evaluation = evaluate(*small)
    assert evaluation.cluster("i2t").tolist() == [0, 1, 2]
    assert evaluation.cluster("t2i").tolist() == [0, 0, 1, 2]
    assert evaluation.query_ids("i2t") == evaluation.dataset.ids
    assert evaluation.query_ids("t2i") == evaluation.dataset.caption_ids


def test_a_single_pair_has_no_rival(coloured):
    evaluation = evaluate(Planned({1: [1, 0]}, {"one": [0, 1]}), coloured((1, "one")))
    for direction in DIRECTIONS:
        (record,) = evaluation.records(direction)
        assert (record.rank, record.rival, record.rival_score) == (1.0, None, None)


def test_the_tie_rule_is_the_one_asked_for(coloured):
    dataset = coloured(*[(n, f"c{n}") for n in range(4)])
    constant = Planned({n: [1, 0] for n in range(4)}, {f"c{n}": [1, 1] for n in range(4)})
    rates = {
        t: evaluate(constant, dataset, ties=t).direction("i2t").hit_rate(1)
        for t in ("expected", "optimistic", "pessimistic")
    }
    assert rates == {"expected": 0.25, "optimistic": 1.0, "pessimistic": 0.0}


def test_identical_captions_of_two_pictures_tie(coloured):
    dataset = coloured((1, "same"), (2, "same"))
    evaluation = evaluate(Planned({1: [1, 0.2], 2: [0.3, 1]}, {"same": [0.7, 0.9]}), dataset)
    assert evaluation.direction("i2t").expected_hit(1).tolist() == [0.5, 0.5]


def test_widths_that_differ_are_an_error_that_names_the_model(coloured):
    with pytest.raises(EncoderError, match=r"width|columns|dimension") as caught:
        evaluate(Planned({1: [1, 0]}, {"one": [0, 1, 2]}), coloured((1, "one")))
    assert "planned:rows" in str(caught.value)
    assert "2" in str(caught.value)
    assert "3" in str(caught.value)


def test_the_evaluation_keeps_model_fingerprint_and_how_much_was_encoded(small, tmp_path):
    cache = EmbeddingCache(tmp_path)
    cold, warm = (evaluate(*small, cache=cache) for _ in range(2))
    assert (cold.model, cold.fingerprint, cold.precomputed) == ("planned:rows", {"name": "planned"}, False)
    assert (cold.encoded, warm.encoded) == (7, 0)
    assert cold.images.tobytes() == warm.images.tobytes()
    assert list(cold.records("t2i")) == list(warm.records("t2i"))


def test_zero_rows_are_no_error_and_tie_with_everything(coloured):
    dataset = coloured((1, "one"), (2, "two"))
    encoder = Planned({1: [0, 0], 2: [0, 1]}, {"one": [1, 0], "two": [0, 1]})
    assert evaluate(encoder, dataset).direction("i2t").expected_hit(1).tolist() == [0.5, 1.0]


def test_frozen_clip_on_500_coco_pairs_gives_the_reference_values(reference_data, clip_pairs):
    evaluation = evaluate(load_encoder(f"frozen:{reference_data}/clip-coco500/features_clip.npy"), clip_pairs)
    i2t, t2i = evaluation.direction("i2t"), evaluation.direction("t2i")
    found = [side.hit_rate(k) for k in (1, 5, 10) for side in (i2t, t2i)]
    assert found == pytest.approx([0.552, 0.506, 0.808, 0.766, 0.892, 0.862], abs=1e-12)
    assert evaluation.encoded == 0


def test_frozen_rows_in_another_number_are_refused(reference_data, embedded):
    with pytest.raises(EncoderError, match="500 rows without ids"):
        evaluate(load_encoder(f"frozen:{reference_data}/clip-coco500/features_clip.npy"), embedded)


def test_repeated_items_are_one_cluster_so_they_cannot_make_a_difference_look_certain():
    rng = np.random.default_rng(0)
    images, texts = rng.standard_normal((8, 6)), rng.standard_normal((8, 6))
    items = tuple(Item(f"{copy}-{row}", (f"caption {row}",)) for copy in range(5) for row in range(8))
    repeated = evaluation_of_rows(
        np.tile(images, (5, 1)), np.tile(texts, (5, 1)), dataset=Dataset("r", items)
    )
    assert sorted(set(repeated.cluster("i2t").tolist())) == list(range(8))
    assert repeated.cluster("t2i").tolist() == list(range(8)) * 5
    assert repeated.image_of_query("t2i").tolist() == list(range(40))
    hits = repeated.direction("i2t").hits(5)
    assert compare_paired(hits, 1 - hits, repeated.cluster("i2t")).n_clusters == 8
