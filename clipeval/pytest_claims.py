"""What the plugin's fixtures do: load, evaluate, parametrise, judge."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from clipeval import pytest_settings as settings

if TYPE_CHECKING:
    from clipeval.claims.claim import Check, Claim
    from clipeval.claims.family import Case
    from clipeval.claims.results import CaseResult, FamilyResult
    from clipeval.claims.session import ClaimSession
    from clipeval.data.dataset import Dataset
    from clipeval.encoders.base import Encoder
    from clipeval.evaluation import Evaluation

SESSION = pytest.StashKey["ClaimSession"]()
LOADED = pytest.StashKey[dict[int, tuple["weakref.ref[Encoder]", str]]]()
HOOKED = pytest.StashKey[dict[int, tuple["Claim", ...]]]()
JUDGED = pytest.StashKey[list["FamilyResult"]]()


class ClaimHooks:
    """The hooks that clipeval adds to pytest."""

    @pytest.hookspec
    def pytest_clipeval_claims(self, config: pytest.Config) -> Sequence[Claim]:
        """Declare claims in a ``conftest.py`` or a plugin: one family, corrected together.

        They run where a test takes the fixture ``claim_case``, and with ``pytest --pyargs clipeval.claims``.
        """
        raise NotImplementedError


def session_of(config: pytest.Config) -> ClaimSession:
    """Give the one session of claims of a pytest session."""
    if SESSION not in config.stash:
        from clipeval.claims.roles import parse_role_override
        from clipeval.claims.session import ClaimSession
        from clipeval.claims.shared import SharedFolder
        from clipeval.encoders.defaults import offline_models
        from clipeval.evaluation import default_cache

        place = settings.worker_meeting_place(config)
        config.stash[SESSION] = ClaimSession(
            settings.several(config, "model") or offline_models(seed=42),
            settings.text(config, "data"),
            roles=dict(parse_role_override(text) for text in settings.several(config, "role")),
            offline=settings.switched(config, "offline"),
            probing=not settings.switched(config, "no-probe"),
            cache=default_cache(),
            shared=SharedFolder(place) if place else None,
        )
    return config.stash[SESSION]


def named_models(models: Sequence[str]) -> object:
    """Make the plugin that holds the fixture ``encoder``, parametrised over the named models.

    A fixture of its own, rather than a parametrisation of tests, leaves a fixture ``encoder`` of the user's
    alone.
    """

    class NamedModels:
        @pytest.fixture(scope="session", params=models or None)
        def encoder(self, request: pytest.FixtureRequest) -> Encoder:
            """Give the encoder of each ``--clipeval-model``; skip, with the reason, where there is none."""
            if not models:
                pytest.skip("no model named: pass --clipeval-model SPEC")
            return load(request.config, request.param)

    return NamedModels()


def load(config: pytest.Config, spec: str) -> Encoder:
    """Load a named model, or skip with the reason."""
    from clipeval.encoders.load import load_encoder
    from clipeval.errors import NotAvailableError
    from clipeval.evaluation import default_cache

    try:
        offline = settings.switched(config, "offline")
        encoder = load_encoder(spec, offline=offline, cache=default_cache())
    except NotAvailableError as error:
        pytest.skip(f"not_run: {error}")
    loaded = config.stash.setdefault(LOADED, {})
    loaded[id(encoder)] = (weakref.ref(encoder), spec)
    return encoder


def evaluation(config: pytest.Config, model: str | Encoder, data: Dataset | None) -> Evaluation:
    """Evaluate a model, once in a session; skip, with the reason, where it is not available."""
    from clipeval.claims.evaluations import Failure
    from clipeval.errors import EncoderError

    session = session_of(config)
    reference, spec = config.stash.setdefault(LOADED, {}).get(id(model), (None, None))
    if reference is None or reference() is not model:
        spec = None
    result = session.evaluations.of(model, data if data is not None else session.dataset, spec=spec)
    if not isinstance(result, Failure):
        return result
    if result.broken:
        raise EncoderError(result.reason)
    pytest.skip(f"not_run: {result.reason}")


def parametrize_cases(metafunc: pytest.Metafunc) -> None:
    """Give a test each case of its declared families that the selector means."""
    from clipeval.claims.selection import is_selected
    from clipeval.errors import ClipevalError

    session = session_of(metafunc.config)
    wrong = ""
    try:
        cases = [case for family in _families(metafunc) for case in session.declare(family)]
    except ClipevalError as error:
        wrong = str(error)
    if wrong:
        raise pytest.Collector.CollectError(wrong)
    selector = settings.text(metafunc.config, "claims")
    params = [pytest.param(case, id=case.id) for case in cases if is_selected(case.claim.id, selector)]
    if not params:
        reason = (
            "no claim is selected here" if cases else "not_run: no claim speaks about models of these roles"
        )
        params = [pytest.param(None, id="none", marks=pytest.mark.skip(reason=reason))]
    metafunc.parametrize("claim_case", params)


def _families(metafunc: pytest.Metafunc) -> Iterable[Sequence[Claim]]:
    marker = metafunc.definition.get_closest_marker("claim")
    if marker is not None and marker.args:
        yield marker.args
        if not marker.kwargs.get("declared"):
            return
        # every conftest that pytest has read, also those of folders that the test is not in
        hook = metafunc.config.hook
    else:
        hook = metafunc.definition.ihook
    known = metafunc.config.stash.setdefault(HOOKED, {})
    found = False
    for implementation in hook.pytest_clipeval_claims.get_hookimpls():
        arguments = {"config": metafunc.config}
        if id(implementation) not in known:
            wanted = {name: arguments[name] for name in implementation.argnames}
            declared: Any = implementation.function(**wanted)
            known[id(implementation)] = tuple(declared)
        found = True
        yield known[id(implementation)]
    if not found and (marker is None or not marker.args):
        raise pytest.Collector.CollectError(
            f"{metafunc.definition.nodeid}: the fixture claim_case needs claims: "
            "@pytest.mark.claim(CLAIM, ...), or the hook pytest_clipeval_claims in conftest.py"
        )


def check_selection(config: pytest.Config) -> None:
    """Refuse a selector that means none of the claims that were declared."""
    selector = settings.text(config, "claims")
    if selector and SESSION in config.stash and not hasattr(config, "workerinput"):
        from clipeval.claims.selection import check_selector
        from clipeval.errors import ClipevalError

        try:
            check_selector(selector, config.stash[SESSION].claim_ids)
        except ClipevalError as error:
            raise pytest.UsageError(str(error)) from error


class Judge:
    """What the fixture ``judge_claim`` gives.

    Parameters
    ----------
    item : pytest.Item
        The test.
    """

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    def __call__(self, claim: Case | Claim | Check, *models: str | Encoder | Evaluation) -> CaseResult:
        """Judge a claim: return if it holds, fail if it is refuted, else skip (strict: fail).

        Parameters
        ----------
        claim : Case, Claim or check
            ``claim_case``; or a claim; or the check of the claim that the marker names.
        *models : str, Encoder or Evaluation
            What the claim is about, in the order of its roles; none for a case.

        Returns
        -------
        CaseResult
            The evidence, where the claim holds.
        """
        __tracebackhide__ = True
        from clipeval.core.verdict import Verdict
        from clipeval.errors import ClipevalError
        from clipeval.report.claims_text import case_message, case_reason

        wrong = ""
        try:
            found = self._found(claim, models)
        except ClipevalError as error:
            wrong = str(error)
        if wrong:  # out of the except clause: pytest would print the error twice
            pytest.fail(wrong, pytrace=False)
        case = found.cases[0]
        self._item.stash.setdefault(JUDGED, []).append(found)
        for name, value in asdict(case).items():
            if value not in (None, "", ()):
                plain = value if isinstance(value, int | float) else str(value)
                text = json.dumps(value) if isinstance(value, tuple) else plain
                # what record_property does, without its warning about a flavour of JUnit's format
                self._item.user_properties.append((f"clipeval_{name}", text))
        if case.verdict is Verdict.HOLDS:
            return case
        if case.failed or settings.switched(self._item.config, "strict"):
            command = settings.repeat_command(self._item, case.claim)
            datasets = [found.dataset] if found.dataset else []
            pytest.fail(case_message(case, command=command, datasets=datasets), pytrace=False)
        pytest.skip(case_reason(case))

    def _found(self, claim: Any, models: Sequence[str | Encoder | Evaluation]) -> FamilyResult:
        from clipeval.claims.claim import Claim
        from clipeval.claims.family import Case
        from clipeval.errors import InvalidInputError

        session = session_of(self._item.config)
        if isinstance(claim, Case):
            if models:
                raise InvalidInputError("a case names its models itself", where=claim.id)
            return session.case_result(claim)
        return session.alone(claim if isinstance(claim, Claim) else self._own(claim, len(models)), models)

    def _own(self, check: Check, n_models: int) -> Claim:
        from clipeval.claims.claim import Claim, Role, Source, Tolerance
        from clipeval.errors import InvalidInputError

        marker = self._item.get_closest_marker("claim")
        if marker is None or not {"id", "source"} <= set(marker.kwargs):
            raise InvalidInputError(
                "a check alone has no id and no source",
                where=self._item.nodeid,
                fix="mark the test with @pytest.mark.claim(id=..., source=...), or pass a Claim",
            )
        words = marker.kwargs
        source = words["source"]
        document = getattr(getattr(self._item, "function", None), "__doc__", None) or ""
        name = self._item.name.partition("[")[0].removeprefix("test_").replace("_", " ")
        return Claim(
            id=words["id"],
            statement=words.get("statement") or next(iter(document.strip().splitlines()), "") or name,
            source=source if isinstance(source, Source) else Source("requirement", str(source)),
            roles=(frozenset(Role),) * n_models,
            tolerance=words.get("tolerance", Tolerance.ORDERING),
            check=check,
            tested=True,
        )
