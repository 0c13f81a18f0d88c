"""Scores: values, intervals and chance levels against plain formulas."""

from __future__ import annotations

import dataclasses
import json
import math
from math import comb

import numpy as np
import pytest

from clipeval import load_encoder
from clipeval.core.intervals import wilson_interval
from clipeval.evaluation import DIRECTIONS, evaluate
from clipeval.evaluation.scores import finite, score_all

CAPTIONS = [2, 1, 3, 1, 2, 1, 1, 2, 1, 1, 3, 1]


@pytest.fixture
def one_each(counting, coloured):
    dataset = coloured(*[(n,) for n in range(12)], categories=["a", "b", "b", None] * 3)
    return evaluate(counting(), dataset)


@pytest.fixture
def several(counting, coloured):
    rows = [(n, *[f"caption {n} {c}" for c in range(count)]) for n, count in enumerate(CAPTIONS)]
    return evaluate(counting(), coloured(*rows, categories=["a", "b", "b"] * 4))


def metrics_of(scores):
    return [(d, name, metric) for d in DIRECTIONS for name, metric in scores.metrics[d].items()]


def test_chance_with_one_caption_per_image_is_k_of_n(one_each):
    table = score_all(one_each)[0].metrics
    for direction in DIRECTIONS:
        for k in (1, 5, 10):
            assert table[direction][f"hit_rate@{k}"].chance == pytest.approx(k / 12, abs=1e-12)
            assert table[direction][f"recall@{k}"].chance == pytest.approx(k / 12, abs=1e-12)
        assert table[direction]["mrr"].chance == pytest.approx(sum(1 / r for r in range(1, 13)) / 12)
        assert table[direction]["median_rank"].chance == pytest.approx(6.5)
        assert table[direction]["r_precision"].chance == pytest.approx(1 / 12)
        gains = sum(1 / math.log2(1 + place) for place in range(1, 11))
        assert table[direction]["ndcg@10"].chance == pytest.approx(gains / 12)


def test_chance_with_several_captions_is_the_hypergeometric_formula(several):
    table, n = score_all(several)[0].metrics, sum(CAPTIONS)
    for k in (1, 5, 10):
        slow = np.mean([1 - comb(n - p, k) / comb(n, k) for p in CAPTIONS])
        assert table["i2t"][f"hit_rate@{k}"].chance == pytest.approx(slow, abs=1e-12)
        assert table["i2t"][f"recall@{k}"].chance == pytest.approx(k / n, abs=1e-12)
        assert table["t2i"][f"hit_rate@{k}"].chance == pytest.approx(k / 12, abs=1e-12)


def test_a_constant_encoder_scores_chance_in_every_metric(coloured, counting):
    class Constant(counting):
        def _rows(self, keys):
            return np.ones((len(keys), 3), np.float32)

        def _bridge(self, rows):
            return rows

    rows = [(n, *[f"{n} {c}" for c in range(count)]) for n, count in enumerate(CAPTIONS)]
    for direction, name, metric in metrics_of(score_all(evaluate(Constant(), coloured(*rows)))[0]):
        assert metric.value == pytest.approx(metric.chance, abs=1e-12), (direction, name)


def test_values_equal_counting_by_hand(several):
    table, s = score_all(several)[0].metrics, several.similarity()
    owner = several.dataset.image_of_caption
    hits, found = [], []
    for row, scores in enumerate(s):
        top = sorted(range(len(scores)), key=lambda j: -scores[j])[:5]
        right = [j for j in top if owner[j] == row]
        hits.append(bool(right))
        found.append(len(right) / CAPTIONS[row])
    assert table["i2t"]["hit_rate@5"].value == pytest.approx(np.mean(hits))
    assert table["i2t"]["recall@5"].value == pytest.approx(np.mean(found))
    places = [1 + sum(other > s[owner[j], j] for other in s[:, j]) for j in range(len(owner))]
    assert table["t2i"]["mrr"].value == pytest.approx(np.mean([1 / p for p in places]))
    assert table["t2i"]["median_rank"].value == pytest.approx(np.median(places))


def test_intervals_of_hit_rates_are_wilsons_with_one_caption_per_image(one_each):
    table = score_all(one_each)[0].metrics
    for direction in DIRECTIONS:
        for k in (1, 5, 10):
            metric = table[direction][f"hit_rate@{k}"]
            wilson = wilson_interval(round(metric.value * 12), 12)
            assert (metric.low, metric.high) == pytest.approx((wilson.low, wilson.high), abs=1e-12)


def test_reference_intervals_of_clip_on_coco(reference_data, clip_pairs):
    encoder = load_encoder(f"frozen:{reference_data}/clip-coco500/features_clip.npy")
    scores = score_all(evaluate(encoder, clip_pairs))[0]
    metric = scores.metrics["i2t"]["hit_rate@1"]
    assert (round(metric.low, 4), round(metric.high, 4)) == (0.5082, 0.5950)
    assert metric.chance == pytest.approx(0.002)
    found = (scores.diagonal.mean, scores.diagonal.sd, scores.diagonal.off_mean, scores.diagonal.off_sd)
    assert [round(value, 4) for value in found] == [0.3099, 0.0324, 0.1616, 0.0483]
    assert scores.dominance == pytest.approx((0.552, 0.506), abs=1e-12)


def test_every_interval_contains_its_value(one_each, several):
    for evaluation in (one_each, several):
        whole, parts = score_all(evaluation)
        for scores in (whole, *parts.values()):
            checked = 0
            for direction, name, metric in metrics_of(scores):
                if metric.low is not None:
                    assert 0 <= metric.low <= metric.value <= metric.high <= 1, (direction, name)
                    checked += 1
            assert checked >= 16


def test_captions_of_one_image_do_not_make_intervals_shorter(counting, coloured):
    class Split(counting):
        """Right on every caption of the even pictures, wrong on all of the odd."""

        def encode_images(self, pictures):
            return np.eye(12, dtype=np.float32)[[p.getpixel((0, 0))[0] for p in pictures]]

        def encode_texts(self, texts):
            numbers = [int(text.split()[0]) for text in texts]
            return np.eye(12, dtype=np.float32)[[n if n % 2 == 0 else (n + 2) % 12 for n in numbers]]

        def _bridge(self, rows):
            return rows

    def width(captions):
        dataset = coloured(*[(n, *[f"{n} {c}" for c in range(captions)]) for n in range(12)])
        metric = score_all(evaluate(Split(), dataset))[0].metrics["t2i"]["hit_rate@1"]
        assert metric.value == pytest.approx(0.5)
        return metric.high - metric.low

    assert width(5) >= width(1) - 1e-9


def test_a_list_longer_than_the_candidates_has_no_score(counting, coloured):
    table = score_all(evaluate(counting(), coloured((1,), (2,), (3,))))[0].metrics
    for direction in DIRECTIONS:
        for name in ("hit_rate@5", "recall@5", "hit_rate@10", "recall@10", "ndcg@10"):
            metric = table[direction][name]
            assert (metric.value, metric.low, metric.high, metric.chance) == (None,) * 4
        assert table[direction]["hit_rate@1"].chance == pytest.approx(1 / 3)


def test_both_directions_name_the_same_metrics_for_any_size(counting, coloured):
    names = ["hit_rate@1", "recall@1", "hit_rate@5", "recall@5", "hit_rate@10", "recall@10"]
    names += ["ndcg@10", "mrr", "map@r", "r_precision", "median_rank"]
    for rows in ([(1, "a", "b", "c")], [(n, *[f"{n} {c}" for c in range(4)]) for n in range(4)]):
        table = score_all(evaluate(counting(), coloured(*rows)))[0].metrics
        assert list(table["i2t"]) == list(table["t2i"]) == names


# --- categories ----------------------------------------------------------------------------------------


def test_a_category_is_its_queries_among_all_candidates(several):
    parts = score_all(several)[1]
    assert list(parts) == ["a", "b"]
    categories = [item.category for item in several.dataset.items]
    rank = several.direction("t2i").rank
    owner = several.dataset.image_of_caption
    for name, part in parts.items():
        rows = [row for row, category in enumerate(categories) if category == name]
        assert (part.n_images, part.n_captions) == (len(rows), sum(CAPTIONS[row] for row in rows))
        mine = [rank[j] <= 5 for j in range(len(owner)) if owner[j] in rows]
        assert part.metrics["t2i"]["hit_rate@5"].value == pytest.approx(np.mean(mine))
        assert part.metrics["t2i"]["hit_rate@5"].chance == pytest.approx(5 / 12)
        assert part.diagonal.n_positive == part.n_captions
        assert part.diagonal.n_negative == len(rows) * sum(CAPTIONS) - part.n_captions


def test_categories_weighted_by_size_give_the_whole(several):
    whole, by_name = score_all(several)
    parts = by_name.values()
    for name in ("hit_rate@1", "mrr", "ndcg@10", "map@r"):
        mean = sum(p.metrics["i2t"][name].value * p.n_images for p in parts) / whole.n_images
        assert whole.metrics["i2t"][name].value == pytest.approx(mean)
        mean = sum(p.metrics["t2i"][name].value * p.n_captions for p in parts) / whole.n_captions
        assert whole.metrics["t2i"][name].value == pytest.approx(mean)


def test_items_without_category_are_in_no_part(one_each, counting, coloured):
    assert [(name, part.n_images) for name, part in score_all(one_each)[1].items()] == [
        ("a", 3),
        ("b", 6),
    ]
    assert score_all(evaluate(counting(), coloured((1,), (2,))))[1] == {}


# --- diagonal ------------------------------------------------------------------------------------------


def test_dominance_and_margin_equal_a_slow_loop(several):
    s, owner = several.similarity(), several.dataset.image_of_caption
    rows = [max(s[i, owner == i]) - max(s[i, owner != i]) for i in range(len(s))]
    columns = [s[owner[j], j] - max(np.delete(s[:, j], owner[j])) for j in range(len(owner))]
    scores = score_all(several)[0]
    # ranks use unit rows rounded once to float32, the matrix uses float64: 6e-8 for each score
    assert scores.margin == pytest.approx((np.mean(rows), np.mean(columns)), abs=1e-7)
    assert scores.dominance == pytest.approx(
        (np.mean(np.array(rows) > 0), np.mean(np.array(columns) > 0)), abs=1e-12
    )


def test_scores_of_a_single_pair_become_json(counting, coloured):
    scores = score_all(evaluate(counting(), coloured((1,))))[0]
    numbers = [
        value
        for _, _, metric in metrics_of(scores)
        for value in (metric.value, metric.low, metric.high, metric.chance)
    ]
    assert all(value is None or math.isfinite(value) for value in numbers)
    pairs = dataclasses.replace(scores.diagonal, auroc_interval=None)
    rest = [*scores.margin, *scores.dominance, *dataclasses.astuple(pairs)[:-1]]
    text = json.dumps([*numbers, *map(finite, rest)], allow_nan=False)
    assert None in json.loads(text)


def test_the_same_seed_gives_the_same_scores(several):
    assert score_all(several, seed=3)[0] == score_all(several, seed=3)[0]
