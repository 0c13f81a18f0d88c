"""What the plugin's fixtures do: load, evaluate, parametrise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from clipeval import pytest_settings as settings

if TYPE_CHECKING:
    from clipeval.claims.claim import Claim
    from clipeval.claims.session import ClaimSession
    from clipeval.data.dataset import Dataset
    from clipeval.encoders.base import Encoder
    from clipeval.evaluation import Evaluation

SESSION = pytest.StashKey["ClaimSession"]()
HOOKED = pytest.StashKey[dict[int, tuple["Claim", ...]]]()


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
            settings.text(config, "data") or settings.EMBEDDED,
            roles=dict(parse_role_override(text) for text in settings.several(config, "role")),
            offline=settings.switched(config, "offline"),
            probing=not settings.switched(config, "no-probe"),
            cache=default_cache(),
            shared=SharedFolder(place) if place else None,
        )
    return config.stash[SESSION]


def named_models(models: Sequence[str]) -> ModuleType:
    """Make the plugin that holds the fixture ``encoder``, parametrised over the named models.

    A fixture of its own, rather than a parametrisation of tests, leaves a fixture ``encoder`` of the user's
    alone.
    """

    @pytest.fixture(scope="session", params=models or None)
    def encoder(request: pytest.FixtureRequest) -> Encoder:
        """Give the encoder of each ``--clipeval-model``; skip, with the reason, where there is none."""
        if not models:
            pytest.skip("no model named: pass --clipeval-model=SPEC")
        return load(request.config, request.param)

    plugin = ModuleType("clipeval_named_models")
    plugin.encoder = encoder  # type: ignore[attr-defined]
    return plugin


def load(config: pytest.Config, spec: str) -> Encoder:
    """Load a named model, or skip with the reason."""
    from clipeval.encoders.load import load_encoder
    from clipeval.errors import NotAvailableError
    from clipeval.evaluation import default_cache
    from clipeval.evaluation.learning import learned

    try:
        offline = settings.switched(config, "offline")
        loaded = load_encoder(spec, offline=offline, cache=default_cache())
        encoder = learned(loaded, cache=default_cache())
    except NotAvailableError as error:
        pytest.skip(f"not_run: {error}")
    session_of(config).evaluations.loaded(encoder, spec)
    return encoder


def evaluation(config: pytest.Config, model: str | Encoder, data: Dataset | None) -> Evaluation:
    """Evaluate a model, once in a session; skip, with the reason, where it is not available."""
    from clipeval.claims.evaluations import Failure
    from clipeval.errors import EncoderError

    session = session_of(config)
    result = session.evaluations.of(model, data if data is not None else session.dataset)
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
        if not cases and settings.switched(metafunc.config, "strict"):
            raise pytest.Collector.CollectError(reason)
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
    """Refuse a selector that means none of the claims that were declared.

    A worker of pytest-xdist cannot end the session: it tells the controller, which then does.
    """
    selector = settings.text(config, "claims")
    if not selector or SESSION not in config.stash:
        return
    from clipeval.claims.selection import check_selector
    from clipeval.errors import ClipevalError

    try:
        check_selector(selector, config.stash[SESSION].claim_ids)
    except ClipevalError as error:
        if not hasattr(config, "workeroutput"):
            raise pytest.UsageError(str(error)) from error
        config.workeroutput[settings.WRONG] = str(error)
