"""``clipeval train`` as a user runs it, and what it made as a model of the other commands."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Run = Callable[..., Any]


@pytest.fixture
def run_of(models_extra: None, captioned: Any, frozen: Any, metadata: Any, clipeval: Run) -> Any:
    """Stored rows of 120 pictures that exist only by name, and a command that trains heads over them."""
    dataset = captioned(120, per_image=2)
    rows, folder = frozen(dataset, noise=0.3), metadata(dataset)

    def run(cwd: Path, *more: str, part: str = "") -> Any:
        towers = ("--image-tower", rows, "--text-tower", rows)
        settings = ("--epochs", "8", "--batch-size", "32", "--dim", "12", "--learning-rate", "0.01")
        return clipeval("train", *towers, "--data", f"{folder}{part}", *settings, *more, cwd=cwd)

    return run, folder


def test_a_model_is_trained_told_drawn_and_then_compared(run_of: Any, clipeval: Run, tmp_path: Path) -> None:
    run, folder = run_of
    done = run(tmp_path, "--out", "mine", "--held-out", "0.2", part="#train")
    assert done.returncode == 0, done.stderr
    assert re.search(r"hit@1 among \d\d pictures; chance", done.stdout)
    assert "kept" in done.stdout
    with (tmp_path / "mine" / "curves.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == [str(n) for n in range(1, 9)]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert max(float(row["held_out_hit1_t2i"]) for row in rows) > 5 * float(rows[0]["held_out_chance1_t2i"])
    with Image.open(tmp_path / "mine" / "curves.png") as picture:
        assert min(picture.size) > 300
    # the towers are stored rows, so the model needs no torch
    compared = clipeval(
        "compare",
        "--model",
        "dual:mine?image=frozen:rows.npz",
        "--data",
        f"{folder}#test",
        "--json",
        cwd=tmp_path,
        light=True,
    )
    assert compared.returncode == 0, compared.stderr
    (model,) = json.loads(compared.stdout)["models"]
    assert model["status"] == "ok"
    assert model["fingerprint"]["image head"] == "linear, 16 to 12"
    assert model["learned"]["seen_items"] == 0
    assert model["learned"]["training"]["rates"]["t2i"]["hit_rate@1"]["value"] > 0


def test_the_document_says_all_that_was_decided_and_runs_repeat_to_the_byte(
    run_of: Any, tmp_path: Path
) -> None:
    run, _ = run_of
    done = [run(tmp_path, "--out", name, "--seed", "3", "--json") for name in ("one", "two")]
    assert all(one.returncode == 0 for one in done), done[0].stderr
    first, second = (json.loads(one.stdout) for one in done)
    assert first["schema"] == "clipeval-train/1"
    assert first["settings"]["seed"] == 3
    assert first["data"]["train_pairs"] + first["data"]["held_out_pairs"] == 240
    assert first.pop("model") != second.pop("model")
    assert first == second
    for name in ("weights.safetensors", "dual.json", "curves.csv", "checkpoint.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--loss", "infonec"), "did you mean 'infonce'"),
        (("--freeze", "imgae"), "did you mean 'image'"),
        (("--freeze", "image:2"), "no blocks to freeze"),
        (("--resume",), "no checkpoint to go on from"),
        (("--accumulate", "64"), "cannot be cut into 64 parts"),
        (("--out", "mine?a=b"), "would be read as another folder"),
    ],
)
def test_wrong_usage_ends_with_3_and_what_to_do(
    run_of: Any, tmp_path: Path, more: tuple[str, ...], words: str
) -> None:
    done = run_of[0](tmp_path, "--out", "mine", *more)
    assert done.returncode == 3
    assert words in done.stderr
    assert not (tmp_path / "mine" / "dual.json").exists()


def test_a_run_that_learns_nothing_says_so_and_ends_with_1(run_of: Any, tmp_path: Path) -> None:
    done = run_of[0](tmp_path, "--out", "mine", "--held-out", "0.3", "--learning-rate", "0", "--dim", "1")
    assert done.returncode == 1, done.stdout
    assert "warning: collapsed: hit@1 on held-out items is not above chance" in done.stderr
    assert "warning: learning rate: the loss" in done.stderr


@pytest.mark.parametrize("finished", [False, True])
def test_an_interrupted_run_says_what_it_left_behind(
    finished: bool,
    models_extra: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from clipeval.cli import main

    folder = tmp_path / "mine"
    if finished:
        folder.mkdir()
        (folder / "checkpoint.safetensors").write_bytes(b"")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("clipeval.data.load.load_dataset", interrupted)
    towers = ["--image-tower", "tiny-vit", "--text-tower", "tiny-bert", "--allow-random-init"]
    with pytest.raises(SystemExit) as ended:
        main(["train", *towers, "--data", "x", "--out", str(folder)])
    assert ended.value.code == 130
    said = capsys.readouterr().err
    assert ("finished epochs are in" in said) is finished
    assert ("no epoch was finished" in said) is not finished


def test_without_torch_the_extra_is_named(clipeval: Run, tmp_path: Path) -> None:
    towers = ("--image-tower", "tiny-vit", "--text-tower", "tiny-bert", "--allow-random-init")
    done = clipeval("train", *towers, "--data", "embedded", "--out", "mine", cwd=tmp_path, light=True)
    assert done.returncode == 3
    assert "clipeval[models]" in done.stderr
    assert "Traceback" not in done.stderr
