"""JSON with errors that name the line, and the few shapes that captions come in."""

from __future__ import annotations

import json
from typing import Any

from clipeval.data.plain_file import decode_utf8, read_plain
from clipeval.data.remote_path import AnyPath
from clipeval.errors import DatasetError


def read_json(path: AnyPath) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path : Path or RemotePath
        UTF-8, with or without a byte-order mark.

    Returns
    -------
    object
        What it holds.

    Raises
    ------
    DatasetError
        The file is missing, not UTF-8 or not JSON; names line and column.
    """
    return parse_json(read_plain(path), where=path.name)


def parse_json(data: bytes, *, where: str) -> Any:
    r"""Parse JSON bytes.

    Parameters
    ----------
    data : bytes
        UTF-8, with or without a byte-order mark.
    where : str
        What an error calls them.

    Returns
    -------
    object
        What they hold.

    Raises
    ------
    DatasetError
        Not UTF-8, not JSON (names line and column), nested too deeply, or a number of thousands of digits.

    Examples
    --------
    >>> parse_json(b'[1,\n 2 3]', where="metadata.json")
    Traceback (most recent call last):
    clipeval.errors.DatasetError: this is not JSON: Expecting ',' delimiter
      where: metadata.json, line 2, column 4
      to do: correct the file at that place
    """
    text = decode_utf8(data, where=where)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DatasetError(
            f"this is not JSON: {error.msg}",
            where=f"{where}, line {error.lineno}, column {error.colno}",
            fix="correct the file at that place",
        ) from error
    except RecursionError as error:
        raise DatasetError(
            "the JSON is nested too deeply", where=where, fix="write a flat list of entries"
        ) from error
    except ValueError as error:  # Python refuses to convert numbers of more than 4300 digits
        raise DatasetError(
            "the JSON holds a number of thousands of digits", where=where, fix="write it as text"
        ) from error


def captions_from(value: object, *, where: str) -> tuple[str, ...]:
    """Accept one caption or a list of captions.

    Parameters
    ----------
    value : object
        A string or a list of strings.
    where : str
        File and row.

    Returns
    -------
    tuple of str
        At least one, none blank, exactly as written.

    Raises
    ------
    DatasetError
        Another type, an empty list or a blank caption.

    Examples
    --------
    >>> captions_from(["a cat", "a pet"], where="metadata.json, row 0")
    ('a cat', 'a pet')
    """
    captions = [value] if isinstance(value, str) else value
    if not isinstance(captions, list | tuple) or not all(isinstance(caption, str) for caption in captions):
        raise DatasetError(
            f"captions must be text or a list of texts, not {type(value).__name__}",
            where=where,
            fix='write "captions": ["...", "..."]',
        )
    if not captions:
        raise DatasetError("there is no caption", where=where, fix="write one or remove the row")
    for number, caption in enumerate(captions):
        if not caption.strip():
            place = f"{where}, caption {number}" if len(captions) > 1 else where
            raise DatasetError("the caption is empty", where=place, fix="write it or remove the row")
    return tuple(captions)
