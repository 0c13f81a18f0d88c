"""What clipeval wrote into a dataset's folder does not become part of the dataset."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from clipeval.data import dataset_hash, load_dataset
from clipeval.errors import DatasetError

PutPictures = Callable[..., None]
REPORT = {"clipeval": "0.1.0", "dataset": {}, "models": []}


def write_results(folder: Path) -> None:
    (folder / "preclip-a").mkdir(parents=True)
    files = ["comparison.png", "scores.png", "preclip-a/heatmap.png", "preclip-a/queries.csv", "table.txt"]
    for file in files:
        (folder / file).write_bytes(b"a chart or a table")
    (folder / "comparison.json").write_text(json.dumps({**REPORT, "files": files}))


def folder_with_captions_in(kind: str, root: Path) -> None:
    files = {
        "txt": ("1.txt", "a cat"),
        "csv": ("captions.csv", "filename,caption\n1.png,a cat\n"),
        "metadata": ("metadata.json", '[{"image": "1.png", "caption": "a cat"}]'),
        "pairs": ("pairs.json", '[["1.png", "a cat"]]'),
    }
    name, text = files[kind]
    (root / name).write_text(text)


@pytest.mark.parametrize("kind", ["txt", "csv", "metadata", "pairs"])
@pytest.mark.parametrize("out", ["results", "runs/monday", "."])
def test_a_dataset_is_the_same_after_results_were_written_into_its_folder(
    kind: str, out: str, tmp_path: Path, put_pictures: PutPictures
) -> None:
    put_pictures("1.png")
    folder_with_captions_in(kind, tmp_path)
    before = load_dataset(tmp_path)
    write_results(tmp_path / out)
    after = load_dataset(tmp_path)
    assert after.ids == before.ids == ("1.png",)
    assert dataset_hash(after) == dataset_hash(before)


def test_pictures_beside_the_results_in_one_folder_are_data(
    tmp_path: Path, put_pictures: PutPictures
) -> None:
    put_pictures("preclip-a/2.png", "1.png")
    folder_with_captions_in("txt", tmp_path)
    (tmp_path / "preclip-a/2.txt").write_text("a dog")
    (tmp_path / "comparison.json").write_text(json.dumps({**REPORT, "files": ["preclip-a/heatmap.png"]}))
    (tmp_path / "preclip-a/heatmap.png").write_bytes(b"a chart")
    assert load_dataset(tmp_path).ids == ("1.png", "preclip-a/2.png")


def test_a_report_of_claims_beside_pairs_is_no_second_way_to_read_the_folder(
    tmp_path: Path, put_pictures: PutPictures
) -> None:
    put_pictures("1.png")
    folder_with_captions_in("pairs", tmp_path)
    (tmp_path / "claims.json").write_text(json.dumps(REPORT))
    assert load_dataset(tmp_path).captions == ("a cat",)


@pytest.mark.parametrize("text", ['[["1.png", "a cat"]]', "{", "[1" + "0" * 5000 + "]", '{"models": []}'])
def test_a_comparison_json_of_the_users_own_is_data(
    text: str, tmp_path: Path, put_pictures: PutPictures
) -> None:
    put_pictures("1.png", "results/2.png")
    (tmp_path / "1.txt").write_text("a cat")
    (tmp_path / "results/2.txt").write_text("a dog")
    (tmp_path / "results/comparison.json").write_text(text)
    assert load_dataset(tmp_path).ids == ("1.png", "results/2.png")


def test_a_folder_of_results_alone_is_no_dataset(tmp_path: Path) -> None:
    write_results(tmp_path)
    with pytest.raises(DatasetError, match="the folder has no captions"):
        load_dataset(tmp_path)
