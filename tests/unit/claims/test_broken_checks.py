"""A check that misbehaves spoils its own case, and the family is corrected as declared."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from clipeval.claims.claim import Claim, Finding, Role, Source, Tolerance
from clipeval.claims.family import Case
from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.claims.judging import judge_family
from clipeval.core.verdict import Verdict

ANY = (frozenset(Role),)
MODEL = evaluation_of_rows(np.eye(4), np.eye(4), model="m")


def case(name: str, check: Callable, **more) -> Case:
    source = Source("requirement", "these tests")
    return Case(Claim(name, "It is so.", source, ANY, Tolerance.EXACT, check, **more), ("m",))


def leave(_: object) -> Finding:
    raise SystemExit(3)


def bug(_: object) -> str:
    raise ValueError("of the user's")


def gives(value: object) -> Callable[..., object]:
    return lambda _: value


HOLDS = Verdict.HOLDS
SOUND = Finding(HOLDS, "it holds", p=0.03)
EXACT = Finding(HOLDS, "it holds")


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (gives(None), "the check gave None, not a Finding"),
        (gives(True), "the check gave True, not a Finding"),
        (gives(Finding("holds", "words")), "the verdict 'holds', not one of Verdict.HOLDS"),  # type: ignore[arg-type]
        (gives(Finding(HOLDS, "it holds", p=float("nan"))), "p = nan, which is no probability"),
        (gives(Finding(HOLDS, "it holds", p=1.7)), "p = 1.7, which is no probability"),
        (gives(Finding(HOLDS, "it holds", p=-0.1)), "p = -0.1, which is no probability"),
        (gives(Finding(HOLDS, "it holds", effect="large")), "effect = 'large', not a number"),  # type: ignore[arg-type]
        (gives(Finding(HOLDS, "it holds", n=2.5)), "n = 2.5, not a number of units"),  # type: ignore[arg-type]
        (gives(Finding(HOLDS, "it holds", accepted=(1,))), "not two numbers"),  # type: ignore[arg-type]
        (gives(Finding(HOLDS, "it holds", discordant=(1,))), "not two numbers of units"),  # type: ignore[arg-type]
        (gives(Finding(HOLDS, None)), "not text"),  # type: ignore[arg-type]
        (gives(Finding(HOLDS, "it holds", worst=(1,))), "not a tuple of texts"),  # type: ignore[arg-type]
        (leave, "the check raised SystemExit: 3"),
        (bug, "the check raised ValueError: of the user's"),
    ],
)
def test_a_check_that_misbehaves_breaks_its_own_case_only(check: Callable, said: str) -> None:
    cases = [case("bad", check, tested=True), case("good", gives(SOUND), tested=True)]
    bad, good = judge_family(cases, {"m": MODEL}).cases
    assert bad.word == "broken"
    assert said in bad.broken
    # the broken one was declared, so the other still pays for two
    assert (good.word, good.p_corrected, good.family) == ("undecided", pytest.approx(0.06), 2)


def test_numbers_of_numpy_are_numbers() -> None:
    finding = Finding(HOLDS, "it holds", p=np.float32(0.01), effect=np.float64(1), n=np.int64(4))  # type: ignore[arg-type]
    (judged,) = judge_family([case("good", gives(finding), tested=True)], {"m": MODEL}).cases
    assert (judged.word, judged.n) == ("holds", 4)


@pytest.mark.parametrize("requires", [bug, leave, gives(None)], ids=["raises", "exits", "gives no text"])
def test_a_precondition_that_misbehaves_breaks_its_own_case_only(requires: Callable) -> None:
    cases = [case("bad", gives(EXACT), requires=requires), case("good", gives(EXACT))]
    bad, good = judge_family(cases, {"m": MODEL}, data=MODEL.dataset).cases
    assert (bad.word, good.word) == ("broken", "holds")
    assert "'requires'" in bad.broken
