"""``clipeval baseline`` and ``clipeval swap`` as a user meets them: words, files and exit status."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from clipeval.baseline.answer import answer_schema
from clipeval.cli import main

N = 40
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data, frozen rows of three models, and a cache of its own."""
    monkeypatch.setenv("CLIPEVAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    write_pairs(range(N))
    rng = np.random.default_rng(0)
    images = rng.normal(size=(N, 16)).astype(np.float32)
    noise = rng.normal(size=(N, 16)).astype(np.float32)
    write_rows("good.npz", images, images + 0.3 * noise)
    write_rows("bad.npz", images, noise)
    write_rows("near.npz", images, images + 0.3 * noise + 1e-7 * rng.normal(size=(N, 16)).astype(np.float32))
    return tmp_path


def write_rows(name: str, images: np.ndarray, texts: np.ndarray) -> None:
    ids = np.array([f"{row:02}.jpg" for row in range(N)])
    captions = np.array([f"{row:02}.jpg#0" for row in range(N)])
    np.savez(name, images=images, texts=texts, image_ids=ids, caption_ids=captions)


def write_pairs(rows: range | list[int], **changed: str) -> None:
    pairs = [[f"{row:02}.jpg", changed.get(f"c{row}", f"caption {row}")] for row in rows]
    Path("data/pairs.json").write_text(json.dumps(pairs))


@pytest.fixture
def clipeval(here: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process: exit status, and what was printed."""

    def run(*words: str) -> tuple[int, str]:
        assert here.exists()
        with pytest.raises(SystemExit) as end:
            main(list(words))
        printed = capsys.readouterr()
        return int(end.value.code or 0), printed.out + printed.err

    return run


@pytest.fixture
def kept(clipeval: Run) -> Path:
    """A baseline of the good model."""
    status, text = clipeval(
        "baseline", "save", "--model", "frozen:good.npz", "--data", "data/pairs.json", "kept.json"
    )
    assert status == 0, text
    return Path("kept.json")


def test_save_says_what_was_written_and_what_to_do_next(clipeval: Run) -> None:
    status, text = clipeval(
        "baseline", "save", "-m", "frozen:good.npz", "-d", "data/pairs.json", "new/kept.json"
    )
    assert status == 0
    assert "wrote new/kept.json (" in text
    assert "review it and commit it; later: clipeval baseline check new/kept.json" in text
    assert sorted(path.name for path in Path("new").iterdir()) == ["kept.json"]


def test_the_same_model_holds_and_the_status_is_0(clipeval: Run, kept: Path) -> None:
    status, text = clipeval("baseline", "check", str(kept))
    assert (status, text.splitlines()[0].partition(":")[0]) == (0, "holds")
    assert "pictures: identical, bit for bit" in text


def test_the_baseline_finds_its_data_from_any_folder(
    clipeval: Run, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("elsewhere").mkdir()
    rows = Path("good.npz").resolve()
    monkeypatch.chdir("elsewhere")
    status, text = clipeval("baseline", "check", f"../{kept}", "--model", f"frozen:{rows}")
    assert status == 0, text


def test_a_worse_model_is_refuted_and_the_status_is_1(clipeval: Run, kept: Path) -> None:
    status, text = clipeval("baseline", "check", str(kept), "--model", "frozen:bad.npz")
    assert (status, text.splitlines()[0]) == (
        1,
        f"refuted: frozen good.npz → frozen bad.npz ({N} i2t queries, {N} t2i queries)",
    )
    assert "lost: “caption" in text


def test_numerical_noise_holds_and_is_called_so(clipeval: Run, kept: Path) -> None:
    status, text = clipeval("baseline", "check", str(kept), "--model", "frozen:near.npz")
    assert status == 0, text
    assert "captions: not compared: the old embeddings were not kept" in text
    assert "because    equal up to the noise of the arithmetic (no score moved by more than" in text


def test_numerical_noise_is_told_by_the_rows_where_they_were_kept(clipeval: Run) -> None:
    clipeval("baseline", "save", "-m", "frozen:good.npz", "-d", "data/pairs.json", "--embeddings", "a.json")
    status, text = clipeval("baseline", "check", "a.json", "--model", "frozen:near.npz")
    assert status == 0, text
    assert "captions: numerical noise" in text


@pytest.mark.parametrize(
    ("rows", "changed", "said"),
    [
        (range(N - 1), {}, "1 removed: 39.jpg"),
        (range(N), {"c3": "another"}, "03.jpg, captions: caption 3 → another"),
    ],
)
def test_other_data_are_named_and_never_compared(
    clipeval: Run, kept: Path, rows: range, changed: dict[str, str], said: str
) -> None:
    write_pairs(rows, **changed)
    status, text = clipeval("baseline", "check", str(kept))
    assert (status, text.partition(":")[0]) == (2, "not_run")
    assert said in text
    assert "hit@1" not in text


def test_a_shuffled_dataset_gives_no_difference(clipeval: Run, kept: Path) -> None:
    order = list(range(N))
    random.Random(1).shuffle(order)  # noqa: S311
    write_pairs(order)
    status, text = clipeval("baseline", "check", str(kept), "--json")
    document = json.loads(text)
    assert (status, document["verdict"], document["fields"]) == (0, "holds", [])
    assert document["data"]["same"]
    assert [drift["kind"] for drift in document["drift"]] == ["identical", "identical"]
    clipeval("baseline", "save", "-m", "frozen:good.npz", "-d", "data/pairs.json", "shuffled.json")
    assert Path("shuffled.json").read_bytes() == kept.read_bytes()


def test_json_markdown_and_junit_say_the_same(clipeval: Run, kept: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    status, text = clipeval(
        "baseline",
        "check",
        str(kept),
        "-m",
        "frozen:bad.npz",
        "--json",
        "--markdown",
        "out/a.md",
        "--junit",
        "out/a.xml",
    )
    document = json.loads(text)
    jsonschema.validate(document, answer_schema())
    assert (status, document["status"], document["verdict"]) == (1, 1, "refuted")
    assert Path("out/a.md").read_text(encoding="utf-8").startswith("## ❌ clipeval: refuted\n")
    root = ElementTree.fromstring(Path("out/a.xml").read_bytes())  # noqa: S314
    assert root.find(".//failure") is not None


def test_the_summary_of_a_ci_job_gets_the_answer(
    clipeval: Run, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("summary.md").write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    clipeval("baseline", "check", str(kept))
    assert Path("summary.md").read_text(encoding="utf-8").startswith("before\n## ✅ clipeval: holds\n")


def test_swap_compares_two_models_without_a_file(clipeval: Run) -> None:
    before = {path.name for path in Path().iterdir()}
    assert clipeval("swap", "frozen:good.npz", "frozen:good.npz", "--data", "data/pairs.json")[0] == 0
    status, text = clipeval("swap", "frozen:good.npz", "frozen:bad.npz", "--data", "data/pairs.json")
    assert (status, text.partition(":")[0]) == (1, "refuted")
    assert {path.name for path in Path().iterdir()} - before <= {"cache"}


def test_diff_compares_two_files_and_needs_no_model(clipeval: Run, kept: Path) -> None:
    clipeval("baseline", "save", "-m", "frozen:bad.npz", "-d", "data/pairs.json", "bad.json")
    for rows in Path().glob("*.npz"):
        rows.unlink()
    Path("data/pairs.json").unlink()
    assert clipeval("baseline", "diff", str(kept), str(kept))[0] == 0
    status, text = clipeval("baseline", "diff", str(kept), "bad.json")
    assert status == 1
    assert "pictures: identical" in text
    assert "captions: not compared" in text


def test_embeddings_kept_beside_the_file_tell_how_far_each_item_moved(clipeval: Run) -> None:
    save = ["baseline", "save", "-d", "data/pairs.json", "--embeddings"]
    clipeval(*save, "-m", "frozen:good.npz", "a.json")
    clipeval(*save, "-m", "frozen:bad.npz", "b.json")
    _, text = clipeval("baseline", "diff", "a.json", "b.json")
    assert "captions: another model" in text


def test_a_baseline_that_is_there_is_kept_unless_forced(clipeval: Run, kept: Path) -> None:
    before = kept.read_bytes()
    save = ["baseline", "save", "-m", "frozen:bad.npz", "-d", "data/pairs.json", str(kept)]
    status, text = clipeval(*save)
    assert (status, "--force" in text) == (3, True)
    assert kept.read_bytes() == before
    assert clipeval(*save, "--force")[0] == 0
    assert kept.read_bytes() != before


def test_what_is_no_baseline_is_never_replaced(clipeval: Run) -> None:
    Path("notes.json").write_text('{"mine": 1}')
    status, _ = clipeval(
        "baseline", "save", "-m", "frozen:good.npz", "-d", "data/pairs.json", "notes.json", "--force"
    )
    assert (status, Path("notes.json").read_text()) == (3, '{"mine": 1}')


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\x80\x04\x95",
        b'{"format": "clipeval baseline", "version": 99}',
        b"<<<<<<< HEAD\n{}",
    ],
)
def test_a_hostile_file_is_refused_by_name_and_left_alone(clipeval: Run, content: bytes) -> None:
    Path("odd.json").write_bytes(content)
    for words in (["check", "odd.json"], ["diff", "odd.json", "odd.json"]):
        status, text = clipeval("baseline", *words)
        assert status == 3
        assert "odd.json" in text
        assert "Traceback" not in text
    assert Path("odd.json").read_bytes() == content


def test_an_edited_file_is_recognised(clipeval: Run, kept: Path) -> None:
    text = kept.read_text(encoding="utf-8")
    assert '"caption 7"' in text
    kept.write_text(text.replace('"caption 7"', '"caption 8"'), encoding="utf-8")
    status, said = clipeval("baseline", "check", str(kept))
    assert (status, "kept.json" in said) == (3, True)


def test_absent_files_and_models_are_usage_errors(clipeval: Run, kept: Path) -> None:
    assert clipeval("baseline", "check", "no-such.json")[0] == 3
    assert clipeval("baseline", "check", str(kept), "--model", "frozen:no-such.npz")[0] == 3
    assert clipeval("baseline", "check", str(kept), "--model", "frozzen:rows.npz")[0] == 3
    assert clipeval("baseline", "save", "out.json")[0] == 3
    assert not Path("out.json").exists()


def test_two_processes_that_save_at_once_leave_one_whole_file(clipeval: Run) -> None:
    del clipeval
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    base = [
        sys.executable,
        "-m",
        "clipeval",
        "baseline",
        "save",
        "-d",
        "data/pairs.json",
        "--embeddings",
        "--force",
    ]
    for _ in range(2):
        started = [
            subprocess.Popen([*base, "-m", f"frozen:{name}.npz", "both.json"], env=environment)
            for name in ("good", "bad")
        ]
        assert [process.wait() for process in started] == [0, 0]
        ended = subprocess.run(
            [sys.executable, "-m", "clipeval", "baseline", "diff", "both.json", "both.json"], check=False
        )
        assert ended.returncode == 0


def test_an_interrupted_save_writes_nothing(here: Path) -> None:
    Path("slow.py").write_text(
        "import time\n"
        "class Slow:\n"
        "    fingerprint = {'weights': 'x'}\n"
        "    def encode_images(self, pictures): print('working', flush=True); time.sleep(60)\n"
        "    def encode_texts(self, texts): time.sleep(60)\n"
        "def make(): return Slow()\n"
    )
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "clipeval",
            "baseline",
            "save",
            "-m",
            "python:slow:make",
            "kept.json",
            "--no-probe",
        ],
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(here)},
    )
    assert process.stderr is not None
    while b"working" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert (process.returncode, b"nothing was written" in said) == (130, True)
    assert not Path("kept.json").exists()


@pytest.mark.parametrize(
    "words", [["baseline"], ["baseline", "check"], ["baseline", "save"], ["baseline", "diff"], ["swap"]]
)
def test_help_shows_examples(clipeval: Run, words: list[str]) -> None:
    status, text = clipeval(*words, "--help")
    assert status == 0
    assert "Usage" in text
    assert words == ["baseline"] or "Examples:" in text
