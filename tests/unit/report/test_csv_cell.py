"""Cells of CSV files that a spreadsheet would run."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipeval.report.csv_cell import safe_cell
from clipeval.report.files import write_csv

FORMULAS = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "＝1+1"]
BEFORE = ["", " ", "   ", '"', "'", ' "', "\xa0", "\ufeff", "' ", "''"]


def read_cell(cell: str) -> str:
    """Take the apostrophe off again, as a reader of our files would."""
    return cell[1:] if cell[:1] == "'" and safe_cell(cell[1:]) != cell[1:] else cell


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("before", BEFORE)
def test_no_cell_begins_with_what_a_spreadsheet_would_run(before: str, formula: str) -> None:
    if formula[0] in "\t\r\n" and before:
        return  # white space further in starts nothing
    assert safe_cell(before + formula) == "'" + before + formula


@pytest.mark.parametrize("text", ["a cat", "a =1+1", "'tis a cat", "", "''", "5 - 3", "“quoted”", "me@home"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert safe_cell(text) == text


@given(st.text(alphabet=st.sampled_from("=+-@'\" \t\ra1"), max_size=6) | st.text(max_size=20))
def test_every_text_comes_back_as_it_was(text: str) -> None:
    assert read_cell(safe_cell(text)) == text


def test_a_number_is_no_text_and_stays_a_number(tmp_path: Path) -> None:
    write_csv(tmp_path / "x.csv", [[-1.5, 2, "-1.5", " =1"]])
    with (tmp_path / "x.csv").open(newline="", encoding="utf-8") as stream:
        assert next(csv.reader(stream)) == ["-1.5", "2", "'-1.5", "' =1"]
    assert (tmp_path / "x.csv").read_text(encoding="utf-8").startswith("-1.5,2,")
