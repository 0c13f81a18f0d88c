"""How ``clipeval compare`` ends where something is absent, full, stopped or asked of the wrong device."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clipeval.cli import main
from clipeval.compare.job import default_models
from clipeval.report import matrix_limit

ERRORS: dict[str, Any] = {"stderr": subprocess.PIPE, "text": True, "timeout": 120}
Run = Callable[..., subprocess.CompletedProcess[str]]

SLOW = """
import pathlib, time
import numpy as np

class Slow:
    name = "slow"
    fingerprint = {"version": "1"}

    def encode_images(self, pictures):
        pathlib.Path("started").touch()
        time.sleep(60)

    def encode_texts(self, texts):
        return np.ones((len(texts), 2), dtype=np.float32)

def slow():
    return Slow()
"""


@pytest.fixture
def arguments(captioned, frozen, metadata, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A job that needs neither a model nor pictures."""
    monkeypatch.chdir(tmp_path)
    data = captioned(5)
    return ["compare", "--data", str(metadata(data)), "--model", frozen(data)]


def status(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(list(words))
    return int(end.value.code or 0)


def test_a_model_that_needs_pictures_does_not_stop_frozen_rows_of_a_dataset_without(
    arguments, capsys, tmp_path: Path
) -> None:
    (tmp_path / "slow_encoders.py").write_text(SLOW, encoding="utf-8")
    models = ["--model", "frozen:absent.npz", "--model", "python:slow_encoders:slow"]
    assert status(*arguments, *models, "--no-probe", "--json") == 0
    ran, absent, blind = json.loads(capsys.readouterr().out)["models"]
    assert (ran["status"], absent["status"], blind["status"]) == ("ok", "not_run", "not_run")
    assert "absent" in absent["reason"]
    assert "picture" in blind["reason"]


def test_where_all_models_need_pictures_their_absence_is_an_error_of_the_dataset(arguments, capsys) -> None:
    assert status(*arguments[:3], "--model", "hf:./absent") == 3
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", [[], ["--json"], ["--help"], ["--version"]], ids=str)
def test_a_full_standard_output_is_one_line_and_status_1(arguments, tmp_path: Path, words: list[str]) -> None:
    command = [sys.executable, "-m", "clipeval", *(words if "--version" in words else [*arguments, *words])]
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120
        )
    assert run.returncode == 1
    assert run.stderr == "error: cannot write the output: No space left on device\n"
    # the numbers are not lost
    assert (tmp_path / "results" / "comparison.json").exists() == (words in ([], ["--json"]))


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_it_says_in_one_line_what_became_of_the_work(tmp_path: Path, number: int, code: int) -> None:
    (tmp_path / "slow_encoders.py").write_text(SLOW, encoding="utf-8")
    command = [sys.executable, "-m", "clipeval", "compare", "--no-probe", "-m", "python:slow_encoders:slow"]
    env = os.environ | {"CLIPEVAL_CACHE": str(tmp_path / "cache")}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not (tmp_path / "started").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert (out, err) == ("", "interrupted: finished batches are kept in the cache, nothing was written\n")
    assert not (tmp_path / "results").exists()


def test_above_the_limit_of_the_matrix_a_line_says_what_is_left_out(
    arguments, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert status(*arguments) == 0
    assert "too many pairs" not in capsys.readouterr().out
    monkeypatch.setattr(matrix_limit, "MOST_CELLS", 24)
    assert status(*arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "too many pairs for the matrix: no similarities.csv; heat maps show blocks" in lines
    assert not [line for line in lines if "no chart of densities" in line]


def test_without_report_and_charts_only_numbers_are_written(arguments, capsys, tmp_path: Path) -> None:
    assert status(*arguments, "--no-report") == 0
    kept = {path.suffix for path in (tmp_path / "results").rglob("*") if path.is_file()}
    assert kept == {".csv", ".json", ".png", ".safetensors", ".svg"}
    capsys.readouterr()
    assert status(*arguments, "--no-report", "--no-charts", "--json") == 0
    found = {path.name for path in (tmp_path / "results").rglob("*") if path.is_file()}
    assert found == {"comparison.json", "embeddings.safetensors", "queries.csv", "similarities.csv"}
    listed = json.loads(capsys.readouterr().out)["files"]
    assert {name.rpartition("/")[2] for name in listed} == found - {"comparison.json"}


def test_two_jobs_into_one_folder_leave_whole_files_and_one_whole_document(
    arguments, captioned, frozen, tmp_path: Path
) -> None:
    other = [*arguments, "--model", frozen(captioned(5), "other.npz", seed=1)]
    jobs = [
        subprocess.Popen([sys.executable, "-m", "clipeval", *words], cwd=tmp_path, stdout=subprocess.DEVNULL)
        for words in (arguments, other)
    ]
    assert [job.wait(timeout=120) for job in jobs] == [0, 0]
    out = tmp_path / "results"
    document = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    found = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert {*document["files"], "comparison.json"} <= found
    assert not [name for name in found if name.startswith(".")]


def test_the_document_lists_the_files_beside_it(arguments, tmp_path: Path) -> None:
    assert status(*arguments) == 0
    out = tmp_path / "results"
    listed = json.loads((out / "comparison.json").read_text(encoding="utf-8"))["files"]
    found = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert {*listed, "comparison.json"} == found


@pytest.mark.parametrize("words", ["--device cuda", "--device nonsense", "--limit 10"])
def test_shipped_rows_stand_in_for_the_whole_dataset_on_the_cpu_only_and_the_reason_says_so(
    clipeval: Run, tmp_path: Path, words: str
) -> None:
    preclip, conse, _ = default_models(42)
    command = ["compare", "--offline", "--json", *words.split(), "-m", preclip, "-m", conse]
    run = clipeval(*command, cwd=tmp_path, light=True)
    assert run.returncode == 1, run.stderr
    for model in json.loads(run.stdout)["models"]:
        assert model["status"] == "not_run"
        assert (
            "only for the whole embedded dataset, on the CPU, with the model's default options"
            in (model["reason"])
        )
        assert "pip install 'clipeval[models]'" in model["reason"]
