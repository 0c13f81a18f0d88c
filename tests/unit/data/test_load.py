from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from clipeval.data import dataset_hash, load_dataset, read_picture
from clipeval.errors import DatasetError

PutJson = Callable[[str, object], Path]
PutPictures = Callable[..., None]
METADATA = [{"image": "1.png", "caption": "a cat"}]
COCO = {"images": [{"id": 1, "file_name": "1.png"}], "annotations": [{"image_id": 1, "caption": "a cat"}]}


def test_the_embedded_dataset_is_the_default_and_can_be_read() -> None:
    dataset = load_dataset()
    assert (dataset.name, dataset.n_images, len(dataset.categories)) == ("embedded", 20, 4)
    assert load_dataset("embedded") == dataset
    assert {read_picture(item.picture).mode for item in dataset.items} == {"RGB"}


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("captions.csv", "filename,caption\n1.png,a cat\n"),
        ("metadata.json", METADATA),
        ("mine.json", METADATA),
        ("pairs.json", [["1.png", "a cat"]]),
        ("captions_val.json", COCO),
        ("other.json", COCO),
        ("annotations/captions_val.json", COCO),
        ("1.txt", "a cat\n"),
    ],
)
def test_a_folder_is_recognised_by_the_file_it_holds(
    file: str, content: object, tmp_path: Path, put_json: PutJson, put_pictures: PutPictures
) -> None:
    put_pictures("1.png")
    if isinstance(content, str):
        (tmp_path / file).write_text(content)
    else:
        put_json(file, content)
    for path in (tmp_path, str(tmp_path)):
        dataset = load_dataset(path)
        assert (dataset.name, dataset.ids, dataset.captions) == (tmp_path.name, ("1.png",), ("a cat",))


def test_a_folder_of_shards_or_parquet_is_recognised(
    tmp_path: Path, put_tar: Callable[..., Path], encoded: Callable[..., bytes]
) -> None:
    put_tar("val-000.tar", {"a.png": encoded(1), "a.txt": b"a cat"})
    put_tar("val-001.tar", {"b.png": encoded(1), "b.txt": b"a dog"})
    (tmp_path / "sizes.json").write_text("{}")
    assert (load_dataset(tmp_path).name, load_dataset(tmp_path).ids) == (tmp_path.name, ("a", "b"))
    assert load_dataset(tmp_path / "val-*.tar").name == "val"
    pq = pytest.importorskip("pyarrow.parquet", reason="needs clipeval[datasets]")
    pa = pytest.importorskip("pyarrow")
    table = tmp_path / "table"
    table.mkdir()
    pq.write_table(pa.table({"image": [encoded(1)], "text": ["a cat"]}), table / "x.parquet")
    for path in (table, table / "x.parquet", table / "*.parquet"):
        assert load_dataset(path).captions == ("a cat",)


@pytest.mark.parametrize(
    ("file", "content", "name"),
    [
        ("mine.csv", "filename,caption\n1.png,a cat\n", "mine"),
        ("MINE.CSV", "filename,caption\n1.png,a cat\n", "MINE"),
        ("pairs.json", '[["1.png", "a cat"]]', "pairs"),
        ("captions_val.json", '{"images": [{"id": 1, "file_name": "1.png"}], "annotations": '
         '[{"image_id": 1, "caption": "a cat"}]}', "captions_val"),
        ("metadata.json", '[{"image": "1.png", "caption": "a cat"}]', "{folder}"),
    ],
)  # fmt: skip
def test_a_file_is_recognised_and_names_the_dataset(
    file: str, content: str, name: str, tmp_path: Path, put_pictures: PutPictures
) -> None:
    put_pictures("1.png")
    (tmp_path / file).write_text(content)
    dataset = load_dataset(tmp_path / file)
    assert (dataset.name, dataset.captions) == (name.format(folder=tmp_path.name), ("a cat",))


@pytest.mark.parametrize(
    ("files", "ways"),
    [
        (("metadata.json", "captions.csv"), "2 ways: captions.csv, metadata.json"),
        (("a.csv", "b.csv"), "2 ways: a.csv, b.csv"),
        (("a.json", "b.json"), "2 ways: a.json, b.json"),
        (("captions_train.json", "annotations/captions_val.json"), "2 ways"),
        (("metadata.json", "val-000.tar"), "2 ways: metadata.json, val-000.tar"),
        (("val-000.tar", "val-000.parquet"), "2 ways: val-000.tar, val-000.parquet"),
    ],
)
def test_a_folder_with_two_answers_is_refused_instead_of_guessed(
    files: tuple[str, ...], ways: str, tmp_path: Path
) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("[]")
    with pytest.raises(DatasetError, match="the folder could be read in") as caught:
        load_dataset(tmp_path)
    assert ways in caught.value.what
    assert str(caught.value.fix).startswith("name the file, for example")


def test_one_of_two_answers_can_be_named(
    tmp_path: Path, put_json: PutJson, put_pictures: PutPictures
) -> None:
    put_pictures("1.png")
    put_json("metadata.json", METADATA)
    (tmp_path / "captions.csv").write_text("filename,caption\n1.png,a dog\n")
    assert load_dataset(tmp_path / "metadata.json").captions == ("a cat",)
    assert load_dataset(tmp_path / "captions.csv").captions == ("a dog",)


def test_pictures_that_are_not_there_are_an_error_only_where_they_are_needed(put_json: PutJson) -> None:
    path = put_json("metadata.json", METADATA)
    with pytest.raises(DatasetError, match="zero pictures found"):
        load_dataset(path)
    dataset = load_dataset(path, require_pictures=False)
    assert [(item.id, item.picture) for item in dataset.items] == [("1.png", None)]


def test_a_limit_keeps_the_first_items_and_says_so_in_the_name(put_json: PutJson) -> None:
    path = put_json("pairs.json", [["1.png", "a"], ["2.png", "b"], ["1.png", "c"], ["3.png", "d"]])
    whole = load_dataset(path, require_pictures=False)
    part = load_dataset(path, require_pictures=False, limit=2)
    assert (part.name, part.captions) == ("pairs[:2]", ("a", "c", "b"))
    for enough in (3, 10):
        assert load_dataset(path, require_pictures=False, limit=enough) == whole
    assert dataset_hash(part) != dataset_hash(whole)
    with pytest.raises(DatasetError, match="a limit of 0 leaves no items"):
        load_dataset(path, limit=0)


def test_a_wrong_name_gets_the_nearest_right_ones(tmp_path: Path) -> None:
    (tmp_path / "flowers").mkdir()
    with pytest.raises(DatasetError, match="there is no dataset") as caught:
        load_dataset(tmp_path / "flower")
    assert f"did you mean '{tmp_path / 'flowers'}'" in str(caught.value.fix)
    with pytest.raises(DatasetError, match="did you mean 'embedded'"):
        load_dataset("embeded")


def test_a_wrong_name_far_from_everything_does_not_list_the_whole_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        (tmp_path / f"file-{number}").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError) as caught:
        load_dataset("qqq")
    assert caught.value.fix == (
        "give the path of a folder or a file, or 'embedded' for the pictures inside the package"
    )


def test_a_file_of_another_kind_lists_the_kinds(tmp_path: Path) -> None:
    (tmp_path / "captions.xlsx").write_bytes(b"x")
    with pytest.raises(DatasetError, match=re.escape("'.xlsx' are not datasets")) as caught:
        load_dataset(tmp_path / "captions.xlsx")
    assert ".csv, .json, .parquet, .tar" in str(caught.value.fix)


def test_pictures_without_any_captions_miss_their_metadata_file(
    tmp_path: Path, put_pictures: PutPictures
) -> None:
    put_pictures("1.png")
    with pytest.raises(DatasetError, match="the metadata file is missing"):
        load_dataset(tmp_path)


def test_an_empty_folder_misses_its_metadata_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="the metadata file is missing"):
        load_dataset(tmp_path)


def test_names_never_hold_a_path(
    tmp_path: Path, put_json: PutJson, put_pictures: PutPictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_pictures("1.png")
    put_json("metadata.json", METADATA)
    monkeypatch.chdir(tmp_path)
    dataset = load_dataset(".")
    assert dataset.name == tmp_path.name
    assert str(tmp_path) not in repr(dataset)
    monkeypatch.chdir(tmp_path.parent)
    (tmp_path.parent / "embedded").symlink_to(tmp_path)
    assert load_dataset("./embedded").captions == ("a cat",)
    (tmp_path.parent / "embedded").unlink()


def test_a_file_without_an_ending_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("root")
    with pytest.raises(DatasetError, match="without an ending says nothing"):
        load_dataset(tmp_path / "passwd")
