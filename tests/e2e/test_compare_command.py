"""``clipeval compare`` as a user meets it: the installed command, its files, its words, its exit status."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image

from clipeval import __version__
from clipeval.cli import main
from clipeval.compare.document import comparison_schema
from clipeval.compare.job import default_models
from clipeval.core.similarity import cosine_similarity
from clipeval.data import load_dataset
from clipeval.encoders.load import load_encoder
from clipeval.evaluation import evaluate

Run = Callable[..., subprocess.CompletedProcess[str]]

ENCODERS = """
import numpy as np

class Encoder:
    name = "mine"
    fingerprint = {"version": "1"}

    def __init__(self, nan=False):
        self.nan = nan

    def encode_images(self, pictures):
        print("noise of the user's own")
        rows = np.array([[np.asarray(p)[0, 0, 0], 60.0, 1.0] for p in pictures], dtype=np.float32)
        if self.nan:
            rows[rows[:, 0] == 50] = np.nan
        return rows

    def encode_texts(self, texts):
        return np.array([[len(t), 20.0, 2.0] for t in texts], dtype=np.float32)

def good():
    return Encoder()

def nan():
    return Encoder(nan=True)
"""


def status(*arguments: str | Path) -> int:
    """The exit status of the command run in this process."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return int(end.value.code or 0)


def without_times(path: Path) -> bytes:
    text = path.read_bytes()
    start = text.index(b'  "times": {')
    assert b'"models"' not in text[:start].rpartition(b'"comparisons"')[2]
    return text[:start]


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory, clipeval: Run) -> dict[str, Any]:
    """The first command of a newcomer without torch, twice: as a table, and as JSON from elsewhere."""
    here, there = tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("there")
    env = {"CLIPEVAL_CACHE": str(here / "cache"), "HF_HOME": str(here / "hub")}
    table = clipeval("compare", "--offline", cwd=here, env=env | {"PYTHONHASHSEED": "1"}, light=True)
    document = clipeval(
        "compare",
        "--offline",
        "--json",
        "--out",
        "deep/er",
        cwd=there,
        env=env | {"PYTHONHASHSEED": "2"},
        light=True,
    )
    return {"table": table, "json": document, "out": here / "results", "other": there / "deep" / "er"}


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three pictures and the user's own encoders, as the current one."""
    (tmp_path / "mine_encoders.py").write_text(ENCODERS, encoding="utf-8")
    folder = tmp_path / "pictures"
    folder.mkdir()
    rows = []
    for row, caption in enumerate(["one", "three", "eleven words"]):
        Image.new("RGB", (8, 8), (row * 50, 0, 0)).save(folder / f"{row}.png")
        rows.append({"image": f"{row}.png", "caption": caption, "category": "all"})
    (folder / "metadata.json").write_text(json.dumps(rows), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLIPEVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delitem(sys.modules, "mine_encoders", raising=False)
    return tmp_path


@pytest.fixture
def plain(captioned, frozen, metadata, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Arguments of a job that needs no model."""
    data = captioned(5, categories=("Animals", "Food"))
    monkeypatch.chdir(tmp_path)
    return ["compare", "--data", str(metadata(data)), "--model", frozen(data)]


# --- the default job ---------------------------------------------------------------------------------------


def test_without_torch_the_first_command_prints_a_table_from_shipped_embeddings(light) -> None:
    run = light["table"]
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    preclip, conse, clip = default_models(42)
    assert re.search(r"^A  preclip efficientnet-lite0 .*\n?.*precomputed$", run.stdout, re.MULTILINE)
    assert re.search(r"^B  conse efficientnet-lite0 .*  precomputed$", run.stdout, re.MULTILINE)
    assert "pip install 'clipeval[models]'" in run.stdout
    document = json.loads((light["out"] / "comparison.json").read_text(encoding="utf-8"))
    found = {model["spec"]: (model["status"], model["precomputed"]) for model in document["models"]}
    assert found == {preclip: ("ok", True), conse: ("ok", True), clip: ("not_run", False)}


def test_clip_stands_as_not_run_with_the_reason_and_the_way_to_get_it(light) -> None:
    assert "C  hf openai/clip-vit-base-patch32  not_run\n" in light["table"].stdout
    reason = json.loads(light["json"].stdout)["models"][2]["reason"]
    assert "pip install 'clipeval[models]'" in reason or "hf download openai/clip-vit-base-patch32" in reason
    for line in reason.splitlines():
        assert " ".join(line.split())[:30] in " ".join(light["table"].stdout.split())


def test_tables_have_scores_categories_and_pairs_within_eighty_columns(light) -> None:
    text = light["table"].stdout
    for heading in ("Retrieval", "Cosine similarity", "By category", "Paired"):
        assert re.search(f"^{heading}", text, re.MULTILINE)
    for category in ("Animals", "Colours", "Objects", "Food"):
        assert re.search(f"^{category} ", text, re.MULTILINE)
    assert re.search(r"^A - B  i2t .*B better$", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text


def test_json_is_the_only_thing_on_standard_output_and_valid(light) -> None:
    run = light["json"]
    assert run.returncode == 0, run.stderr
    document = json.loads(run.stdout)
    jsonschema.validate(document, comparison_schema())
    assert run.stdout == (light["other"] / "comparison.json").read_text(encoding="utf-8")
    assert document["clipeval"] == __version__
    assert document["dataset"]["n_images"] == 20
    assert len(document["dataset"]["categories"]) == 4


def test_two_runs_give_the_same_bytes_apart_from_times(light) -> None:
    """Elsewhere, with another hash seed, into another folder."""
    assert without_times(light["out"] / "comparison.json") == without_times(
        light["other"] / "comparison.json"
    )
    for path in light["out"].rglob("*"):
        if path.suffix in {".csv", ".safetensors", ".png"} and path.is_file():
            assert path.read_bytes() == (light["other"] / path.relative_to(light["out"])).read_bytes()


def test_results_hold_no_path_of_this_machine(light) -> None:
    roots = {str(light["out"].parents[1]), str(Path.home()), sys.prefix, os.path.dirname(__file__)}  # noqa: PTH120
    for path in light["out"].rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for root in roots - {"/"}:
                assert root.encode() not in content, f"{root} in {path.name}"


def test_every_model_has_its_files_and_they_agree_with_the_document(light) -> None:
    out, document = light["out"], json.loads(light["json"].stdout)
    folders = sorted(path for path in out.iterdir() if path.is_dir())
    assert sorted(path.name for path in out.iterdir() if path.is_file()) == [
        "comparison.csv",
        "comparison.json",
        "comparison.png",
        "comparison.svg",
        "items.json",
        "report.html",
    ]
    charts = folders.pop(0)
    assert charts.name == "charts"
    assert {f"charts/{path.name}" for path in charts.iterdir()} == {
        name for name in document["files"] if name.startswith("charts/")
    }
    assert len(folders) == 2
    data = load_dataset("embedded")
    by_family = {model["spec"].split(":")[0]: model for model in document["models"]}
    for folder in folders:
        model = by_family[folder.name.split("-")[0]]
        assert {path.name for path in folder.iterdir()} == {
            "embeddings.safetensors",
            "heatmap.png",
            "heatmap.svg",
            "queries.csv",
            "similarities.csv",
        }
        again = evaluate(load_encoder(f"frozen:{folder / 'embeddings.safetensors'}"), data)
        for direction in ("i2t", "t2i"):
            for k in (1, 5, 10):
                metric = model["metrics"][direction][f"hit_rate@{k}"]
                assert again.direction(direction).hit_rate(k) == metric["value"]
        with (folder / "similarities.csv").open(newline="", encoding="utf-8") as stream:
            header, *rows = list(csv.reader(stream))
        assert header[1:] == list(data.captions)
        assert [row[0] for row in rows] == list(data.ids)
        table = np.array([row[1:] for row in rows], dtype=float)
        assert table == pytest.approx(cosine_similarity(again.images, again.texts), abs=1e-6)
        with (folder / "queries.csv").open(newline="", encoding="utf-8") as stream:
            queries = list(csv.DictReader(stream))
        for direction, scores in (("i2t", table), ("t2i", table.T)):
            ranks = [float(row["rank"]) for row in queries if row["direction"] == direction]
            assert ranks == [1 + sum(scores[q] > scores[q, q]) for q in range(20)]
            mean = sum(rank <= 1 for rank in ranks) / 20
            assert mean == model["metrics"][direction]["hit_rate@1"]["value"]
    for path in out.rglob("*.png"):
        with Image.open(path) as picture:
            picture.load()
            assert min(picture.size) >= 400


# --- exit status -------------------------------------------------------------------------------------------


def test_a_model_that_is_absent_beside_one_that_ran_is_status_0(mine, capsys) -> None:
    models = ("--model", "hf:./absent", "--model", "python:mine_encoders:good")
    assert status("compare", "--data", "pictures", *models) == 0
    text = capsys.readouterr().out
    assert "A  hf absent  not_run" in text
    # it reads one pixel of each picture, which a probe notices
    assert "B  python mine_encoders:good  1 warning\n" in text
    assert "antialias: a grain of one pixel moves a picture" in text


def test_without_probes_nothing_is_said_about_a_model(mine, capsys) -> None:
    arguments = ("compare", "--data", "pictures", "--model", "python:mine_encoders:good", "--no-probe")
    assert status(*arguments) == 0
    assert "A  python mine_encoders:good\n" in capsys.readouterr().out
    document = json.loads((mine / "results" / "comparison.json").read_text(encoding="utf-8"))
    assert document["models"][0]["warnings"] == []


def test_a_nan_is_named_and_the_rest_goes_on_with_status_1(mine, capsys) -> None:
    models = ("--model", "python:mine_encoders:nan", "--model", "python:mine_encoders:good")
    assert status("compare", "--data", "pictures", *models) == 1
    text = capsys.readouterr().out
    assert "A  python mine_encoders:nan  not_run" in text
    assert "NaN" in text
    assert "item '1.png'" in text
    document = json.loads((mine / "results" / "comparison.json").read_text(encoding="utf-8"))
    assert [model["status"] for model in document["models"]] == ["not_run", "ok"]


def test_nothing_that_could_run_is_status_1(plain, capsys, tmp_path: Path) -> None:
    assert status(*plain[:3], "--model", "frozen:absent.npz") == 1
    assert "1 file in results/: comparison.json\n" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["comparison.json"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--modle", "x"], ["No such option", "--model"]),
        (["--model", "froozen:x.npz"], ["unknown family 'froozen'", "did you mean 'frozen'?"]),
        (["--model", "x.npz"], ["is not a model spec", "family:name"]),
        (["--model", "frozen:x.npz?tensr=a"], ["unknown option 'tensr'"]),
        (["--data", "embeded"], ["there is no dataset 'embeded'", "did you mean 'embedded'?"]),
        (["--seed", "-1"], ["--seed"]),
        (["--seed", "many"], ["--seed"]),
        (["--limit", "0"], ["--limit"]),
        (["--batch-size", "0"], ["--batch-size"]),
        (["--data", ""], ["--data", "it is empty"]),
        (["--out", ""], ["--out", "it is empty"]),
        (["--out", "o" * 300], ["cannot write results", "name too long"]),
        (["--out", "taken"], ["'taken' is a file", "--out"]),
        (["--out", "taken/deeper"], ["a file is in the way", "--out"]),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_3_with_one_clear_error_and_no_file(
    plain, capsys, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    (tmp_path / "taken").write_text("mine", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    assert status(*plain, *arguments) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    for word in words:
        assert word in " ".join(shown.err.split())
    assert "Traceback" not in shown.err
    assert len(shown.err.strip().splitlines()) <= 8
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["metadata.json"]),
        ("[]", ["metadata.json"]),
        ('[\n{"image": "a.png", "caption": "x"},\n{"image": ]', ["metadata.json", "line 3"]),
        ('[{"image": "a.png", "captoin": "x"}]', ["row 0", "caption"]),
        ('[{"image": "../a.png", "caption": "x"}]', ["../a.png"]),
        ('[{"image": "a.png", "caption": " "}]', ["caption", "empty"]),
    ],
)
def test_bad_metadata_is_status_3_and_says_where(tmp_path: Path, capsys, monkeypatch, content, words) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "metadata.json").write_text(content, encoding="utf-8")
    assert status("compare", "--data", "data", "--model", "frozen:x.npz", "--json") == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    for word in words:
        assert word in shown.err
    assert not (tmp_path / "results").exists()


def test_a_disk_that_refuses_is_status_1_with_the_numbers_printed_and_no_document_left(
    plain, capsys, tmp_path: Path
) -> None:
    assert status(*plain) == 0
    (tmp_path / "results" / "comparison.png").unlink()
    (tmp_path / "results" / "comparison.png").mkdir()
    capsys.readouterr()
    assert status(*plain, "--json") == 1
    shown = capsys.readouterr()
    jsonschema.validate(json.loads(shown.out), comparison_schema())
    assert shown.err.startswith("error: cannot write results")
    assert status(*plain) == 1
    assert "Retrieval" in capsys.readouterr().out
    assert not (tmp_path / "results" / "comparison.json").exists()


# --- options -----------------------------------------------------------------------------------------------


def test_models_can_be_repeated_and_one_named_twice_runs_once(plain, captioned, frozen, capsys) -> None:
    other = frozen(captioned(5), "other.npz", seed=1)
    assert status(*plain, "-m", other, "-m", other, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [model["spec"] for model in document["models"]] == [plain[-1], other]
    assert len(document["comparisons"]) == 2
    assert status(*plain, "-m", other, "-m", other) == 0
    shown = capsys.readouterr()
    assert shown.err == f"note: --model {other} is given 2 times and runs once\n"


def test_limit_takes_the_first_items_and_says_so(plain, capsys) -> None:
    assert status(*plain, "--limit", "3", "--json") == 0
    assert json.loads(capsys.readouterr().out)["dataset"] | {"sha256": ""} == {
        "name": "toy[:3]",
        "n_images": 3,
        "n_captions": 3,
        "categories": ["Animals"],
        "sha256": "",
    }


def test_the_seed_is_recorded(plain, capsys) -> None:
    assert status(*plain, "--seed", "7", "--json") == 0
    assert json.loads(capsys.readouterr().out)["seed"] == 7


def test_what_an_encoder_prints_does_not_get_into_the_document(mine, capsys) -> None:
    assert status("compare", "--data", "pictures", "--model", "python:mine_encoders:good", "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["models"][0]["status"] == "ok"
    assert "noise of the user's own" in shown.err


def test_hostile_names_go_through_the_whole_command(
    captioned, frozen, metadata, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    data = captioned(
        6,
        ids=["a,b.png", 'q".png', "=cmd().png", "$x$_^.png", "[red].png", "😀مرحبا.png"],
        captions=["=cmd()", "two\nlines", "[/] [red]", "$\\frac$", "e" * 500, "مرحبا :cat:"],
        categories=("=1+1", "[red]x", "$x$", "\x1b[31m", "שלום", ":cat:"),
    )
    spec = frozen(data, "[red]$x$.npz")
    assert status("compare", "--data", metadata(data), "--model", spec) == 0
    text = capsys.readouterr().out
    for word in ("=1+1", "[red]x", "$x$", "\\x1b[31m", "שלום", ":cat:", "frozen [red]$x$.npz"):
        assert word in text
    document = json.loads((tmp_path / "results" / "comparison.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, comparison_schema())
    assert document["dataset"]["categories"] == list(data.categories)


# --- the terminal ------------------------------------------------------------------------------------------


def on_a_terminal(arguments: list[str], *, cwd: Path, **env: str) -> tuple[str, str]:
    """What a terminal shows on standard output and on standard error."""
    pty = pytest.importorskip("pty", reason="needs a POSIX terminal")
    ends = [pty.openpty() for _ in range(2)]
    plain = {
        key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "FORCE_COLOR", "COLUMNS"}
    }
    script = [sys.executable, "-m", "clipeval", *arguments]
    process = subprocess.Popen(
        script,
        cwd=cwd,
        env=plain | {"TERM": "xterm-256color"} | env,
        stdin=subprocess.DEVNULL,
        stdout=ends[0][1],
        stderr=ends[1][1],
    )
    shown = []
    for _, child in ends:
        os.close(child)

    def drain(parent: int, into: list[bytes]) -> None:
        try:
            while part := os.read(parent, 65536):
                into.append(part)
        except OSError:
            return  # the other end is closed

    for parent, _ in ends:
        parts: list[bytes] = []
        thread = threading.Thread(target=drain, args=(parent, parts))
        thread.start()
        shown.append((thread, parts))
    process.wait(timeout=120)
    for thread, _ in shown:
        thread.join(timeout=10)
    for parent, _ in ends:
        os.close(parent)
    assert process.returncode == 0, b"".join(shown[1][1])
    out, err = (b"".join(parts).decode() for _, parts in shown)
    return out, err


COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-9]|9[0-7])(?:;\d+)*m")


def test_bars_and_colour_are_for_terminals_and_no_color_is_obeyed(mine) -> None:
    arguments = [
        "compare",
        "--data",
        "pictures",
        "-m",
        "python:mine_encoders:good",
        "-m",
        "hf:./absent",
        "--no-cache",
    ]
    out, err = on_a_terminal(arguments, cwd=mine)
    assert "python mine_encoders:good: pictures" in err
    for step in (
        "loading data and models",
        "python mine_encoders:good: ranking",
        "python mine_encoders:good: scoring",
        "writing charts/densities",
    ):
        assert step in err
    assert "\x1b[" in err
    assert COLOUR.search(out)
    out, _ = on_a_terminal(arguments, cwd=mine, NO_COLOR="1")
    assert not COLOUR.search(out)


def test_no_bar_and_no_colour_in_a_pipe(mine, clipeval: Run) -> None:
    run = clipeval("compare", "--data", "pictures", "-m", "python:mine_encoders:good", "--no-cache", cwd=mine)
    assert run.returncode == 0
    assert "\x1b" not in run.stdout + run.stderr
    assert run.stderr.replace("noise of the user's own\n", "") == ""


def test_an_encoding_that_lacks_characters_does_not_end_the_run(mine, clipeval: Run) -> None:
    shutil.move(mine / "pictures", mine / "Žluťoučký")
    run = clipeval(
        *("compare", "--data", "Žluťoučký", "-m", "python:mine_encoders:good", "--no-cache"),
        cwd=mine,
        env={"PYTHONIOENCODING": "ascii"},
    )
    assert run.returncode == 0, run.stderr


# --- help --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"], ["-h"]])
def test_help_shows_examples(arguments: list[str], capsys) -> None:
    assert status(*arguments) == 0
    text = capsys.readouterr().out
    assert "Examples" in text
    assert "clipeval compare" in text.partition("Examples")[2]


def test_help_of_compare_names_every_option(capsys) -> None:
    assert status("compare", "--help") == 0
    text = capsys.readouterr().out
    for option in ("--model", "--data", "--out", "--seed", "--json", "--offline", "--limit", "--device"):
        assert option in text


def test_version_is_printed(clipeval: Run, tmp_path: Path) -> None:
    run = clipeval("--version", cwd=tmp_path)
    assert (run.returncode, run.stdout) == (0, f"clipeval {__version__}\n")


def test_a_wrong_command_offers_the_near_one(capsys) -> None:
    assert status("comprae") == 3
    assert "compare" in capsys.readouterr().err


def test_the_shell_completes_commands_and_options(clipeval: Run, tmp_path: Path) -> None:
    for words, offered in (("clipeval com", "compare"), ("clipeval compare --off", "--offline")):
        env = {
            "_CLIPEVAL_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }
        assert offered in clipeval(cwd=tmp_path, env=env).stdout.split()
