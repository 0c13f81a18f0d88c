"""A declared family of claims, judged once: selection, order and workers change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, permutations

from clipeval.claims.claim import Claim, Finding, Role
from clipeval.core.multiplicity import holm
from clipeval.core.verdict import Verdict
from clipeval.errors import InvalidInputError
from clipeval.evaluation import Evaluation

LEVEL = 0.95


@dataclass(frozen=True)
class Case:
    """One claim about named models.

    Parameters
    ----------
    claim : Claim
        The statement.
    models : tuple of str
        Model specs in the order of the claim's roles; empty for properties of the core.
    """

    claim: Claim
    models: tuple[str, ...]

    @property
    def id(self) -> str:
        """``CLAIM[MODEL,MODEL]``: the name of the case in tests, reports and baselines."""
        return self.claim.id + (f"[{','.join(self.models)}]" if self.models else "")


@dataclass(frozen=True)
class Judgement:
    """The final word on a case.

    Attributes
    ----------
    case : Case
        What was asked.
    finding : Finding
        What the check found by itself.
    verdict : Verdict
        After correction over the family; correction can only turn ``holds`` or ``refuted`` into
        ``undecided``.
    p_corrected : float or None
        Holm's; None for checks without p.
    """

    case: Case
    finding: Finding
    verdict: Verdict
    p_corrected: float | None


def cases_for(claims: Iterable[Claim], roles: Mapping[str, Role]) -> tuple[Case, ...]:
    """List every case: each claim with each ordered choice of different models that fits its roles.

    Parameters
    ----------
    claims : iterable of Claim
        Ids must be unique.
    roles : mapping of str to Role
        What each model is, by its spec. A claim without a fitting model gives no case.

    Returns
    -------
    tuple of Case
        In order of claim id, then of models, whatever order they came in.

    Raises
    ------
    InvalidInputError
        Two claims share an id.
    """
    ordered = sorted(claims, key=lambda claim: claim.id)
    for first, second in pairwise(ordered):
        if first.id == second.id:
            raise InvalidInputError(f"two claims are called '{first.id}'", fix="give each its own id")
    return tuple(
        Case(claim, models)
        for claim in ordered
        for models in permutations(sorted(roles), len(claim.roles))
        if claim.applies_to([roles[model] for model in models]) and claim.names(models)
    )


def judge(
    cases: Sequence[Case], evaluation_of: Callable[[str], Evaluation | str], *, level: float = LEVEL
) -> dict[str, Judgement]:
    """Run every check of a family, then correct the p-values over all of them.

    Parameters
    ----------
    cases : sequence of Case
        The whole declared family, not a selection from it.
    evaluation_of : callable
        Gives a model's evaluation, or the reason why there is none.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    dict of str to Judgement
        By ``Case.id``.
    """
    found = [_counted(case, _find(case, evaluation_of)) for case in cases]
    p_values = [finding.p for _, finding in found if finding.p is not None]
    # a case that has a test but did not run counts as p = 1
    size = sum(case.claim.tested for case, _ in found)
    corrected = iter(holm(p_values, family_size=size) if p_values else ())
    judged = {}
    for case, finding in found:
        p = float(next(corrected)) if finding.p is not None else None
        verdict = finding.verdict
        if p is not None and p > 1 - level + 1e-12 and verdict in (Verdict.HOLDS, Verdict.REFUTED):
            verdict = Verdict.UNDECIDED
        judged[case.id] = Judgement(case, finding, verdict, p)
    return judged


def _counted(case: Case, finding: Finding) -> tuple[Case, Finding]:
    """Count what carries p, whatever the claim declared."""
    if finding.p is None or case.claim.tested:
        return case, finding
    return Case(replace(case.claim, tested=True), case.models), finding


def _find(case: Case, evaluation_of: Callable[[str], Evaluation | str]) -> Finding:
    evaluations = []
    for model in case.models:
        evaluation = evaluation_of(model)
        if isinstance(evaluation, str):
            return Finding(Verdict.NOT_RUN, f"{model} did not run", reason=evaluation)
        evaluations.append(evaluation)
    if case.claim.requires is not None and evaluations:
        reason = case.claim.requires(evaluations[0].dataset)
        if reason:
            return Finding(Verdict.NOT_RUN, "says nothing about this dataset", reason=reason)
    return case.claim.check(evaluations)
