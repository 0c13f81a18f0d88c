"""The QuickGELU trap: found by hash, refused by name."""

from __future__ import annotations

import pytest

from clipeval.claims.builtin import BUILTIN, quickgelu
from clipeval.claims.builtin.quickgelu import QUICK, gelu_refused
from clipeval.claims.claim import Role
from clipeval.claims.family import cases_for
from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.core.verdict import Verdict
from clipeval.errors import NotAvailableError
from clipeval.probes.report import ProbeFinding

B32 = "open_clip:ViT-B-32-quickgelu/openai"


def called(spec: str):
    return evaluation_of_rows([[1, 0]], [[1, 0]], model=spec)


def found():
    return next(claim for claim in BUILTIN if claim.id == "core/quickgelu-trap-found").check([])


def test_the_probe_finds_the_wrong_activation_on_all_published_weights() -> None:
    assert found().verdict is Verdict.HOLDS


@pytest.mark.parametrize("answer", ["ok", "error", "not_applicable"])
def test_a_probe_that_always_says_the_same_refutes_it(monkeypatch, answer) -> None:
    monkeypatch.setattr(quickgelu, "activation", lambda *_: ProbeFinding("activation", answer, "so"))
    assert found().verdict is Verdict.REFUTED
    assert f"'{answer}'" in found().sentence


@pytest.mark.parametrize("spec", sorted(QUICK))
def test_openais_weights_are_refused_under_an_architecture_with_gelu(spec) -> None:
    pytest.importorskip("open_clip")
    finding = gelu_refused([called(spec)])
    assert finding.verdict is Verdict.HOLDS
    assert "runs gelu, but the tag 'openai' was trained with quickgelu" in finding.sentence


def test_an_adapter_that_lets_gelu_through_refutes_it(monkeypatch) -> None:
    monkeypatch.setattr(quickgelu, "choose", lambda spec: spec)
    finding = gelu_refused([called(B32)])
    assert finding.verdict is Verdict.REFUTED
    assert "ViT-B-32/openai would run GELU" in finding.sentence


def test_an_adapter_that_refuses_everything_refutes_it_too(monkeypatch) -> None:
    from clipeval.errors import EncoderError

    def refuse(spec):
        raise EncoderError("never")

    monkeypatch.setattr(quickgelu, "choose", refuse)
    assert gelu_refused([called(B32)]).verdict is Verdict.REFUTED


def test_without_open_clip_it_is_not_run_with_the_reason(monkeypatch) -> None:
    def absent(spec):
        raise NotAvailableError("open_clip is not installed")

    monkeypatch.setattr(quickgelu, "choose", absent)
    finding = gelu_refused([called(B32)])
    assert finding.verdict is Verdict.NOT_RUN
    assert "open_clip is not installed" in finding.reason


def test_it_is_selected_for_openais_weights_in_open_clip_only() -> None:
    assert B32 in QUICK
    specs = [B32, "hf:openai/clip-vit-base-patch32", "open_clip:ViT-B-32/laion2b_s34b_b79k"]
    cases = cases_for(BUILTIN, dict.fromkeys(specs, Role.JOINT))
    assert [case.models for case in cases if case.claim.id == "literature/quickgelu-trap/refused"] == [(B32,)]
