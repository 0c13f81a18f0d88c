"""``--batch-size`` as a user meets it, with a model that fits into memory with few inputs only."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Run = Callable[..., subprocess.CompletedProcess[str]]

ENCODER = """
import numpy as np

class Encoder:
    fingerprint = {"weights": "v1"}

    def encode(self, values):
        if len(values) > 10:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        # the last bits of a row are those of its batch
        return np.array([(*value, 1 + 2**-20 * len(values)) for value in values], dtype=np.float32)

    def encode_images(self, pictures):
        return self.encode([(np.asarray(p)[0, 0, 0], 60.0) for p in pictures])

    def encode_texts(self, texts):
        return self.encode([(len(t), 20.0) for t in texts])

def make():
    return Encoder()
"""
SPEC = "python:mine_small:make"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "mine_small.py").write_text(ENCODER, encoding="utf-8")
    folder = tmp_path / "pictures"
    folder.mkdir()
    rows = []
    for row in range(40):
        Image.new("RGB", (4, 4), (5 * row, 0, 0)).save(folder / f"{row}.png")
        rows.append({"image": f"{row}.png", "captions": [f"picture {'x' * row}"]})
    (folder / "metadata.json").write_text(json.dumps(rows), encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(clipeval: Run, here: Path) -> Run:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return clipeval(*arguments, cwd=here, env={"CLIPEVAL_CACHE": str(here / "cache")})

    return command


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".safetensors"}


NOTE = f"note: {SPEC}: a batch of 32 does not fit into memory; batch size 8 is used"


def test_auto_halves_says_so_once_and_gives_the_rows_of_that_size(run, here):
    words = ["compare", "--model", SPEC, "--data", "pictures", "--no-probe"]
    auto = run(*words, "--batch-size", "auto", "--out", "auto")
    assert auto.returncode == 0
    assert auto.stderr.splitlines() == [NOTE]
    told = run(*words, "--batch-size", "8", "--out", "told", "--no-cache")
    assert (told.returncode, told.stderr) == (0, "")
    (one,), (two,) = ((here / name).glob("*/embeddings.safetensors") for name in ("auto", "told"))
    assert one.read_bytes() == two.read_bytes()
    document = json.loads((here / "auto" / "comparison.json").read_text())
    assert document["models"][0]["fingerprint"]["batch size"] == "8"


def test_a_size_that_does_not_fit_is_an_error_that_names_the_option(run):
    found = run("compare", "--model", SPEC, "--data", "pictures", "--no-probe", "--batch-size", "16")
    assert found.returncode == 1
    said = " ".join(found.stdout.split())
    assert "a batch of 16 does not fit into memory" in said
    assert "a smaller --batch-size, or --batch-size auto" in said


def test_a_store_is_filled_with_one_size_and_goes_on_with_it(run, here):
    words = ["embed", "--model", SPEC, "--data", "pictures", "--no-probe", "--out"]
    auto = run(*words, "auto", "--batch-size", "auto")
    assert auto.returncode == 0
    assert auto.stderr.splitlines() == [NOTE]
    assert run(*words, "told", "--batch-size", "8").returncode == 0
    assert files_of(here / "auto") == files_of(here / "told")
    (here / "auto" / "images-00000.safetensors").unlink()
    again = run(*words, "auto", "--batch-size", "auto")
    assert (again.returncode, again.stderr) == (0, "")  # the store's own size, nothing is tried
    assert files_of(here / "auto") == files_of(here / "told")


def test_swap_baseline_and_probe_know_auto_too(run):
    assert run("swap", SPEC, SPEC, "--data", "pictures", "--batch-size", "auto", "--no-probe").returncode == 0
    kept = run(
        "baseline", "save", "kept.json", "-m", SPEC, "-d", "pictures", "--batch-size", "auto", "--no-probe"
    )
    assert kept.returncode == 0
    assert NOTE in kept.stderr
    assert run("probe", SPEC, "--batch-size", "auto").returncode in (0, 1)


@pytest.mark.parametrize(
    ("size", "said"), [("0", "0 is below 1"), ("-3", "-3 is below 1"), ("many", "neither a whole number")]
)
@pytest.mark.parametrize("command", ["compare", "embed", "probe"])
def test_a_wrong_size_is_wrong_usage(run, command, size, said):
    words = {"compare": [], "embed": ["-m", SPEC, "-d", "x", "-o", "y"], "probe": [SPEC]}[command]
    found = run(command, *words, "--batch-size", size)
    assert found.returncode == 3
    assert said in " ".join(found.stderr.replace("│", " ").split())
