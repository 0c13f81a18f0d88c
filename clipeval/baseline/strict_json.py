"""Bytes that claim to be a baseline: read as strict JSON, or refused with the line and the likely cause."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from clipeval.errors import BaselineError

AGAIN = "write it again: clipeval baseline save --force, or pytest --clipeval-update"
REVIEW = f"review it, then {AGAIN}"
RESTORE = f"restore the file, for example with git checkout, or {AGAIN}"

_CONFLICT = re.compile(rb"^(?:<{7}|={7}|>{7}|\|{7})(?:[ \r\n]|$)", re.MULTILINE)
_FIRST_LINE_OF_POINTER = b"version https://git-lfs.github.com/spec/"


def is_pointer(content: bytes) -> bool:
    r"""Say whether a file is what git-lfs puts in place of one that was not fetched.

    Examples
    --------
    >>> is_pointer(b"version https://git-lfs.github.com/spec/v1" + b"\noid sha256:12\nsize 5\n")
    True
    """
    return content.startswith(_FIRST_LINE_OF_POINTER)


def parse_object(content: bytes, *, where: str) -> dict[str, Any]:
    r"""Parse a whole file.

    Stricter than `json.loads`: no key twice, no NaN, no infinity.

    Parameters
    ----------
    content : bytes
        UTF-8, with or without a byte-order mark.
    where : str
        What an error calls the file.

    Returns
    -------
    dict

    Raises
    ------
    BaselineError
        Empty, merge conflict markers, a git-lfs pointer, not text, broken off, not JSON, no object.

    Examples
    --------
    >>> parse_object(b'{\n<<<<<<< HEAD\n', where="clip.json")
    Traceback (most recent call last):
    clipeval.errors.BaselineError: the file holds merge conflict markers
      where: clip.json, line 2
      to do: review it, then write it again: clipeval baseline save --force, or pytest --clipeval-update
    """
    text = _text(content, where=where)
    try:
        value = json.loads(text, object_pairs_hook=_no_key_twice, parse_constant=_not_a_number)
    except json.JSONDecodeError as error:
        end = text.rstrip()
        on_last_line = error.lineno == end.count("\n") + 1 and not end.endswith("}")
        broken_off = end.lstrip().startswith("{") and (error.pos >= len(end) or on_last_line)
        line = end.count("\n") + 1 if broken_off else error.lineno
        what = "the file breaks off before its end" if broken_off else f"this is not JSON: {error.msg}"
        raise BaselineError(what, where=f"{where}, line {line}", fix=RESTORE) from error
    except RecursionError as error:
        raise BaselineError(
            "the JSON is nested too deeply for a baseline", where=where, fix=RESTORE
        ) from error
    except _RefusedError as error:
        raise BaselineError(str(error), where=_first_line(text, error.word, where), fix=REVIEW) from error
    except ValueError as error:  # Python refuses to convert numbers of more than 4300 digits
        raise BaselineError(
            "the file holds a number of thousands of digits", where=where, fix=REVIEW
        ) from error
    if not isinstance(value, dict):
        raise BaselineError(
            "this is JSON, but no baseline", where=where, fix="name a file of clipeval baseline save"
        )
    return value


class _RefusedError(Exception):
    def __init__(self, what: str, word: str) -> None:
        super().__init__(what)
        self.word = word


def _text(content: bytes, *, where: str) -> str:
    if not content.strip():
        raise BaselineError("the file is empty", where=where, fix=RESTORE)
    if is_pointer(content):
        raise BaselineError(
            "this is a git-lfs pointer, not the file itself", where=where, fix="run git lfs pull"
        )
    conflict = _CONFLICT.search(content)
    if conflict:
        line = content.count(b"\n", 0, conflict.start()) + 1
        raise BaselineError(
            "the file holds merge conflict markers", where=f"{where}, line {line}", fix=REVIEW
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BaselineError(
            "the file is not UTF-8 text, so it is no baseline", where=f"{where}, line {line}", fix=RESTORE
        ) from error


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _RefusedError(f"the key {key[:80]!r} stands twice in one object", key)
            seen.add(key)
    return found


def _not_a_number(word: str) -> NoReturn:
    raise _RefusedError(f"{word} is no number that a baseline may hold", word)


def _first_line(text: str, word: str, where: str) -> str:
    """Name the line where a word stands that is certain to be refused; which of several keys is not known."""
    lines = [number for number, line in enumerate(text.split("\n"), start=1) if word in line]
    return f"{where}, line {lines[0]}" if len(lines) == 1 else where
