"""A dataset's two parts: the same for everybody, and nothing on both sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clipeval import load_dataset
from clipeval.data import Dataset, Item
from clipeval.data.parts import part_of
from clipeval.errors import DatasetError


def numbered(n: int) -> Dataset:
    return Dataset("numbers", tuple(Item(f"item {row}", (f"caption {row}",)) for row in range(n)))


def test_every_item_is_on_exactly_one_side() -> None:
    whole = numbered(1000)
    train, test = part_of(whole, "train"), part_of(whole, "test")
    assert sorted([*train.ids, *test.ids]) == sorted(whole.ids)
    assert 150 < test.n_images < 250  # a share of .2


def test_a_side_depends_neither_on_the_order_nor_on_how_many_items_there_are() -> None:
    whole = numbered(300)
    shuffled = [whole.items[row] for row in np.random.default_rng(1).permutation(300)]
    assert set(part_of(whole, "test").ids) == set(part_of(Dataset("other", tuple(shuffled)), "test").ids)
    few = set(part_of(numbered(100), "test").ids)
    assert few == {item_id for item_id in part_of(whole, "test").ids if int(item_id.split()[1]) < 100}


def test_items_with_one_caption_stay_together() -> None:
    items = tuple(Item(f"{row}", (f"own {row}", f"shared {row // 4}")) for row in range(200))
    test = set(part_of(Dataset("four", items), "test").ids)
    for first in range(0, 200, 4):
        assert len({str(row) in test for row in range(first, first + 4)}) == 1


def test_a_side_without_items_says_so() -> None:
    with pytest.raises(DatasetError, match="no item is in the part"):
        [part_of(numbered(1), part) for part in ("train", "test")]  # type: ignore[arg-type]


def test_a_path_takes_the_part_behind_a_number_sign(tmp_path: Path) -> None:
    table = "filename,category,caption\n" + "".join(f"{n}.png,,caption {n}\n" for n in range(50))
    (tmp_path / "t.csv").write_text(table)
    whole = load_dataset(tmp_path / "t.csv", require_pictures=False)
    test = load_dataset(f"{tmp_path}/t.csv#test", require_pictures=False)
    assert test.ids == part_of(whole, "test").ids
    assert (test.name, test.origin) == ("t#test", whole.origin)
    assert load_dataset(f"{tmp_path}/t.csv#test", require_pictures=False, limit=2).name == "t#test[:2]"


def test_a_file_of_that_very_name_is_itself(tmp_path: Path) -> None:
    folder = tmp_path / "set#test"
    folder.mkdir()
    (folder / "t.csv").write_text("filename,category,caption\na.png,,one\n")
    assert load_dataset(folder, require_pictures=False).name == "set#test"
    assert load_dataset(folder, require_pictures=False).n_images == 1
