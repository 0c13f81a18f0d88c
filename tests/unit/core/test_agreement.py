"""Agreement with other people's implementations where all mean the same: no ties, scores above 0.

Where a library means something else, a test shows its answer beside ours, so that the exclusion stays true.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from clipeval import at_chance, rank_retrieval, rank_scores
from clipeval.core.diagonal import diagonal_statistics
from clipeval.core.metrics import average_precision_at_r, ndcg, r_precision, recall
from clipeval.core.ranks import DirectionRanks
from clipeval.core.similarity import unit_rows

Run = dict[str, dict[str, float]]
K = 5


def library(name: str) -> Any:
    return pytest.importorskip(name, reason=f"{name} is not installed, so agreement with it is not shown")


@pytest.fixture(scope="module")
def torchmetrics() -> Any:
    library("torch")
    library("torchmetrics")
    return importlib.import_module("torchmetrics.functional.retrieval")


@pytest.fixture(scope="module")
def ranx() -> Any:
    # it compiles its metrics, which takes a while; to forbid that would break numba for other tests
    return library("ranx")


@pytest.fixture(scope="module")
def ir_measures() -> Any:
    library("pytrec_eval")  # the provider: NIST's trec_eval
    return library("ir_measures")


@pytest.fixture(scope="module")
def sklearn() -> Any:
    return library("sklearn.metrics")


SCORES = np.random.default_rng(0).permutation(20 * 30).reshape(20, 30) / 1000 + 0.1
"""All different, all above 0, far enough apart for float32."""

POSITIVES = [
    np.random.default_rng(row).choice(30, size=1 + row % 7, replace=False).tolist() for row in range(20)
]


def ranked(scores: np.ndarray, positives: list[list[int]], ties: Any = "expected") -> DirectionRanks:
    return rank_scores(scores, [[]] * scores.shape[1], captions_of_image=positives, ties=ties).i2t


def relevance(scores: np.ndarray, positives: list[list[int]]) -> np.ndarray:
    right = np.zeros(scores.shape, dtype=np.int64)
    for row, mine in enumerate(positives):
        right[row, mine] = 1
    return right


OURS: dict[str, Callable[[DirectionRanks], np.ndarray]] = {
    "hit": lambda ranks: ranks.hits(K),
    "recall": lambda ranks: recall(ranks, k=K),
    "mrr": lambda ranks: ranks.reciprocal(),
    "ndcg": lambda ranks: ndcg(ranks, k=K),
    "r_precision": r_precision,
}


# ---- torchmetrics

# It answers in float32: one division, rounded once. nDCG takes each discount back out of a float32 running
# sum below 4 (rounded by at most 2**-23, and the discount itself by 2**-24), for at most K right answers.
FLOAT32 = {"rtol": 2.0**-24, "atol": 0.0}
FLOAT32_NDCG = {"rtol": 0.0, "atol": K * (2.0**-23 + 2.0**-24)}


def assert_agrees_in_float32(name: str, ours: np.ndarray, theirs: list[float]) -> None:
    np.testing.assert_allclose(theirs, ours, **(FLOAT32_NDCG if name == "ndcg" else FLOAT32))


def of_torchmetrics(module: Any, name: str, scores: np.ndarray, positives: list[list[int]]) -> list[float]:
    torch = importlib.import_module("torch")
    ask = {
        "hit": lambda p, t: module.retrieval_hit_rate(p, t, top_k=K),
        "recall": lambda p, t: module.retrieval_recall(p, t, top_k=K),
        "mrr": module.retrieval_reciprocal_rank,
        "ndcg": lambda p, t: module.retrieval_normalized_dcg(p, t, top_k=K),
        "r_precision": module.retrieval_r_precision,
    }[name]
    targets = torch.from_numpy(relevance(scores, positives))
    return [float(ask(row, target)) for row, target in zip(torch.from_numpy(scores), targets, strict=True)]


@pytest.mark.parametrize("name", sorted(OURS))
def test_torchmetrics_agrees(name: str, torchmetrics: Any) -> None:
    theirs = of_torchmetrics(torchmetrics, name, SCORES, POSITIVES)
    assert_agrees_in_float32(name, OURS[name](ranked(SCORES, POSITIVES)), theirs)


@pytest.mark.parametrize("name", ["recall", "mrr"])
def test_excluded_torchmetrics_drops_right_answers_that_score_zero_or_less(
    name: str, torchmetrics: Any
) -> None:
    scores, positives = np.array([[-0.1, -0.2, -0.3, -0.4, -0.5, -0.6]]), [[0]]
    assert OURS[name](ranked(scores, positives)).tolist() == [1.0]
    assert of_torchmetrics(torchmetrics, name, scores, positives) == [0.0]


@pytest.mark.parametrize("name", ["hit", "ndcg", "r_precision"])
def test_torchmetrics_agrees_on_negative_scores_in_its_other_metrics(name: str, torchmetrics: Any) -> None:
    theirs = of_torchmetrics(torchmetrics, name, SCORES - 1.0, POSITIVES)
    assert_agrees_in_float32(name, OURS[name](ranked(SCORES - 1.0, POSITIVES)), theirs)


def test_excluded_torchmetrics_gives_ties_to_whoever_the_sort_puts_first(torchmetrics: Any) -> None:
    scores = np.full((30, 30), 0.5)
    positives = [[i] for i in range(30)]
    theirs = of_torchmetrics(torchmetrics, "hit", scores, positives)
    assert set(theirs) == {0.0, 1.0}  # a constant encoder: five places are lucky, all others never
    np.testing.assert_allclose(ranked(scores, positives).hits(K), K / 30, rtol=1e-14)


# ---- ranx


def runs(scores: np.ndarray, positives: list[list[int]]) -> tuple[dict[str, dict[str, int]], Run]:
    right = {f"q{q:02d}": {f"d{c:02d}": 1 for c in mine} for q, mine in enumerate(positives)}
    run = {f"q{q:02d}": {f"d{c:02d}": float(s) for c, s in enumerate(row)} for q, row in enumerate(scores)}
    return right, run


RANX = {"hit": f"hit_rate@{K}", "recall": f"recall@{K}", "mrr": "mrr", "ndcg": f"ndcg@{K}",
        "r_precision": "r-precision"}  # fmt: skip


def of_ranx(module: Any, name: str, scores: np.ndarray, positives: list[list[int]]) -> np.ndarray:
    right, run = runs(scores, positives)
    values = module.evaluate(module.Qrels(right), module.Run(run), RANX[name], return_mean=False)
    return np.asarray(values)


@pytest.mark.parametrize("name", sorted(OURS))
@pytest.mark.parametrize("shift", [0.0, -1.0])
def test_ranx_agrees_on_positive_and_on_negative_scores(name: str, shift: float, ranx: Any) -> None:
    theirs = of_ranx(ranx, name, SCORES + shift, POSITIVES)
    np.testing.assert_allclose(OURS[name](ranked(SCORES + shift, POSITIVES)), theirs, rtol=1e-14)


def test_excluded_ranx_gives_ties_to_whoever_the_sort_puts_first(ranx: Any) -> None:
    scores, positives = np.full((8, 8), 0.5), [[i] for i in range(8)]
    assert set(of_ranx(ranx, "hit", scores, positives).tolist()) == {0.0, 1.0}
    np.testing.assert_allclose(ranked(scores, positives).hits(K), K / 8, rtol=1e-14)


# ---- ir_measures with trec_eval


def of_trec(module: Any, name: str, scores: np.ndarray, positives: list[list[int]]) -> list[float]:
    measure = {"hit": module.Success @ K, "recall": module.R @ K, "mrr": module.RR, "ndcg": module.nDCG @ K,
               "r_precision": module.Rprec}[name]  # fmt: skip
    found = {m.query_id: m.value for m in module.pytrec_eval.iter_calc([measure], *runs(scores, positives))}
    return [found[q] for q in sorted(found)]


@pytest.mark.parametrize("name", sorted(OURS))
@pytest.mark.parametrize("shift", [0.0, -1.0])
def test_trec_eval_agrees_on_positive_and_on_negative_scores(
    name: str, shift: float, ir_measures: Any
) -> None:
    theirs = of_trec(ir_measures, name, SCORES + shift, POSITIVES)
    np.testing.assert_allclose(OURS[name](ranked(SCORES + shift, POSITIVES)), theirs, rtol=1e-14)


def test_excluded_trec_eval_breaks_ties_by_the_name_of_the_candidate(ir_measures: Any) -> None:
    scores, positives = np.full((8, 8), 0.5), [[i] for i in range(8)]
    assert of_trec(ir_measures, "hit", scores, positives) == [0.0] * 3 + [1.0] * 5  # last names first
    np.testing.assert_allclose(ranked(scores, positives).hits(K), K / 8, rtol=1e-14)


def test_excluded_trec_eval_reads_scores_as_float32(ir_measures: Any) -> None:
    scores = np.array([[0.5 + 1e-9, 0.5]])
    assert of_trec(ir_measures, "mrr", scores, [[0]]) == [0.5]
    assert ranked(scores, [[0]]).reciprocal().tolist() == [1.0]


def test_excluded_trec_eval_takes_nan_without_a_word(ir_measures: Any) -> None:
    scores = np.array([[0.5, math.nan]])
    assert len(of_trec(ir_measures, "mrr", scores, [[0]])) == 1
    with pytest.raises(ValueError, match="row 0"):
        ranked(scores, [[0]])


# ---- scikit-learn


def test_scikit_learn_agrees_on_ndcg_with_and_without_ties(sklearn: Any) -> None:
    for levels in (600, 3, 1):
        scores = np.floor(SCORES * 1000) % levels
        right = relevance(scores, POSITIVES)
        for k in (1, K, 30):
            theirs = [
                sklearn.ndcg_score([t], [s], k=k, ignore_ties=False)
                for t, s in zip(right, scores, strict=True)
            ]
            np.testing.assert_allclose(ndcg(ranked(scores, POSITIVES), k=k), theirs, rtol=1e-12)


def test_scikit_learn_agrees_on_auroc_with_ties_and_negative_scores(sklearn: Any) -> None:
    rng = np.random.default_rng(1)
    images, captions = rng.normal(size=(20, 4)), rng.normal(size=(60, 4))
    captions[30:] = captions[:30]
    owners = np.repeat(np.arange(20), 3)
    product = unit_rows(images).astype(float) @ unit_rows(captions).astype(float).T
    # identical captions differ in the last bit of some products: rounding makes them the ties they are
    theirs = sklearn.roc_auc_score(np.equal.outer(np.arange(20), owners).ravel(), product.round(12).ravel())
    assert diagonal_statistics(images, captions, owners).auroc == pytest.approx(theirs, abs=1e-13)


def test_scikit_learn_agrees_on_top_k_accuracy_without_ties(sklearn: Any) -> None:
    labels = np.arange(20) % 20
    square = SCORES[:, :20]
    for k in (1, K, 19):
        theirs = sklearn.top_k_accuracy_score(labels, square, k=k)
        assert rank_scores(square).i2t.hit_rate(k) == pytest.approx(theirs, abs=1e-15)


def test_excluded_scikit_learn_top_k_accuracy_gives_ties_to_the_last_label(sklearn: Any) -> None:
    scores = np.full((4, 4), 0.5)
    theirs = [sklearn.top_k_accuracy_score([i], scores[:1], k=1, labels=range(4)) for i in range(4)]
    assert theirs == [0.0, 0.0, 0.0, 1.0]
    assert rank_scores(scores).i2t.hits(1).tolist() == [0.25] * 4


def test_scikit_learn_average_precision_equals_ours_where_all_right_answers_lead(sklearn: Any) -> None:
    right = relevance(SCORES, POSITIVES)
    leading = SCORES + right
    theirs = [sklearn.average_precision_score(t, s) for t, s in zip(right, leading, strict=True)]
    np.testing.assert_allclose(average_precision_at_r(ranked(leading, POSITIVES)), theirs, rtol=1e-14)


def test_excluded_average_precision_over_the_whole_list_is_not_the_one_over_r_places(sklearn: Any) -> None:
    right, scores = np.array([[0, 1]]), np.array([[0.9, 0.1]])
    assert sklearn.average_precision_score(right[0], scores[0]) == 0.5
    assert average_precision_at_r(ranked(scores, [[1]])).tolist() == [0.0]


# ---- one shared ground: a constant encoder


def test_at_chance_is_what_a_constant_encoder_scores_in_ours() -> None:
    ranks = rank_retrieval(np.full((9, 3), 0.2), np.full((9, 3), 0.7)).i2t
    for name, metric in OURS.items():
        np.testing.assert_array_equal(metric(ranks), metric(at_chance(ranks)), err_msg=name)
