"""The files of the embedded dataset: complete, free, small and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

FOLDER = Path(str(resources.files("clipeval"))) / "data" / "embedded"
METADATA: list[dict[str, str]] = json.loads((FOLDER / "metadata.json").read_text(encoding="utf-8"))
LICENCES: list[dict[str, Any]] = json.loads((FOLDER / "licences.json").read_text(encoding="utf-8"))
PICTURES = [entry["image"] for entry in METADATA]


def files_in_folder() -> set[str]:
    return {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}


def test_there_are_twenty_pictures_five_in_each_of_four_categories():
    assert len(set(PICTURES)) == 20
    assert Counter(entry["category"] for entry in METADATA) == {
        "Animals": 5,
        "Colours": 5,
        "Objects": 5,
        "Food": 5,
    }


def test_every_entry_has_exactly_the_three_keys_of_the_layout_and_lies_in_its_category_folder():
    for entry in METADATA:
        assert set(entry) == {"image", "caption", "category"}
        assert entry["image"].split("/")[:-1] == [entry["category"]]


def test_captions_are_distinct_and_have_no_stray_blanks():
    captions = [entry["caption"] for entry in METADATA]
    assert len({caption.casefold() for caption in captions}) == 20
    assert all(caption == " ".join(caption.split()) != "" for caption in captions)


def test_a_caption_calls_the_picture_a_drawing_exactly_when_it_is_one():
    drawings = {entry["file"] for entry in LICENCES if entry["package"].startswith("openclipart")}
    called_drawing = {entry["image"] for entry in METADATA if "drawing" in entry["caption"]}
    assert called_drawing == drawings


def test_every_picture_is_listed_once_with_a_free_licence_its_author_and_where_that_is_written():
    assert [entry["file"] for entry in LICENCES] == PICTURES
    for entry in LICENCES:
        assert entry["licence"] in {"CC0-1.0", "public domain"}
        assert all(
            entry[key] for key in ("title", "author", "package", "source_file", "evidence_file", "evidence")
        )


def test_the_table_for_people_has_the_file_author_and_licence_of_every_entry():
    rows = (FOLDER / "LICENCES.md").read_text(encoding="utf-8").splitlines()
    for entry in LICENCES:
        (row,) = (line for line in rows if line.startswith(f"| `{entry['file']}` |"))
        assert row.endswith(f"| {entry['author']} | {entry['licence']} |")
        assert f"{entry['package']}: `{entry['source_file']}`" in row


@pytest.mark.parametrize("entry", LICENCES, ids=lambda entry: entry["file"])
def test_the_picture_is_the_one_that_the_licence_was_checked_for(entry: dict[str, Any]):
    assert hashlib.sha256((FOLDER / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]


@pytest.mark.parametrize("image", PICTURES)
def test_the_picture_decodes_completely_to_rgb_of_a_sensible_size(image: str):
    with Image.open(FOLDER / image) as picture:
        picture.load()
        assert picture.mode == "RGB"
        assert {"JPEG": ".jpg", "PNG": ".png"}[picture.format or ""] == Path(image).suffix
        assert 320 <= max(picture.size) <= 480
        assert min(picture.size) >= 200


def test_a_plain_colour_is_one_colour_and_everything_else_is_many():
    for entry in METADATA:
        with Image.open(FOLDER / entry["image"]) as picture:
            shades = picture.getcolors(maxcolors=picture.width * picture.height)
        assert shades is not None
        assert (len(shades) == 1) == (entry["category"] == "Colours")


def test_no_two_pictures_are_the_same():
    contents = [(FOLDER / image).read_bytes() for image in PICTURES]
    assert len(set(contents)) == 20


def test_the_folder_holds_nothing_else_but_embeddings():
    known = {"metadata.json", "licences.json", "LICENCES.md", *PICTURES}
    stray = {
        name
        for name in files_in_folder() - known
        if not (name.startswith("embeddings") and name.endswith((".safetensors", ".json")))
    }
    assert stray == set()


def test_the_folder_is_smaller_than_one_and_a_half_megabytes():
    assert sum((FOLDER / name).stat().st_size for name in files_in_folder()) < 1_500_000
