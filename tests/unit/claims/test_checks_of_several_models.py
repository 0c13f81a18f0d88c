"""What the checks that compare models say."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from clipeval.claims.checks import (
    better_in_every_category,
    better_on_pictures,
    better_than,
    closer_pairs,
    fewer_antihubs,
    non_inferior,
    ordering,
    smaller_gap,
)
from clipeval.claims.checks.fewer_antihubs import found_in_groups
from clipeval.claims.checks.intersection import all_hold
from clipeval.claims.checks.smaller_gap import squared_gap
from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.core.comparison import compare_paired
from clipeval.core.verdict import Verdict
from clipeval.errors import InvalidInputError


def model(n: int, noise: float, *, per_image: int = 1, seed: int = 0, categories=(), name: str = "m"):
    rng = np.random.default_rng(seed)
    images = rng.normal(size=(n, 16))
    texts = np.repeat(images, per_image, axis=0)
    own = np.random.default_rng([seed, int(noise * 1000)])
    texts = texts + noise * own.normal(size=texts.shape)
    return evaluation_of_rows(images, texts, per_image=per_image, categories=categories, model=name)


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
@pytest.mark.parametrize("per_image", [1, 3])
@pytest.mark.parametrize("metric", ["hit_rate@1", "mrr", "recall@3", "ndcg@3", "map@r", "r_precision"])
def test_a_clearly_better_model_is_called_better_and_the_reverse_refuted(
    direction, per_image, metric
) -> None:
    good, bad = model(60, 0.2, per_image=per_image), model(60, 3.0, per_image=per_image)
    check = better_than(metric, direction)
    finding = check([good, bad])
    assert finding.verdict is Verdict.HOLDS
    assert finding.low > 0
    assert finding.n == 60
    assert len(finding.worst) == 5
    assert check([bad, good]).verdict is Verdict.REFUTED


def test_the_finding_is_what_the_paired_test_of_the_core_says() -> None:
    good, bad = model(60, 0.8, per_image=3), model(60, 1.5, per_image=3)
    finding = better_than("hit_rate@5", "t2i")([good, bad])
    test = compare_paired(good.ranks.t2i.hits(5), bad.ranks.t2i.hits(5), good.dataset.image_of_caption)
    assert (finding.p, finding.effect, finding.discordant) == (test.p, test.difference, test.discordant)
    assert finding.minimum_detectable_effect == test.minimum_detectable_effect


def test_a_model_against_itself_is_undecided_by_identity() -> None:
    same = model(30, 0.5)
    finding = better_than()([same, same])
    assert finding.verdict is Verdict.UNDECIDED
    assert "identity" in finding.sentence


def test_the_worst_items_of_a_comparison_are_those_that_only_the_other_model_finds() -> None:
    rows = np.eye(20)
    swapped = rows.copy()
    swapped[[3, 7]] = swapped[[7, 3]]
    first, second = evaluation_of_rows(rows, swapped), evaluation_of_rows(rows, rows)
    worst = better_than()([first, second]).worst
    assert {line.split(":")[0] for line in worst[:2]} == {"picture 3", "picture 7"}


def test_models_on_different_items_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="different items"):
        better_than()([model(20, 0.1), model(21, 0.1)])


def test_a_check_of_two_models_refuses_one() -> None:
    with pytest.raises(InvalidInputError, match="compares 2"):
        better_than()([model(20, 0.1)])


def test_non_inferiority_needs_data_and_forgives_less_than_the_margin() -> None:
    old = model(400, 0.3)
    assert non_inferior(margin=0.05)([model(400, 0.31), old]).verdict is Verdict.HOLDS
    assert non_inferior(margin=0.05)([model(400, 3.0), old]).verdict is Verdict.REFUTED
    assert non_inferior(margin=0.02)([model(20, 0.31), model(20, 0.3)]).verdict is Verdict.UNDECIDED


def test_an_order_holds_only_where_every_step_does() -> None:
    steps = [model(150, noise, name=f"n{noise}") for noise in (0.2, 1.2, 3.0)]
    assert ordering()(steps).verdict is Verdict.HOLDS
    assert ordering()(steps[::-1]).verdict is Verdict.REFUTED
    twin = model(150, 1.2001, name="twin")
    finding = ordering()([steps[0], steps[1], twin, steps[2]])
    assert finding.verdict is Verdict.UNDECIDED
    assert "2 of 3 steps" in finding.reason


def test_the_p_of_an_order_is_that_of_its_weakest_step() -> None:
    steps = [model(150, noise) for noise in (0.2, 1.2, 3.0)]
    finding = ordering()(steps)
    pairs = [better_than()(pair) for pair in pairwise(steps)]
    assert finding.p == max(pair.p for pair in pairs)


def test_one_refuted_part_refutes_the_whole_only_after_bonferroni() -> None:
    against = compare_paired([0.0] * 7, [1.0] * 7)
    equal = compare_paired([1.0] * 7, [1.0] * 7)
    assert all_hold([against, equal]) == (Verdict.REFUTED, 2 * against.p)
    assert all_hold([against, *[equal] * 9])[0] is Verdict.UNDECIDED


def test_a_model_better_in_all_but_one_category_is_not_better_in_every() -> None:
    words = ["a"] * 20 + ["b"] * 20 + ["c"] * 20
    rows = np.eye(60)
    broken = np.roll(rows, 1, axis=0)
    right = evaluation_of_rows(rows, rows, categories=words)
    wrong = evaluation_of_rows(rows, broken, categories=words)
    partly = evaluation_of_rows(rows, np.concatenate([rows[:40], broken[40:]]), categories=words)
    assert better_in_every_category()([right, wrong]).verdict is Verdict.HOLDS
    finding = better_in_every_category()([partly, wrong])
    assert finding.verdict is Verdict.UNDECIDED
    assert "shown in 2 of 3" in finding.reason
    assert better_in_every_category()([wrong, right]).verdict is Verdict.REFUTED


def test_pictures_on_which_both_rank_alike_count_half() -> None:
    rows = np.eye(40)
    half = np.concatenate([rows[:20], np.roll(rows[20:], 1, axis=0)])
    right, partly = evaluation_of_rows(rows, rows), evaluation_of_rows(rows, half)
    finding = better_on_pictures(share=0.9)([right, partly])
    assert finding.effect == pytest.approx(0.75)
    assert finding.verdict is Verdict.REFUTED
    assert "20 better, 20 equal, 0 worse" in finding.sentence


def test_better_on_every_one_of_twenty_pictures_does_not_show_nine_in_ten() -> None:
    rows = np.eye(20)
    pair = [evaluation_of_rows(rows, texts) for texts in (rows, np.roll(rows, 1, axis=0))]
    assert better_on_pictures(share=0.9)(pair).verdict is Verdict.UNDECIDED


def test_five_pictures_in_a_category_cannot_show_anything() -> None:
    words = [word for word in "abcd" for _ in range(5)]
    rows = np.eye(20)
    pair = [evaluation_of_rows(rows, texts, categories=words) for texts in (rows, np.roll(rows, 1, axis=0))]
    assert better_in_every_category()(pair).verdict is Verdict.UNDECIDED


def test_without_categories_there_is_nothing_to_run() -> None:
    assert better_in_every_category()([model(20, 0.1), model(20, 2.0)]).verdict is Verdict.NOT_RUN


def slow_squared_gap(images, texts, owner) -> float:
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (images, texts)]
    apart = [unit[0][i] - unit[1][owner == i].mean(axis=0) for i in range(len(images))]
    products = [a @ b for i, a in enumerate(apart) for j, b in enumerate(apart) if i != j]
    return sum(products) / len(products)


def test_the_squared_gap_is_the_mean_product_of_different_images() -> None:
    evaluation = model(12, 0.5, per_image=3)
    owner = evaluation.dataset.image_of_caption
    square, _ = squared_gap(evaluation.images, evaluation.texts, owner)
    assert square == pytest.approx(slow_squared_gap(evaluation.images, evaluation.texts, owner), abs=1e-6)


def test_the_squared_gap_without_an_image_is_that_of_the_others_with_all_their_captions() -> None:
    evaluation = model(6, 0.5, per_image=2)
    owner = evaluation.dataset.image_of_caption
    _, without = squared_gap(evaluation.images, evaluation.texts, owner)
    for left_out in range(6):
        keep = owner != left_out
        expected = slow_squared_gap(
            np.delete(evaluation.images, left_out, axis=0),
            evaluation.texts[keep],
            np.unique(owner[keep], return_inverse=True)[1],
        )
        assert without[left_out] == pytest.approx(expected, abs=1e-6)


def test_rows_that_never_vary_leave_no_doubt_about_the_gap() -> None:
    ones = np.ones((60, 4))
    same, opposite = evaluation_of_rows(ones, ones), evaluation_of_rows(ones, -ones)
    assert smaller_gap()([same, opposite]).verdict is Verdict.HOLDS
    assert smaller_gap()([same, evaluation_of_rows(2 * ones, ones)]).verdict is Verdict.UNDECIDED


def test_a_trained_space_is_closer_narrower_and_has_fewer_antihubs() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(120, 16))
    trained = evaluation_of_rows(rows, rows + 0.3 * rng.normal(size=rows.shape))
    cone = rng.normal(size=(120, 16)) * 0.2
    untrained = evaluation_of_rows(cone + 1.0, cone[::-1] - 1.0)
    for check in (closer_pairs(), smaller_gap(), fewer_antihubs()):
        assert check([trained, untrained]).verdict is Verdict.HOLDS
        assert check([untrained, trained]).verdict is Verdict.REFUTED
        assert check([trained, trained]).verdict is Verdict.UNDECIDED


def test_a_constant_encoder_has_no_closer_pairs() -> None:
    ones = np.ones((60, 4))
    constant = evaluation_of_rows(ones, ones)
    rows = np.random.default_rng(0).normal(size=(2, 60, 16))
    assert closer_pairs()([constant, evaluation_of_rows(*rows)]).verdict is Verdict.UNDECIDED
    assert closer_pairs()([constant, model(60, 0.5)]).verdict is Verdict.REFUTED


def test_antihubs_are_counted_within_groups_that_have_lists_of_their_own() -> None:
    evaluation = model(60, 1.0, per_image=2)
    order = np.random.Generator(np.random.PCG64(3)).permutation(60)
    expected = []
    for members in np.array_split(order, 6):
        texts = [2 * image + number for image in members for number in range(2)]
        scores = evaluation.similarity()[np.ix_(members, texts)]
        listed = {int(at) for row in scores for at in np.argsort(-row)[:2]}
        expected.append(len(listed) / len(texts))
    assert found_in_groups(evaluation, "i2t", k=10, groups=6, seed=3) == pytest.approx(expected)


def test_antihubs_of_few_pictures_are_undecided() -> None:
    finding = fewer_antihubs()([model(59, 0.1), model(59, 0.2)])
    assert (finding.verdict, finding.reason) == (Verdict.UNDECIDED, "fewer than 60 images")


def test_a_gap_on_few_pictures_is_undecided() -> None:
    finding = smaller_gap()([model(30, 0.1), model(30, 0.2)])
    assert (finding.verdict, finding.reason) == (Verdict.UNDECIDED, "fewer than 50 images")
