"""``clipeval bench`` as a user meets it: words, files and exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

MODULE = """
import time

import numpy as np


class Toy:
    def __init__(self, wrong, waits=False):
        self.wrong, self.waits, self.calls = wrong, waits, 0

    def encode_images(self, pictures):
        small = [np.array(picture.resize((4, 4)), dtype=float).ravel() for picture in pictures]
        rows = np.array([np.resize(pixels, 26) + 1 for pixels in small])
        return np.roll(rows, 3, axis=1) if self.wrong and len(pictures) > 1 else rows

    def encode_texts(self, texts):
        self.calls += 1
        if self.waits and self.calls > 50:  # 40 of them check the answers, one by one
            open("timing-texts", "w").close()
            time.sleep(60)
        return np.array([[t.lower().count(chr(97 + at)) + 1.0 for at in range(26)] for t in texts])


def sound():
    return Toy(False)


def wrong():
    return Toy(True)


def waits():
    return Toy(False, waits=True)
"""
QUICK = ("--batch-size", "2", "--seconds", "0.02")


@pytest.fixture
def here(tmp_path: Path) -> dict[str, object]:
    """A folder with a model of one's own, as options of the fixture ``clipeval``."""
    (tmp_path / "bench_toy.py").write_text(MODULE)
    return {"cwd": tmp_path, "env": {"PYTHONPATH": str(tmp_path), "COLUMNS": "100"}, "light": True}


def test_speeds_are_printed_with_what_could_not_be_timed_and_the_machine(clipeval: Run, here) -> None:
    done = clipeval("bench", "python:bench_toy:sound", *QUICK, "--out", "a.json", **here)
    assert done.returncode == 0, done.stderr
    assert "least cosine with float32 1.000000" in done.stdout
    assert "end to end image" in done.stdout
    assert "forward image: this image tower cannot be taken apart" in done.stdout
    assert "processor " in done.stdout
    assert "~~" not in done.stdout
    assert "A/A ±" in done.stdout
    assert (Path(here["cwd"]) / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "wrote a.json, a.png, a.svg, a.csv" in done.stderr
    document = json.loads((Path(here["cwd"]) / "a.json").read_text())
    words = " ".join(done.stdout.split())  # a line may be broken between any two
    assert (document["kind"], document["partial"]) == ("clipeval bench 2", False)
    for one in document["measurements"]:
        assert one["low"] <= one["median"] <= one["high"]
        assert len(one["seconds"]) >= 6
        assert one["against_itself"]["too_noisy"] is (one["against_itself"]["half_width"] > 0.03)
        assert ("too noisy" in words) or not one["against_itself"]["too_noisy"]
        if one["p99"]["samples"] < 662:
            assert one["p99"]["at_most"] is None


def test_a_speed_of_wrong_answers_is_struck_out_and_the_status_is_1(clipeval: Run, here) -> None:
    done = clipeval("bench", "python:bench_toy:wrong", *QUICK, **here)
    assert done.returncode == 1, done.stderr
    assert "struck out at batch 2: a row has cosine" in done.stdout
    rows = [line for line in done.stdout.splitlines() if "end to end" in line and "batch" not in line]
    assert len(rows) == 3
    assert all("~~" in line for line in rows)
    assert not any("~~" in line for line in done.stdout.splitlines() if " decode " in line)


def test_json_alone_goes_to_standard_output_and_one_group_can_be_chosen(clipeval: Run, here) -> None:
    done = clipeval("bench", "python:bench_toy:sound", *QUICK, "--part", "decode", "--json", **here)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert {one["part"] for one in document["measurements"]} == {"decode"}


def test_the_best_batch_size_is_found_and_the_way_there_is_told(clipeval: Run, here) -> None:
    done = clipeval(
        *("bench", "python:bench_toy:sound", "--batch-size", "auto", "--seconds", "0.02"),
        *("--part", "end-to-end", "--out", "auto.json"),
        **here,
    )
    assert done.returncode == 0, done.stderr
    (model,) = json.loads((Path(here["cwd"]) / "auto.json").read_text())["models"]
    auto = model["auto_batch"]
    assert [one["batch_size"] for one in auto["trials"]][:2] == [1, 2]
    words = " ".join(done.stdout.split())
    assert f"auto batch size {auto['batch_size']}, by end to end image (1: " in words
    assert auto["ended"] in words
    assert str(auto["batch_size"]) in model["quality"]


def test_two_files_are_compared(clipeval: Run, here) -> None:
    for name in ("a.json", "b.json"):
        assert clipeval("bench", "python:bench_toy:sound", *QUICK, "--out", name, **here).returncode == 0
    done = clipeval("bench", "compare", "a.json", "b.json", **here)
    assert done.returncode == 0, done.stderr
    assert "first / second, seconds" in done.stdout
    assert "1 python:bench_toy:sound" in done.stdout
    assert done.stdout.count("end to end") == 3
    path = Path(here["cwd"]) / "b.json"
    document = json.loads(path.read_text())
    document["machine"]["processor"] = "Another"
    path.write_text(json.dumps(document))
    assert ", Another" in clipeval("bench", "compare", "a.json", "b.json", **here).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["python:bench_toy:sound", "--batch-size", "0"], "batch sizes are at least 1, got 0"),
        (["python:bench_toy:sound", "--batch-size", "two"], "'two' are not whole numbers"),
        (["python:bench_toy:sound", "--device", "cudda"], "here: cpu"),
        (["python:bench_toy:sound", "--backend", "tensorrt"], "known: torch, compile, onnx, openvino"),
        (["python:bench_toy:sound", "--batch-size", "auto,0"], "batch sizes are at least 1, got 0"),
        (["python:bench_toy:sound", "--dtype", "bfloat"], "did you mean 'bfloat16'"),
        (["python:bench_toy:sound", "--part", "forwards"], "did you mean 'forward'?"),
        (["python:bench_toy:sound", "--seconds", "-1"], "cannot measure for -1 seconds"),
        (["frozen:rows.npz"], "played back"),
        (["hff:name"], "did you mean 'hf'?"),
        (["python:bench_toy:sound", "--out", "bench.html"], "'bench.html' is the name of the page"),
        (["python:bench_toy:sound", "--out", "."], "cannot write the file: this is a folder"),
        (["python:bench_toy:sound", "--out", "bench_toy.py/x.json"], "cannot write the file"),
        (["compare", "a.json"], "compare takes two files, got 1"),
        (["compare", "nowhere.json", "b.json"], "nowhere.json"),
    ],
)
def test_wrong_usage_is_status_3_and_says_what_to_do(clipeval: Run, here, arguments, words, request) -> None:
    if "cudda" in arguments:
        request.getfixturevalue("models_extra")
        here = {**here, "light": False}
    done = clipeval("bench", *arguments, **here)
    assert done.returncode == 3
    assert words in " ".join(done.stderr.replace("│", " ").split())


def test_a_place_that_cannot_be_written_is_found_before_anything_is_timed(clipeval: Run, here) -> None:
    done = clipeval("bench", "python:bench_toy:sound", *QUICK, "--out", "bench_toy.py/deep/x.json", **here)
    assert done.returncode == 3
    assert "end to end" not in done.stdout
    assert "where: bench_toy.py/deep/x.json" in done.stderr


def test_what_was_timed_is_printed_even_where_it_cannot_be_written(clipeval: Run, here) -> None:
    # the picture's name is taken by a folder, which shows only when it is written
    (Path(here["cwd"]) / "a.png").mkdir()
    done = clipeval("bench", "python:bench_toy:sound", *QUICK, "--out", "a.json", **here)
    assert done.returncode == 1
    assert "end to end image" in done.stdout
    assert "a.png" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_absent_model_is_reported_in_its_place(clipeval: Run, here) -> None:
    done = clipeval("bench", "hf:no/such-model", "python:bench_toy:sound", *QUICK, "--offline", **here)
    assert done.returncode == 1
    assert "hf:no/such-model: not_run" in " ".join(done.stdout.split())
    assert "end to end image" in done.stdout


def test_an_interrupt_before_anything_was_timed_does_not_speak_of_what_was(clipeval: Run, here) -> None:
    path = Path(here["cwd"]) / "bench_toy.py"
    path.write_text(MODULE + "\n\ndef stopped():\n    raise KeyboardInterrupt\n")
    done = clipeval("bench", "python:bench_toy:stopped", *QUICK, "--out", "a.json", **here)
    assert done.returncode == 130
    assert "interrupted: nothing was timed yet" in done.stderr
    assert not (Path(here["cwd"]) / "a.json").exists()


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process on Windows")
def test_ctrl_c_keeps_what_was_timed_and_marks_it_partial(here) -> None:
    folder = Path(here["cwd"])
    command = [sys.executable, "-m", "clipeval", "bench", "python:bench_toy:waits", "--out", "part.json"]
    with subprocess.Popen(
        [*command, "--batch-size", "1", "--seconds", "0.02"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            end = time.monotonic() + 100
            while not (folder / "timing-texts").exists() and time.monotonic() < end:
                time.sleep(0.1)
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=50)
        finally:
            running.kill()
    assert running.returncode == 130, err
    assert "marked partial" in err
    assert "PARTIAL" in out
    document = json.loads((folder / "part.json").read_text())
    assert document["partial"]
    assert {one["part"] for one in document["measurements"]} == {"decode", "end to end image"}
