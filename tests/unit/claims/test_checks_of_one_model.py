"""What the checks of one model say, each against a slow and plain reference or a made-up truth."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest
from scipy.stats import binomtest

from clipeval import rank_scores
from clipeval.claims.checks import (
    Changed,
    at_chance,
    confusions_inside_category,
    deterministic,
    diagonal_dominates,
    invariant,
    not_collapsed,
    positives_above_negatives,
    rows_beat_threshold,
    scaled,
    shuffled,
    survives_noise,
    within_tolerance,
    worst_items,
)
from clipeval.claims.checks.chance_null import hits_by_chance, permutation_p
from clipeval.claims.checks.diagonal_dominates import dominance_among
from clipeval.claims.checks.not_collapsed import spread
from clipeval.claims.checks.rate_region import rate_in_region, region_p
from clipeval.claims.checks.rows_beat_threshold import right_above_threshold
from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.core.verdict import Verdict
from clipeval.errors import InvalidInputError


def blind(n: int, *, per_image: int = 1, seed: int = 0, categories=()):
    rng = np.random.default_rng(seed)
    return evaluation_of_rows(
        rng.normal(size=(n, 16)),
        rng.normal(size=(n * per_image, 16)),
        per_image=per_image,
        categories=categories,
    )


def seeing(n: int, *, noise: float = 0.3, per_image: int = 1, seed: int = 0, categories=()):
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(n, 16))
    texts = np.repeat(images, per_image, axis=0) + noise * rng.normal(size=(n * per_image, 16))
    return evaluation_of_rows(images, texts, per_image=per_image, categories=categories)


# --- rates in regions


@pytest.mark.parametrize("hits", range(0, 31, 3))
@pytest.mark.parametrize("edge", [0.1, 0.5, 0.93])
def test_p_beyond_one_edge_is_twice_the_one_sided_exact_binomial(hits, edge) -> None:
    values = [1.0] * hits + [0.0] * (30 - hits)
    side = "greater" if hits / 30 >= edge else "less"
    expected = min(1.0, 2 * binomtest(hits, 30, edge, alternative=side).pvalue)
    assert region_p(values, low=edge, high=1.0) == pytest.approx(expected)


def test_inside_a_region_both_edges_must_be_left_behind() -> None:
    values = [1.0] * 50 + [0.0] * 50
    edges = [binomtest(50, 100, 0.3, alternative="greater"), binomtest(50, 100, 0.6, alternative="less")]
    expected = 2 * max(edge.pvalue for edge in edges)
    assert region_p(values, low=0.3, high=0.6) == pytest.approx(expected)


def test_captions_of_one_image_count_as_one() -> None:
    alone = region_p([1.0] * 8 + [0.0] * 2, low=0.5, high=1.0)
    clusters = np.repeat(np.arange(10), 5)
    assert region_p([1.0] * 40 + [0.0] * 10, clusters, low=0.5, high=1.0) == pytest.approx(alone)


def test_no_p_is_zero_even_where_it_underflows() -> None:
    assert 0.0 < region_p([1.0] * 5000, low=0.1, high=1.0) < 1e-300


def test_a_region_upside_down_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="not a region"):
        rate_in_region([1, 0], low=0.6, high=0.4)


# --- at chance


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
@pytest.mark.parametrize("per_image", [1, 3])
def test_hits_with_captions_dealt_anew_are_counted_as_a_loop_counts_them(direction, per_image) -> None:
    evaluation = blind(9, per_image=per_image, seed=4)
    observed, permuted = hits_by_chance(evaluation, direction, 2, n_permutations=25, seed=3)
    assert observed == round(evaluation.direction(direction).hits(2).sum())
    owner = evaluation.dataset.image_of_caption
    scores = evaluation.similarity()
    rng = np.random.Generator(np.random.PCG64(3))
    for count in permuted:
        dealt = rng.permutation(9)
        expected = 0
        if direction == "i2t":
            for image in range(9):
                top = np.argsort(-scores[image])[:2]
                expected += any(dealt[owner[caption]] == image for caption in top)
        else:
            for caption in range(9 * per_image):
                top = np.argsort(-scores[:, caption])[:2]
                expected += dealt[owner[caption]] in top
        assert count == expected


def test_a_permutation_p_is_never_zero() -> None:
    assert permutation_p(50, np.zeros(99, dtype=np.int64)) == 0.01


def test_twenty_pictures_cannot_show_that_a_model_is_at_chance() -> None:
    finding = at_chance()([blind(20)])
    assert finding.verdict is Verdict.UNDECIDED
    assert finding.reason


def test_five_hundred_pictures_can() -> None:
    assert at_chance(margin=0.02)([blind(500)]).verdict is Verdict.HOLDS


def test_a_model_that_sees_is_not_at_chance() -> None:
    finding = at_chance()([seeing(40)])
    assert finding.verdict is Verdict.REFUTED
    assert finding.p == 0.001  # the smallest that 999 deals can give


def test_a_hub_that_wins_every_query_is_chance_not_signal() -> None:
    images = np.tile([1.0, 0.0], (300, 1)) + 1e-3 * np.random.default_rng(0).normal(size=(300, 2))
    texts = np.concatenate([[[1.0, 0.0]], np.tile([0.0, 1.0], (299, 1))])
    assert at_chance(margin=0.03)([evaluation_of_rows(images, texts)]).verdict is Verdict.HOLDS


def test_a_margin_of_zero_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="margin"):
        at_chance(margin=0.0)


# --- diagonal


def test_dominance_among_a_draw_is_the_mean_over_all_draws() -> None:
    ranks = rank_scores([[3.0, 5.0, 4.0, 1.0, 3.0], *np.eye(5)[1:].tolist()]).i2t
    negatives = [5.0, 4.0, 1.0, 3.0]
    for among in (2, 3, 4, 5):
        draws = list(combinations(negatives, among - 1))
        expected = np.mean([max(draw) < 3.0 for draw in draws])
        assert dominance_among(ranks, among)[0] == pytest.approx(expected)
    assert dominance_among(ranks, 5)[0] == dominance_among(ranks)[0]
    assert dominance_among(ranks, 99).tolist() == dominance_among(ranks).tolist()


def test_dominance_among_follows_the_hypergeometric_formula() -> None:
    scores = np.random.default_rng(0).normal(size=(40, 40))
    ranks = rank_scores(scores).i2t
    rivals = (scores > np.diag(scores)[:, None]).sum(axis=1)
    expected = [comb(39 - r, 19) / comb(39, 19) for r in rivals]
    np.testing.assert_allclose(dominance_among(ranks, 20), expected, rtol=1e-12)


def test_a_diagonal_that_ties_with_a_negative_does_not_dominate() -> None:
    constant = evaluation_of_rows(np.ones((20, 4)), np.ones((20, 4)))
    assert diagonal_dominates()([constant]).verdict is Verdict.REFUTED


@pytest.mark.parametrize("check", [diagonal_dominates(), positives_above_negatives()])
def test_a_seeing_model_dominates_and_a_blind_one_does_not(check) -> None:
    assert check([seeing(60)]).verdict is Verdict.HOLDS
    assert check([blind(60)]).verdict is Verdict.REFUTED


def test_picking_by_one_threshold_is_what_a_sort_of_all_pairs_picks() -> None:
    evaluation = seeing(30, noise=1.0, seed=2)
    scores = evaluation.similarity()
    best = np.argsort(-scores, axis=None)[:30]
    expected = np.zeros(30)
    for image, caption in zip(*np.unravel_index(best, scores.shape), strict=True):
        expected[image] = max(expected[image], float(image == caption))
    assert right_above_threshold(evaluation).tolist() == expected.tolist()


def test_rows_of_their_own_level_are_ranked_right_where_one_threshold_fails() -> None:
    rng = np.random.default_rng(0)
    images = np.abs(rng.normal(size=(60, 40))) + np.linspace(0, 6, 60)[:, None]  # rows of rising level
    evaluation = evaluation_of_rows(images, images - images.mean(axis=0) + 0.2 * images.mean())
    by_row = evaluation.ranks.i2t.hit_rate(1)
    finding = rows_beat_threshold()([evaluation])
    assert finding.effect == pytest.approx(by_row - right_above_threshold(evaluation).mean())


# --- collapse: negated similarities, one embedding for everything


def test_negated_similarities_are_called_worse_than_chance() -> None:
    rows = np.random.default_rng(0).normal(size=(500, 16))
    finding = not_collapsed()([evaluation_of_rows(rows, -rows)])
    assert finding.verdict is Verdict.REFUTED
    assert "worse than chance, constant or swapped?" in finding.sentence


@pytest.mark.parametrize("which", ["images", "captions"])
def test_constant_embeddings_are_called_constant(which) -> None:
    rows = np.random.default_rng(0).normal(size=(50, 8))
    same = np.ones((50, 8)) + 1e-5 * rows
    pair = (same, rows) if which == "images" else (rows, same)
    finding = not_collapsed()([evaluation_of_rows(*pair)])
    assert finding.verdict is Verdict.REFUTED
    assert f"all {which} have one embedding" in finding.sentence


def test_the_correct_twin_of_a_collapsed_model_passes() -> None:
    assert not_collapsed()([seeing(50)]).verdict is Verdict.HOLDS


def test_zero_rows_have_no_spread() -> None:
    assert spread(np.zeros((4, 3))) == 0.0


# --- published figures


def test_a_figure_is_confirmed_only_where_the_interval_lies_within_its_tolerance() -> None:
    evaluation = seeing(400, noise=0.9)
    rate = evaluation.ranks.i2t.hit_rate(1)
    assert (
        within_tolerance("hit_rate@1", published=rate, tolerance=0.2)([evaluation]).verdict is Verdict.HOLDS
    )
    near = within_tolerance("hit_rate@1", published=rate, tolerance=0.01)([evaluation])
    assert near.verdict is Verdict.UNDECIDED
    far = within_tolerance("hit_rate@1", published=rate - 0.3, tolerance=0.1)([evaluation])
    assert far.verdict is Verdict.REFUTED


def test_on_the_published_items_the_figures_themselves_are_compared() -> None:
    evaluation = seeing(30, noise=0.9)
    rate = evaluation.ranks.i2t.hit_rate(1)
    check = within_tolerance("hit_rate@1", published=rate - 0.005, tolerance=0.01, same_items=True)
    assert check([evaluation]).verdict is Verdict.HOLDS
    assert check([evaluation]).p is None
    off = within_tolerance("hit_rate@1", published=rate - 0.02, tolerance=0.01, same_items=True)
    assert off([evaluation]).verdict is Verdict.REFUTED


@pytest.mark.parametrize(("published", "tolerance"), [(65.0, 0.5), (0.5, 0.0), (float("nan"), 0.1)])
def test_percent_and_empty_tolerances_are_refused(published, tolerance) -> None:
    with pytest.raises(InvalidInputError, match="not percent"):
        within_tolerance("hit_rate@1", published=published, tolerance=tolerance)


def test_a_misspelt_metric_is_refused_with_its_neighbour() -> None:
    with pytest.raises(InvalidInputError, match="hit_rate@K"):
        within_tolerance("hitrate@1", published=0.5, tolerance=0.1)


# --- confusions


def test_confusions_among_alike_pictures_stay_inside_the_category() -> None:
    words = ["beach"] * 15 + ["food"] * 15
    rng = np.random.default_rng(0)
    centre = np.repeat(np.eye(2), 15, axis=0) * 5
    rows = [centre + rng.normal(size=(30, 2)) * [0.3, 0.3] for _ in range(2)]
    inside = evaluation_of_rows(*rows, categories=words)
    finding = confusions_inside_category()([inside])
    assert finding.verdict is Verdict.HOLDS
    top = inside.similarity().argmax(axis=1)
    wrong = top != np.arange(30)
    share = np.mean([words[a] == words[b] for a, b in zip(top[wrong], np.flatnonzero(wrong), strict=True)])
    assert finding.effect == pytest.approx(share - 14 / 29)


@pytest.mark.parametrize("hub", range(100))
def test_one_caption_that_heads_every_list_shows_nothing_about_categories(hub) -> None:
    texts = np.zeros((100, 2))
    texts[:, 1] = 1.0
    texts[hub] = [1.0, 0.0]
    images = np.tile([1.0, 0.0], (100, 1))
    evaluation = evaluation_of_rows(images, texts, categories=["a"] * 80 + ["b"] * 20)
    finding = confusions_inside_category()([evaluation])
    assert finding.verdict is Verdict.UNDECIDED
    assert finding.p > 0.1


def test_a_refusal_of_chance_carries_the_larger_p_of_both_looks() -> None:
    evaluation = seeing(40)
    finding = at_chance()([evaluation])
    observed, dealt = hits_by_chance(evaluation, "i2t", 1)
    assert finding.verdict is Verdict.REFUTED
    assert finding.p == permutation_p(observed, dealt)


def test_blind_confusions_are_undecided_and_missing_categories_not_run() -> None:
    assert confusions_inside_category()([blind(40, categories="ab" * 20)]).verdict is Verdict.UNDECIDED
    finding = confusions_inside_category()([blind(40)])
    assert (finding.verdict, finding.reason) == (
        Verdict.NOT_RUN,
        "the dataset has fewer than two categories",
    )


# --- exact properties


@pytest.mark.parametrize("transform", [scaled, shuffled])
@pytest.mark.parametrize("per_image", [1, 3])
def test_scale_and_order_change_no_rank(transform, per_image) -> None:
    evaluation = seeing(30, noise=1.5, per_image=per_image)
    assert invariant(transform, change="it")([evaluation]).verdict is Verdict.HOLDS


def test_a_change_that_matters_is_named_with_its_items() -> None:
    def dropped(images, texts):
        return Changed(images[:, :3], texts[:, :3], np.arange(len(images)), np.arange(len(texts)))

    finding = invariant(dropped, change="dropping dimensions")([seeing(30)])
    assert finding.verdict is Verdict.REFUTED
    assert "dropping dimensions changes" in finding.sentence
    assert len(finding.worst) == 5


def test_a_function_of_the_process_is_not_deterministic() -> None:
    assert deterministic("os:getpid", processes=1)([]).verdict is Verdict.REFUTED


def test_a_digest_that_is_no_function_of_a_module_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="module:function"):
        deterministic("os; import sys:getpid")


def test_frozen_embeddings_cannot_meet_noise_words() -> None:
    rows = np.eye(6)
    finding = survives_noise()([evaluation_of_rows(rows, rows, model="frozen:rows.npy")])
    assert finding.verdict is Verdict.NOT_RUN
    assert "frozen" in finding.reason


@pytest.mark.parametrize("n", [2, 5])
def test_noise_words_are_not_judged_where_every_picture_is_among_the_first_k(n: int) -> None:
    rows = np.eye(n)
    finding = survives_noise(k=5)([evaluation_of_rows(rows, rows, model="frozen:rows.npy")])
    assert finding.verdict is Verdict.NOT_RUN
    assert f"there are {n}" in finding.reason


# --- worst items


def test_the_worst_items_are_those_ranked_last_with_what_was_got_instead() -> None:
    evaluation = seeing(12, noise=1.2, seed=3)
    ranks = evaluation.ranks.i2t.rank
    lines = worst_items(evaluation, "i2t", 3)
    assert len(lines) == 3
    worst = int(np.argmax(ranks))
    assert lines[0].startswith(f"picture {worst}: expected 'caption 0 of picture {worst}'")
    assert lines[0].endswith(f"rank {ranks.max():g}")


def test_the_expected_caption_is_the_one_whose_score_is_shown() -> None:
    images = np.array([[1.0, 0.0], [0.0, 1.0]])
    texts = np.array([[-1.0, 0.1], [0.6, 0.8], [1.0, 0.0], [0.9, 0.1]])
    line = worst_items(evaluation_of_rows(images, texts, per_image=2), "i2t", 1)[0]
    assert line.startswith(
        "picture 0: expected 'caption 1 of picture 0' (0.600), got 'caption 0 of picture 1'"
    )


def test_a_dataset_of_one_picture_has_no_rival_to_show() -> None:
    assert "got it" in worst_items(evaluation_of_rows([[1.0]], [[1.0]]), "t2i")[0]
