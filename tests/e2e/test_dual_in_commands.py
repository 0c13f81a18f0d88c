"""A model that ``clipeval train`` made, in the other commands: two small networks, trained once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from clipeval.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(models_extra: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the trained model ``mine`` and a cache."""
    place = tmp_path_factory.mktemp("dual")
    towers = ["--image-tower", "tiny-vit", "--text-tower", "tiny-bert", "--allow-random-init"]
    settings = ["--epochs", "2", "--batch-size", "8", "--dim", "8", "--held-out", "0"]
    with pytest.raises(SystemExit) as end:
        main(
            [
                "train",
                *towers,
                *settings,
                "--data",
                "embedded#train",
                "--out",
                str(place / "mine"),
                "--no-cache",
            ]
        )
    assert not end.value.code
    return place


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process: exit status, standard output, standard error."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CLIPEVAL_CACHE", str(folder / "cache"))

    def command(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(list(words))
        printed = capsys.readouterr()
        return int(end.value.code or 0), printed.out, printed.err

    return command


def test_a_store_of_it_plays_back_its_numbers(run: Run) -> None:
    status, _, told = run(
        "embed", "--model", "dual:mine", "--data", "embedded#test", "--out", "store", "--no-probe"
    )
    assert status == 0, told
    models = ("--model", "dual:mine", "--model", "frozen:store")
    status, document, told = run("compare", *models, "--data", "embedded#test", "--no-probe", "--json")
    assert status == 0, told
    direct, played = json.loads(document)["models"]
    assert direct["metrics"] == played["metrics"]
    assert (direct["learned"]["n_images"], played["learned"]) == (16, None)


def test_on_its_training_items_it_is_not_run_and_a_part_is_named(run: Run) -> None:
    _, document, _ = run("compare", "--model", "dual:mine", "--data", "embedded", "--no-probe", "--json")
    (model,) = json.loads(document)["models"]
    assert model["status"] == "not_run"
    assert "the model has learned from 16 of the 20 items" in model["reason"]
    assert "train on PATH#train and evaluate on PATH#test (here: embedded#test)" in model["reason"]


def test_a_baseline_of_it_holds(run: Run) -> None:
    status, _, told = run("baseline", "save", "--model", "dual:mine", "--data", "embedded#test", "kept.json")
    assert status == 0, told
    status, said, told = run("baseline", "check", "kept.json")
    assert (status, said.partition(":")[0]) == (0, "holds"), told


def test_swapped_for_itself_it_holds(run: Run) -> None:
    status, said, told = run("swap", "dual:mine", "dual:mine", "--data", "embedded#test")
    assert (status, said.partition(":")[0]) == (0, "holds"), told


def test_its_speed_stands_beside_right_answers(run: Run) -> None:
    quick = ("--batch-size", "2", "--seconds", "0.02")
    status, document, told = run("bench", "dual:mine", *quick, "--json")
    assert status == 0, told
    found = json.loads(document)
    assert found["measurements"]
    assert {one["part"] for one in found["measurements"]} >= {"forward image", "end to end text"}
