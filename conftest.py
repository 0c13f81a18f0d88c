"""Fixtures shared by all tests."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent

# derandomised: a test that fails in CI fails the same way on every machine
settings.register_profile(
    "clipeval", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("clipeval")

# no test may reach for a model hub; the tests of the hub's error paths say otherwise themselves
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Folder of real embeddings and pictures that this repository may not carry."""
    folder = Path(os.environ.get("CLIPEVAL_REFERENCE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("reference data absent: set CLIPEVAL_REFERENCE_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def models_extra() -> None:
    """Skip where the extra ``clipeval[models]`` is not installed."""
    absent = [
        name
        for name in ("torch", "torchvision", "transformers", "open_clip", "sentence_transformers")
        if importlib.util.find_spec(name) is None
    ]
    if absent:
        pytest.skip(f"needs clipeval[models]: {', '.join(absent)} not installed")
