from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from clipeval.data import Dataset, Item, PictureSource, dataset_hash, item_hashes, picture_hash
from clipeval.data.content import independent_units
from clipeval.data.picture_bytes import picture_bytes
from clipeval.errors import PictureError

CAT = Item("cat.png", ("a cat", "a pet"), PictureSource("cat.png", lambda: b"cat bytes"), "cats")
DOG = Item("dog.png", ("a dog",))


def test_the_hash_of_a_picture_is_the_sha256_of_its_bytes() -> None:
    # sha256sum of 'cat bytes'
    expected = hashlib.sha256(b"cat bytes").hexdigest()
    assert picture_hash(CAT) == expected
    assert item_hashes(Dataset("two", (CAT, DOG))) == (expected, hashlib.sha256(b"id:dog.png").hexdigest())


def test_the_hash_of_a_dataset_is_that_of_its_lines() -> None:
    lines = [
        ["cat.png", hashlib.sha256(b"cat bytes").hexdigest(), ["a cat", "a pet"], "cats"],
        ["dog.png", hashlib.sha256(b"id:dog.png").hexdigest(), ["a dog"], None],
    ]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    assert dataset_hash(Dataset("two", (CAT, DOG))) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "items",
    [
        (DOG, CAT),
        (CAT,),
        (replace(CAT, id="c"), DOG),
        (replace(CAT, captions=("a pet", "a cat")), DOG),
        (replace(CAT, captions=("a cata pet",)), DOG),
        (replace(CAT, captions=("a cat",)), replace(DOG, captions=("a pet", "a dog"))),
        (replace(CAT, category=None), DOG),
        (replace(CAT, category="None"), replace(DOG, category="None")),
        (replace(CAT, picture=None), DOG),
        (replace(CAT, picture=PictureSource("cat.png", lambda: b"cat byteS")), DOG),
    ],
)
def test_whatever_a_result_depends_on_changes_the_hash(items: tuple[Item, ...]) -> None:
    assert dataset_hash(Dataset("two", items)) != dataset_hash(Dataset("two", (CAT, DOG)))


def test_the_name_and_the_place_do_not_change_the_hash() -> None:
    moved = replace(CAT, picture=PictureSource("elsewhere/cat.png", lambda: b"cat bytes"))
    assert dataset_hash(Dataset("renamed", (moved, DOG))) == dataset_hash(Dataset("two", (CAT, DOG)))


def test_one_dataset_in_two_layouts_has_the_same_picture_hashes(
    tmp_path: Path,
    put_pictures: Callable[..., None],
    put_tar: Callable[..., Path],
    encoded: Callable[..., bytes],
) -> None:
    from clipeval.data import load_dataset

    put_pictures("a.png", "b.png")
    (tmp_path / "captions.csv").write_text("filename,caption\na.png,x\nb.png,y\n")
    shard = put_tar("s.tar", {"a.png": encoded(0), "a.txt": b"x", "b.png": encoded(1), "b.txt": b"y"})
    assert item_hashes(load_dataset(shard)) == item_hashes(load_dataset(tmp_path / "captions.csv"))


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    item = Item("a", ("x",), PictureSource("a.png (captions.csv, line 2)", (tmp_path / "a.png").read_bytes))
    with pytest.raises(PictureError) as caught:
        picture_hash(item)
    assert caught.value.where == "a.png (captions.csv, line 2)"


def test_items_with_the_same_picture_or_caption_are_one_unit_also_through_others() -> None:
    def item(name: str, picture: bytes, *captions: str) -> Item:
        return Item(name, captions, PictureSource(name, lambda picture=picture: picture))

    items = (
        item("a", b"1", "one"),
        item("b", b"2", "two"),
        item("c", b"3", "three", "one"),  # shares a caption with a
        item("d", b"3", "four"),  # shares a picture with c, and so belongs to a
        item("e", b"5", "Two"),  # another caption than b's
        item("f", b"2", "four"),  # joins b to a
    )
    assert independent_units(Dataset("six", items)).tolist() == [0, 0, 0, 0, 4, 0]
    assert independent_units(Dataset("two", (items[0], items[4]))).tolist() == [0, 1]


def test_an_id_that_is_no_valid_unicode_has_a_hash_too() -> None:
    assert len({picture_hash(Item(name, ("one",))) for name in ("half \ud83d", "half", "half \ud83e")}) == 3


def test_the_pictures_of_a_dataset_are_read_for_their_hashes_once() -> None:
    reads: list[str] = []

    def source(name: str) -> PictureSource:
        return PictureSource(name, lambda: reads.append(name) or name.encode())

    dataset = Dataset("two", tuple(Item(name, (name,), source(name)) for name in ("a", "b")))
    assert item_hashes(dataset) == item_hashes(dataset)
    dataset_hash(dataset)
    assert dataset.units.tolist() == [0, 1]
    assert reads == ["a", "b"]
    item_hashes(replace(dataset, name="renamed"))  # another dataset
    assert reads == ["a", "b"] * 2


def test_bytes_that_changed_since_they_were_hashed_are_refused_by_name() -> None:
    content = [b"before"]
    item = Item("a", ("x",), PictureSource("a.png, line 2", lambda: content[0]))
    known = picture_hash(item)
    assert item.picture is not None
    assert picture_bytes(item.picture, sha256=known) == b"before"
    content[0] = b"after"
    assert picture_bytes(item.picture) == b"after"
    with pytest.raises(PictureError, match="not the one that was there before") as caught:
        picture_bytes(item.picture, sha256=known)
    assert caught.value.where == "a.png, line 2"
