"""(1) Is it the same data?"""

from __future__ import annotations

from dataclasses import replace

from clipeval.baseline.data_difference import data_difference, difference_in_words
from clipeval.baseline.snapshot import ItemRecord

ITEMS = (
    ItemRecord("a.jpg", "aa", ("a cat", "a pet"), "animals"),
    ItemRecord("b.jpg", "bb", ("a dog",), "animals"),
    ItemRecord("c.jpg", "cc", ("a car",), None),
)


def test_the_same_items_in_another_order_are_the_same_data() -> None:
    found = data_difference(ITEMS, ITEMS[::-1])
    assert found.same
    assert (found.added, found.removed, found.changed, found.n_old, found.n_new) == ((), (), (), 3, 3)


def test_removed_and_added_items_are_named_by_id() -> None:
    found = data_difference(ITEMS, (*ITEMS[1:], ItemRecord("d.jpg", "dd", ("a tree",))))
    assert (found.added, found.removed) == (("d.jpg",), ("a.jpg",))
    assert not found.same
    assert difference_in_words(found) == "1 item added ('d.jpg'); 1 item removed ('a.jpg')"


def test_a_subset_is_said_to_be_one() -> None:
    found = data_difference(ITEMS, ITEMS[:1])
    assert difference_in_words(found) == (
        "2 items removed ('b.jpg', 'c.jpg'); the new data hold 1 of the old 3 items"
    )
    assert "the old data hold 1 of the new 3 items" in difference_in_words(data_difference(ITEMS[:1], ITEMS))


def test_an_edited_caption_is_shown_with_the_texts_that_only_one_side_has() -> None:
    edited = (replace(ITEMS[0], captions=("a kitten", "a pet")), *ITEMS[1:])
    found = data_difference(ITEMS, edited)
    (change,) = found.changed
    assert (change.id, change.what, change.old, change.new) == ("a.jpg", "captions", "a cat", "a kitten")
    assert not found.same


def test_a_caption_that_is_there_once_more_is_a_change() -> None:
    twice = replace(ITEMS[1], captions=("a dog", "a dog"))
    (change,) = data_difference(ITEMS[1:2], (twice,)).changed
    assert (change.old, change.new) == ("", "a dog")


def test_captions_in_another_order_are_no_change() -> None:
    assert data_difference(ITEMS[:1], (replace(ITEMS[0], captions=("a pet", "a cat")),)).same


def test_a_changed_picture_is_shown_by_its_hash() -> None:
    found = data_difference(ITEMS, (*ITEMS[:2], replace(ITEMS[2], picture="zz")))
    (change,) = found.changed
    assert (change.id, change.what, change.old, change.new) == ("c.jpg", "picture", "cc", "zz")
    assert difference_in_words(found) == "1 item with another picture ('c.jpg')"


def test_a_category_alone_is_listed_and_stops_nothing() -> None:
    found = data_difference(ITEMS, (*ITEMS[:2], replace(ITEMS[2], category="vehicles")))
    (change,) = found.changed
    assert (change.what, change.old, change.new) == ("category", "", "vehicles")
    assert found.same


def test_an_item_changed_in_all_ways_is_listed_once_for_each() -> None:
    other = ItemRecord("a.jpg", "zz", ("a car",), "vehicles")
    found = data_difference(ITEMS[:1], (other,))
    assert [change.what for change in found.changed] == ["picture", "captions", "category"]


def test_many_items_are_counted_and_the_first_three_named() -> None:
    many = tuple(ItemRecord(f"{number}.jpg", "x", ("a",)) for number in range(5))
    assert "5 items removed ('0.jpg', '1.jpg', '2.jpg' ...)" in difference_in_words(data_difference(many, ()))
