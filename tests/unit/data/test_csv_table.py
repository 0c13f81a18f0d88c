from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from clipeval.data import read_csv, read_picture
from clipeval.errors import DatasetError


def table(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "captions.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_pictures_in_category_folders_and_quoted_commas(
    tmp_path: Path, put_pictures: Callable[..., None]
) -> None:
    put_pictures("beaches/1.png", "food/2.png")
    path = table(
        tmp_path,
        "filename,category,caption\n"
        '1.png,beaches,"A beach, with palms and a ""sun"""\n'
        '2.png, food, "rice, beans"\n',
    )
    dataset = read_csv(path)
    assert dataset.name == "captions"
    assert dataset.ids == ("beaches/1.png", "food/2.png")
    assert dataset.captions == ('A beach, with palms and a "sun"', "rice, beans")
    assert dataset.categories == ("beaches", "food")
    assert [item.picture.where for item in dataset.items] == [
        "beaches/1.png (captions.csv, line 2)",
        "food/2.png (captions.csv, line 3)",
    ]
    assert [read_picture(item.picture).getpixel((0, 0))[0] for item in dataset.items] == [0, 1]


def test_pictures_beside_the_table_or_in_images_without_categories(
    tmp_path: Path, put_pictures: Callable[..., None]
) -> None:
    put_pictures("1.png", "images/2.png")
    dataset = read_csv(table(tmp_path, "caption,filename\na cat,1.png\na dog,2.png\n"), name="pets")
    assert (dataset.name, dataset.ids, dataset.categories) == ("pets", ("1.png", "images/2.png"), ())


def test_several_rows_of_a_picture_are_its_captions_even_apart(
    tmp_path: Path, put_pictures: Callable[..., None]
) -> None:
    put_pictures("1.png", "2.png")
    dataset = read_csv(table(tmp_path, "filename,caption\n1.png,a cat\n2.png,a dog\n./1.png,a pet\n"))
    assert dataset.ids == ("1.png", "2.png")
    assert dataset.captions == ("a cat", "a pet", "a dog")
    assert dataset.image_of_caption.tolist() == [0, 0, 1]


def test_one_file_name_in_two_categories_is_two_pictures(
    tmp_path: Path, put_pictures: Callable[..., None]
) -> None:
    put_pictures("cats/1.png", "dogs/1.png")
    dataset = read_csv(table(tmp_path, "filename,category,caption\n1.png,cats,a cat\n1.png,dogs,a dog\n"))
    assert dataset.ids == ("cats/1.png", "dogs/1.png")


@pytest.mark.parametrize(
    "header", ["file_name,text", "Image,Caption", " filename , caption ", "path,description"]
)
def test_other_names_for_the_columns(header: str, tmp_path: Path, put_pictures: Callable[..., None]) -> None:
    put_pictures("1.png")
    assert read_csv(table(tmp_path, f"{header}\n1.png,a cat\n")).captions == ("a cat",)


def test_a_byte_order_mark_windows_lines_and_blank_lines_are_accepted(
    tmp_path: Path, put_pictures: Callable[..., None]
) -> None:
    put_pictures("sub/1.png")
    path = table(tmp_path, b"\xef\xbb\xbffilename,caption\r\n\r\nsub\\1.png,caf\xc3\xa9\r\n\r\n")
    dataset = read_csv(path)
    assert (dataset.ids, dataset.captions) == (("sub/1.png",), ("café",))


def test_a_caption_may_span_lines_and_the_next_error_still_names_its_line(
    tmp_path: Path, put_pictures: Callable[..., None]
) -> None:
    put_pictures("1.png")
    path = table(tmp_path, 'filename,caption\n1.png,"two\nlines"\n1.png,\n')
    with pytest.raises(DatasetError, match="the caption is empty") as caught:
        read_csv(path)
    assert caught.value.where == "captions.csv, line 4"


def test_without_pictures_items_are_named_as_written(tmp_path: Path) -> None:
    path = table(tmp_path, "filename,category,caption\n1.png,cats,a cat\n")
    (item,) = read_csv(path, require_pictures=False).items
    assert (item.id, item.picture, item.category) == ("1.png", None, "cats")


@pytest.mark.parametrize(
    ("text", "what", "where", "fix"),
    [
        ("filename,captoin\n1.png,a cat\n", "unknown column 'captoin'", "captions.csv", "'caption'"),
        ("filename,caption,categry\n1.png,a,b\n", "unknown column 'categry'", "captions.csv", "'category'"),
        ("filename,x\n1.png,a cat\n", "no column 'caption'", "captions.csv", "found: filename, x"),
        ("filename;caption\n1.png;a cat\n", "no column 'filename'", "captions.csv", "not ';'"),
        ("filename,caption,caption\n1.png,a,b\n", "'caption' is there twice", "captions.csv", "rename"),
        ("image,path,caption\n1.png,1.png,a\n", "could be in any of", "captions.csv", "'filename'"),
        ("filename,caption\n1.png,a cat, asleep\n", "3 fields", "captions.csv, line 2", "quotation marks"),
        ("filename,category,caption\n1.png,a cat\n", "2 fields", "captions.csv, line 2", "every field"),
        ("filename,caption\n1.png, \n", "caption is empty", "captions.csv, line 2", "write it"),
        ("filename,caption\n,a cat\n", "file name is empty", "captions.csv, line 2", "write it"),
        ('filename,caption\n1.png,a\n1.png,"a cat\n', "not CSV", "captions.csv, line 3", "quotation mark"),
        (b"filename,caption\n1.png,caf\xe9\n", "not UTF-8", "captions.csv, line 2", "UTF-8"),
        ("filename,caption\n", "no rows", "captions.csv", "rows"),
        ("", "no rows", "captions.csv", "rows"),
        ("filename,caption\n../1.png,a\n", "leaves the dataset folder", "captions.csv, line 2", "inside"),
        ("filename,caption\n/etc/passwd,a\n", "leaves the dataset folder", "captions.csv, line 2", "inside"),
        ("filename,caption\nC:\\x\\1.png,a\n", "leaves the dataset folder", "captions.csv, line 2", "inside"),
        ("filename,caption\n1.png,a\n2.png,b\n", "'2.png' is missing", "captions.csv, line 3", "'1.png'"),
    ],
)
def test_a_table_that_is_wrong_says_what_where_and_what_to_do(
    text: str | bytes, what: str, where: str, fix: str, tmp_path: Path, put_pictures: Callable[..., None]
) -> None:
    put_pictures("1.png")
    with pytest.raises(DatasetError) as caught:
        read_csv(table(tmp_path, text))
    assert what in caught.value.what
    assert caught.value.where == where
    assert fix in str(caught.value.fix)


def test_a_picture_with_two_categories_is_refused(tmp_path: Path, put_pictures: Callable[..., None]) -> None:
    put_pictures("1.png")
    path = table(tmp_path, "filename,category,caption\n1.png,cats,a\n1.png,dogs,b\n")
    with pytest.raises(DatasetError, match="two categories, 'cats' and 'dogs'") as caught:
        read_csv(path)
    assert caught.value.where == "captions.csv, line 2 and captions.csv, line 3"


def test_a_name_that_fits_two_files_is_refused_instead_of_guessed(
    tmp_path: Path, put_pictures: Callable[..., None]
) -> None:
    put_pictures("1.png", "cats/1.png")
    with pytest.raises(DatasetError, match=r"could be '1\.png' or 'cats/1\.png'"):
        read_csv(table(tmp_path, "filename,category,caption\n1.png,cats,a\n"))


def test_zero_pictures_found_points_at_a_picture_of_that_name(
    tmp_path: Path, put_pictures: Callable[..., None]
) -> None:
    put_pictures("photos/1.png", "photos/2.png")
    with pytest.raises(DatasetError, match="zero pictures found: not one of the 2 named files") as caught:
        read_csv(table(tmp_path, "filename,caption\n1.png,a\n2.png,b\n"))
    assert caught.value.fix == "'photos/1.png' is there: write that path"


def test_a_link_that_leads_out_of_the_folder_is_refused(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, encoded: Callable[..., bytes]
) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.png"
    secret.write_bytes(encoded(1))
    (tmp_path / "1.png").symlink_to(secret)
    with pytest.raises(DatasetError, match=r"'1\.png' leaves the dataset folder") as caught:
        read_csv(table(tmp_path, "filename,caption\n1.png,a\n"))
    assert caught.value.where == "captions.csv, line 2"


def test_a_category_cannot_lead_out_of_the_folder(tmp_path: Path, encoded: Callable[..., bytes]) -> None:
    (tmp_path / "1.png").write_bytes(encoded(1))
    (tmp_path / "set").mkdir()
    path = tmp_path / "set" / "captions.csv"
    path.write_text("filename,category,caption\n1.png,..,a\n")
    with pytest.raises(DatasetError, match="zero pictures found"):
        read_csv(path)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="No such file"):
        read_csv(tmp_path / "nowhere.csv")


def test_a_caption_of_300_kilobytes_is_read_and_pythons_own_limit_is_left_as_it_was(
    tmp_path: Path, put_pictures: Callable[..., None]
) -> None:
    put_pictures("1.png")
    before = csv.field_size_limit()
    long = "a cat " * 50_000
    assert read_csv(table(tmp_path, f"filename,caption\n1.png,{long}\n")).captions == (long,)
    assert csv.field_size_limit() == before
