from __future__ import annotations

import json
import math
from fractions import Fraction
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipeval import rank_retrieval, rank_scores, unit_rows
from clipeval.core.ranks import DirectionRanks
from clipeval.errors import InvalidInputError

RULES = ("optimistic", "expected", "pessimistic")


def orders(row: np.ndarray) -> list[list[int]]:
    """Every sorting of the candidates by score, one for each way to break ties (equally many of each)."""
    return [sorted(order, key=lambda c: -row[c]) for order in permutations(range(len(row)))]


def place_of_first(order: list[int], positives: list[int]) -> int:
    return 1 + min(order.index(p) for p in positives)


def by_hand(row: np.ndarray, positives: list[int]) -> dict[str, Any]:
    places = [place_of_first(order, positives) for order in orders(row)]
    total = len(places)
    return {
        "optimistic": min(places),
        "pessimistic": max(places),
        "rank": Fraction(sum(places), total),
        "reciprocal": sum((Fraction(1, p) for p in places), Fraction(0)) / total,
        "hit": [Fraction(sum(p <= k for p in places), total) for k in range(1, len(row) + 1)],
    }


def matrices() -> list[tuple[np.ndarray, list[list[int]]]]:
    rng = np.random.default_rng(0)
    cases = []
    for levels in (1, 2, 3, 9):
        for n in (1, 2, 3, 5, 6):
            scores = rng.integers(0, levels, size=(4, n)).astype(float)
            chosen = [rng.choice(n, size=rng.integers(1, n + 1), replace=False).tolist() for _ in range(4)]
            cases.append((scores, chosen))
    return cases


@pytest.mark.parametrize(("scores", "positives"), matrices())
def test_every_rank_equals_trying_every_way_to_break_ties(
    scores: np.ndarray, positives: list[list[int]]
) -> None:
    n = scores.shape[1]
    ranks = rank_scores(scores, [[]] * n, captions_of_image=positives).i2t
    hands = [by_hand(row, mine) for row, mine in zip(scores, positives, strict=True)]
    assert ranks.optimistic.tolist() == [h["optimistic"] for h in hands]
    assert ranks.pessimistic.tolist() == [h["pessimistic"] for h in hands]
    np.testing.assert_allclose(ranks.expected, [float(h["rank"]) for h in hands], rtol=1e-14)
    np.testing.assert_allclose(ranks.reciprocal(), [float(h["reciprocal"]) for h in hands], rtol=1e-14)
    for k in range(1, n + 1):
        np.testing.assert_allclose(
            ranks.expected_hit(k), [float(h["hit"][k - 1]) for h in hands], rtol=0, atol=1e-15
        )


def slow_counts(row: np.ndarray, positives: list[int]) -> tuple[int, int, int]:
    """Count wrong candidates above the best positive, wrong ones tied and positives tied with it.

    One candidate at a time; scores within 1e-12 are equal.
    """
    best = max(row[p] for p in positives)
    better = tied = mine = 0
    for candidate, score in enumerate(row):
        if candidate in positives:
            mine += abs(score - best) <= 1e-12
        elif abs(score - best) <= 1e-12:
            tied += 1
        else:
            better += score > best
    return better, tied, mine


def formula_hit(k: int, better: int, tied: int, mine: int) -> Fraction:
    j = min(max(k - better, 0), tied + mine)
    return 1 - Fraction(math.comb(tied, j), math.comb(tied + mine, j))


def formula_reciprocal(better: int, tied: int, mine: int) -> Fraction:
    return sum(
        (
            Fraction(math.comb(tied + mine - t, mine - 1), math.comb(tied + mine, mine)) / (better + t)
            for t in range(1, tied + 2)
        ),
        Fraction(0),
    )


def test_ranks_equal_the_formulas_of_binomial_coefficients_on_large_tied_rows() -> None:
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 3, size=(25, 60)).astype(float)
    positives = [rng.choice(60, size=rng.integers(1, 30), replace=False).tolist() for _ in range(25)]
    ranks = rank_scores(scores, [[]] * 60, captions_of_image=positives).i2t
    counts = [slow_counts(row, mine) for row, mine in zip(scores, positives, strict=True)]
    assert ranks.better.tolist() == [g for g, _, _ in counts]
    assert ranks.tied.tolist() == [e for _, e, _ in counts]
    assert ranks.positives_tied.tolist() == [w for _, _, w in counts]
    assert ranks.optimistic.tolist() == [1 + g for g, _, _ in counts]
    assert ranks.pessimistic.tolist() == [1 + g + e for g, e, _ in counts]
    np.testing.assert_allclose(
        ranks.expected, [float(1 + g + Fraction(e, w + 1)) for g, e, w in counts], rtol=1e-15
    )
    np.testing.assert_allclose(
        ranks.reciprocal(), [float(formula_reciprocal(*c)) for c in counts], rtol=1e-13
    )
    for k in (1, 2, 5, 10, 30, 59, 60):
        np.testing.assert_allclose(
            ranks.expected_hit(k), [float(formula_hit(k, *c)) for c in counts], rtol=0, atol=1e-14
        )


def assert_equals_brute_force(
    ranks: DirectionRanks, queries: np.ndarray, candidates: np.ndarray, positives: list[list[int]]
) -> None:
    """Queries and candidates are embeddings; the scores are float64 products of their unit rows."""
    left, right = unit_rows(queries).astype(np.float64), unit_rows(candidates).astype(np.float64)
    asked = [q for q, mine in enumerate(positives) if mine]
    assert ranks.queries.tolist() == asked
    assert ranks.without_positives.tolist() == [q for q, mine in enumerate(positives) if not mine]
    assert ranks.n_candidates == len(candidates)
    assert ranks.n_positives.tolist() == [len(positives[q]) for q in asked]
    for at, q in enumerate(asked):
        row = right @ left[q]
        mine = np.zeros(len(row), dtype=bool)
        mine[positives[q]] = True
        best = row[mine].max()
        better = int((row[~mine] > best + 1e-12).sum())
        tied = int((np.abs(row[~mine] - best) <= 1e-12).sum())
        shared = int((best - row[mine] <= 1e-12).sum())
        assert (ranks.better[at], ranks.tied[at], ranks.positives_tied[at]) == (better, tied, shared)
        assert abs(ranks.positive_score[at] - best) <= 1e-13
        if mine.all():
            assert ranks.best_rival[at] == -1
            assert np.isnan(ranks.rival_score[at])
        else:
            rival = np.where(mine, -np.inf, row)
            assert ranks.best_rival[at] == np.flatnonzero(rival >= rival.max() - 1e-12)[0]
            assert abs(ranks.rival_score[at] - rival.max()) <= 1e-13


def test_embeddings_full_of_duplicates_and_zero_rows_equal_brute_force_both_ways() -> None:
    rng = np.random.default_rng(2)
    images, captions = rng.normal(size=(40, 7)), rng.normal(size=(90, 7))
    captions[40:60] = captions[:20] * rng.uniform(0.5, 2, size=(20, 1))
    images[[3, 9]] = 0
    captions[[5, 80]] = 0
    images[20:25] = images[19]
    owners = [rng.choice(40, size=rng.integers(0, 4), replace=False).tolist() for _ in range(90)]
    ranks = rank_retrieval(images, captions, owners)
    assert_equals_brute_force(ranks.t2i, captions, images, owners)
    of_image = [[j for j, mine in enumerate(owners) if i in mine] for i in range(40)]
    assert_equals_brute_force(ranks.i2t, images, captions, of_image)
    assert ranks.t2i.tied.max() > 0


def test_rank_scores_of_the_product_equals_rank_retrieval() -> None:
    rng = np.random.default_rng(3)
    images, captions = rng.normal(size=(30, 9)), rng.normal(size=(50, 9))
    owners = rng.integers(0, 30, size=50)
    product = unit_rows(images).astype(float) @ unit_rows(captions).astype(float).T
    one, other = rank_retrieval(images, captions, owners), rank_scores(product, owners)
    for direction in ("i2t", "t2i"):
        a, b = getattr(one, direction), getattr(other, direction)
        np.testing.assert_array_equal(a.queries, b.queries)
        np.testing.assert_array_equal(a.expected, b.expected)
        np.testing.assert_array_equal(a.best_rival, b.best_rival)


@pytest.mark.parametrize("ties", RULES)
def test_hits_and_rank_follow_the_tie_rule(ties: Any) -> None:
    ranks = rank_scores([[5.0, 5.0, 5.0, 7.0]], [[0], [], [], []], ties=ties).i2t
    wanted = {
        "optimistic": (2, [0, 1, 1, 1], 1 / 2),
        "expected": (3, [0, 1 / 3, 2 / 3, 1], (1 / 2 + 1 / 3 + 1 / 4) / 3),
        "pessimistic": (4, [0, 0, 0, 1], 1 / 4),
    }
    rank, hits, reciprocal = wanted[ties]
    assert ranks.rank.tolist() == [rank]
    np.testing.assert_allclose([ranks.hit_rate(k) for k in (1, 2, 3, 4)], hits, rtol=0, atol=1e-15)
    np.testing.assert_allclose(ranks.reciprocal(), [reciprocal], rtol=1e-15)


# ---- reference values


# the table of reference values on clip-coco500, as printed: hit@1, @5, @10
HITS = {
    "clip": ((".552", ".808", ".892"), (".506", ".766", ".862")),
    "clip_random": ((".002", ".008", ".026"), (".002", ".008", ".012")),
    "convirt": ((".006", ".048", ".072"), (".022", ".112", ".188")),
}


def features(folder: Path, model: str) -> tuple[np.ndarray, np.ndarray]:
    images, texts = np.load(folder / "clip-coco500" / f"features_{model}.npy", allow_pickle=False)
    return images, texts


@pytest.mark.parametrize("model", sorted(HITS))
def test_hit_rates_on_clip_coco500_are_the_reference_values(model: str, reference_data: Path) -> None:
    ranks = rank_retrieval(*features(reference_data, model), ties="optimistic")
    for direction, wanted in zip((ranks.i2t, ranks.t2i), HITS[model], strict=True):
        assert [f"{direction.hit_rate(k):.3f}".lstrip("0") for k in (1, 5, 10)] == list(wanted)


def test_the_tie_rules_give_three_known_numbers_on_convirt(reference_data: Path) -> None:
    images, texts = features(reference_data, "convirt")
    found = [rank_retrieval(images, texts, ties=rule).i2t.hit_rate(5) for rule in RULES]  # type: ignore[arg-type]
    assert [f"{v:.4f}" for v in found] == ["0.0480", "0.0455", "0.0440"]


@pytest.mark.parametrize("model", sorted(HITS))
def test_ranks_on_clip_coco500_equal_brute_force(model: str, reference_data: Path) -> None:
    images, texts = features(reference_data, model)
    ranks = rank_retrieval(images, texts)
    own = [[i] for i in range(500)]
    assert_equals_brute_force(ranks.i2t, images, texts, own)
    assert_equals_brute_force(ranks.t2i, texts, images, own)


def ground_truth(folder: Path, name: str) -> dict[int, list[int]]:
    text = (folder / "eccv-caption" / f"{name}.json").read_text(encoding="utf-8")
    return {int(key): values for key, values in json.loads(text).items()}


def truth_maps(folder: Path, kind: str) -> tuple[list[list[int]], list[list[int]]]:
    """Captions of each image, images of each caption, over all COCO 5k items, counted from 0."""
    images = sorted(ground_truth(folder, "original_image_to_caption"))
    forward = ground_truth(folder, f"{kind}_image_to_caption")
    # two captions of ECCV belong to no image of the 5k
    named = {caption for mine in forward.values() for caption in mine}
    captions = sorted(named.union(ground_truth(folder, "original_caption_to_image")))
    image_at = {name: at for at, name in enumerate(images)}
    caption_at = {name: at for at, name in enumerate(captions)}
    i2t = [[caption_at[c] for c in forward.get(name, [])] for name in images]
    if kind == "cxc":  # published in one direction only
        t2i: list[list[int]] = [[] for _ in captions]
        for image, mine in enumerate(i2t):
            for caption in mine:
                t2i[caption].append(image)
    else:
        backward = ground_truth(folder, f"{kind}_caption_to_image")
        t2i = [[image_at[i] for i in backward.get(name, [])] for name in captions]
    return i2t, t2i


def first_images(
    i2t: list[list[int]], t2i: list[list[int]], n: int
) -> tuple[list[list[int]], list[list[int]]]:
    """The maps of the first n images and every caption of theirs, counted anew."""
    kept = sorted({c for mine in i2t[:n] for c in mine})
    place = {c: at for at, c in enumerate(kept)}
    return [[place[c] for c in mine] for mine in i2t[:n]], [[i for i in t2i[c] if i < n] for c in kept]


@pytest.mark.parametrize("kind", ["original", "cxc"])
def test_many_captions_for_one_image_and_cxc_equal_brute_force(kind: str, reference_data: Path) -> None:
    i2t, t2i = first_images(*truth_maps(reference_data, kind), 300)
    rng = np.random.default_rng(4)
    images, captions = rng.normal(size=(len(i2t), 16)), rng.normal(size=(len(t2i), 16))
    captions[::7] = captions[3]
    ranks = rank_retrieval(images, captions, t2i, captions_of_image=i2t)
    assert_equals_brute_force(ranks.i2t, images, captions, i2t)
    assert_equals_brute_force(ranks.t2i, captions, images, t2i)
    if kind == "original":
        derived = rank_retrieval(images, captions, [mine[0] for mine in t2i])
        np.testing.assert_array_equal(derived.i2t.expected, ranks.i2t.expected)
        np.testing.assert_array_equal(derived.t2i.expected, ranks.t2i.expected)


def test_eccv_caption_with_different_pairs_in_each_direction_equals_brute_force(reference_data: Path) -> None:
    i2t, t2i = truth_maps(reference_data, "eccv")
    forward = {(i, c) for i, mine in enumerate(i2t) for c in mine}
    backward = {(i, c) for c, mine in enumerate(t2i) for i in mine}
    assert (len(forward), len(backward), len(forward & backward)) == (22550, 11279, 6089)
    rng = np.random.default_rng(5)
    images, captions = rng.normal(size=(len(i2t), 8)), rng.normal(size=(len(t2i), 8))
    captions[::5] = captions[1::5]
    ranks = rank_retrieval(images, captions, t2i, captions_of_image=i2t)
    assert (ranks.i2t.n_queries, ranks.t2i.n_queries) == (1261, 1332)
    assert_equals_brute_force(ranks.i2t, images, captions, i2t)
    assert_equals_brute_force(ranks.t2i, captions, images, t2i)


# ---- numbers that go wrong


def test_the_numerical_trap_a_positive_scored_apart_outranks_itself_and_ours_does_not() -> None:
    rng = np.random.default_rng(6)
    images = rng.normal(size=(400, 512))
    captions = np.repeat(images, 5, axis=0) + rng.normal(size=(2000, 512))
    owners = np.repeat(np.arange(400), 5)
    left, right = unit_rows(images).astype(float), unit_rows(captions).astype(float)
    product = right @ left.T
    apart = np.einsum("ij,ij->i", right, left[owners])
    assert product.argmax(axis=1).tolist() == owners.tolist()
    naive = 1 + (product > apart[:, None]).sum(axis=1)
    assert (naive > 1).any(), "this build computes both products alike, so it cannot show the trap"
    assert rank_retrieval(images, captions, owners).t2i.pessimistic.max() == 1


def test_the_positive_has_bit_for_bit_the_score_of_a_wrong_copy_of_itself() -> None:
    rng = np.random.default_rng(7)
    images, captions = rng.normal(size=(300, 512)), rng.normal(size=(900, 512))
    owners = np.repeat(np.arange(300), 3)
    captions += 3 * images[owners]
    ranks = rank_retrieval(np.vstack([images, images]), captions, owners).t2i
    assert ranks.tied.tolist() == [1] * 900
    assert ranks.better.tolist() == [0] * 900
    assert ranks.best_rival.tolist() == (300 + owners).tolist()
    np.testing.assert_array_equal(ranks.rival_score, ranks.positive_score)


def test_raw_rows_are_normalised_before_they_are_ranked() -> None:
    images = np.array([[1.0, 0.0]])
    captions = np.array([[1.0, 0.0], [100.0, 100.0]])  # the longer vector has the larger raw product
    assert rank_retrieval(images, captions, [[0], []]).i2t.pessimistic.tolist() == [1]


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 13, 10**6])
def test_identical_rows_are_ties_whatever_the_block(rows: int) -> None:
    rng = np.random.default_rng(8)
    images = rng.normal(size=(31, 301))
    captions = np.repeat(rng.normal(size=(3, 301)), [20, 10, 1], axis=0)
    ranks = rank_retrieval(images, captions, block_bytes=8 * 31 * rows)
    copies = [20] * 20 + [10] * 10 + [1]
    assert ranks.i2t.tied.tolist() == [n - 1 for n in copies]
    # identical captions score the same with every image, so all copies agree on its rank
    found = rank_retrieval(images, captions, [4] * 31, block_bytes=8 * 31 * rows)
    assert len(set(found.t2i.better.tolist())) <= 3


@pytest.mark.parametrize("bytes_", [1, 8 * 90 * 2, 8 * 90 * 7 + 3, 2**40])
def test_block_size_changes_no_count(bytes_: int) -> None:
    rng = np.random.default_rng(9)
    images, captions = rng.normal(size=(45, 65)), rng.normal(size=(90, 65))
    captions[45:] = captions[:45]
    owners = [rng.choice(45, size=rng.integers(0, 4), replace=False).tolist() for _ in range(90)]
    whole = rank_retrieval(images, captions, owners)
    blocks = rank_retrieval(images, captions, owners, block_bytes=bytes_)
    for direction in ("i2t", "t2i"):
        one, other = getattr(whole, direction), getattr(blocks, direction)
        for name in ("queries", "n_positives", "best_rival", "without_positives"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        for name in ("query", "start", "positives", "wrong", "before"):
            np.testing.assert_array_equal(getattr(one.groups, name), getattr(other.groups, name))
        np.testing.assert_array_equal(one.positive_score, other.positive_score)
        np.testing.assert_array_equal(one.rival_score, other.rival_score)


def test_duplicate_captions_of_convirt_are_ties_in_every_block(reference_data: Path) -> None:
    images, texts = features(reference_data, "convirt")
    whole = rank_retrieval(images, texts)
    assert whole.i2t.tied.sum() > 0
    for rows in (1, 7):
        blocks = rank_retrieval(images, texts, block_bytes=8 * 500 * rows)
        for direction in ("i2t", "t2i"):
            np.testing.assert_array_equal(
                getattr(whole, direction).expected, getattr(blocks, direction).expected
            )


@pytest.mark.parametrize(("gap", "tied"), [(0.5e-12, 1), (2e-12, 0)])
def test_scores_closer_than_the_tolerance_are_equal(gap: float, tied: int) -> None:
    for sign in (1, -1):
        ranks = rank_scores([[0.5, 0.5 + sign * gap]], [[0], []]).i2t
        assert ranks.tied.tolist() == [tied]
        assert ranks.better.tolist() == [int(sign > 0 and not tied)]
    exact = rank_scores([[0.5, 0.5 + gap]], [[0], []], tolerance=0).i2t
    assert exact.pessimistic.tolist() == exact.optimistic.tolist() == [2]


def test_without_a_tolerance_only_equal_scores_are_ties() -> None:
    row = [[0.5, 0.5, np.nextafter(0.5, 1), np.nextafter(0.5, 0)]]
    ranks = rank_scores(row, [[0], [], [], []], tolerance=0).i2t
    assert (ranks.better.tolist(), ranks.tied.tolist()) == ([1], [1])


def test_ties_are_judged_against_the_positive_not_along_a_chain() -> None:
    row = [[0.0, 0.8e-12, 1.6e-12]]  # each equals its neighbour, the outer two differ
    ranks = rank_scores(row, [[0], [], []]).i2t
    assert (ranks.better.tolist(), ranks.tied.tolist()) == ([1], [1])
    several = rank_scores(row, [[0], [0], [0]]).i2t
    assert several.groups.positives.tolist() == [2, 1]


def test_the_best_rival_is_the_first_among_equals_whatever_the_last_bit_says() -> None:
    ranks = rank_scores([[0.1, 0.7, 0.7 + 1e-16, 0.2]], [[0], [], [], []]).i2t
    assert ranks.best_rival.tolist() == [1]


@pytest.mark.parametrize("n", [1, 2, 7, 50])
@pytest.mark.parametrize("kind", ["random", "zero"])
def test_a_constant_encoder_scores_exactly_chance(n: int, kind: str) -> None:
    rng = np.random.default_rng(n)
    row = rng.normal(size=257) if kind == "random" else np.zeros(257)
    ranks = rank_retrieval(np.tile(row, (n, 1)), np.tile(row, (n, 1)))
    for direction in (ranks.i2t, ranks.t2i):
        assert direction.optimistic.tolist() == [1] * n
        assert direction.pessimistic.tolist() == [n] * n
        assert direction.expected.tolist() == [(n + 1) / 2] * n
        for k in range(1, n + 1):
            assert direction.hit_rate(k) == pytest.approx(k / n, abs=1e-15)
        assert direction.reciprocal().mean() == pytest.approx(sum(1 / t for t in range(1, n + 1)) / n)


def test_a_constant_encoder_with_five_captions_scores_the_chance_of_five_positives() -> None:
    ranks = rank_retrieval(np.ones((6, 3)), np.ones((30, 3)), np.repeat(np.arange(6), 5)).i2t
    for k in range(1, 31):
        chance = 1 - math.comb(25, k) / math.comb(30, k)
        assert ranks.hit_rate(k) == pytest.approx(chance, abs=1e-15)


def test_zero_rows_tie_with_whatever_is_orthogonal() -> None:
    ranks = rank_retrieval([[0.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]])
    assert ranks.i2t.tied.tolist() == [1, 0]  # the zero image scores 0 with both captions
    assert ranks.i2t.better.tolist() == [0, 1]


@pytest.mark.parametrize("factor", [1e200, 1e-200, 1e-310, 2.0**-40])
@pytest.mark.parametrize("order", ["little", "big"])
def test_the_size_of_embeddings_does_not_change_ranks(factor: float, order: str) -> None:
    rng = np.random.default_rng(10)
    images, captions = rng.integers(-8, 9, size=(25, 6)) * 1.0, rng.integers(-8, 9, size=(25, 6)) * 1.0
    sized = (images * factor).astype("<f8" if order == "little" else ">f8")
    expected, found = rank_retrieval(images, captions), rank_retrieval(sized, captions)
    np.testing.assert_array_equal(found.i2t.optimistic, expected.i2t.optimistic)
    np.testing.assert_array_equal(found.t2i.pessimistic, expected.t2i.pessimistic)


def test_float16_embeddings_rank_as_their_own_values() -> None:
    rng = np.random.default_rng(11)
    images = (rng.normal(size=(25, 6)) * 2e4).clip(-6e4, 6e4).astype(np.float16)
    captions = (rng.normal(size=(25, 6)) * 1e-6).astype(np.float16)
    found = rank_retrieval(images, captions)
    expected = rank_retrieval(images.astype(float), captions.astype(float))
    np.testing.assert_array_equal(found.i2t.expected, expected.i2t.expected)
    np.testing.assert_array_equal(found.t2i.expected, expected.t2i.expected)


def test_scores_of_any_finite_size_are_ranked_without_a_warning() -> None:
    top = 1.7e308
    ranks = rank_scores([[top, -top, 0.0], [-top, top, top]], [[0, 1], [0], [1]])
    assert ranks.i2t.optimistic.tolist() == [1, 1]
    assert ranks.i2t.pessimistic.tolist() == [1, 2]
    assert ranks.i2t.groups.positives.tolist() == [1, 1, 1, 1]


def test_a_tolerance_as_wide_as_the_scores_ties_everything() -> None:
    ranks = rank_scores([[-1e308, 1.0], [1.0, -1e308]], tolerance=1.7e308).i2t
    assert ranks.optimistic.tolist() == [1, 1]
    assert ranks.pessimistic.tolist() == [2, 2]


# ---- what is asked and what is refused


def test_a_query_without_positives_is_left_out_and_its_item_stays_a_candidate() -> None:
    ranks = rank_scores([[1.0, 2.0], [0.0, 0.0]], [[0], []])
    assert ranks.t2i.queries.tolist() == [0]
    assert ranks.t2i.without_positives.tolist() == [1]
    assert ranks.i2t.queries.tolist() == [0]
    assert ranks.i2t.n_candidates == 2
    assert ranks.i2t.optimistic.tolist() == [2]  # caption 1 is nobody's answer and still outranks caption 0


def test_nothing_but_unanswerable_queries_has_no_hit_rate() -> None:
    ranks = rank_scores(np.eye(2), [[], []]).i2t
    assert ranks.n_queries == 0
    assert ranks.hits(1).tolist() == []
    with pytest.raises(InvalidInputError, match="no query has a right answer"):
        ranks.hit_rate(1)


def test_where_every_candidate_is_right_there_is_no_rival() -> None:
    ranks = rank_scores([[3.0, 1.0]], [[0], [0]]).i2t
    assert ranks.best_rival.tolist() == [-1]
    assert np.isnan(ranks.rival_score).all()
    assert ranks.pessimistic.tolist() == [1]


@pytest.mark.parametrize("k", [0, -1, 4, 1.0, True, "1", None])
def test_k_outside_the_candidates_is_refused(k: Any) -> None:
    ranks = rank_scores(np.eye(3)).i2t
    for ask in (ranks.hits, ranks.hit_rate, ranks.expected_hit):
        with pytest.raises(InvalidInputError, match=rf"k is {k!r}, but there are 3 candidates"):
            ask(k)


def test_k_may_be_a_numpy_integer_up_to_the_number_of_candidates() -> None:
    ranks = rank_scores(np.eye(3)).i2t
    assert ranks.hit_rate(np.int64(3)) == 1.0  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", ["images", "texts"])
def test_nan_and_infinity_are_refused_with_side_and_row(side: str, bad: float) -> None:
    sides = {"images": np.ones((5, 2)), "texts": np.ones((5, 2))}
    sides[side][3, 1] = bad
    with pytest.raises(InvalidInputError, match=rf"{side} holds NaN or infinity(.|\n)*row 3"):
        rank_retrieval(**sides)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused_with_their_row(bad: float) -> None:
    with pytest.raises(InvalidInputError, match=r"scores holds NaN or infinity(.|\n)*row 1"):
        rank_scores([[1.0, 2.0], [3.0, bad]])


def test_different_widths_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"width 3(.|\n)*width 2"):
        rank_retrieval(np.ones((2, 3)), np.ones((2, 2)))


def test_unequal_counts_need_a_map() -> None:
    with pytest.raises(InvalidInputError, match=r"2 images and 4 captions(.|\n)*image_of_caption"):
        rank_retrieval(np.ones((2, 3)), np.ones((4, 3)))


@pytest.mark.parametrize(("ties", "fix"), [("expectd", "did you mean 'expected'"), (None, "known: expected")])
def test_an_unknown_tie_rule_is_refused_with_the_nearest(ties: Any, fix: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"unknown tie rule(.|\n)*{fix}"):
        rank_scores(np.eye(2), ties=ties)
    with pytest.raises(InvalidInputError, match="unknown tie rule"):
        rank_retrieval(np.eye(2), np.eye(2), ties=ties)


@pytest.mark.parametrize("tolerance", [-1e-12, np.nan, np.inf, "small", None])
def test_a_tolerance_that_is_no_size_is_refused(tolerance: Any) -> None:
    with pytest.raises(InvalidInputError, match="tolerance"):
        rank_scores(np.eye(2), tolerance=tolerance)


def test_inputs_are_not_changed() -> None:
    scores = np.array([[1.0, 2.0], [3.0, 4.0]])
    rank_scores(scores)
    np.testing.assert_array_equal(scores, [[1.0, 2.0], [3.0, 4.0]])
