"""What differs between two fingerprints, in words and in the order of suspicion."""

from __future__ import annotations

import random

from clipeval.baseline.fields import LABELS, NOT_RECORDED, changed_fields
from clipeval.baseline.fingerprint import NOT_SHOWN, PIXELS

ONE, OTHER = "a1" * 32, "b2" * 32


def names(old, new):
    return [change.name for change in changed_fields(old, new)]


def test_equal_fingerprints_have_no_changes():
    words = {"weights": ONE, "python": "3.11", "never heard of": "x"}
    assert changed_fields(words, dict(reversed(words.items()))) == ()
    assert changed_fields({}, {}) == ()


def test_changes_come_in_the_order_of_suspicion_whatever_the_order_of_the_words():
    suspects = [
        "weights", "model", "tokenizer", PIXELS, "dtype", "activation", "attention", "device", "torch",
        "numpy", "batch size",
    ]  # fmt: skip
    words = [*suspects, "python", "clipeval"]
    random.Random(1).shuffle(words)  # noqa: S311
    found = changed_fields(dict.fromkeys(words, "a"), dict.fromkeys(words, "b"))
    assert [change.name for change in found] == [*suspects, "python", "clipeval"]
    assert [change.matters for change in found] == [True] * len(suspects) + [False, False]


def test_what_changes_no_embedding_comes_last_even_behind_unknown_words():
    assert names({"clipeval": "1", "zzz": "1"}, {"clipeval": "2", "zzz": "2"}) == ["zzz", "clipeval"]


def test_a_word_that_one_side_lacks_is_not_recorded_there():
    (gone,) = changed_fields({"attention": "sdpa"}, {})
    (come,) = changed_fields({}, {"attention": "sdpa"})
    assert (gone.old, gone.new, come.old, come.new) == ("sdpa", NOT_RECORDED, NOT_RECORDED, "sdpa")
    assert gone.matters
    assert come.matters


def test_unknown_words_of_another_version_are_shown_under_their_own_name():
    (change,) = changed_fields({}, {"quantisation of the moon": "half"})
    assert (change.label, change.new, change.matters) == ("quantisation of the moon", "half", True)


def test_the_words_of_two_towers_are_told_apart():
    old = {"image: torch": "2.14", "text: torch": "2.14", "projection": "x"}
    new = {"image: torch": "2.15", "text: torch": "2.15", "projection": "x"}
    assert [change.label for change in changed_fields(old, new)] == [
        "image tower, torch version",
        "text tower, torch version",
    ]


def test_hashes_are_cut_to_twelve_digits_unless_that_hides_the_difference():
    (cut,) = changed_fields({"weights": ONE}, {"weights": OTHER})
    assert (cut.label, cut.old, cut.new) == ("weights (SHA-256)", ONE[:12], OTHER[:12])
    (pixels,) = changed_fields({PIXELS: f"8 x 8, sha256 {ONE}"}, {PIXELS: f"9 x 8, sha256 {OTHER}"})
    assert (pixels.old, pixels.new) == (f"8 x 8, sha256 {ONE[:12]}", f"9 x 8, sha256 {OTHER[:12]}")
    (whole,) = changed_fields({"weights": ONE}, {"weights": ONE[:-1] + "0"})
    assert (whole.old, whole.new) == (ONE, ONE[:-1] + "0")


def test_another_name_for_the_same_weights_is_no_suspect():
    for tower in ("", "image: "):
        old = {f"{tower}model": "a", f"{tower}revision": "1", f"{tower}weights": ONE}
        renamed = old | {f"{tower}model": "b", f"{tower}revision": "2"}
        assert [change.matters for change in changed_fields(old, renamed)] == [False, False]
        other = renamed | {f"{tower}weights": OTHER}
        assert [change.matters for change in changed_fields(old, other)] == [True, True, True]
    unhashed = {"model": "a", "weights": "random init, seed 0"}
    assert changed_fields(unhashed, unhashed | {"model": "b"})[0].matters


def test_what_was_not_recorded_and_is_not_shown_tells_nothing():
    (change,) = changed_fields({}, {"attention": NOT_SHOWN})
    assert not change.matters


def test_hostile_words_and_values_are_kept_as_text_and_break_nothing():
    hostile = {
        "\x1b[31m: \n": "\x1b[2J\x00",
        "weights": "x" * 100_000,
        "": "",
        "image: ": "?",
        "n": 3,
        "l": [1],
    }
    found = changed_fields({}, hostile)
    assert len(found) == len(hostile)
    assert all(isinstance(text, str) for change in found for text in (change.label, change.old, change.new))
    assert {change.new for change in found} >= {"\x1b[2J\x00", "3", "[1]"}


def test_every_label_is_unlike_the_others():
    assert len(set(LABELS.values())) == len(LABELS)
