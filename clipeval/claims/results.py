"""What a session found, as plain records: for messages, reports and other processes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from clipeval.claims.family import Judgement
from clipeval.core.verdict import Verdict

HOLDS, REFUTED, UNSETTLED = 0, 1, 2


@dataclass(frozen=True)
class DatasetFacts:
    """What claims were judged on; ``sha256`` covers ids, pictures, captions, categories and their order."""

    name: str
    n_images: int
    n_captions: int
    sha256: str


@dataclass(frozen=True)
class ModelFacts:
    """One model of a session.

    Attributes
    ----------
    spec : str
        As the user wrote it.
    role : str or None
        What it is taken for; None where nobody asked.
    status : str
        ``ok``, ``not_run`` or ``broken``.
    reason : str
        Why it did not run; empty if it did.
    precomputed : bool
        Embeddings shipped with clipeval stood in.
    fingerprint : mapping of str to str
        Everything that can change an embedding; empty if it did not run.
    warnings : tuple of str
        What probes of the encoder found that a reader must know.
    """

    spec: str
    role: str | None
    status: str
    reason: str = ""
    precomputed: bool = False
    fingerprint: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class CaseResult:
    """One claim about named models, judged.

    Attributes
    ----------
    id : str
        ``CLAIM[MODEL,MODEL]``.
    claim, statement, source, tolerance : str
        From the claim; the source as ``kind: reference``.
    models : tuple of str
        Model specs.
    dataset : str or None
        ``sha256`` of the dataset; None for properties that need none.
    verdict : Verdict
        After correction over the family.
    broken : str
        Why this is a failure although nothing was measured (a check raised, a model gave NaN); normally
        empty.
    sentence, reason : str
        The numbers in words; why it is not decided or did not run.
    p, p_corrected, effect, low, high, minimum_detectable_effect : float or None
        None where not defined.
    accepted : tuple of float or None
        Between which effects the claim holds; None where that is above 0, or not said.
    n : int or None
        Independent units.
    discordant : tuple of int or None
        Units on which only the first, and only the second model is right.
    worst : tuple of str
        Items that speak most against the claim.
    family : int
        How many cases of the declared family have a p-value to correct for.
    """

    id: str
    claim: str
    statement: str
    source: str
    tolerance: str
    models: tuple[str, ...]
    dataset: str | None
    verdict: Verdict
    broken: str = ""
    sentence: str = ""
    reason: str = ""
    p: float | None = None
    p_corrected: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    accepted: tuple[float, float] | None = None
    n: int | None = None
    discordant: tuple[int, int] | None = None
    minimum_detectable_effect: float | None = None
    worst: tuple[str, ...] = ()
    family: int = 0

    @property
    def failed(self) -> bool:
        """Whether it is red whatever the strictness: refuted, or something broke."""
        return self.verdict is Verdict.REFUTED or bool(self.broken)

    @property
    def word(self) -> str:
        """The verdict, or ``broken``."""
        return "broken" if self.broken else self.verdict.value


@dataclass(frozen=True)
class NotApplicable:
    """One claim that does not apply to the data, or to frozen rows: not judged, and no failure if strict.

    Attributes
    ----------
    id : str
        ``CLAIM[MODEL,MODEL]``.
    claim : str
        Its id.
    models : tuple of str
        Model specs.
    dataset : str or None
        ``sha256`` of the dataset.
    reason : str
        Why not.
    """

    id: str
    claim: str
    models: tuple[str, ...]
    dataset: str | None
    reason: str


@dataclass(frozen=True)
class FamilyResult:
    """A family judged in one go, with what it was judged on, and which claims the data leaves out."""

    dataset: DatasetFacts | None
    models: tuple[ModelFacts, ...]
    cases: tuple[CaseResult, ...]
    outside: tuple[NotApplicable, ...] = ()


def result_of(judgement: Judgement, *, dataset: str | None, family: int, broken: str = "") -> CaseResult:
    """Turn a judgement into a plain record.

    Parameters
    ----------
    judgement : Judgement
        From `clipeval.claims.family.judge`.
    dataset : str or None
        Content hash of what it was judged on.
    family : int
        Size of the family that the p-value was corrected for.
    broken : str
        What broke, if something did.

    Returns
    -------
    CaseResult
        Numbers that are not finite become None.
    """
    case, finding, claim = judgement.case, judgement.finding, judgement.case.claim
    return CaseResult(
        id=case.id,
        claim=claim.id,
        statement=claim.statement,
        source=f"{claim.source.kind}: {claim.source.reference}",
        tolerance=claim.tolerance.value,
        models=case.models,
        dataset=dataset,
        verdict=judgement.verdict,
        broken=broken,
        sentence=finding.sentence,
        reason=finding.reason or _lost_to_correction(judgement),
        p=_number(finding.p),
        p_corrected=_number(judgement.p_corrected),
        effect=_number(finding.effect),
        low=_number(finding.low),
        high=_number(finding.high),
        accepted=None
        if finding.accepted is None
        else (float(finding.accepted[0]), float(finding.accepted[1])),
        n=None if finding.n is None else int(finding.n),
        discordant=None
        if finding.discordant is None
        else (int(finding.discordant[0]), int(finding.discordant[1])),
        minimum_detectable_effect=_number(finding.minimum_detectable_effect),
        worst=tuple(finding.worst[:5]),
        family=family if claim.tested else 0,
    )


def _lost_to_correction(judgement: Judgement) -> str:
    if judgement.verdict is judgement.finding.verdict or judgement.p_corrected is None:
        return ""
    return f"p = {judgement.p_corrected:.2g} after correction for the other claims of the family"


def _number(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def plain(result: FamilyResult) -> dict[str, Any]:
    """Give plain data that JSON can hold.

    Examples
    --------
    >>> from_plain(plain(FamilyResult(None, (), ())))
    FamilyResult(dataset=None, models=(), cases=(), outside=())
    """
    return asdict(result)


def from_plain(data: Mapping[str, Any]) -> FamilyResult:
    """Read back what `plain` gave, also after a way through JSON."""
    return FamilyResult(
        dataset=DatasetFacts(**data["dataset"]) if data["dataset"] else None,
        models=tuple(
            ModelFacts(**{**model, "warnings": tuple(model["warnings"])}) for model in data["models"]
        ),
        cases=tuple(_case(case) for case in data["cases"]),
        outside=tuple(NotApplicable(**{**one, "models": tuple(one["models"])}) for one in data["outside"]),
    )


def _case(data: Mapping[str, Any]) -> CaseResult:
    pair, accepted = data["discordant"], data["accepted"]
    return CaseResult(
        **{
            **data,
            "verdict": Verdict(data["verdict"]),
            "models": tuple(data["models"]),
            "worst": tuple(data["worst"]),
            "accepted": (accepted[0], accepted[1]) if accepted else None,
            "discordant": (pair[0], pair[1]) if pair else None,
        }
    )


def merged(results: Iterable[FamilyResult]) -> tuple[list[DatasetFacts], list[ModelFacts], list[CaseResult]]:
    """Put the families of a session together: each dataset, model and case once, cases by id.

    Parameters
    ----------
    results : iterable of FamilyResult
        The parts that were asked for.

    Returns
    -------
    tuple of list
        Datasets, models, cases.
    """
    datasets: dict[str, DatasetFacts] = {}
    models: dict[str, ModelFacts] = {}
    cases: dict[tuple[str, str | None], CaseResult] = {}
    for result in results:
        if result.dataset:
            datasets.setdefault(result.dataset.sha256, result.dataset)
        for model in result.models:
            models.setdefault(model.spec, model)
        for case in result.cases:
            cases.setdefault((case.id, case.dataset), case)
    return (
        list(datasets.values()),
        [models[spec] for spec in sorted(models)],
        [cases[key] for key in sorted(cases, key=lambda key: (key[0], key[1] or ""))],
    )


def left_out(results: Iterable[FamilyResult]) -> list[NotApplicable]:
    """List the claims that say nothing about the data, each case once, by id.

    Examples
    --------
    >>> left_out([])
    []
    """
    found = {(one.id, one.dataset): one for result in results for one in result.outside}
    return [found[key] for key in sorted(found, key=lambda key: (key[0], key[1] or ""))]


def status(cases: Iterable[CaseResult], *, models: Iterable[ModelFacts] = (), strict: bool = False) -> int:
    """Say how a run ends.

    Parameters
    ----------
    cases : iterable of CaseResult
        What was asked for.
    models : iterable of ModelFacts
        That were to be judged: one that did not run, or of which nothing holds, is no success, whatever
        holds of clipeval's own arithmetic.
    strict : bool
        Whether undecided and not_run count.

    Returns
    -------
    int
        1 if something is refuted or broke; else 2 if a model did not run, if nothing holds (of the models,
        where there are any), or if strict and something does not; else 0.

    Examples
    --------
    >>> status([])
    2
    """
    found = list(cases)
    named = list(models)
    if any(case.failed for case in found):
        return REFUTED
    if any(model.status != "ok" for model in named):
        return UNSETTLED
    if named and not any(case.verdict is Verdict.HOLDS for case in found if case.models):
        return UNSETTLED
    holds = [case.verdict is Verdict.HOLDS for case in found]
    return HOLDS if (all(holds) if strict else True) and any(holds) else UNSETTLED
