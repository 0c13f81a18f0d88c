"""A baseline that is kept in the folder of its data is no part of them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from clipeval.baseline.file import save_baseline
from clipeval.data import load_dataset


@pytest.mark.parametrize("layout", ["texts", "json", "csv"])
def test_a_baseline_beside_the_pictures_does_not_change_the_dataset(
    tmp_path, monkeypatch, snapshot, pairs, layout
) -> None:
    monkeypatch.setenv("CLIPEVAL_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "photos"
    folder.mkdir()
    for row in range(2):
        if layout == "texts":
            (folder / f"{row}.jpg").write_bytes(b"picture")
            (folder / f"{row}.txt").write_text(f"caption {row}")
    if layout == "json":
        entries = [{"image": f"{row}.jpg", "captions": [f"caption {row}"]} for row in range(2)]
        (folder / "some.json").write_text(json.dumps(entries))
    if layout == "csv":
        (folder / "some.csv").write_text("filename,caption\n0.jpg,caption 0\n1.jpg,caption 1\n")
    before = load_dataset(folder, require_pictures=False)
    kept = replace(snapshot(*pairs(2)), data=str(folder))
    save_baseline(folder / "clip.json", kept, embeddings=True)
    after = load_dataset(folder, require_pictures=False)
    assert (after.ids, after.captions) == (before.ids, before.captions)
    assert after.captions == ("caption 0", "caption 1")
