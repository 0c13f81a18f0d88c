from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clipeval.data import Item, load_dataset, read_coco, read_metadata_json, read_pairs, read_picture
from clipeval.errors import DatasetError

PutJson = Callable[[str, object], Path]
PutPictures = Callable[..., None]


def test_metadata_with_one_or_several_captions(
    tmp_path: Path, put_json: PutJson, put_pictures: PutPictures
) -> None:
    put_pictures("images/1.png", "images/2.png")
    put_json(
        "metadata.json",
        [
            {"image": "images/1.png", "caption": "a street ", "category": "Urban Scenes", "source": "me"},
            {"image": "2.png", "captions": ["a tree", "an oak"]},
        ],
    )
    dataset = read_metadata_json(tmp_path)
    assert dataset.name == tmp_path.name
    assert [(item.id, item.captions, item.category) for item in dataset.items] == [
        ("images/1.png", ("a street ",), "Urban Scenes"),
        ("images/2.png", ("a tree", "an oak"), None),
    ]
    assert dataset.items[1].picture.where == "images/2.png (metadata.json, row 1)"
    assert read_picture(dataset.items[1].picture).getpixel((0, 0)) == (1, 1, 1)


def test_a_missing_metadata_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"the metadata file 'metadata\.json' is missing") as caught:
        read_metadata_json(tmp_path)
    assert caught.value.where == str(tmp_path)
    assert '"image"' in str(caught.value.fix)


def test_broken_json_names_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text('[\n  {"image": "1.png",\n   "caption" "a"}\n]')
    with pytest.raises(DatasetError, match="not JSON: Expecting ':' delimiter") as caught:
        read_metadata_json(tmp_path)
    assert caught.value.where == "metadata.json, line 3, column 14"


def test_json_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_bytes(b'[\n{"image": "caf\xe9.png"}]')
    with pytest.raises(DatasetError, match="not UTF-8") as caught:
        read_metadata_json(tmp_path)
    assert caught.value.where == "metadata.json, line 2"


def test_json_with_a_byte_order_mark_is_accepted(tmp_path: Path, put_pictures: PutPictures) -> None:
    put_pictures("1.png")
    (tmp_path / "metadata.json").write_bytes(b'\xef\xbb\xbf[{"image": "1.png", "caption": "a cat"}]')
    assert read_metadata_json(tmp_path).captions == ("a cat",)


def test_json_nested_without_end_is_an_error_not_a_crash(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text("[" * 200_000)
    with pytest.raises(DatasetError, match="nested too deeply"):
        read_metadata_json(tmp_path)


GOOD = {"image": "1.png", "caption": "a cat"}


@pytest.mark.parametrize(
    ("value", "what", "where", "fix"),
    [
        ({"1.png": "a cat"}, "must be a list, not dict", "metadata.json", "write [{"),
        ([], "lists no picture", "metadata.json", "write [{"),
        ([GOOD, "2.png"], "must be an object, not str", "metadata.json, row 1", "write [{"),
        ([{"imgae": "1.png", "caption": "a"}], "no 'image'", "metadata.json, row 0", "'imgae'"),
        ([{"image": 3, "caption": "a"}], "no 'image'", "metadata.json, row 0", "as text"),
        ([{"image": "1.png", "captoin": "a"}], "no 'caption'", "metadata.json, row 0", "'captoin'"),
        ([{**GOOD, "captions": ["a"]}], "both 'caption' and 'captions'", "metadata.json, row 0", "one of"),
        ([{"image": "1.png", "caption": " "}], "caption is empty", "metadata.json, row 0", "write it"),
        (
            [{"image": "1.png", "captions": ["a", ""]}],
            "caption is empty",
            "metadata.json, row 0, caption 1",
            "write it",
        ),
        ([{"image": "1.png", "captions": []}], "no caption", "metadata.json, row 0", "write one"),
        ([{"image": "1.png", "caption": None}], "not NoneType", "metadata.json, row 0", '"captions"'),
        ([{"image": "1.png", "captions": ["a", 1]}], "list of texts", "metadata.json, row 0", '"captions"'),
        ([{**GOOD, "category": 3}], "category must be text", "metadata.json, row 0", '"category"'),
        ([GOOD, GOOD], "named twice", "metadata.json, row 0 and metadata.json, row 1", '"captions"'),
        ([{**GOOD, "image": "a/../../1.png"}], "leaves the dataset", "metadata.json, row 0", "inside"),
        ([{**GOOD, "image": "/etc/passwd"}], "leaves the dataset", "metadata.json, row 0", "inside"),
        ([{**GOOD, "image": "a\0.png"}], "not a file name", "metadata.json, row 0", "file name"),
        ([{**GOOD, "image": "x" * 5000}], "cannot be looked up", "metadata.json, row 0", "check"),
        (
            [GOOD, {**GOOD, "image": "l.png"}],
            "'l.png' is missing (1 missing",
            "metadata.json, row 1",
            "'1.png'",
        ),
        (
            [{**GOOD, "image": "pics/1.png"}],
            "zero pictures found",
            "metadata.json, row 0",
            "'1.png' is there",
        ),
    ],
)
def test_metadata_that_is_wrong_says_what_where_and_what_to_do(
    value: object,
    what: str,
    where: str,
    fix: str,
    tmp_path: Path,
    put_json: PutJson,
    put_pictures: PutPictures,
) -> None:
    put_pictures("1.png")
    put_json("metadata.json", value)
    with pytest.raises(DatasetError) as caught:
        read_metadata_json(tmp_path)
    assert what in caught.value.what
    assert caught.value.where == where
    assert fix in str(caught.value.fix)


def test_a_folder_without_any_picture_says_so(tmp_path: Path, put_json: PutJson) -> None:
    put_json("metadata.json", [GOOD])
    with pytest.raises(DatasetError, match="zero pictures found") as caught:
        read_metadata_json(tmp_path)
    assert "there is no picture in" in str(caught.value.fix)


def test_pairs_of_one_file_are_its_captions(put_json: PutJson, put_pictures: PutPictures) -> None:
    put_pictures("1.png", "2.png")
    path = put_json("pairs.json", [["1.png", "a cat"], ["2.png", "a dog"], ["1.png", "a pet"]])
    dataset = read_pairs(path)
    assert (dataset.name, dataset.ids) == ("pairs", ("1.png", "2.png"))
    assert [item.captions for item in dataset.items] == [("a cat", "a pet"), ("a dog",)]


def test_pairs_without_pictures_are_enough_for_frozen_embeddings(put_json: PutJson) -> None:
    path = put_json("pairs.json", [["1.png", "a cat"]])
    assert read_pairs(path, require_pictures=False).items == (Item("1.png", ("a cat",)),)
    with pytest.raises(DatasetError, match="zero pictures found"):
        read_pairs(path)


@pytest.mark.parametrize(
    ("value", "what", "where"),
    [
        ([], "must be a list of pairs", "pairs.json"),
        ([["1.png", "a"], ["2.png"]], "not a [file name, caption] pair", "pairs.json, row 1"),
        ([["1.png", "a"], ["2.png", 3]], "not a [file name, caption] pair", "pairs.json, row 1"),
        ([["1.png", ""]], "caption is empty", "pairs.json, row 0"),
        ([["../1.png", "a"]], "leaves the dataset folder", "pairs.json, row 0"),
    ],
)
def test_wrong_pairs_name_the_row(value: object, what: str, where: str, put_json: PutJson) -> None:
    path = put_json("pairs.json", value)
    with pytest.raises(DatasetError) as caught:
        read_pairs(path)
    assert what in caught.value.what
    assert caught.value.where == where


def test_the_real_coco_pairs_have_500_pictures_with_one_caption(reference_data: Path) -> None:
    dataset = load_dataset(reference_data / "clip-coco500" / "pairs.json", require_pictures=False)
    assert (dataset.name, dataset.n_images, dataset.n_captions) == ("pairs", 500, 500)
    assert dataset.items[0] == Item(
        "000000179765.jpg", ("A motorcycle with its brake extended standing outside",)
    )
    assert not dataset.has_pictures


COCO = {
    "images": [{"id": 7, "file_name": "b.png", "width": 4}, {"id": 3, "file_name": "a.png"}],
    "annotations": [
        {"image_id": 3, "id": 1, "caption": "a cat"},
        {"image_id": 7, "id": 2, "caption": "a dog"},
        {"image_id": 3, "id": 3, "caption": "a pet"},
    ],
}


@pytest.mark.parametrize(
    ("folder", "file"),
    [
        ("", "captions_val2017.json"),
        ("images/", "captions_val2017.json"),
        ("val2017/", "captions_val2017.json"),
        ("images/val2017/", "captions_val2017.json"),
        ("val2017/", "annotations/captions_val2017.json"),
    ],
)
def test_coco_captions_follow_their_picture_ids(
    folder: str, file: str, put_json: PutJson, put_pictures: PutPictures
) -> None:
    put_pictures(f"{folder}a.png", f"{folder}b.png")
    dataset = read_coco(put_json(file, COCO))
    assert dataset.name == "captions_val2017"
    assert [(item.id, item.captions) for item in dataset.items] == [
        (f"{folder}b.png", ("a dog",)),
        (f"{folder}a.png", ("a cat", "a pet")),
    ]
    assert dataset.items[0].picture.where == f"{folder}b.png (captions_val2017.json, images, row 0)"
    assert read_picture(dataset.items[0].picture).getpixel((0, 0)) == (1, 1, 1)


IMAGE = {"id": 1, "file_name": "1.png"}
CAPTION = {"image_id": 1, "caption": "a"}


@pytest.mark.parametrize(
    ("value", "what", "where"),
    [
        ([], "must be an object", "captions_x.json"),
        ({"imgs": [IMAGE], "annotations": [CAPTION]}, "there is no 'images'", "captions_x.json"),
        ({"images": [], "annotations": [CAPTION]}, "'images' must be a list", "captions_x.json"),
        (
            {"images": [IMAGE, 5], "annotations": [CAPTION]},
            "must be an object, not int",
            "captions_x.json, images, row 1",
        ),
        (
            {"images": [{"id": 1}], "annotations": [CAPTION]},
            "no 'file_name'",
            "captions_x.json, images, row 0",
        ),
        (
            {"images": [{**IMAGE, "id": [1]}], "annotations": []},
            "'annotations' must be a list",
            "captions_x.json",
        ),
        (
            {"images": [{**IMAGE, "id": [1]}], "annotations": [CAPTION]},
            "type list",
            "captions_x.json, images, row 0",
        ),
        (
            {"images": [IMAGE, IMAGE], "annotations": [CAPTION]},
            "id 1 is used twice",
            "captions_x.json, images, rows 0 and 1",
        ),
        (
            {"images": [IMAGE, {**IMAGE, "id": 2}], "annotations": [CAPTION, {**CAPTION, "image_id": 2}]},
            "'1.png' is named twice",
            "captions_x.json, images, row 0 and captions_x.json, images, row 1",
        ),
        (
            {"images": [IMAGE, {"id": 2, "file_name": "2.png"}], "annotations": [CAPTION]},
            "'2.png' has no caption",
            "captions_x.json, images, row 1",
        ),
        (
            {"images": [IMAGE], "annotations": [{**CAPTION, "image_id": 9}]},
            "no picture with the id 9",
            "captions_x.json, annotations, row 0",
        ),
        (
            {"images": [IMAGE], "annotations": [{**CAPTION, "caption": ""}]},
            "caption is empty",
            "captions_x.json, annotations, row 0",
        ),
        (
            {"images": [{**IMAGE, "file_name": "../1.png"}], "annotations": [CAPTION]},
            "leaves the dataset folder",
            "captions_x.json, images, row 0",
        ),
    ],
)
def test_wrong_coco_captions_name_the_row(
    value: object, what: str, where: str, put_json: PutJson, put_pictures: PutPictures
) -> None:
    put_pictures("1.png")
    path = put_json("captions_x.json", value)
    with pytest.raises(DatasetError) as caught:
        read_coco(path)
    assert what in caught.value.what
    assert caught.value.where == where


def test_a_number_of_thousands_of_digits_is_an_error_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text("[" + "9" * 5000 + "]")
    with pytest.raises(DatasetError, match="thousands of digits") as caught:
        read_metadata_json(tmp_path)
    assert caught.value.where == "metadata.json"
