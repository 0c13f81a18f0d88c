from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import special, stats

from clipeval.core import geometry, neighbours
from clipeval.core.geometry import alignment, hubness, linear_cka, modality_gap, mutual_knn, uniformity
from clipeval.core.neighbours import top_k_membership
from clipeval.errors import InvalidInputError

# the table of reference values on clip-coco500, as printed
REFERENCE = {
    "clip": {
        "gap": "0.8514", "alignment": "1.3802", "uniformity": ("-1.795", "-1.841"),
        "hubness": ("1.646", "0.283", "0.008"), "cka": ("0.636196", "0.604465"), "knn": "0.2494",
    },
    "clip_random": {
        "gap": "1.1361", "alignment": "1.9429", "uniformity": ("-0.910", "-1.308"),
        "hubness": ("6.369", "0.894", "0.864"), "cka": ("0.044970", "0.025707"), "knn": "0.0290",
    },
    "convirt": {
        "gap": "0.8231", "alignment": "1.4896", "uniformity": ("-0.784", "-2.668"),
        "hubness": ("4.541", "0.812", "0.720"), "cka": ("0.411119", "0.405636"), "knn": "0.0498",
    },
}  # fmt: skip


def printed(value: float, like: str) -> str:
    return f"{value:.{len(like.split('.')[1])}f}"


@pytest.fixture(params=sorted(REFERENCE))
def model(request: pytest.FixtureRequest, reference_data: Path) -> tuple[str, np.ndarray, np.ndarray]:
    images, texts = np.load(
        reference_data / "clip-coco500" / f"features_{request.param}.npy", allow_pickle=False
    )
    return request.param, images, texts


@pytest.fixture
def points() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(13, 5))
    texts = images + rng.normal(size=(13, 5)) + 1.0
    images[4] = images[7]  # a repeated row makes real ties
    return images, texts


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_the_reference_table_is_reproduced_to_its_printed_digits(model) -> None:
    name, images, texts = model
    expected = REFERENCE[name]
    assert printed(modality_gap(images, texts), expected["gap"]) == expected["gap"]
    assert printed(alignment(images, texts), expected["alignment"]) == expected["alignment"]
    for rows, value in zip((images, texts), expected["uniformity"], strict=True):
        assert printed(uniformity(rows), value) == value
    hubs = hubness(images, texts, k=10)
    measured = (hubs.skewness, hubs.robin_hood, hubs.antihub_share)
    assert tuple(map(printed, measured, expected["hubness"])) == expected["hubness"]
    biased, debiased = expected["cka"]
    assert printed(linear_cka(images, texts), biased) == biased
    assert printed(linear_cka(images, texts, debiased=True, epsilon=1e-6), debiased) == debiased
    assert printed(mutual_knn(images, texts).value, expected["knn"]) == expected["knn"]


def test_debiased_cka_without_the_published_epsilon_is_the_definition(model) -> None:
    """The table's debiased CKA holds the 1e-6 of Huh et al.'s code; Song et al.'s estimator has none."""
    name, images, texts = model
    ours = linear_cka(images, texts, debiased=True)
    rows = [unit(side.astype(np.float64)) for side in (images, texts)]
    assert ours == pytest.approx(slow_cka(*rows, debiased=True), abs=1e-8)
    without = {"clip": "0.604588", "clip_random": "0.025709", "convirt": "0.405648"}[name]
    assert f"{ours:.6f}" == without


def test_convirts_published_mutual_knn_is_one_tie_break_and_ours_their_mean(reference_data: Path) -> None:
    """57 repeated captions: the published .0494 is what a plain argsort happens to give."""
    images, texts = np.load(reference_data / "clip-coco500" / "features_convirt.npy", allow_pickle=False)
    k, n = 10, len(images)

    def overlap(left: np.ndarray, right: np.ndarray) -> float:
        lists = []
        for scores in (left, right):
            scores = scores.copy()
            np.fill_diagonal(scores, -np.inf)
            lists.append(np.argsort(scores, axis=1)[:, -k:])
        return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(*lists, strict=True)]))

    left, right = (
        unit(rows.astype(np.float64)) @ unit(rows.astype(np.float64)).T for rows in (images, texts)
    )
    rng = np.random.default_rng(0)
    broken = [overlap(left, right.round(12) + rng.uniform(0, 1e-13, (n, n))) for _ in range(60)]
    assert min(broken) < 0.0494 < max(broken)
    assert abs(np.mean(broken) - mutual_knn(images, texts).value) < 4 * np.std(broken) / 60**0.5


def test_alignment_is_two_minus_twice_the_mean_diagonal(model) -> None:
    _, images, texts = model
    diagonal = np.sum(unit(images.astype(np.float64)) * unit(texts.astype(np.float64)), axis=1)
    assert alignment(images, texts) == pytest.approx(2 - 2 * diagonal.mean(), abs=1e-7)


def test_gap_alignment_and_uniformity_equal_plain_loops(points) -> None:
    images, texts = map(unit, points)
    gap = math.dist([sum(c) / 13 for c in images.T], [sum(c) / 13 for c in texts.T])
    assert modality_gap(*points) == pytest.approx(gap, rel=1e-6)
    for alpha in (1.0, 2.0, 3.0):
        slow = sum(math.dist(x, y) ** alpha for x, y in zip(images, texts, strict=True)) / 13
        assert alignment(*points, alpha=alpha) == pytest.approx(slow, rel=1e-6)
    owner = np.array([3, 3, 0, 1, 12, 5, 5, 5, 2, 2, 2, 9, 9])
    slow = sum(math.dist(images[g], y) ** 2 for g, y in zip(owner, texts, strict=True)) / 13
    assert alignment(*points, image_of_caption=owner) == pytest.approx(slow, rel=1e-6)
    pairs = list(itertools.combinations(images, 2))
    slow = math.log(sum(math.exp(-2 * math.dist(x, y) ** 2) for x, y in pairs) / len(pairs))
    assert uniformity(points[0]) == pytest.approx(slow, rel=1e-6)


def test_uniformity_survives_a_temperature_at_which_every_term_underflows() -> None:
    corners = np.eye(3)  # every squared distance is 2
    assert uniformity(corners, t=1000.0) == pytest.approx(-2000.0, rel=1e-7)


def test_uniformity_of_coinciding_rows_is_zero_and_of_a_zero_row_is_defined() -> None:
    assert uniformity(np.ones((5, 3))) == pytest.approx(0.0, abs=1e-6)
    assert uniformity([[0.0, 0.0], [1.0, 0.0]]) == pytest.approx(-2.0, rel=1e-7)


def test_block_size_does_not_change_a_value(points, monkeypatch) -> None:
    def everything() -> list[float]:
        hubs = hubness(*points, k=3)
        return [
            uniformity(points[1]),
            alignment(*points),
            mutual_knn(*points, k=3).value,
            *hubs.counts,
        ]

    whole = everything()
    monkeypatch.setattr(geometry, "_BLOCK_ENTRIES", 20)
    monkeypatch.setattr(neighbours, "BLOCK_ENTRIES", 20)
    monkeypatch.setattr("clipeval.core.hubness.BLOCK_ENTRIES", 20)
    np.testing.assert_allclose(everything(), whole, rtol=1e-12)


def test_top_k_membership_is_the_mean_over_all_tie_breaks() -> None:
    scores = np.array(
        [[2.0, 1.0, 1.0, 1.0 + 1e-14, 0.0], [1.0, 1.0, 1.0, 1.0, 1.0], [5.0, 4.0, 3.0, 2.0, 1.0]]
    )
    for k in range(1, 6):
        for row, ours in zip(scores, top_k_membership(scores, k=k), strict=True):
            hits = np.zeros(5)
            orders = list(itertools.permutations(range(5)))
            for order in orders:
                ranked = sorted(range(5), key=lambda c: (-round(row[c], 12), order[c]))
                hits[ranked[:k]] += 1
            np.testing.assert_allclose(ours, hits / len(orders), atol=1e-12)


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
def test_hubness_equals_a_plain_count_and_scipys_skewness(points, direction: str) -> None:
    images, texts = map(unit, points)
    queries, candidates = (images, texts) if direction == "i2t" else (texts, images)
    counts = np.zeros(13)
    for query in queries:
        members = top_k_membership(np.array([[query @ c for c in candidates]]), k=3)[0]
        counts += members
    ours = hubness(*points, k=3, direction=direction)
    np.testing.assert_allclose(ours.counts, counts, atol=1e-9)
    assert ours.counts.sum() == pytest.approx(3 * 13)
    assert ours.skewness == pytest.approx(stats.skew(counts))
    assert ours.robin_hood == pytest.approx(sum(abs(c - 3) for c in counts) / (2 * 39))
    assert ours.antihub_share == sum(c == 0 for c in counts) / 13


def test_one_hub_for_everybody_is_the_extreme_and_equal_shares_are_zero() -> None:
    hub = hubness(np.tile([1.0, 0.0, 0.0], (4, 1)), np.eye(3), k=1)
    assert hub.counts.tolist() == [4.0, 0.0, 0.0]
    assert hub.robin_hood == pytest.approx(2 / 3)
    assert hub.antihub_share == pytest.approx(2 / 3)
    fair = hubness(np.eye(3), np.eye(3), k=1)
    assert (fair.skewness, fair.robin_hood, fair.antihub_share) == (0.0, 0.0, 0.0)
    constant = hubness(np.ones((4, 3)), np.ones((3, 3)), k=1)
    assert constant.skewness == 0.0
    np.testing.assert_allclose(constant.counts, 4 / 3)


def slow_cka(x: np.ndarray, y: np.ndarray, *, debiased: bool) -> float:
    def hsic(k: np.ndarray, m: np.ndarray) -> float:
        n = len(k)
        if not debiased:
            centre = np.eye(n) - 1 / n
            return np.trace(k @ centre @ m @ centre)
        k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
        one = np.ones(n)
        middle = (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
        return (np.trace(k @ m) + middle - 2 / (n - 2) * (one @ k @ m @ one)) / (n * (n - 3))

    k, m = x @ x.T, y @ y.T
    return hsic(k, m) / math.sqrt(hsic(k, k) * hsic(m, m))


@pytest.mark.parametrize("debiased", [False, True])
@pytest.mark.parametrize("normalise", [False, True])
def test_cka_without_gram_matrices_equals_cka_with_them(points, debiased: bool, normalise: bool) -> None:
    x, y = points[0], points[1][:, :3]
    ready = [unit(rows) if normalise else rows for rows in (x, y)]
    ours = linear_cka(x, y, debiased=debiased, normalise=normalise)
    assert ours == pytest.approx(slow_cka(*ready, debiased=debiased), rel=1e-5)


@pytest.mark.parametrize("debiased", [False, True])
def test_cka_does_not_see_rotation_or_scale(points, debiased: bool) -> None:
    x, y = points
    rotation = np.linalg.qr(np.random.default_rng(3).normal(size=(5, 5)))[0]
    plain = linear_cka(x, y, debiased=debiased, normalise=False)
    turned = linear_cka(x @ rotation, 1e100 * y, debiased=debiased, normalise=False)
    assert turned == pytest.approx(plain, rel=1e-10)


def test_debiasing_brings_unrelated_representations_to_zero_on_average() -> None:
    rng = np.random.default_rng(0)
    draws = [(rng.normal(size=(30, 40)), rng.normal(size=(30, 40))) for _ in range(100)]
    biased = [linear_cka(x, y) for x, y in draws]
    debiased = [linear_cka(x, y, debiased=True) for x, y in draws]
    assert np.mean(biased) > 0.4
    assert abs(np.mean(debiased)) < 4 * np.std(debiased) / 100**0.5


def test_cka_of_constant_rows_is_nan_not_a_number_made_of_rounding() -> None:
    constant = np.tile([0.1, 0.2, 0.3], (6, 1))
    assert math.isnan(linear_cka(constant, np.random.default_rng(0).normal(size=(6, 3))))


def test_mutual_knn_equals_neighbour_sets_and_states_its_chance(points) -> None:
    images, texts = unit(np.delete(points[0], 4, axis=0)), unit(np.delete(points[1], 4, axis=0))
    total = 0.0
    for i in range(12):
        near = []
        for rows in (images, texts):
            others = sorted((j for j in range(12) if j != i), key=lambda j: -(rows[i] @ rows[j]))
            near.append(set(others[:3]))
        total += len(near[0] & near[1]) / 3
    ours = mutual_knn(images, texts, k=3)
    assert ours.value == pytest.approx(total / 12)
    assert ours.chance == 3 / 11
    assert mutual_knn(images, images[:, ::-1], k=3).value == 1.0


def test_unrelated_representations_overlap_by_chance() -> None:
    rng = np.random.default_rng(0)
    draws = [mutual_knn(rng.normal(size=(40, 8)), rng.normal(size=(40, 6)), k=5) for _ in range(60)]
    values = [draw.value for draw in draws]
    assert abs(np.mean(values) - draws[0].chance) < 4 * np.std(values) / 60**0.5


def test_constant_rows_overlap_by_chance_exactly() -> None:
    ours = mutual_knn(np.ones((9, 2)), np.ones((9, 3)), k=4)
    assert ours.value == pytest.approx(ours.chance)


def test_uniformity_agrees_with_scipys_logsumexp(points) -> None:
    x = unit(points[1])
    squared = np.array([np.sum((a - b) ** 2) for a, b in itertools.combinations(x, 2)])
    expected = special.logsumexp(-5 * squared) - math.log(squared.size)
    assert uniformity(points[1], t=5.0) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: modality_gap(x, [[1.0, np.nan, 0.0]]), "texts holds NaN"),
        (lambda x: modality_gap(x, [[1.0, 0.0]]), "width"),
        (lambda x: modality_gap(np.empty((0, 3)), x), "no images"),
        (lambda x: alignment(x, x[:2]), "not pairs"),
        (lambda x: alignment(x, x, image_of_caption=[0, 1, 2, 9]), "0 ... 3"),
        (lambda x: alignment(x, x, image_of_caption=[0.0, 1, 2, 3]), "whole number"),
        (lambda x: alignment(x, x, alpha=0), "alpha"),
        (lambda x: uniformity(x[:1]), "two rows"),
        (lambda x: uniformity(x, t=math.inf), "t must be"),
        (lambda x: hubness(x, x, k=5), "1 ... 4"),
        (lambda x: hubness(x, x, k=1, direction="i2i"), "unknown direction"),
        (lambda x: mutual_knn(x, x, k=4), "1 ... 3"),
        (lambda x: mutual_knn(x, x[:3], k=1), "not pairs"),
        (lambda x: linear_cka(x, x[:3]), "same items"),
        (lambda x: linear_cka(x[:3], x[:3], debiased=True), "at least 4"),
        (lambda x: linear_cka(x, x, epsilon=-1.0), "epsilon"),
    ],
)
def test_bad_input_is_refused_with_the_reason(call, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        call(np.eye(4, 3) + 0.1)
