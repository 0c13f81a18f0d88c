"""Product tables, with the faults of the published one."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from clipeval.data import load_dataset
from clipeval.errors import DatasetError

HEAD = "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,productDisplayName\n"
SHIRT = "15970,Men,Apparel,Topwear,Shirts,Navy Blue,Fall,2011,Casual,Turtle Check Men Navy Blue Shirt\n"
COMMA = '6695,Men,Apparel,Topwear,Tshirts,Blue,Summer,2010,Casual,Men\'s T-shirt, blue, with "logo"\n'
UNNAMED = "7000,Men,Apparel,Topwear,Tshirts,Blue,Summer,2010,Casual,\n"
LOST = "39403,Men,Apparel,Topwear,Shirts,Blue,Fall,2011,Casual,A shirt whose picture is missing\n"


@pytest.fixture
def table(tmp_path: Path):
    def write(text: str, *pictures: str) -> Path:
        folder = tmp_path / "products"
        (folder / "images").mkdir(parents=True)
        (folder / "styles.csv").write_text(text, encoding="utf-8")
        for name in pictures:
            Image.new("RGB", (4, 4), "navy").save(folder / "images" / f"{name}.jpg")
        return folder

    return write


def test_names_are_captions_and_pictures_are_found_by_id(table) -> None:
    data = load_dataset(table(HEAD + SHIRT, "15970"))
    (item,) = data.items
    assert (item.id, item.captions) == ("15970", ("Turtle Check Men Navy Blue Shirt",))
    assert (item.category, data.name) == ("Apparel", "products")
    assert item.picture is not None
    assert item.picture.read()[:2] == b"\xff\xd8"


def test_unquoted_commas_belong_to_the_name(table) -> None:
    data = load_dataset(table(HEAD + COMMA, "6695"))
    assert data.captions == ('Men\'s T-shirt, blue, with "logo"',)


def test_rows_without_a_name_or_a_picture_are_left_out_and_the_name_says_so(table) -> None:
    data = load_dataset(table(HEAD + SHIRT + UNNAMED + LOST, "15970", "7000"))
    assert data.ids == ("15970",)
    assert data.name == "products[without 2 of 3 rows: 1 unnamed, 1 no picture]"


def test_zero_pictures_are_an_error(table) -> None:
    with pytest.raises(DatasetError, match=r"zero pictures found: not one of the 2 products"):
        load_dataset(table(HEAD + SHIRT + LOST))


def test_without_pictures_names_are_enough(table) -> None:
    assert load_dataset(table(HEAD + SHIRT + LOST), require_pictures=False).n_images == 2


def test_a_short_row_is_refused_with_its_line(table) -> None:
    with pytest.raises(DatasetError, match=r"has 3 fields, the header 10(.|\n)*line 3"):
        load_dataset(table(HEAD + SHIRT + "1,Men,Apparel\n", "15970"))


def test_a_table_whose_name_is_not_last_is_refused(table) -> None:
    with pytest.raises(DatasetError, match="as its last"):
        load_dataset(table("productDisplayName,id\nA shirt,1\n"))


def test_the_same_products_are_read_from_parquet(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "picture.png"
    Image.new("RGB", (4, 4)).save(path)
    rows = {
        "id": [15970],
        "masterCategory": ["Apparel"],
        "productDisplayName": ["Turtle Check Men Navy Blue Shirt"],
        "image": [{"bytes": path.read_bytes(), "path": None}],
    }
    parquet.write_table(arrow.table(rows), tmp_path / "train.parquet")
    data = load_dataset(tmp_path / "train.parquet")
    assert (data.ids, data.categories) == (("15970",), ("Apparel",))
    assert data.captions == ("Turtle Check Men Navy Blue Shirt",)
