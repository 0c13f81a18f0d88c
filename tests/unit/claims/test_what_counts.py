"""Which claims count in the correction over a family."""

from __future__ import annotations

import pytest

from clipeval.claims.builtin import BUILTIN
from clipeval.claims.checks import better_than, exact, non_inferior, scores_below, within_tolerance
from clipeval.claims.claim import Claim, Finding, Source, Tolerance
from clipeval.claims.family import Case, judge
from clipeval.core.verdict import Verdict

OURS = Source("requirement", "us")


def own(name: str, check, **more) -> Case:
    return Case(Claim(name, "It is so.", OURS, (), Tolerance.ORDERING, check, **more), ())


def says(p: float | None, verdict: Verdict = Verdict.HOLDS):
    return lambda evaluations: Finding(verdict, "it is so", p=p)


@pytest.mark.parametrize("more", [{}, {"tested": True}, {"tested": False}])
def test_twenty_own_claims_with_p_are_corrected_whatever_they_declare(more) -> None:
    judged = judge([own(f"c{n:02}", says(0.04), **more) for n in range(20)], lambda _: "")
    for judgement in judged.values():
        assert judgement.verdict is Verdict.UNDECIDED
        assert judgement.p_corrected == pytest.approx(0.8)
        assert judgement.case.claim.tested


def test_a_plain_function_counts_also_where_it_did_not_run() -> None:
    cases = [own("a", says(0.03)), own("b", says(None, Verdict.NOT_RUN))]
    assert judge(cases, lambda _: "")["a"].p_corrected == pytest.approx(0.06)


def test_checks_that_never_give_p_leave_the_others_alone() -> None:
    cases = [own("a", says(0.03)), own("b", exact(lambda: "", shown="all is well")), own("c", says(0.01))]
    assert judge(cases, lambda _: "")["a"].p_corrected == pytest.approx(0.03)


def test_the_ready_made_checks_know_whether_they_give_p() -> None:
    assert own("a", better_than()).claim.tested
    assert own("a", within_tolerance("mrr", published=0.5, tolerance=0.1)).claim.tested
    same = within_tolerance("mrr", published=0.5, tolerance=0.1, same_items=True)
    for check in (same, non_inferior(), scores_below(0.5), exact(lambda: "", shown="")):
        assert not own("a", check).claim.tested


def test_the_built_in_claims_without_p_are_exact_against_a_margin_or_published() -> None:
    kinds = {Tolerance.EXACT, Tolerance.NON_INFERIORITY, Tolerance.OTHER_STACK}
    for claim in BUILTIN:
        assert claim.tested == (claim.tolerance not in kinds), claim.id
