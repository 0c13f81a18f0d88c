"""Saving and loading a snapshot: a file to be committed."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from dataclasses import replace as changed
from pathlib import Path

from clipeval.baseline.data_path import data_as_stored
from clipeval.baseline.document import FORMAT, VERSION, RowsFile, baseline_document, document_text
from clipeval.baseline.plain_bytes import plain_file, read_bytes
from clipeval.baseline.reading import snapshot_from
from clipeval.baseline.rows_file import read_rows, remove_other_rows, rows_content, rows_file
from clipeval.baseline.snapshot import Snapshot
from clipeval.baseline.strict_json import REVIEW, parse_object
from clipeval.baseline.whole_files import only_writer, remove_leftovers, write_whole
from clipeval.errors import BaselineError

MAX_BYTES = 512 * 2**20
"""A larger file is not read: 1,000 pictures with 5,000 captions take about 1 MB."""

ELSEWHERE = "name another file"
_BEGINNING = re.compile(rb'"format"\s*:\s*"' + FORMAT.encode() + rb'"')


def save_baseline(
    path: str | Path, snapshot: Snapshot, *, embeddings: bool = False, replace: bool = False
) -> tuple[Path, ...]:
    """Write a baseline.

    The same snapshot gives the same bytes on every machine. What is written is checked first as if it were
    read; then it is written whole or not at all. Processes that write at once wait for one another.

    Parameters
    ----------
    path : str or Path
        A JSON file; its folder is made if absent. A link is followed.
    snapshot : Snapshot
        ``data`` as the user named it from the working folder; `data_as_stored` says what the file holds.
        Scores are rounded to 7 decimals; ``notes`` are not kept.
    embeddings : bool, optional
        Also write ``STEM-HASH.safetensors`` beside it. Earlier ones of the same baseline are removed, with or
        without this option; a copy of the JSON in the same folder then loads without rows.
    replace : bool, optional
        Whether a baseline that is there, whole or broken, is replaced. Another file never is. An existing
        file's permissions are kept.

    Returns
    -------
    tuple of Path
        What was written, the JSON first.

    Raises
    ------
    BaselineError
        There is a file already; it cannot be written; a text that UTF-8 cannot write. The old files are as
        they were.

    Examples
    --------
    >>> import tempfile
    >>> from clipeval.baseline.snapshot import take_snapshot
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> evaluation = evaluation_of_rows([[1, 0], [0, 1]], [[1, 0], [0, 1]])
    >>> kept = take_snapshot(evaluation, fingerprint={}, data="embedded")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = save_baseline(Path(folder, "clip.json"), kept)
    ...     load_baseline(written[0]).t2i.hits(1).tolist()
    [1.0, 1.0]
    """
    shown = Path(path)
    _earlier(shown, replace=replace)
    target = Path(os.path.realpath(shown))
    content = rows_content(snapshot) if embeddings else b""
    rows = rows_file(target, content) if embeddings else None
    kept = changed(snapshot, data=data_as_stored(snapshot.data, file=target))
    document = baseline_document(kept, rows=rows)
    snapshot_from(document, where=shown.name, fix="rename what the place names, then measure again")
    text = document_text(document).encode()
    if len(text) > MAX_BYTES:
        raise BaselineError(
            f"the baseline would be too large: {len(text) / 1e6:,.0f} MB",
            where=str(shown),
            fix="keep one of a part of the data, with --limit",
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with only_writer(target):
            mode = _earlier(shown, replace=replace)  # again: another process may have been first
            remove_leftovers(target)
            _write(target, text, mode=mode, rows=rows, content=content)
    except OSError as error:
        raise BaselineError(
            f"the baseline cannot be written: {error.strerror or error}",
            where=str(shown)[:200],
            fix=ELSEWHERE,
        ) from error
    if rows is None:
        return (shown,)
    return shown, (target if shown.is_symlink() else shown).parent / rows.name


def load_baseline(path: str | Path) -> Snapshot:
    """Read a baseline.

    Every value is checked, then the checksum; nothing in the file is executed.

    Parameters
    ----------
    path : str or Path
        From `save_baseline`, by this or another version of clipeval.

    Returns
    -------
    Snapshot
        ``data`` is as stored; see `clipeval.baseline.data_path.data_as_found`. With rows where they were kept
        and are there; ``notes`` say if they were kept and are not.

    Raises
    ------
    BaselineError
        No such file, no baseline, a newer format, edited by hand, broken; names file and place.

    Examples
    --------
    >>> load_baseline("nowhere.json")
    Traceback (most recent call last):
    clipeval.errors.BaselineError: there is no such baseline
      where: nowhere.json
      to do: check the path, or write it with clipeval baseline save
    """
    shown = Path(path)
    while True:
        content = read_bytes(shown, limit=MAX_BYTES)
        if content is None:
            raise BaselineError(
                "there is no such baseline",
                where=str(shown)[:200],
                fix="check the path, or write it with clipeval baseline save",
            )
        snapshot, rows = _parsed(content, where=str(shown))
        if rows is None:
            return snapshot
        found = read_rows(Path(os.path.realpath(shown)), rows, snapshot)
        if not isinstance(found, str):
            return changed(snapshot, images=found[0], texts=found[1])
        if read_bytes(shown, limit=MAX_BYTES) == content:  # else somebody wrote it in between
            return changed(snapshot, notes=(found,))


def check_target(path: str | Path, *, replace: bool = False) -> None:
    """Say before a long job, rather than after it, that its baseline could not be written.

    Parameters
    ----------
    path : str or Path
        The file to write. Nothing is made.
    replace : bool, optional
        As for `save_baseline`.

    Raises
    ------
    BaselineError
        What `save_baseline` would say.

    Examples
    --------
    >>> check_target("baselines/clip.json")
    """
    shown = Path(path)
    _earlier(shown, replace=replace)
    target = Path(os.path.realpath(shown))
    nearest = next(place for place in target.parents if os.path.lexists(place))
    if not nearest.is_dir():
        raise BaselineError("a file is in the way of the folder", where=str(nearest), fix=ELSEWHERE)
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise BaselineError("the folder may not be written to", where=str(nearest), fix=ELSEWHERE)


def _parsed(content: bytes, *, where: str) -> tuple[Snapshot, RowsFile | None]:
    document = parse_object(content, where=where)
    snapshot, rows = snapshot_from(document, where=where, fix=REVIEW)
    if baseline_document(snapshot, rows=rows)["sha256"] != document["sha256"]:
        raise BaselineError(
            "the baseline was edited by hand or merged: its content does not fit its checksum",
            where=f"{where}, sha256",
            fix=REVIEW,
        )
    return snapshot, rows


def _earlier(path: Path, *, replace: bool) -> int | None:
    """Look at what is there: give its permissions, or None for nothing; refuse what may not be replaced."""
    found = plain_file(path)
    if found is None:
        return None
    if not replace:
        raise BaselineError(
            "there is a file already",
            where=str(path),
            fix="replace a baseline with --force, or name another file",
        )
    content = read_bytes(path, limit=MAX_BYTES) or b""
    try:
        document = parse_object(content, where=str(path))
    except BaselineError:
        # broken off, edited or merged, it is still a baseline; an empty file is nothing to lose
        ours, version = not content.strip() or bool(_BEGINNING.search(content[:4096])), None
    else:
        ours, version = document.get("format") == FORMAT, document.get("version")
    if not ours:
        raise BaselineError("this file is no baseline; it is not replaced", where=str(path), fix=ELSEWHERE)
    if type(version) is int and version > VERSION:
        raise BaselineError(
            "this baseline was made by a newer clipeval; it is not replaced",
            where=str(path),
            fix="pip install -U clipeval, or name another file",
        )
    if not os.access(path, os.W_OK):
        raise BaselineError("the file may not be written to", where=str(path), fix="check its permissions")
    return stat.S_IMODE(found.st_mode)


def _write(path: Path, text: bytes, *, mode: int | None, rows: RowsFile | None, content: bytes) -> None:
    beside = path.parent / rows.name if rows else None
    new = False
    try:
        if beside and not (beside.is_file() and beside.read_bytes() == content):
            new = not os.path.lexists(beside)
            write_whole(beside, content, mode=None, owner=path)
        write_whole(path, text, mode=mode, owner=path)
    except BaseException:
        if beside and new:
            beside.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # the baseline is written; what is left over does no harm
        remove_other_rows(path, keep=rows)
