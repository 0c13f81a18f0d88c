"""From evaluations to plain records: a family judged, whatever its checks or models do."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace

from clipeval.claims.claim import Finding, Role
from clipeval.claims.evaluations import Failure
from clipeval.claims.family import Case, judge
from clipeval.claims.results import DatasetFacts, FamilyResult, ModelFacts, result_of
from clipeval.core.verdict import Verdict
from clipeval.errors import NotAvailableError
from clipeval.evaluation import Evaluation


def judge_family(
    cases: Sequence[Case],
    found: Mapping[str, Evaluation | Failure],
    *,
    dataset: DatasetFacts | None = None,
    roles: Mapping[str, Role] | None = None,
) -> FamilyResult:
    """Judge a family and keep its evidence.

    A check that raises, or a model whose embeddings are refused, spoils its own cases only: they count as
    ``not_run`` in the correction and are marked as broken.

    Parameters
    ----------
    cases : sequence of Case
        The whole family.
    found : mapping of str to Evaluation or Failure
        Every model of the cases.
    dataset : DatasetFacts, optional
        What the models were evaluated on; None where there are no models.
    roles : mapping of str to Role, optional
        What models were taken for.

    Returns
    -------
    FamilyResult

    Examples
    --------
    >>> judge_family([], {}).cases
    ()
    """
    broken: dict[str, str] = {}
    for case in cases:
        for spec in case.models:
            result = found[spec]
            if isinstance(result, Failure) and result.broken:
                broken.setdefault(case.id, result.reason)

    def evaluation_of(spec: str) -> Evaluation | str:
        result = found[spec]
        return result.reason if isinstance(result, Failure) else result

    judged = judge([_guarded(case, broken) for case in cases], evaluation_of)
    size = sum(case.claim.tested for case in cases)
    return FamilyResult(
        dataset=dataset,
        models=tuple(_facts(spec, result, (roles or {}).get(spec)) for spec, result in sorted(found.items())),
        cases=tuple(
            result_of(
                judged[case.id],
                dataset=dataset.sha256 if dataset and case.models else None,
                family=size,
                broken=broken.get(case.id, ""),
            )
            for case in cases
        ),
    )


def _facts(spec: str, result: Evaluation | Failure, role: Role | None) -> ModelFacts:
    word = role.value if role else None
    if isinstance(result, Failure):
        return ModelFacts(spec, word, "broken" if result.broken else "not_run", result.reason)
    fingerprint = dict(sorted(result.fingerprint.items()))
    warnings = tuple(f"{one.name}: {one.what}; {one.fix}".rstrip("; ") for one in result.warnings)
    return ModelFacts(spec, word, "ok", "", result.precomputed, fingerprint, warnings)


def _guarded(case: Case, broken: dict[str, str]) -> Case:
    """Note what a check raises instead of letting it spoil the family."""
    check = case.claim.check

    def guarded(evaluations: Sequence[Evaluation]) -> Finding:
        try:
            return check(evaluations)
        except NotAvailableError as error:
            return Finding(Verdict.NOT_RUN, error.what, reason=str(error))
        except Exception as error:  # whatever a user's check raises
            # from the check's own frame on: this one is of no use to its author
            own = error.__traceback__.tb_next if error.__traceback__ else None
            where = "".join(traceback.format_tb(own))
            broken[case.id] = f"the check raised {type(error).__name__}: {error}\n{where}".rstrip()
            return Finding(Verdict.NOT_RUN, "the check broke", reason=broken[case.id])

    return Case(replace(case.claim, check=guarded), case.models)
