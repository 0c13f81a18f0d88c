"""From evaluations to plain records: a family judged, whatever its checks or models do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clipeval.claims.checks.other_texts import FROZEN
from clipeval.claims.claim import Role
from clipeval.claims.evaluations import Failure
from clipeval.claims.family import Case, judge
from clipeval.claims.guarding import guarded, known, outside
from clipeval.claims.results import DatasetFacts, FamilyResult, ModelFacts, NotApplicable, result_of
from clipeval.data.dataset import Dataset
from clipeval.evaluation import Evaluation


def judge_family(
    cases: Sequence[Case],
    found: Mapping[str, Evaluation | Failure],
    *,
    dataset: DatasetFacts | None = None,
    roles: Mapping[str, Role] | None = None,
    data: Dataset | None = None,
) -> FamilyResult:
    """Judge a family and keep its evidence.

    A check that raises or gives no sound finding, or a model whose embeddings are refused, spoils its own
    cases only: they count as ``not_run`` in the correction and are marked as broken. A claim that says
    nothing about the data, or asks frozen rows for other texts, is no part of the family: nobody pays for it.

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
    data : Dataset, optional
        What ``Claim.requires`` is asked about; without it, the dataset of the evaluations.

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

    if data is None:
        data = next((one.dataset for one in found.values() if not isinstance(one, Failure)), None)
    reasons = {case.id: outside(case, data, broken) for case in cases if case.models}
    digest = dataset.sha256 if dataset else None
    declared = cases
    cases = [case for case in cases if not reasons.get(case.id)]

    def evaluation_of(spec: str) -> Evaluation | str:
        result = found[spec]
        return result.reason if isinstance(result, Failure) else result

    judged = judge([guarded(case, broken) for case in cases], evaluation_of)
    # only a check itself knows that it needs more than rows: what it then says is said of the model, not of
    # the claim, and the others are judged without it
    unasked = {name for name, one in judged.items() if one.finding.reason == FROZEN}
    if unasked:
        reasons |= dict.fromkeys(unasked, FROZEN)
        cases = [case for case in cases if case.id not in unasked]
        judged = judge([known(case, judged[case.id].finding) for case in cases], evaluation_of)
    left_out = tuple(
        NotApplicable(case.id, case.claim.id, case.models, digest, reasons[case.id])
        for case in declared
        if reasons.get(case.id)
    )
    size = sum(judgement.case.claim.tested for judgement in judged.values())
    return FamilyResult(
        dataset=dataset,
        models=tuple(_facts(spec, result, (roles or {}).get(spec)) for spec, result in sorted(found.items())),
        cases=tuple(
            result_of(
                judged[case.id],
                dataset=digest if case.models else None,
                family=size,
                broken=broken.get(case.id, ""),
            )
            for case in cases
        ),
        outside=left_out,
    )


def _facts(spec: str, result: Evaluation | Failure, role: Role | None) -> ModelFacts:
    word = role.value if role else None
    if isinstance(result, Failure):
        return ModelFacts(spec, word, "broken" if result.broken else "not_run", result.reason)
    fingerprint = dict(sorted(result.fingerprint.items()))
    warnings = tuple(f"{one.name}: {one.what}; {one.fix}".rstrip("; ") for one in result.warnings)
    return ModelFacts(spec, word, "ok", "", result.precomputed, fingerprint, warnings)
