"""What is held out: whole units, by hashes, whatever the order."""

from __future__ import annotations

import numpy as np

from clipeval.data.dataset import Dataset, Item
from clipeval.data.held_out import held_out
from clipeval.training.pairs import pairs_of

IDS = [f"picture {n}.jpg" for n in range(2000)]


def test_units_are_never_divided() -> None:
    units = np.arange(2000) // 7
    out = held_out(IDS, units, share=0.2)
    for unit in range(units[-1] + 1):
        assert len(set(out[units == unit].tolist())) == 1


def test_large_units_are_held_out_as_often_as_small_ones() -> None:
    for size in (1, 20):
        share = held_out(IDS, np.arange(2000) // size, share=0.2).mean()
        assert 0.1 < share < 0.3, size  # the smallest hash of 20, taken as it is, would hold out 0.99


def test_neither_order_nor_new_items_move_an_item() -> None:
    units = np.arange(2000)
    out = held_out(IDS, units, share=0.1)
    order = np.random.default_rng(0).permutation(2000)
    assert (held_out([IDS[n] for n in order], units, share=0.1) == out[order]).all()
    assert (held_out([*IDS, "new.jpg"], np.arange(2001), share=0.1)[:2000] == out).all()


def test_captions_of_pictures_that_share_a_caption_stay_on_one_side() -> None:
    items = tuple(Item(f"{n}.jpg", (f"caption {n // 2}", f"other {n}")) for n in range(400))
    pairs = pairs_of(Dataset("twins", items), share=0.25)
    on_both = {items[n // 2].captions[0] for n in pairs.train} & {
        items[n // 2].captions[0] for n in pairs.held_out
    }
    assert on_both == set()
    assert 50 < len(pairs.held_out) < 350


def test_of_what_an_earlier_choice_left_another_word_holds_out_its_share() -> None:
    ids = [f"{n}.jpg" for n in range(2000)]
    rest = [name for name, out in zip(ids, held_out(ids, np.arange(2000), share=0.2), strict=True) if not out]
    again = np.arange(len(rest))
    assert not held_out(rest, again, share=0.2).any()
    assert 0.17 < held_out(rest, again, share=0.2, within="training").mean() < 0.23
