from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from clipeval.data import from_huggingface, load_dataset, read_parquet, read_picture, read_saved_huggingface
from clipeval.errors import DatasetError, MissingExtraError, PictureError

pa = pytest.importorskip("pyarrow", reason="needs clipeval[datasets]")
pq = pytest.importorskip("pyarrow.parquet", reason="needs clipeval[datasets]")

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def picture(grey: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (2, 2), grey).save(file, "PNG")
    return file.getvalue()


def embedded(*greys: int) -> pa.Array:
    return pa.array([{"bytes": picture(grey), "path": None} for grey in greys], PICTURE)


def greys(dataset: object) -> list[int]:
    return [read_picture(item.picture).getpixel((0, 0))[0] for item in dataset.items]


@pytest.fixture
def put_parquet(tmp_path: Path) -> Callable[..., Path]:
    def put(name: str = "test.parquet", *, rows_in_group: int = 2, **columns: object) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table(columns), path, row_group_size=rows_in_group)
        return path

    return put


def test_parquet_rows_become_items_with_rows_as_ids(put_parquet: Callable[..., Path]) -> None:
    path = put_parquet(image=embedded(5, 6, 7), text=["a cat", "a dog", "a bird"])
    dataset = read_parquet(path)
    assert (dataset.name, dataset.ids, dataset.captions) == (
        "test",
        ("0", "1", "2"),
        ("a cat", "a dog", "a bird"),
    )
    assert [item.picture.where for item in dataset.items] == [f"test.parquet, row {row}" for row in range(3)]
    assert greys(dataset) == [5, 6, 7]
    assert list(reversed(greys(dataset))) == [7, 6, 5]


def test_lists_of_captions_ids_and_categories(put_parquet: Callable[..., Path]) -> None:
    path = put_parquet(
        img=embedded(1, 2), captions=[["a", "b"], ["c"]], filename=["x.jpg", "y.jpg"], label=["cats", None]
    )
    dataset = read_parquet(path)
    assert [(item.id, item.captions, item.category) for item in dataset.items] == [
        ("x.jpg", ("a", "b"), "cats"),
        ("y.jpg", ("c",), None),
    ]


def test_numbered_caption_columns_are_the_captions_of_a_row(put_parquet: Callable[..., Path]) -> None:
    path = put_parquet(image=embedded(1), caption_0=["a"], caption_1=["b"], split=["test"])
    assert read_parquet(path).captions == ("a", "b")


def test_plain_bytes_and_chosen_columns(put_parquet: Callable[..., Path]) -> None:
    path = put_parquet(
        jpeg=[picture(1)], thumbnail=[picture(2)], de=["Katze"], en=["cat"], no=[17], kind=["pet"]
    )
    dataset = read_parquet(
        path, image_column="thumbnail", text_column=["en", "de"], id_column="no", category_column="kind"
    )
    assert [(item.id, item.captions, item.category) for item in dataset.items] == [
        ("17", ("cat", "Katze"), "pet")
    ]
    assert greys(dataset) == [2]


@pytest.mark.parametrize(
    ("chosen", "what", "fix"),
    [
        ({"image_column": "imgae"}, "there is no column 'imgae'", "did you mean 'image'?"),
        ({"text_column": "txt"}, "there is no column 'txt'", "did you mean 'text'?"),
        ({"text_column": ["text", "txet"]}, "there is no column 'txet'", "did you mean 'text'?"),
        ({"text_column": []}, "no text column is named", "leave text_column out"),
        ({"id_column": "key"}, "there is no column 'key'", "known: image, text"),
        ({"category_column": "label"}, "there is no column 'label'", "known: image, text"),
    ],
)
def test_a_wrong_column_name_gets_the_nearest_right_one(
    chosen: dict[str, object], what: str, fix: str, put_parquet: Callable[..., Path]
) -> None:
    with pytest.raises(DatasetError) as caught:
        read_parquet(put_parquet(image=embedded(1), text=["a"]), **chosen)
    assert what in caught.value.what
    assert caught.value.where == "test.parquet"
    assert fix in str(caught.value.fix)


@pytest.mark.parametrize(
    ("columns", "what", "fix"),
    [
        ({"text": ["a"]}, "no column of pictures", "the columns are text"),
        ({"a": [b"1"], "b": [b"2"], "text": ["a"]}, "could be any of a, b", "image_column"),
        ({"image": [b"1"], "captoin": ["a"]}, "no column of captions", "did you mean 'captoin'?"),
        ({"image": [b"1"], "text": ["a"], "sentence": ["b"]}, "could be in any of the columns", "'caption'"),
        ({"image": [b"1", b"2"], "text": ["a", None]}, "not NoneType", "captions"),
        ({"image": [b"1", b"2"], "text": ["a", " "]}, "caption is empty", "write it"),
        ({"image": [b"1", b"2"], "text": [["a"], []]}, "no caption", "write one"),
        ({"image": [b"1", None], "text": ["a", "b"]}, "no picture in 'image'", "drop the row"),
        (
            {"image": [b"1", b"2"], "text": ["a", "b"], "id": ["x", "x"]},
            "'x' (column 'id') is used twice",
            "list",
        ),
        ({"image": [b"1", b"2"], "text": ["a", "b"], "id": ["x", None]}, "the id in 'id' is empty", "write"),
        ({"image": pa.array([], pa.binary()), "text": pa.array([], pa.string())}, "no rows", "saved"),
    ],
)
def test_a_table_that_is_wrong_says_what_and_what_to_do(
    columns: dict[str, object], what: str, fix: str, put_parquet: Callable[..., Path]
) -> None:
    with pytest.raises(DatasetError) as caught:
        read_parquet(put_parquet(**columns))
    assert what in caught.value.what
    assert fix in str(caught.value.fix)
    assert str(caught.value.where).startswith("test.parquet")


def test_the_row_of_a_bad_caption_is_named_within_its_file(
    put_parquet: Callable[..., Path], tmp_path: Path
) -> None:
    put_parquet("test-00000-of-00002.parquet", image=[b"1"] * 3, text=["a"] * 3)
    put_parquet("test-00001-of-00002.parquet", image=[b"1"] * 3, text=["a", "", "a"])
    with pytest.raises(DatasetError, match="caption is empty") as caught:
        read_parquet(tmp_path)
    assert caught.value.where == "test-00001-of-00002.parquet, row 1, column 'text'"


def test_a_missing_picture_is_an_item_without_one_if_pictures_are_not_required(
    put_parquet: Callable[..., Path],
) -> None:
    cells = pa.array([{"bytes": picture(3), "path": None}, {"bytes": None, "path": None}, None], PICTURE)
    dataset = read_parquet(put_parquet(image=cells, text=["a", "b", "c"]), require_pictures=False)
    assert [item.picture is not None for item in dataset.items] == [True, False, False]
    no_column = read_parquet(put_parquet("t.parquet", text=["a"]), require_pictures=False)
    assert not no_column.has_pictures


def test_a_folder_of_parquet_is_one_series_counted_through(
    put_parquet: Callable[..., Path], tmp_path: Path
) -> None:
    put_parquet("data/test-00001-of-00002.parquet", image=embedded(3, 4, 5), text=["c", "d", "e"])
    put_parquet("data/test-00000-of-00002.parquet", image=embedded(1, 2), text=["a", "b"])
    dataset = read_parquet(tmp_path)
    assert (dataset.name, dataset.ids) == (tmp_path.name, ("0", "1", "2", "3", "4"))
    assert dataset.captions == ("a", "b", "c", "d", "e")
    assert dataset.items[3].picture.where == "test-00001-of-00002.parquet, row 1"
    assert greys(dataset) == [1, 2, 3, 4, 5]
    (tmp_path / "data" / "test-00000-of-00002.parquet").unlink()
    with pytest.raises(DatasetError, match="1 of 2 are there"):
        read_parquet(tmp_path)


def test_a_row_without_picture_in_the_second_file_is_named_there(
    put_parquet: Callable[..., Path], tmp_path: Path
) -> None:
    put_parquet("test-0.parquet", image=[b"1"] * 3, text=["a"] * 3)
    put_parquet("test-1.parquet", image=[b"1", b"1", b"1", None], text=["a"] * 4)
    with pytest.raises(DatasetError, match="no picture in 'image'") as caught:
        read_parquet(tmp_path)
    assert caught.value.where == "test-1.parquet, row 3"


def test_a_label_column_chosen_as_text_is_not_a_category_too(put_parquet: Callable[..., Path]) -> None:
    (item,) = read_parquet(put_parquet(image=embedded(1), label=["a cat"]), text_column="label").items
    assert (item.captions, item.category) == (("a cat",), None)


def test_parts_with_other_columns_are_refused(put_parquet: Callable[..., Path], tmp_path: Path) -> None:
    put_parquet("test-0.parquet", image=[b"1"], text=["a"])
    put_parquet("test-1.parquet", image=[b"1"], caption=["a"])
    with pytest.raises(DatasetError, match=r"differ from those of 'test-0\.parquet'") as caught:
        read_parquet(tmp_path)
    assert caught.value.where == "test-1.parquet"


def test_a_path_in_a_cell_is_followed_inside_the_folder_only(
    put_parquet: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "1.png").write_bytes(picture(9))
    (tmp_path.parent / "secret.png").write_bytes(picture(1))
    paths = ["pictures/1.png", "../secret.png", str(tmp_path.parent / "secret.png"), "gone.png"]
    cells = pa.array([{"bytes": None, "path": path} for path in paths], PICTURE)
    items = read_parquet(put_parquet(image=cells, text=["a"] * 4)).items
    assert read_picture(items[0].picture).getpixel((0, 0)) == (9, 9, 9)
    for item in items[1:3]:
        with pytest.raises(DatasetError, match="leaves the dataset folder") as caught:
            read_picture(item.picture)
        assert caught.value.where == item.picture.where
    with pytest.raises(PictureError, match=r"'gone\.png' is missing"):
        read_picture(items[3].picture)


def test_a_truncated_parquet_file_is_named(put_parquet: Callable[..., Path]) -> None:
    path = put_parquet(image=embedded(1, 2), text=["a", "b"])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DatasetError, match="cannot be read") as caught:
        read_parquet(path)
    assert caught.value.where == "test.parquet"


def test_a_broken_picture_in_a_cell_names_the_row(put_parquet: Callable[..., Path]) -> None:
    dataset = read_parquet(put_parquet(image=[picture(1), picture(2)[:30]], text=["a", "b"]))
    with pytest.raises(PictureError) as caught:
        read_picture(dataset.items[1].picture)
    assert caught.value.where == "test.parquet, row 1"


def test_a_table_is_read_by_one_thread_at_a_time(
    put_parquet: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from clipeval.data.parquet import _ParquetTable

    dataset = read_parquet(put_parquet(image=embedded(*range(6)), text=list("abcdef")))
    inside, most, cell = 0, 0, _ParquetTable.cell

    def slow(self: Any, row: int, column: str) -> object:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.005)
        found = cell(self, row, column)
        inside -= 1
        return found

    monkeypatch.setattr(_ParquetTable, "cell", slow)
    sources = [item.picture for item in dataset.items] * 3
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda source: source.read(), sources))
    assert most == 1
    assert found == [source.read() for source in sources]


def test_without_pyarrow_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    (tmp_path / "x.parquet").write_bytes(b"")
    with pytest.raises(MissingExtraError, match=r"clipeval\[datasets\]"):
        read_parquet(tmp_path / "x.parquet")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> object:
    """A loaded ``datasets.Dataset`` with a class label, lists of captions and pictures."""
    datasets = pytest.importorskip("datasets", reason="needs clipeval[datasets]")
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "sentences": datasets.Sequence(datasets.Value("string")),
            "label": datasets.ClassLabel(names=["cats", "dogs"]),
        }
    )
    rows = {
        "image": [{"bytes": picture(grey), "path": None} for grey in (1, 2, 3)],
        "sentences": [["a cat", "a pet"], ["a dog"], ["a puppy"]],
        "label": [0, 1, 1],
    }
    return datasets.Dataset.from_dict(rows, features=features)


EXPECTED = [("0", ("a cat", "a pet"), "cats"), ("1", ("a dog",), "dogs"), ("2", ("a puppy",), "dogs")]


def test_a_loaded_dataset_keeps_order_lists_and_class_names(hub: object) -> None:
    dataset = from_huggingface(hub)
    assert dataset.name == "huggingface"
    assert [(item.id, item.captions, item.category) for item in dataset.items] == EXPECTED
    assert dataset.items[1].picture.where == "huggingface, row 1"
    assert greys(dataset) == [1, 2, 3]


def test_a_selection_of_a_loaded_dataset_keeps_pictures_and_captions_together(hub: object) -> None:
    dataset = from_huggingface(hub.select([2, 0]), name="two")
    assert (dataset.name, dataset.captions) == ("two", ("a puppy", "a cat", "a pet"))
    assert greys(dataset) == [3, 1]


def test_a_loaded_dataset_with_pictures_from_files(hub: object, tmp_path: Path) -> None:
    import datasets

    (tmp_path / "1.png").write_bytes(picture(8))
    rows = {"image": [str(tmp_path / "1.png")], "text": ["a"]}
    loaded = datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image())
    assert greys(from_huggingface(loaded)) == [8]


def test_a_wrong_column_of_a_loaded_dataset_gets_the_nearest(hub: object) -> None:
    with pytest.raises(DatasetError, match="there is no column 'sentence'") as caught:
        from_huggingface(hub, text_column="sentence")
    assert caught.value.fix == "did you mean 'sentences'?"


def test_splits_and_streams_are_refused(hub: object) -> None:
    import datasets

    with pytest.raises(DatasetError, match="splits \\('train', 'test'\\)"):
        from_huggingface(datasets.DatasetDict(train=hub, test=hub))
    with pytest.raises(DatasetError, match="IterableDataset is not"):
        from_huggingface(hub.to_iterable_dataset())
    with pytest.raises(DatasetError, match="list is not"):
        from_huggingface([1])


@pytest.mark.parametrize("parts", [1, 2])
def test_a_saved_dataset_is_read_back(hub: object, parts: int, tmp_path: Path) -> None:
    hub.save_to_disk(str(tmp_path / "pets"), num_shards=parts)
    for dataset in (read_saved_huggingface(tmp_path / "pets"), load_dataset(tmp_path / "pets")):
        assert dataset.name == "pets"
        assert [(item.id, item.captions, item.category) for item in dataset.items] == EXPECTED
        assert dataset.items[2].picture.where == "pets, row 2"
        assert greys(dataset) == [1, 2, 3]


def test_a_saved_dataset_with_splits_wants_one_named(hub: object, tmp_path: Path) -> None:
    import datasets

    datasets.DatasetDict(train=hub, test=hub.select([1])).save_to_disk(str(tmp_path / "pets"))
    with pytest.raises(DatasetError, match="holds the splits train, test") as caught:
        load_dataset(tmp_path / "pets")
    assert caught.value.fix == "name one: pets/test"
    assert load_dataset(tmp_path / "pets" / "test").captions == ("a dog",)
    datasets.DatasetDict(test=hub).save_to_disk(str(tmp_path / "one"))
    assert load_dataset(tmp_path / "one").n_images == 3


def test_a_saved_dataset_with_a_lost_or_cut_file_names_it(hub: object, tmp_path: Path) -> None:
    hub.save_to_disk(str(tmp_path / "pets"), num_shards=2)
    last = tmp_path / "pets" / "data-00001-of-00002.arrow"
    last.write_bytes(last.read_bytes()[:300])
    with pytest.raises(DatasetError, match="truncated or corrupt") as caught:
        load_dataset(tmp_path / "pets")
    assert caught.value.where == last.name
    last.unlink()
    with pytest.raises(DatasetError, match=rf"'{last.name}' is missing"):
        load_dataset(tmp_path / "pets")


@pytest.mark.parametrize(
    ("state", "what"),
    [
        ("[]", "'_data_files' must be a list of names"),
        ('{"_data_files": [{"file": "x"}]}', "'_data_files' must be a list of names"),
        ('{"_data_files": []}', "names no data files"),
        ('{"_data_files": [{"filename": "../x.arrow"}]}', "leaves the dataset folder"),
    ],
)
def test_a_saved_dataset_with_a_wrong_state_is_refused(state: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(state)
    with pytest.raises(DatasetError) as caught:
        read_saved_huggingface(tmp_path)
    assert what in caught.value.what
    assert caught.value.where == "state.json"


def test_importing_the_readers_imports_no_heavy_library() -> None:
    heavy = {"pyarrow", "datasets", "torch", "transformers", "matplotlib", "pandas"}
    code = f"import sys, clipeval.data; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
