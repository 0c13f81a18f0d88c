"""Gallery rows 9 to 13: right embeddings, wrong arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from clipeval import rank_retrieval, rank_scores
from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.compare.document import comparison_document
from clipeval.compare.job import compare
from clipeval.encoders.base import JointEncoder
from clipeval.errors import InvalidInputError
from clipeval.evaluation.scores import score_all
from clipeval.probes import probe


class Constant(JointEncoder):
    """The same row for everything, or one row for each input."""

    def __init__(self, *, constant: bool) -> None:
        self.name, self.constant = "constant", constant

    @property
    def fingerprint(self) -> dict[str, str]:
        return {"weights": "none"}

    def _rows(self, marks: list[float]) -> np.ndarray:
        angles = np.zeros(len(marks)) if self.constant else np.array(marks)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    def encode_images(self, pictures):
        return self._rows([float(np.asarray(p).mean()) / 100 for p in pictures])

    def encode_texts(self, texts):
        return self._rows([sum(map(ord, text)) % 97 / 60 for text in texts])


def test_row_09_a_constant_scorer_with_a_perfect_score() -> None:
    constant = np.ones((20, 4))
    ranks = rank_retrieval(constant, constant)
    assert ranks.i2t.optimistic.tolist() == [1] * 20  # what a sorted list or a strict comparison reports
    assert (ranks.i2t.hit_rate(1), ranks.t2i.hit_rate(1)) == pytest.approx((1 / 20, 1 / 20), abs=1e-12)
    assert rank_retrieval(np.eye(20), np.eye(20)).i2t.hit_rate(1) == 1
    wrong, right = probe(Constant(constant=True)), probe(Constant(constant=False))
    assert [f.name for f in wrong.errors] == [
        "not constant, pictures",
        "not constant, texts",
        "long captions",
    ]
    assert right.errors == ()


def test_row_10_nan_ranked_first() -> None:
    rows = np.eye(6)
    broken = rows.copy()
    broken[3] = np.nan
    naive = np.argsort(rows @ broken.T, axis=1)[:, ::-1]
    assert (naive[:, 0] == 3).all()  # the caption that has no embedding wins every search
    with pytest.raises(InvalidInputError, match="row 3") as caught:
        rank_retrieval(rows, broken)
    assert "texts" in str(caught.value)
    with pytest.raises(InvalidInputError, match="row 0"):  # the first row of the product that is affected
        rank_scores(rows @ broken.T)
    assert rank_retrieval(rows, rows).i2t.hit_rate(1) == 1


def test_row_11_recall_at_1_divided_by_five_captions(captioned, frozen) -> None:
    data = captioned(20, per_image=5)
    job = compare([frozen(data, noise=0.0)], data)
    document = comparison_document(job)["models"][0]["metrics"]["i2t"]
    assert document["hit_rate@1"]["value"] == 1  # what CLIP papers print as recall@1
    assert document["recall@1"]["value"] == pytest.approx(1 / 5)  # what some libraries print under that name
    ranks = job.models[0].evaluation.ranks.i2t
    divided = float((ranks.optimistic == 1).sum()) / data.n_captions
    assert divided == pytest.approx(1 / 5)
    one_each = captioned(20)
    twin = comparison_document(compare([frozen(one_each, "one.npz", noise=0.0)], one_each))
    metrics = twin["models"][0]["metrics"]["i2t"]
    assert metrics["hit_rate@1"]["value"] == metrics["recall@1"]["value"] == 1


def test_row_12_ties_counted_twice() -> None:
    scores = np.array([[3.0, 3.0, 1.0], [0.0, 2.0, 1.0], [0.0, 1.0, 2.0]])
    order = -np.sort(-scores, axis=1)
    found = np.where(order == np.diag(scores)[:, None])[1]
    assert len(found) == 4  # three queries, four "ranks": a tied query counts twice
    assert float((found == 0).sum()) / 3 == 1.0
    ranks = rank_scores(scores)
    assert len(ranks.i2t.rank) == 3
    assert ranks.i2t.hits(1).tolist() == [0.5, 1, 1]
    assert (ranks.i2t.optimistic.tolist(), ranks.i2t.pessimistic.tolist()) == ([1, 1, 1], [2, 1, 1])
    untied = scores.copy()
    untied[0, 0] += 1  # without a tie both ways of counting agree
    assert (np.where(-np.sort(-untied, axis=1) == np.diag(untied)[:, None])[1] == 0).sum() == 3
    assert rank_scores(untied).i2t.hits(1).tolist() == [1, 1, 1]


def test_row_13_negative_scores_dropped() -> None:
    # no two scores are equal, so that every correct way of counting gives the same rate
    scores = np.random.default_rng(5).permutation(144).reshape(12, 12) - 70.0

    def dropping(matrix: np.ndarray) -> float:
        """Hit rate at 3 of a metric that keeps positive scores only, as torchmetrics' do."""
        hits = 0
        for row, right in zip(matrix, range(12), strict=True):
            top = [at for at in np.argsort(-row, kind="stable")[:3] if row[at] > 0]
            hits += right in top
        return hits / 12

    whole = dropping(scores + 100)  # nothing is negative, so nothing is dropped
    assert 0 == dropping(scores - 100) < dropping(scores - 60) < whole
    for k in (1, 3, 5):
        rates = {rank_scores(scores + shift).i2t.hit_rate(k) for shift in (-100, -60, 0, 100)}
        assert len(rates) == 1
    assert rank_scores(scores - 100).i2t.hit_rate(3) == whole


def test_both_names_are_scored_for_every_evaluation() -> None:
    metrics = score_all(evaluation_of_rows(np.eye(12), np.eye(12)))[0].metrics["t2i"]
    assert {"hit_rate@1", "recall@1"} <= set(metrics)
