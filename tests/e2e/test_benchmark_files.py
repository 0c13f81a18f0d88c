"""The benchmarks as pytest tests: what they record, and that a slower median fails as documented."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pytest_benchmark", reason="needs pytest-benchmark: pip install 'clipeval[dev]'")

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--benchmark-only", *arguments]
    # pytest-benchmark times nothing where it sees that it runs beside other workers: this run has none
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    return subprocess.run(
        words, capture_output=True, text=True, cwd=FOLDER.parent.parent, env={**kept, "CI": ""}
    )


def test_a_saved_run_knows_the_machine_and_fails_a_later_one_whose_median_is_higher(tmp_path) -> None:
    storage = f"--benchmark-storage={tmp_path}"
    test = f"{FOLDER / 'test_core_speed.py'}::test_the_projection_of_study_s5"
    done = run(test, storage, "--benchmark-save=first", "--benchmark-min-rounds=3")
    assert done.returncode == 0, done.stdout + done.stderr
    (saved,) = tmp_path.rglob("*first.json")
    document = json.loads(saved.read_text())
    assert {"processor", "cores", "instruction sets", "memory", "devices"} <= set(
        document["machine_info"]["clipeval"]
    )
    assert "node" not in document["machine_info"]
    for one in document["benchmarks"]:  # the run that is compared with was a hundred times faster
        one["stats"] = {
            key: value / 100 if isinstance(value, float) and key not in ("ops", "rounds") else value
            for key, value in one["stats"].items()
        }
    saved.write_text(json.dumps(document))
    compare = (storage, "--benchmark-compare=0001", "--benchmark-min-rounds=3")
    slower = run(test, *compare, "--benchmark-compare-fail=median:10%")
    assert slower.returncode != 0
    assert "Performance has regressed" in slower.stdout + slower.stderr
    assert run(test, *compare, "--benchmark-compare-fail=median:1000000%").returncode == 0


def test_tests_of_a_device_that_is_not_here_are_skipped_with_the_reason(models_extra) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    done = run(str(FOLDER / "test_encoder_speed.py"), "-k", "cuda", "-rs")
    assert done.returncode == 0, done.stdout
    assert "there is no cuda device here, only cpu" in done.stdout
