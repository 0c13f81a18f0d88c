"""The pytest plugin: options, fixtures that evaluate named models once, claims as tests, a summary.

Nothing heavy is imported until a test asks for something of it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from clipeval import pytest_claims as claims
from clipeval import pytest_judge as judge
from clipeval import pytest_reports as reports
from clipeval import pytest_settings as settings

if TYPE_CHECKING:
    from clipeval.data.dataset import Dataset
    from clipeval.encoders.base import Encoder
    from clipeval.evaluation import Evaluation

Evaluate: TypeAlias = "Callable[..., Evaluation]"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, each also an ini setting (``clipeval_model`` ...)."""
    group = parser.getgroup("clipeval", "image-text encoders")

    def several(name: str, metavar: str, words: str) -> None:
        group.addoption(f"--clipeval-{name}", metavar=metavar, action="append", help=f"{words}; repeat it")
        parser.addini(f"clipeval_{name}", f"{words}, one a line", type="linelist", default=[])

    def one(name: str, metavar: str, words: str, default: str = "") -> None:
        group.addoption(f"--clipeval-{name}", metavar=metavar, help=words)
        parser.addini(f"clipeval_{name}", words, default=default)

    def switch(name: str, words: str) -> None:
        group.addoption(f"--clipeval-{name}", action="store_true", default=None, help=words)
        parser.addini(settings.ini_name(name), words, type="bool", default=False)

    several("model", "SPEC", "model spec")
    several("role", "SPEC=ROLE", "what a model is, where its spec does not say it (untrained ...)")
    one("data", "PATH", "dataset to evaluate on; by default the embedded pictures, or the baseline's data")
    one("claims", "SELECTOR", "run these claims only: patterns or parts of their ids, joined by commas")
    one("report", "DIR", "write claims.json, claims.md and report.html there")
    several("baseline", "FILE", "compare the model with this baseline; written if it is not there")
    one("margin", "LOSS", "largest loss against a baseline that is accepted", default=settings.MARGIN)
    switch("update", "write the baselines anew")
    switch("strict", "claims that are undecided or not run fail")
    switch("offline", "open no socket at all")
    switch("no-probe", "evaluate models also where 'clipeval probe' finds an error")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hook ``pytest_clipeval_claims``."""
    pluginmanager.add_hookspecs(claims.ClaimHooks)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, the fixture ``encoder`` over the named models, and what collects results."""
    config.addinivalue_line(
        "markers",
        "claim(*claims, id, source, statement): claims that parametrise claim_case as one family; "
        "or the id and source of this test's own claim",
    )
    models = settings.several(config, "model")
    config.pluginmanager.register(claims.named_models(models), "clipeval-models")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(reports.Reports(config), "clipeval-reports")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where the workers of this session meet."""
    node.workerinput["clipeval_shared"] = str(settings.meeting_place(node.config))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the workers' meeting place."""
    settings.leave_meeting_place(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test for each claim and each choice of models that fits it."""
    if "claim_case" in metafunc.fixturenames:
        claims.parametrize_cases(metafunc)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add one test for each baseline and each model."""
    if settings.several(session.config, "baseline"):
        from clipeval.pytest_baselines import baseline_items

        items.extend(baseline_items(session))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse a selector that means no claim."""
    claims.check_selection(session.config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send what a test judged along with its report, also from a worker to the controller."""
    report = yield
    if report.when == "call":
        reports.attach(item, report)
    return report


@pytest.fixture(scope="session")
def dataset(pytestconfig: pytest.Config) -> Dataset:
    """Give the dataset of ``--clipeval-data``; by default the embedded pictures."""
    return claims.session_of(pytestconfig).dataset


@pytest.fixture(scope="session")
def evaluate(pytestconfig: pytest.Config) -> Evaluate:
    """Give a function that evaluates a model on a dataset, once for each pair of them in a session.

    ``evaluate("conse:efficientnet-lite0+all-MiniLM-L6-v2")`` uses the dataset of ``--clipeval-data``;
    ``evaluate(spec, data)`` another one. A model that is not available skips the test with the reason. The
    workers of pytest-xdist share what each of them evaluates.
    """

    def once(model: str | Encoder, data: Dataset | None = None) -> Evaluation:
        return claims.evaluation(pytestconfig, model, data)

    return once


@pytest.fixture
def judge_claim(request: pytest.FixtureRequest) -> judge.Judge:
    """Give a function that judges a claim: the test passes only if it holds.

    ``judge_claim(claim_case)`` judges a declared claim, corrected over its family;
    ``judge_claim(claim, *models)`` a claim, or ``judge_claim(check, *models)`` the check of the claim that
    ``@pytest.mark.claim(id=..., source=...)`` names, about models given as specs, encoders or evaluations.
    """
    return judge.Judge(request.node)
