"""Read the files inside a compiled Qt resource archive (`.rcc`), uncompressed or zlib-compressed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

_COMPRESSED, _DIRECTORY, _ZSTD = 1, 2, 4


def rcc_files(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield ``(path, content)`` of every file in the archive, in the archive's own order.

    The layout is Qt's: a header with the offsets of its sections, then a tree of fixed-size nodes, names
    in UTF-16, and data, each piece behind its length. Read here by hand so that Qt need not be installed.
    """
    raw = archive.read_bytes()
    if raw[:4] != b"qres":
        raise ValueError(f"{archive}: not a Qt resource archive")
    version, tree, data, names = struct.unpack_from(">IIII", raw, 4)
    node_size = 14 if version == 1 else 22  # later versions append a modification time

    def name_at(offset: int) -> str:
        (length,) = struct.unpack_from(">H", raw, names + offset)
        start = names + offset + 6  # behind the length and a hash
        return raw[start : start + 2 * length].decode("utf-16-be")

    def walk(index: int, folder: str) -> Iterator[tuple[str, bytes]]:
        node = tree + index * node_size
        name_offset, flags = struct.unpack_from(">IH", raw, node)
        path = f"{folder}/{name_at(name_offset)}" if index else ""  # the root has no name
        if flags & _DIRECTORY:
            count, first = struct.unpack_from(">II", raw, node + 6)
            for child in range(first, first + count):
                yield from walk(child, path)
            return
        (offset,) = struct.unpack_from(">I", raw, node + 10)
        (length,) = struct.unpack_from(">I", raw, data + offset)
        content = raw[data + offset + 4 : data + offset + 4 + length]
        if flags & _ZSTD:
            raise ValueError(f"{archive}: {path} is compressed with zstd, which is not supported here")
        yield path, zlib.decompress(content[4:]) if flags & _COMPRESSED else content

    yield from walk(0, "")
