from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clipeval.data import Item, read_picture, read_picture_folder
from clipeval.errors import DatasetError

PutPictures = Callable[..., None]


def test_lines_are_captions_and_folders_are_categories(tmp_path: Path, put_pictures: PutPictures) -> None:
    put_pictures("cats/b.png", "a.png", "cats/a.png", ".hidden/c.png", "__MACOSX/._a.png")
    (tmp_path / "a.txt").write_text("a house\n\n  a home \n")
    (tmp_path / "cats" / "a.txt").write_bytes(b"\xef\xbb\xbfa cat\r\n")
    (tmp_path / "cats" / "b.txt").write_text("chat à l'étable", encoding="utf-8")
    (tmp_path / "README.txt").write_text("not a caption")
    dataset = read_picture_folder(tmp_path)
    assert dataset.name == tmp_path.name
    assert [(item.id, item.captions, item.category) for item in dataset.items] == [
        ("a.png", ("a house", "a home"), None),
        ("cats/a.png", ("a cat",), "cats"),
        ("cats/b.png", ("chat à l'étable",), "cats"),
    ]
    assert [item.picture.where for item in dataset.items] == ["a.png", "cats/a.png", "cats/b.png"]
    assert [read_picture(item.picture).getpixel((0, 0))[0] for item in dataset.items] == [1, 2, 0]


def test_without_pictures_the_id_is_the_path_without_ending(tmp_path: Path) -> None:
    (tmp_path / "a.b.txt").write_text("a house\n")
    assert read_picture_folder(tmp_path, require_pictures=False).items == (Item("a.b", ("a house",)),)


def test_zero_pictures_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a house\n")
    with pytest.raises(DatasetError, match="zero pictures found"):
        read_picture_folder(tmp_path)


def test_a_picture_without_captions_is_named_with_the_nearest_text_file(
    tmp_path: Path, put_pictures: PutPictures
) -> None:
    put_pictures("house.png")
    (tmp_path / "hause.txt").write_text("a house\n")
    with pytest.raises(DatasetError, match=r"no captions file 'house\.txt'") as caught:
        read_picture_folder(tmp_path, require_pictures=False)
    assert (caught.value.where, caught.value.fix) == ("house.png", "did you mean 'hause.txt'?")


def test_captions_whose_picture_was_lost_are_named(tmp_path: Path, put_pictures: PutPictures) -> None:
    put_pictures("a.png")
    (tmp_path / "a.txt").write_text("a\n")
    (tmp_path / "b.txt").write_text("b\n")
    with pytest.raises(DatasetError, match="captions without their picture") as caught:
        read_picture_folder(tmp_path)
    assert caught.value.where == "b.txt"


def test_two_pictures_of_one_stem_are_refused(tmp_path: Path, put_pictures: PutPictures) -> None:
    put_pictures("a.jpg", "a.png")
    (tmp_path / "a.txt").write_text("a\n")
    with pytest.raises(DatasetError, match=r"'a\.jpg' and 'a\.png' would share"):
        read_picture_folder(tmp_path)


@pytest.mark.parametrize(
    ("data", "what"), [(b"", "no caption"), (b" \n\n", "no caption"), (b"\xff\xfe\0", "UTF-8")]
)
def test_a_captions_file_without_text_is_named(
    data: bytes, what: str, tmp_path: Path, put_pictures: PutPictures
) -> None:
    put_pictures("a.png")
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(DatasetError, match=what) as caught:
        read_picture_folder(tmp_path)
    assert caught.value.where == ("a.txt, line 1" if what == "UTF-8" else "a.txt")


@pytest.mark.parametrize("link", ["a.png", "a.txt"])
def test_links_out_of_the_folder_are_refused(
    link: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, encoded: Callable[..., bytes]
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    for folder in (tmp_path, outside):
        (folder / "a.png").write_bytes(encoded(1))
        (folder / "a.txt").write_text("a\n")
    (tmp_path / link).unlink()
    (tmp_path / link).symlink_to(outside / link)
    with pytest.raises(DatasetError, match=f"'{link}' leaves the dataset folder"):
        read_picture_folder(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        read_picture_folder(tmp_path / "nowhere")
