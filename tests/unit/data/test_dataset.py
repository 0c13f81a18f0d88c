from __future__ import annotations

import pytest

from clipeval.data import Dataset, Item, PictureSource
from clipeval.errors import DatasetError


def test_captions_know_their_pictures_and_have_stable_ids() -> None:
    dataset = Dataset(
        "d", (Item("a", ("x", "y"), category="c"), Item("b", ("z",)), Item("e", ("x",), category="c"))
    )
    assert (dataset.n_images, dataset.n_captions) == (3, 4)
    assert dataset.captions == ("x", "y", "z", "x")
    assert dataset.caption_ids == ("a#0", "a#1", "b#0", "e#0")
    assert dataset.image_of_caption.tolist() == [0, 0, 1, 2]
    assert dataset.categories == ("c",)


def test_has_pictures_means_all_of_them() -> None:
    source = PictureSource("a", bytes)
    assert Dataset("d", (Item("a", ("x",), source),)).has_pictures
    assert not Dataset("d", (Item("a", ("x",), source), Item("b", ("y",)))).has_pictures


@pytest.mark.parametrize(
    ("items", "what", "where"),
    [
        ((), "no items", "d"),
        ((Item("a", ("x",)), Item("b", ("x",)), Item("a", ("y",))), "'a' is used twice", "d, items 0 and 2"),
        ((Item("a", ()),), "no caption", "d, item 0 ('a')"),
        ((Item("a", ("x", "\t")),), "caption is empty", "d, item 0 ('a'), caption 1"),
    ],
)
def test_a_dataset_that_is_wrong_names_the_item(items: tuple[Item, ...], what: str, where: str) -> None:
    with pytest.raises(DatasetError) as caught:
        Dataset("d", items)
    assert what in caught.value.what
    assert caught.value.where == where
