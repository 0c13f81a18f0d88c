"""Whether an encoded picture goes on to its end mark, which Pillow does not ask for in PNG and GIF."""

from __future__ import annotations

_PNG_START = 8
_GIF_START = 13


def is_complete(data: bytes, *, kind: str) -> bool:
    """Say whether a file that decodes has its end mark; bytes behind the mark are nobody's business.

    Parameters
    ----------
    data : bytes
        A file that Pillow has decoded.
    kind : str
        Pillow's name of the format.

    Returns
    -------
    bool
        True for formats other than PNG and GIF: there Pillow itself notices every cut that matters.

    Examples
    --------
    >>> is_complete(b"GIF89a" + bytes(7) + b";", kind="GIF"), is_complete(b"GIF89a" + bytes(7), kind="GIF")
    (True, False)
    """
    if kind == "PNG":
        return _png(data)
    return _gif(data) if kind == "GIF" else True


def _png(data: bytes) -> bool:
    # length, type, content, checksum: https://www.w3.org/TR/png-3/#5Chunk-layout
    at = _PNG_START
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"IEND":
            return end <= len(data)
        at = end
    return False


def _gif(data: bytes) -> bool:
    # https://www.w3.org/Graphics/GIF/spec-gif89a.txt, appendix A and section 27
    at = _GIF_START + _table(data[10:11])
    while at < len(data):
        mark = data[at : at + 1]
        at += 1
        if mark == b";":
            return True
        if mark == b"!":
            at = _behind_blocks(data, at + 1)
        elif mark == b",":
            at = _behind_blocks(data, at + 10 + _table(data[at + 8 : at + 9]))
        # anything else is filling between blocks, which Pillow skips too
    return False


def _table(flags: bytes) -> int:
    """Give the bytes of a colour table from the byte that announces it."""
    return 3 * 2 ** ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _behind_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1
