"""The pytest plugin: options that name a model and data, fixtures that evaluate them once a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import pytest

if TYPE_CHECKING:
    from clipeval.data.dataset import Dataset
    from clipeval.encoders.base import Encoder
    from clipeval.evaluation import Evaluation

Evaluate: TypeAlias = "Callable[..., Evaluation]"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, each also an ini setting (``clipeval_model`` ...)."""
    group = parser.getgroup("clipeval", "image-text encoders")
    group.addoption("--clipeval-model", metavar="SPEC", help="model spec for the fixture 'encoder'")
    group.addoption("--clipeval-data", metavar="PATH", help="dataset for the fixture 'dataset'")
    group.addoption("--clipeval-offline", action="store_true", default=None, help="open no socket at all")
    parser.addini("clipeval_model", "model spec for the fixture 'encoder'", default="")
    parser.addini("clipeval_data", "dataset for the fixture 'dataset'", default="embedded")
    parser.addini("clipeval_offline", "open no socket at all", type="bool", default=False)


def _setting(config: pytest.Config, name: str) -> str:
    return str(config.getoption(f"--clipeval-{name}") or config.getini(f"clipeval_{name}"))


@pytest.fixture(scope="session")
def dataset(pytestconfig: pytest.Config) -> Dataset:
    """Give the dataset of ``--clipeval-data``; by default the embedded pictures."""
    from clipeval.data.load import load_dataset
    from clipeval.encoders.spec import parse_spec

    spec = _setting(pytestconfig, "model")
    needed = parse_spec(spec).needs_pictures if spec else True
    return load_dataset(_setting(pytestconfig, "data"), require_pictures=needed)


@pytest.fixture(scope="session")
def encoder(pytestconfig: pytest.Config) -> Encoder:
    """Give the encoder of ``--clipeval-model``; skip, with the reason, where there is none."""
    spec = _setting(pytestconfig, "model")
    if not spec:
        pytest.skip("no model named: pass --clipeval-model SPEC")
    return _load(spec, pytestconfig)


@pytest.fixture(scope="session")
def evaluate(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> Evaluate:
    """Give a function that evaluates a model on a dataset, once for each pair of them in a session.

    ``evaluate("conse:efficientnet-lite0+all-MiniLM-L6-v2")`` uses the fixture ``dataset``;
    ``evaluate(spec, data)`` another one. A model that is not available skips the test with the reason.
    """
    from clipeval.evaluation import default_cache
    from clipeval.evaluation import evaluate as run

    done: dict[tuple[str, int], Evaluation] = {}

    def once(model: str | Encoder, data: Dataset | None = None) -> Evaluation:
        chosen: Dataset = data if data is not None else request.getfixturevalue("dataset")
        key = (model if isinstance(model, str) else model.name, id(chosen))
        if key not in done:
            ready = _load(model, pytestconfig) if isinstance(model, str) else model
            done[key] = run(ready, chosen, cache=default_cache())
        return done[key]

    return once


def _load(spec: str, config: pytest.Config) -> Encoder:
    from clipeval.encoders.load import load_encoder
    from clipeval.errors import NotAvailableError
    from clipeval.evaluation import default_cache

    offline = bool(config.getoption("--clipeval-offline") or config.getini("clipeval_offline"))
    try:
        return load_encoder(spec, offline=offline, cache=default_cache())
    except NotAvailableError as error:
        pytest.skip(f"not_run: {error}")
