"""One session of claims: its models, its data, its cases, and each family judged once."""

from __future__ import annotations

import hashlib
import json
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from clipeval.claims.claim import Claim, Finding, Role
from clipeval.claims.evaluations import Evaluations, Failure
from clipeval.claims.family import Case, cases_for, judge
from clipeval.claims.results import DatasetFacts, FamilyResult, ModelFacts, from_plain, plain, result_of
from clipeval.claims.shared import SharedFolder
from clipeval.core.verdict import Verdict
from clipeval.data.dataset import Dataset
from clipeval.data.load import load_dataset
from clipeval.encoders.base import Encoder
from clipeval.encoders.spec import parse_spec
from clipeval.errors import InvalidInputError, NotAvailableError
from clipeval.evaluation import EmbeddingCache, Evaluation


class ClaimSession:
    """Judges claims about models on a dataset; every evaluation and every family is made once.

    Parameters
    ----------
    models : sequence of str
        Model specs.
    data : str
        Name or path of the dataset.
    roles : mapping of str to Role, optional
        What models are, where their specs do not say it.
    offline, probing, cache, shared, progress
        See `Evaluations`.
    """

    def __init__(
        self,
        models: Sequence[str],
        data: str,
        *,
        roles: Mapping[str, Role] | None = None,
        offline: bool = False,
        probing: bool = True,
        cache: EmbeddingCache | None = None,
        shared: SharedFolder | None = None,
        progress: Callable[[str, str, int, int], None] | None = None,
    ) -> None:
        self.models = tuple(dict.fromkeys(models))
        self._data = data
        self._given_roles = dict(roles or {})
        self._shared = shared
        self.evaluations = Evaluations(
            offline=offline, probing=probing, cache=cache, shared=shared, progress=progress
        )
        self._judged: dict[str, FamilyResult] = {}
        self._declared: dict[str, Claim] = {}
        self._family_of: dict[int, tuple[Case, ...]] = {}

    @cached_property
    def dataset(self) -> Dataset:
        """The dataset; without pictures where all models are frozen."""
        needed = any(parse_spec(spec).needs_pictures for spec in self.models) or not self.models
        return load_dataset(self._data, require_pictures=needed)

    @cached_property
    def roles(self) -> dict[str, Role]:
        """What each model is.

        Raises
        ------
        SpecError
            A spec cannot be understood.
        """
        from clipeval.claims.roles import role_of
        from clipeval.encoders.load import check_family

        for spec in self.models:
            check_family(spec)
        return {spec: role_of(spec, self._given_roles) for spec in self.models}

    def declare(self, claims: Iterable[Claim]) -> tuple[Case, ...]:
        """List the cases of a family: each claim with each choice of models that fits it.

        Parameters
        ----------
        claims : iterable of Claim
            The whole family, corrected together.

        Returns
        -------
        tuple of Case
            For `case_result`.

        Raises
        ------
        InvalidInputError
            An id that another claim of this session has already.
        """
        family = tuple(claims)
        for claim in family:
            if self._declared.setdefault(claim.id, claim) is not claim:
                raise InvalidInputError(f"two claims are called '{claim.id}'", fix="give each its own id")
        cases = cases_for(family, self.roles)
        self._family_of |= {id(case): cases for case in cases}
        return cases

    @property
    def claim_ids(self) -> tuple[str, ...]:
        """The ids of all declared claims."""
        return tuple(self._declared)

    def case_result(self, case: Case) -> FamilyResult:
        """Judge the family of a declared case and give this case's part.

        Parameters
        ----------
        case : Case
            From `declare`.

        Returns
        -------
        FamilyResult
            With one case, and its models only.
        """
        whole = self.judged(self._family_of[id(case)])
        return FamilyResult(
            dataset=whole.dataset if case.models else None,
            models=tuple(model for model in whole.models if model.spec in case.models),
            cases=tuple(result for result in whole.cases if result.id == case.id),
        )

    def judged(self, cases: Sequence[Case]) -> FamilyResult:
        """Judge a whole family, or give what was found before, by any process of the session.

        Parameters
        ----------
        cases : sequence of Case
            The whole family.

        Returns
        -------
        FamilyResult
        """
        key = hashlib.sha256(json.dumps([case.id for case in cases]).encode()).hexdigest()
        if key not in self._judged:
            if self._shared:
                name = f"family-{key}.json"
                content = self._shared.once(name, lambda: json.dumps(plain(self._judge(cases))).encode())
                self._judged[key] = from_plain(json.loads(content))
            else:
                self._judged[key] = self._judge(cases)
        return self._judged[key]

    def alone(self, claim: Claim, models: Sequence[str | Encoder | Evaluation]) -> FamilyResult:
        """Judge one claim about chosen models as a family of its own.

        Parameters
        ----------
        claim : Claim
            Whatever its roles: the caller says that it speaks about these models.
        models : sequence of str, Encoder or Evaluation
            One for each role. Evaluations may be of another dataset than the session's.

        Returns
        -------
        FamilyResult
            With one case.

        Raises
        ------
        InvalidInputError
            Not as many models as the claim has roles; evaluations of different datasets.
        """
        if claim.roles and len(models) != len(claim.roles):
            raise InvalidInputError(
                f"the claim '{claim.id}' speaks about {len(claim.roles)} models, got {len(models)}"
            )
        given = {model.model: model for model in models if isinstance(model, Evaluation)}
        datasets = {id(one.dataset): one.dataset for one in given.values()}
        if len(datasets) > 1 or (datasets and len(given) < len(models)):
            hashes = {self.evaluations.hash_of(data) for data in datasets.values()}
            if len(given) < len(models):
                hashes.add(self.evaluations.hash_of(self.dataset))
            if len(hashes) > 1:
                raise InvalidInputError("the evaluations are of different datasets", where=claim.id)
        dataset = next(iter(datasets.values()), None)
        found: dict[str, Evaluation | Failure] = dict(given)
        for model in models:
            if not isinstance(model, Evaluation):
                found[model if isinstance(model, str) else model.name] = self.evaluations.of(
                    model, dataset or self.dataset
                )
        names = tuple(model if isinstance(model, str) else _name(model) for model in models)
        return self._judge([Case(claim, names)], found.__getitem__, dataset)

    def _judge(
        self,
        cases: Sequence[Case],
        find: Callable[[str], Evaluation | Failure] | None = None,
        dataset: Dataset | None = None,
    ) -> FamilyResult:
        if find is None:
            find = self._evaluate
        specs = sorted({model for case in cases for model in case.models})
        found = {spec: find(spec) for spec in specs}
        broken: dict[str, str] = {}

        def evaluation_of(spec: str) -> Evaluation | str:
            result = found[spec]
            return result.reason if isinstance(result, Failure) else result

        judged = judge([_guarded(case, broken) for case in cases], evaluation_of)
        facts = self._facts(dataset or self.dataset) if specs else None
        size = sum(case.claim.tested for case in cases)
        for case in cases:
            for spec in case.models:
                result = found[spec]
                if isinstance(result, Failure) and result.broken:
                    broken.setdefault(case.id, result.reason)
        return FamilyResult(
            dataset=facts,
            models=tuple(self._model(spec, found[spec]) for spec in specs),
            cases=tuple(
                result_of(
                    judged[case.id],
                    dataset=facts.sha256 if facts and case.models else None,
                    family=size,
                    broken=broken.get(case.id, ""),
                )
                for case in cases
            ),
        )

    def _evaluate(self, spec: str) -> Evaluation | Failure:
        return self.evaluations.of(spec, self.dataset)

    def _facts(self, dataset: Dataset) -> DatasetFacts:
        return DatasetFacts(
            dataset.name, dataset.n_images, dataset.n_captions, self.evaluations.hash_of(dataset)
        )

    def _model(self, spec: str, result: Evaluation | Failure) -> ModelFacts:
        role = self.roles[spec].value if spec in self.models else None
        if isinstance(result, Failure):
            return ModelFacts(spec, role, "broken" if result.broken else "not_run", result.reason)
        words = dict(sorted(result.fingerprint.items()))
        warnings = tuple(f"{one.name}: {one.what}; {one.fix}".rstrip("; ") for one in result.warnings)
        return ModelFacts(spec, role, "ok", "", result.precomputed, words, warnings)


def _name(model: Encoder | Evaluation) -> str:
    return model.model if isinstance(model, Evaluation) else model.name


def _guarded(case: Case, broken: dict[str, str]) -> Case:
    """Let one check that raises spoil its own case only."""
    check = case.claim.check

    def guarded(evaluations: Sequence[Evaluation]) -> Finding:
        try:
            return check(evaluations)
        except NotAvailableError as error:
            return Finding(Verdict.NOT_RUN, error.what, reason=str(error))
        except Exception as error:  # whatever a user's check raises
            frames: Any = error.__traceback__.tb_next if error.__traceback__ else None
            where = "".join(traceback.format_tb(frames))
            broken[case.id] = f"the check raised {type(error).__name__}: {error}\n{where}".rstrip()
            return Finding(Verdict.NOT_RUN, "the check broke", reason=broken[case.id])

    return Case(replace(case.claim, check=guarded), case.models)
