"""Texts that are encoded anew go through the model that was evaluated, not through another of its name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clipeval.claims.checks import survives_noise
from clipeval.claims.checks.other_texts import encode_other_texts
from clipeval.core.verdict import Verdict
from clipeval.encoders.load import load_encoder
from clipeval.evaluation import evaluate

SPEC = "conse:efficientnet-lite0+all-MiniLM-L6-v2"


@pytest.fixture(scope="module")
def in_bfloat16(embedded, models_extra):
    encoder = load_encoder(SPEC, dtype="bfloat16", batch_size=4, offline=True)
    return encoder, evaluate(encoder, embedded)


def test_texts_are_encoded_with_the_dtype_and_batch_size_of_the_evaluation(
    in_bfloat16, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("CLIPEVAL_CACHE", str(tmp_path))
    encoder, evaluation = in_bfloat16
    texts = ["a dog on a beach", "two cats"]
    rows = encode_other_texts(evaluation, texts)
    assert isinstance(rows, np.ndarray)
    np.testing.assert_array_equal(rows, encoder.encode_texts(texts))
    plain = load_encoder(SPEC, offline=True).encode_texts(texts)
    assert np.abs(rows - plain).max() > 1e-4, "the dtypes cannot be told apart by these texts"


def test_a_model_that_its_spec_does_not_give_again_is_not_run(in_bfloat16, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CLIPEVAL_CACHE", str(tmp_path))
    _, evaluation = in_bfloat16
    words = {**evaluation.fingerprint, "text: weights": "those of last year"}
    found = survives_noise()([replace(evaluation, fingerprint=words)])
    assert found.verdict is Verdict.NOT_RUN
    assert "another model: text: weights was those of last year" in found.reason
