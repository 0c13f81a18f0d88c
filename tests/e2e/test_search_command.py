"""``clipeval search`` as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clipeval.cli import main

DATA = ["--data", "embedded", "--offline"]


def status(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPEVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def test_a_text_is_answered_on_the_terminal_with_how_to_read_a_score(models_extra, capsys) -> None:
    assert status("search", "a slice of pizza", *DATA, "--top", "3", "--no-probe") == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[0] == "“a slice of pizza” in embedded"
    assert "no probability" in " ".join(shown.split())
    assert "median" in shown


def test_json_is_the_only_output_and_a_gallery_is_written(models_extra, capsys, tmp_path: Path) -> None:
    assert status("search", "an animal", *DATA, "--json", "--out", "deep/gallery.html", "--no-probe") == 0
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert [row["rank"] for row in document["results"]] == list(range(1, 11))
    scores = [row["score"] for row in document["results"]]
    assert scores == sorted(scores, reverse=True)
    assert shown.err == "wrote deep/gallery.html\n"
    page = (tmp_path / "deep" / "gallery.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 10
    assert str(tmp_path) not in page


def test_a_store_answers_with_the_model_that_made_it_and_encodes_only_the_question(
    models_extra, capsys
) -> None:
    model = "conse:efficientnet-lite0+all-MiniLM-L6-v2"
    assert status("embed", "--model", model, *DATA, "--out", "store") == 0
    capsys.readouterr()
    answers = []
    for spec in (model, "frozen:store"):
        assert (
            status("search", "an animal", *DATA, "--model", spec, "--json", "--no-probe", "--no-cache") == 0
        )
        answers.append(json.loads(capsys.readouterr().out))
    assert [row["id"] for row in answers[0]["results"]] == [row["id"] for row in answers[1]["results"]]
    assert answers[1]["encoded"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param([], "nothing is asked for", id="no question"),
        pytest.param(["a", "--image", "b.png"], "one question at a time", id="two questions"),
        pytest.param(["a", "--model", "clap:x"], "clap", id="unknown family"),
        pytest.param(["a", "--data", "absent"], "absent", id="no data"),
        pytest.param(["--image", "absent.png"], "no such picture", id="no picture"),
    ],
)
def test_what_cannot_be_answered_is_one_message_and_status_3(
    arguments: list[str], words: str, capsys
) -> None:
    assert status("search", *arguments) == 3
    shown = capsys.readouterr()
    assert words in shown.err
    assert shown.out == ""


def test_help_shows_examples_and_a_shell_completes_the_options(capsys) -> None:
    assert status("search", "--help") == 0
    assert "flying in the sky" in capsys.readouterr().out
    run = subprocess.run(
        [sys.executable, "-m", "clipeval"],
        env=os.environ
        | {"_CLIPEVAL_COMPLETE": "complete_bash", "COMP_WORDS": "clipeval search --im", "COMP_CWORD": "2"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "--image" in run.stdout
