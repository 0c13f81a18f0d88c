"""One session of claims: its models, its data, its cases, and each family judged once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

from clipeval.claims.claim import Claim, Role
from clipeval.claims.evaluations import Evaluations, Failure
from clipeval.claims.family import Case, cases_for
from clipeval.claims.judging import judge_family
from clipeval.claims.results import DatasetFacts, FamilyResult, from_plain, plain
from clipeval.claims.roles import role_of
from clipeval.claims.shared import SharedFolder
from clipeval.data.dataset import Dataset
from clipeval.data.load import load_dataset
from clipeval.encoders.base import Encoder
from clipeval.encoders.load import check_family
from clipeval.encoders.spec import parse_spec
from clipeval.errors import InvalidInputError, SpecError, near
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
        self._data, self._offline = data, offline
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
        return load_dataset(self._data, require_pictures=needed, offline=self._offline)

    @cached_property
    def roles(self) -> dict[str, Role]:
        """What each model is.

        Raises
        ------
        SpecError
            A spec cannot be understood, or a role is given to a model that is not there.
        """
        for spec in self.models:
            check_family(spec)
        for spec in self._given_roles:
            if spec not in self.models:
                fix = f"name this model too: {near(spec, self.models)}"
                raise SpecError(f"a role is given to '{spec}', which is none of the models", fix=fix)
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
            With one case, and its models only; or with none, where its claim says nothing about the data.
        """
        whole = self.judged(self._family_of[id(case)])
        return FamilyResult(
            dataset=whole.dataset if case.models else None,
            models=tuple(model for model in whole.models if model.spec in case.models),
            cases=tuple(result for result in whole.cases if result.id == case.id),
            outside=tuple(one for one in whole.outside if one.id == case.id),
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
            One for each role. Specs and encoders are evaluated on the dataset of the evaluations among them,
            or on the session's.

        Returns
        -------
        FamilyResult
            With one case; or with none, where the claim says nothing about the data.

        Raises
        ------
        InvalidInputError
            Not as many models as the claim has roles; evaluations of different datasets.
        """
        if len(models) != len(claim.roles):
            raise InvalidInputError(
                f"the claim '{claim.id}' speaks about {len(claim.roles)} models, got {len(models)}"
            )
        if not models:
            return judge_family([Case(claim, ())], {})
        datasets = [model.dataset for model in models if isinstance(model, Evaluation)]
        if len({self.evaluations.hash_of(data) for data in datasets}) > 1:
            raise InvalidInputError("the evaluations are of different datasets", where=claim.id)
        dataset = datasets[0] if datasets else self.dataset
        found: dict[str, Evaluation | Failure] = {}
        given: dict[str, object] = {}
        names = []
        for model in models:
            name, number = _name(model), 1
            while given.setdefault(name, model) is not model:  # two encoders of one name are two encoders
                number += 1
                name = f"{_name(model)} ({number})"
            found[name] = model if isinstance(model, Evaluation) else self.evaluations.of(model, dataset)
            names.append(name)
        case = Case(claim, tuple(names))
        facts, roles = self._facts(dataset), self._known_roles(names)
        return judge_family([case], found, dataset=facts, roles=roles, data=dataset)

    def _judge(self, cases: Sequence[Case]) -> FamilyResult:
        specs = sorted({model for case in cases for model in case.models})
        found = {spec: self.evaluations.of(spec, self.dataset) for spec in specs}
        facts = self._facts(self.dataset) if specs else None
        data = self.dataset if specs else None
        return judge_family(cases, found, dataset=facts, roles=self._known_roles(specs), data=data)

    def _known_roles(self, names: Sequence[str]) -> dict[str, Role]:
        return {name: self.roles[name] for name in names if name in self.models}

    def _facts(self, dataset: Dataset) -> DatasetFacts:
        digest = self.evaluations.hash_of(dataset)
        return DatasetFacts(dataset.name, dataset.n_images, dataset.n_captions, digest)


def _name(model: str | Encoder | Evaluation) -> str:
    if isinstance(model, str):
        return model
    return model.model if isinstance(model, Evaluation) else model.name
