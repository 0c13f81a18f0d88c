"""Paths of the user's machine, kept out of a page that is made to be shown to others."""

from __future__ import annotations

import re
from pathlib import Path

# a slash that begins a path: not inside a word (i2t/t2i), not of an address (https://host/…)
_PATH = re.compile(r"""(?<![\w/\\.~…-])(?:~|[A-Za-z]:)?[/\\](?![/\\\s])[^\s'"<>|,;()?&=]*""")


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
    """
    for place in {str(Path.home()), str(Path.cwd())} - {"/"}:
        text = text.replace(place + "/", "/-/")  # a folder's name may hold a blank, which ends a path below
    return _PATH.sub(lambda found: "…/" + re.split(r"[/\\]", found[0].rstrip("/\\"))[-1], text)
