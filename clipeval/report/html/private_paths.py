"""Paths of the user's machine, kept out of a page that is made to be shown to others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

# a slash that begins a path: not inside a word (i2t/t2i), not of an address (https://host/…)
_NAME = r"""(?<![\w/\\.~…-])(?:~|[A-Za-z]:)?[/\\](?![/\\\s])[^\s'"<>|,;()?&=]*"""
# a blank is part of the path where the next words, four at most, end in a slash: a folder's name ...
_MORE = r"""\ +(?:[^\s'"<>|,;()?&=:/\\]+\ +){0,3}[^\s'"<>|,;()?&=:/\\]+[/\\][^\s'"<>|,;()?&=]*"""
# ... but not behind a colon, or what ends as a file does (.npz, .json, .parquet, .safetensors)
_OPEN = r"(?<!:)" + "".join(rf"(?<!\.\w{{{length}}})" for length in (2, 3, 4, 7, 11))
_PATH = re.compile(f"{_NAME}(?:{_OPEN}{_MORE})*")


def without_paths(text: str) -> str:
    """Shorten every path in a text to its last part.

    Parameters
    ----------
    text : str
        A reason, a model spec, an entry of a fingerprint.

    Returns
    -------
    str
        Names of hubs, addresses of web pages and plain fractions stay as they are.

    Examples
    --------
    >>> without_paths("frozen:/data/users/me/rows.npz is not a file")
    'frozen:…/rows.npz is not a file'
    >>> without_paths("'/home/me/photos' has no pictures; see https://a.org/b/c, i2t/t2i, and ~/.cache/hub")
    "'…/photos' has no pictures; see https://a.org/b/c, i2t/t2i, and …/hub"
    >>> without_paths("preclip:a+b?projection=ridge&fit=/home/me/train/&k=1")
    'preclip:a+b?projection=ridge&fit=…/train&k=1'
    >>> without_paths("frozen:/data/my old photos/the rows.npz is absent")
    'frozen:…/the rows.npz is absent'
    >>> without_paths("cannot read /data/rows.npz because openai/clip-vit is absent")
    'cannot read …/rows.npz because openai/clip-vit is absent'
    >>> without_paths("cannot open file:///home/me/a.npz")
    'cannot open …/a.npz'
    """
    for place in {str(Path.home()), str(Path.cwd())} - {"/"}:
        text = text.replace(place + "/", "/-/")  # a folder's name may hold a blank, which ends a path below
    text = text.replace("file://", "")  # an address of this machine is a path
    return _PATH.sub(lambda found: "…/" + re.split(r"[/\\]", found[0].rstrip("/\\"))[-1], text)


OF_OTHERS = frozenset({"caption", "captions", "item", "rival", "worst", "statement", "source", "id"})
"""Keys of texts from the data: what looks like a path in them is part of a caption or of an item's name."""


def document_without_paths(document: Any) -> Any:
    """Shorten the paths in all texts of a JSON document, but for those of the data.

    Parameters
    ----------
    document : JSON
        Mappings, lists, texts, numbers.

    Returns
    -------
    JSON
        A copy.

    Examples
    --------
    >>> document_without_paths({"old": "frozen:/data/me/a.npz", "flips": [{"caption": "cats /dogs/birds"}]})
    {'old': 'frozen:…/a.npz', 'flips': [{'caption': 'cats /dogs/birds'}]}
    """
    if isinstance(document, str):
        return without_paths(document)
    if isinstance(document, list | tuple):
        return [document_without_paths(one) for one in document]
    if isinstance(document, dict):
        return {
            key: value if key in OF_OTHERS else document_without_paths(value)
            for key, value in document.items()
        }
    return document
