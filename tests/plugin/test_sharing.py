"""Workers of pytest-xdist share evaluations and verdicts; unrelated suites pay nothing."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["pytester"]

COUNTING = """
import os
import numpy as np

class Counting:
    # no fingerprint: nothing may come from a cache
    def count(self, what, inputs):
        with open(os.environ["COUNTED"], "a") as stream:
            stream.write(f"{what} {os.getpid()} {len(inputs)}\\n")

    def encode_images(self, pictures):
        self.count("image", pictures)
        return np.stack([np.asarray(p.resize((4, 4)), dtype=np.float32).ravel() for p in pictures])

    def encode_texts(self, texts):
        self.count("text", texts)
        rows = [np.frombuffer((text * 48).encode()[:48], dtype=np.uint8) for text in texts]
        return np.stack(rows).astype(np.float32)

def make():
    return Counting()

def other():
    return Counting()
"""
SUITE = """
import pytest

@pytest.mark.parametrize("n", range(6))
def test_evaluations(evaluate, n):
    for factory in ("make", "other"):
        assert evaluate(f"python:counting:{factory}").dataset.n_images == 20

def test_encoder(encoder, evaluate):
    assert evaluate(encoder).dataset.n_images == 20

def test_ours(claim_case, judge_claim):
    judge_claim(claim_case)
"""


# each process would load them anew
LEAN = [word for name in ("hypothesispytest", "benchmark", "anyio") for word in ("-p", f"no:{name}")]


@pytest.fixture
def two_workers() -> list[str]:
    if importlib.util.find_spec("xdist") is None:
        pytest.skip("needs pytest-xdist")
    return ["-n", "2"]


def counted(path: Path) -> list[tuple[str, str]]:
    """What was encoded and how many at a time, in no order."""
    lines = [line.split() for line in path.read_text().splitlines()]
    path.unlink()
    return sorted((what, number) for what, _, number in lines)


def test_each_model_encodes_a_dataset_once_in_all_workers_together(
    pytester: pytest.Pytester,
    toy: Any,
    declared: Callable[[str], None],
    two_workers: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("COUNTED", str(tmp_path / "counted"))
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    declared("*[claim(f'many/{n}', says('holds')) for n in range(4)], BETTER")
    pytester.makepyfile(counting=COUNTING, test_ours=SUITE)
    models = ["--clipeval-model=python:counting:make", "--clipeval-model=python:counting:other"]
    alone = pytester.runpytest(*models)
    encoded_alone = counted(tmp_path / "counted")
    together = pytester.runpytest_subprocess(*models, *LEAN, *two_workers)
    assert together.parseoutcomes() == alone.parseoutcomes()
    assert alone.parseoutcomes()["passed"] >= 16
    assert counted(tmp_path / "counted") == encoded_alone
    assert encoded_alone.count(("image", "20")) == 2  # two models, one dataset


def test_workers_say_what_one_process_says(
    pytester: pytest.Pytester, toy: Any, declared: Callable[[str], None], two_workers: list[str]
) -> None:
    many = "*[claim(f'many/{n}', says('holds', p=0.01), tested=True) for n in range(6)]"
    declared(f"BETTER, HOLDS, UNDECIDED, {many}")
    found = []
    for run, more in ((pytester.runpytest, []), (pytester.runpytest_subprocess, [*LEAN, *two_workers])):
        result = run(*toy.options, *more, "--clipeval-report=found")
        assert result.parseoutcomes() == {"passed": 3, "failed": 1, "skipped": 14}
        found.append((pytester.path / "found" / "claims.json").read_bytes())
        summary = result.stdout.str()
        found.append(re.search(r"A  frozen bad.npz.*\d+ undecided", summary, re.DOTALL).group())  # type: ignore[union-attr]
    assert found[0] == found[2]
    assert found[1] == found[3]


def test_a_misspelt_selector_ends_a_session_of_workers_too(
    pytester: pytest.Pytester, toy: Any, declared: Callable[[str], None], two_workers: list[str]
) -> None:
    declared("HOLDS")
    result = pytester.runpytest_subprocess(*LEAN, "-n", "1", *toy.options, "--clipeval-claims=toy/hold5")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "did you mean 'toy/holds'?" in result.stderr.str() + result.stdout.str()


UNRELATED = """
import sys

HEAVY = {"torch", "transformers", "matplotlib", "scipy", "PIL", "numpy", "rich", "typer"}

def test_it():
    loaded = {name.partition(".")[0] for name in sys.modules}
    assert not HEAVY & loaded, sorted(HEAVY & loaded)
    ours = {name for name in sys.modules if name.startswith("clipeval")}
    assert ours == {
        "clipeval", "clipeval._version", "clipeval.pytest_plugin", "clipeval.pytest_claims",
        "clipeval.pytest_judge", "clipeval.pytest_reports", "clipeval.pytest_settings",
    }, sorted(ours)
"""


def test_an_unrelated_suite_loads_the_plugins_own_files_and_nothing_else(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(UNRELATED)
    pytester.runpytest_subprocess(*LEAN, "-p", "no:xdist").assert_outcomes(passed=1)


def test_collecting_the_specification_loads_no_model_library(pytester: pytest.Pytester, toy: Any) -> None:
    pytester.makeconftest(
        """
        import sys

        def pytest_collection_finish(session):
            heavy = {"torch", "torchvision", "transformers", "open_clip", "sentence_transformers"}
            heavy |= {"matplotlib", "scipy"}
            print("COLLECTED", len(session.items), "LOADED", *sorted(heavy & set(sys.modules)))
        """
    )
    result = pytester.runpytest_subprocess(
        *LEAN, "--pyargs", "clipeval.claims", "--collect-only", "-qs", *toy.options
    )
    assert result.ret == 0
    line = next(line for line in result.outlines if line.startswith("COLLECTED"))
    assert re.fullmatch(r"COLLECTED \d\d+ LOADED", line)
    assert "test_specification.py::test_claim[" in result.stdout.str()
    assert sys.modules.get("clipeval")
