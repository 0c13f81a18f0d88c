from __future__ import annotations

import re

import pytest

from clipeval.report.names import display_name, display_names, folder_names
from clipeval.report.text import printable, wrapped


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ("hf:openai/clip-vit-base-patch32", "hf openai/clip-vit-base-patch32"),
        ("hf:openai/clip-vit-base-patch32@v1", "hf openai/clip-vit-base-patch32@v1"),
        ("hf:/home/me/models/my-clip", "hf my-clip"),
        ("hf:./my-clip", "hf my-clip"),
        ("open_clip:ViT-B-32-quickgelu/openai", "open_clip ViT-B-32-quickgelu/openai"),
        ("open_clip:local-dir:/home/me/vit", "open_clip local-dir:vit"),
        ("frozen:/data/a+b.npz", "frozen a+b.npz"),
        ("frozen:C:\\me\\a.npz", "frozen a.npz"),
        (
            "preclip:frozen:/data/r50.npy+all-MiniLM-L6-v2?projection=gaussian&seed=1",
            "preclip frozen:r50.npy + all-MiniLM-L6-v2 (projection=gaussian, seed=1)",
        ),
        ("python:mine.encoders:make", "python mine.encoders:make"),
    ],
)
def test_a_model_is_shown_with_everything_but_the_folders_of_this_machine(spec: str, shown: str) -> None:
    assert display_name(spec) == shown


def test_two_files_of_one_name_are_told_apart_by_as_few_folders_as_needed() -> None:
    specs = ["frozen:/x/old/run/rows.npz", "frozen:/x/new/run/rows.npz", "frozen:/x/new/run/other.npz"]
    assert list(display_names(specs).values()) == [
        "frozen old/run/rows.npz",
        "frozen new/run/rows.npz",
        "frozen other.npz",
    ]


def test_control_characters_and_direction_overrides_are_spelt_out_and_scripts_are_left() -> None:
    assert printable("\x1b[31mred\x1b[0m\n\x00\u202e") == "\\x1b[31mred\\x1b[0m\\n\\x00\\u202e"
    assert printable("half a pair \udcff") == "half a pair \\udcff"
    for text in ("مرحبا", "שלום", "日本語", "👨‍👩‍👧 família", "$x_1^2$ [red]"):
        assert printable(text) == text


def test_long_text_is_cut_to_the_length_and_says_so() -> None:
    assert printable("x" * 50, longest=10) == "x" * 9 + "…"
    assert printable("x" * 10, longest=10) == "x" * 10
    lines = wrapped("word " * 100, width=20, lines=3).splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= 20
    assert lines[-1].endswith("…")


@pytest.mark.parametrize(
    "specs",
    [
        ["hf:a/b", "hf:a-b", "hf:a_b", "hf:A/B"],
        ["frozen:../../etc/passwd", "frozen:..", "python:m:f"],
        ["frozen:" + "x" * 300 + "1", "frozen:" + "x" * 300 + "2", "frozen:日本"],
    ],
)
def test_folder_names_are_safe_and_differ_even_where_case_does_not_count(specs: list[str]) -> None:
    names = list(folder_names(specs).values())
    assert len({name.lower() for name in names}) == len(specs)
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,90}", name)
        assert ".." not in name or not name.startswith(".")
