"""Commands that print and write files keep the files where nobody reads what they print."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENCODER = """
import numpy as np

class Bright:
    name = "bright"
    fingerprint = {"version": "1"}

    def encode_images(self, pictures):
        return np.array([[1.0, np.asarray(picture).mean()] for picture in pictures], dtype=np.float32)

    def encode_texts(self, texts):
        return np.array([[1.0, len(text)] for text in texts], dtype=np.float32)

def bright():
    return Bright()
"""
MODEL = "python:bright_encoder:bright"


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (["compare", "-m", MODEL, "--no-probe", "--no-charts"], "results/comparison.json"),
        (["classify", "-m", MODEL, "--no-probe"], "results/classification.json"),
        (["search", "a cat", "-m", MODEL, "--no-probe", "--out", "found.html"], "found.html"),
        (["swap", MODEL, MODEL, "--no-probe", "--report", "swap.html"], "swap.html"),
        (
            ["bench", MODEL, "--batch-size", "1", "--part", "forward", "--seconds", "0.1", "--out", "b.json"],
            "b.json",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_reader_that_leaves_early_does_not_lose_the_files(
    arguments: list[str], file: str, tmp_path: Path
) -> None:
    (tmp_path / "bright_encoder.py").write_text(ENCODER, encoding="utf-8")
    read, written = os.pipe()
    os.close(read)
    run = subprocess.run(
        [sys.executable, "-m", "clipeval", *arguments],
        cwd=tmp_path,
        env=os.environ | {"CLIPEVAL_CACHE": str(tmp_path / "cache")},
        stdout=written,
        stderr=subprocess.PIPE,
        text=True,
        timeout=240,
    )
    os.close(written)
    assert run.returncode == 1, run.stderr
    assert "error" not in run.stderr
    assert (tmp_path / file).is_file()
