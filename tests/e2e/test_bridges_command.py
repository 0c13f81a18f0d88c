"""``clipeval bridges`` as a user meets it: all ways to join two towers."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Run = Callable[..., subprocess.CompletedProcess[str]]
CLOSED = "procrustes,ridge,cca,relative,asif"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Sixty pictures, and rows of two towers for them."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(60, 4))
    images, texts = (hidden @ rng.normal(size=(4, d)) + 0.05 * rng.normal(size=(60, d)) for d in (9, 7))
    names = [f"{n}.png" for n in range(60)]
    (tmp_path / "photos").mkdir()
    for n, name in enumerate(names):
        Image.new("RGB", (4, 4), (n, 5, 5)).save(tmp_path / "photos" / name)
    entries = [{"image": name, "caption": f"picture number {n}"} for n, name in enumerate(names)]
    (tmp_path / "photos" / "metadata.json").write_text(json.dumps(entries))
    ids = {"image_ids": names, "caption_ids": [f"{name}#0" for name in names]}
    np.savez(tmp_path / "rows.npz", images=images.astype("f4"), texts=texts.astype("f4"), **ids)
    return tmp_path


BRIDGES = ("bridges", "frozen:rows.npz+frozen:rows.npz", "--fit", "photos#train", "--data", "photos#test")


def test_the_contest_prints_a_table_and_writes_its_files(clipeval: Run, here: Path) -> None:
    done = clipeval(
        *BRIDGES, "--kinds", CLOSED, "--sizes", "20,40", "--seeds", "2", "--published", "flickr8k", cwd=here
    )
    assert done.returncode == 0, done.stderr
    for word in ("chance", "random", "Procrustes", "ridge", "CCA", "relative", "ASIF", "(published)"):
        assert word in done.stdout
    assert "hit_rate@1 held out, i2t / t2i, by training pictures" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    with (here / "bridges" / "contest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["way"] for row in rows} == {"chance", "no pairs", "learned", "published"}
    learned = [row for row in rows if row["way"] == "learned" and row["metric"] == "hit_rate@1"]
    assert all(row["training_value"] and row["low"] for row in learned)
    assert json.loads((here / "bridges" / "contest.json").read_text())["test"]["name"] == "photos#test"


def test_the_document_alone_is_printed_on_demand_and_stays_the_same(clipeval: Run, here: Path) -> None:
    documents = []
    for _ in range(2):
        done = clipeval(*BRIDGES, "--kinds", "ridge", "--json", cwd=here)
        assert done.returncode == 0, done.stderr
        documents.append(json.loads(done.stdout))
        for entry in documents[-1]["entries"]:
            del entry["seconds"]
    assert documents[0] == documents[1]


def test_heads_are_trained_where_torch_is_here(clipeval: Run, here: Path, models_extra: None) -> None:
    done = clipeval(*BRIDGES, "--kinds", "heads", "--head-seeds", "2", "--json", cwd=here)
    assert done.returncode == 0, done.stderr
    one, two = (entry for entry in json.loads(done.stdout)["entries"] if entry["way"] == "trained")
    assert (one["name"], two["name"]) == ("heads", "heads, seed 43")
    assert "contrastive heads, infonce" in one["words"]
    assert (one["words"].endswith("seed 42"), two["words"].endswith("seed 43")) == (True, True)


def test_heads_are_not_run_where_torch_is_not(clipeval: Run, here: Path) -> None:
    done = clipeval(*BRIDGES, "--kinds", "procrustes,heads", cwd=here, light=True)
    assert done.returncode == 0, done.stderr
    words = " ".join(done.stdout.split())
    assert "not_run: the package 'torch' is not installed" in words
    assert "procrustes, 4" in words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--kinds", "ridje"), "did you mean 'ridge'"),
        (("--sizes", "10,many"), "'many' is not a number of pictures"),
        (("--published", "flickr9k"), "did you mean 'flickr8k'"),
        (("--fit", "photos"), "has learned from 1"),
    ],
)
def test_wrong_usage_says_what_to_do(
    clipeval: Run, here: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = clipeval(*BRIDGES, *arguments, cwd=here)
    assert done.returncode == 3
    assert words in " ".join(done.stderr.replace("│", " ").split())


def test_the_contest_chooses_the_projections_itself(clipeval: Run, here: Path) -> None:
    towers = "preclip:frozen:rows.npz+frozen:rows.npz?projection=ridge"
    done = clipeval("bridges", towers, *BRIDGES[2:], cwd=here)
    assert done.returncode == 3
    assert "the contest's to choose" in done.stderr
