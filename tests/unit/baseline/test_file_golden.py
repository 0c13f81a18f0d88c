"""Version 1 of the format, as it stands in users' repositories: these two files may never change."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from clipeval.baseline.file import load_baseline, save_baseline
from clipeval.baseline.snapshot import DirectionSnapshot, ItemRecord, QueryResult, Snapshot, rows_sha256

FOLDER = Path(__file__).parents[3] / "fixtures" / "baseline-version-1"
JSON = "clip.json"
ROWS = "clip-526da0012dd1.safetensors"


def made_by_hand() -> Snapshot:
    """Nothing in it is computed, so that it is the same on every machine."""
    images = np.array([[1, 0], [0.6, 0.8]], dtype=np.float32)
    texts = np.array([[1, 0], [0, -1], [-0.0, 1]], dtype=np.float32)
    items = (
        ItemRecord("Käfer 🐞.jpg", "0a" * 32, ("a ladybird", 'says "hi"\non two lines'), "animals"),
        ItemRecord("葉.jpg", "1b" * 32, ("a\u2028leaf",), None),
    )
    first, second = items[0].id, items[1].id
    return Snapshot(
        model="hf:some/model@1234",
        data="embedded",
        fingerprint={"image: dtype": "float32", "torch": "2.9.1"},
        items=items,
        i2t=DirectionSnapshot(
            3,
            (
                QueryResult(first, None, 0, 0, 1, 1.0, (second, 0), -1e-9),
                QueryResult(second, None, 0, 0, 1, 0.8, (first, 0), 0.60000004),
            ),
        ),
        t2i=DirectionSnapshot(
            2,
            (
                QueryResult(first, 0, 0, 0, 1, 1.0, (second, None), 1 / 3),
                QueryResult(first, 1, 0, 0, 1, -0.0, (second, None), -0.8),
                QueryResult(second, 0, 0, 1, 1, 0.25, (first, None), 0.25),
            ),
        ),
        images_sha256=rows_sha256(images),
        texts_sha256=rows_sha256(texts),
        images=images,
        texts=texts,
        clipeval="0.1.0",
    )


def test_files_of_version_1_are_written_to_the_byte_as_ever(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CLIPEVAL_CACHE", str(tmp_path / "cache"))
    written = save_baseline(tmp_path / "new" / JSON, made_by_hand(), embeddings=True)
    assert [path.name for path in written] == [JSON, ROWS]
    for path in written:
        assert path.read_bytes() == (FOLDER / path.name).read_bytes()


def test_files_of_version_1_are_read_for_ever() -> None:
    found, meant = load_baseline(FOLDER / JSON), made_by_hand()
    assert (found.model, found.items, found.fingerprint) == (meant.model, meant.items, meant.fingerprint)
    assert found.t2i.queries[0].score == 1.0
    assert found.t2i.queries[0].rival_score == 0.3333333
    assert str(found.t2i.queries[1].score) == "0.0"
    assert found.t2i.queries[2] == meant.t2i.queries[2]
    np.testing.assert_array_equal(found.texts, meant.texts)


def test_another_locale_hash_seed_and_clock_give_the_same_bytes(tmp_path) -> None:
    code = (
        "import sys; from clipeval.baseline.file import load_baseline, save_baseline; "
        "save_baseline(sys.argv[2], load_baseline(sys.argv[1]), embeddings=True)"
    )
    shutil.copytree(FOLDER, tmp_path / "old")
    strange = os.environ | {
        "PYTHONHASHSEED": "12345", "LC_ALL": "C", "PYTHONUTF8": "0", "TZ": "Asia/Kathmandu",
        "CLIPEVAL_CACHE": str(tmp_path / "cache"),
    }  # fmt: skip
    files = [str(tmp_path / "old" / JSON), str(tmp_path / "new" / JSON)]
    subprocess.run([sys.executable, "-c", code, *files], env=strange, check=True)
    for name in (JSON, ROWS):
        assert (tmp_path / "new" / name).read_bytes() == (FOLDER / name).read_bytes()
