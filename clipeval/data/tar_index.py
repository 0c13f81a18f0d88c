"""What a tar file holds and where, read to its very end; nothing is ever unpacked."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass

from clipeval.data.plain_file import check_plain
from clipeval.data.remote_path import AnyPath
from clipeval.data.safe_path import relative_name
from clipeval.errors import DatasetError

MAX_TEXT = 16 * 2**20


@dataclass(frozen=True)
class Member:
    """One file in a tar.

    Parameters
    ----------
    name : str
        Its path, in one spelling.
    offset, size : int
        Where its bytes lie in the tar.
    text : bytes
        The content of ``.json`` and ``.txt`` members; empty for others.
    """

    name: str
    offset: int
    size: int
    text: bytes = b""


def read_tar(path: AnyPath) -> list[Member]:
    """List the files of a tar, and read the small text ones.

    Parameters
    ----------
    path : Path or RemotePath
        An uncompressed tar.

    Returns
    -------
    list of Member
        In order, folders left out.

    Raises
    ------
    DatasetError
        Missing, no plain file, compressed, truncated or corrupt (also where Python's tarfile would stop in
        silence), a link or device among the members, or a member path that leaves the archive.
    """
    check_plain(path)
    try:
        with (
            path.open("rb") as file,
            tarfile.open(fileobj=file, mode="r:", errors="strict", encoding="utf-8") as archive,
        ):
            members = [_member(archive, info, shard=path.name) for info in archive if not info.isdir()]
            file.seek(archive.offset)
            rest = file.read()
    except OSError as error:
        raise DatasetError(
            f"the shard cannot be read: {error.strerror}", where=str(path), fix="check the path"
        ) from error
    except (tarfile.TarError, ValueError) as error:
        with path.open("rb") as file:
            zipped = file.read(2) in {b"\x1f\x8b", b"BZ", b"\xfd7", b"\x28\xb5"}
        if zipped:
            raise DatasetError(
                "the shard is compressed", where=path.name, fix="decompress it: pictures are read in place"
            ) from error
        raise _corrupt(str(error), path=path) from error
    # tarfile takes any unreadable header after the first for the end: what is behind would be lost in silence
    if len(rest) < tarfile.BLOCKSIZE or any(rest[: tarfile.BLOCKSIZE]):
        raise _corrupt("no end mark after the last member", path=path)
    if any(rest):
        raise _corrupt("there is more behind the end mark; were two tars joined?", path=path)
    return members


def _member(archive: tarfile.TarFile, info: tarfile.TarInfo, *, shard: str) -> Member:
    where = f"{shard}: {info.name}"
    if not info.isreg() or info.issparse():
        raise DatasetError(
            "the member is not a plain file", where=where, fix="pack the file itself, not a link"
        )
    name = relative_name(info.name, where=where)
    text = b""
    if name.lower().endswith((".json", ".txt")):
        if info.size > MAX_TEXT:
            raise DatasetError(
                f"the text is too large: {info.size} bytes, the limit is {MAX_TEXT}",
                where=where,
                fix="keep only captions in it",
            )
        content = archive.extractfile(info)
        text = content.read() if content else b""
    return Member(name, info.offset_data, info.size, text)


def _corrupt(detail: str, *, path: AnyPath) -> DatasetError:
    return DatasetError(
        f"the shard is truncated or corrupt ({detail})", where=path.name, fix="fetch it again"
    )
