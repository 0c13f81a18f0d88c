"""What a person reads about a refuted claim."""

from __future__ import annotations

import pytest

from clipeval.claims.results import CaseResult, FamilyResult
from clipeval.core.verdict import Verdict
from clipeval.report.claims_markdown import claims_markdown
from clipeval.report.claims_text import case_message

PLAIN = "preclip:efficientnet-lite0+all-MiniLM-L6-v2"
SEEDED = f"{PLAIN}?projection=gaussian&seed=42"


def refuted(*models: str, sentence: str, **more) -> str:
    case = CaseResult(
        id=f"mine[{','.join(models)}]",
        claim="mine",
        statement="One is better than the other.",
        source="user: me",
        tolerance="ordering",
        models=models,
        dataset=None,
        verdict=Verdict.REFUTED,
        sentence=sentence,
        **more,
    )
    return case_message(case, command=" ".join(["clipeval", "check", *models]))


def test_a_long_spec_is_spelt_out_once_and_in_the_command() -> None:
    text = refuted(
        SEEDED,
        PLAIN,
        sentence=f"hit_rate@1: {SEEDED} minus {PLAIN} is -0.5",
        reason=f"{PLAIN} is ahead",
        worst=(f"a.jpg: {SEEDED} is wrong",),
    )
    assert "hit_rate@1: model 1 minus model 2 is -0.5" in text
    assert "model 2 is ahead" in text
    assert "1. a.jpg: model 1 is wrong" in text
    assert text.count(SEEDED) == 2
    assert text.count(PLAIN) == 4  # it begins the other spec too
    assert f"model 1  {SEEDED}" in text


def test_a_single_long_spec_is_called_the_model() -> None:
    text = refuted(SEEDED, sentence=f"{SEEDED} with noise words minus {SEEDED} is -0.4")
    assert "the model with noise words minus the model is -0.4" in text


@pytest.mark.parametrize("spec", ["frozen:rows.npz", "hf:openai/clip"])
def test_a_short_spec_stays_as_it_is(spec) -> None:
    assert f"{spec} is bad" in refuted(spec, sentence=f"{spec} is bad")


def test_in_markdown_a_long_spec_is_called_by_its_letter() -> None:
    judged = CaseResult(
        id=f"claim[{SEEDED},{PLAIN}]",
        claim="claim",
        statement="It is so.",
        source="study: one",
        tolerance="ordering",
        models=(SEEDED, PLAIN),
        dataset=None,
        verdict=Verdict.UNDECIDED,
        sentence=f"{SEEDED} minus {PLAIN} is +0.1",
        reason=f"{PLAIN} is close",
    )
    text = claims_markdown([FamilyResult(None, (), (judged,))])
    assert "| B, A | It is so. | B minus A is +0.1; A is close |" in text
