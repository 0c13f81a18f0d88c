"""A folder belongs to the command that wrote its document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clipeval.errors import ClipevalError
from clipeval.report.html.recognise import BENCH, KEYS
from clipeval.report.taken import COMMANDS, check_document, check_free

KINDS = {
    "comparison": "comparison.json",
    "claims": "claims.json",
    "swap": "swap.json",
    "training": "training.json",
}


def document(path: Path, kind: str) -> Path:
    path.write_text(json.dumps(dict.fromkeys(KEYS[kind])), encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mine", KINDS)
def test_a_folder_with_another_commands_document_is_refused_and_ones_own_is_not(
    tmp_path: Path, kind: str, mine: str
) -> None:
    document(tmp_path / KINDS[kind], kind)
    if kind == mine:
        check_free(tmp_path, KINDS[mine])
        return
    with pytest.raises(ClipevalError) as caught:
        check_free(tmp_path, KINDS[mine])
    what, where, todo = str(caught.value).splitlines()
    assert COMMANDS[kind] in what
    assert KINDS[kind] in what
    assert str(tmp_path) in where
    assert "another folder" in todo


@pytest.mark.parametrize("content", ["", "[]", '{"training": []}'])
def test_a_file_of_the_users_own_that_has_such_a_name_is_in_nobodys_way(tmp_path: Path, content: str) -> None:
    (tmp_path / "training.json").write_text(content)
    check_free(tmp_path, "swap.json")


def test_a_benchmark_replaces_a_benchmark_and_nothing_else(tmp_path: Path) -> None:
    check_document(tmp_path / "absent.json", BENCH)
    check_document(document(tmp_path / "mine.json", BENCH), BENCH)
    with pytest.raises(ClipevalError, match="clipeval compare"):
        check_document(document(tmp_path / "other.json", "comparison"), BENCH)
