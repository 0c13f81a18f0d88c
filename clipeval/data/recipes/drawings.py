"""What the files of a package say about their pictures: a caption and a category."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

SHARED = 3
"""A caption that more pictures than this share names their series, not one of them."""


SHORTEST = 3
"""Letters of a caption; fewer say nothing."""


@dataclass(frozen=True)
class Drawing:
    """One picture of a package.

    Attributes
    ----------
    path : Path
    caption : str
    category : str
        The folder at the top.
    """

    path: Path
    caption: str
    category: str


def openclipart(root: Path) -> Iterator[Drawing]:
    """Read Debian's ``openclipart-png``: titles in the files, or the words of their names.

    Parameters
    ----------
    root : Path
        Where the package was unpacked.

    Yields
    ------
    Drawing
        With a caption of its own, or one that few others share.
    """
    top = root / "usr/share/openclipart/png"
    files = [path for path in sorted(top.rglob("*.png")) if not path.is_symlink()]
    titles = [_title(path) for path in files]
    times = Counter(titles)
    captions = [
        title if title and times[title] <= SHARED and not _is_series(title) else words_of(path.stem)
        for path, title in zip(files, titles, strict=True)
    ]
    yield from _few_share(files, captions, top)


def tuxpaint(root: Path) -> Iterator[Drawing]:
    """Read Debian's ``tuxpaint-stamps-default``: the English first line of the text beside each picture.

    Parameters
    ----------
    root : Path
        Where the package was unpacked.

    Yields
    ------
    Drawing
        Pictures that are PNG and have a text; its drawings in SVG are left out.
    """
    top = root / "usr/share/tuxpaint/stamps"
    files, captions = [], []
    for path in sorted(top.rglob("*.png")):
        text = path.with_suffix(".txt")
        if text.is_file() and not path.is_symlink():
            first = text.read_text(encoding="utf-8", errors="replace").splitlines()[:1]
            files.append(path)
            captions.append(first[0].strip() if first else "")
    yield from _few_share(files, captions, top)


def words_of(stem: str) -> str:
    """Turn a file's name into words; numbers are left out.

    Examples
    --------
    >>> words_of("chemistry_flask_matthew__01"), words_of("star_17pt07step")
    ('chemistry flask matthew', 'star')
    """
    words = re.split(r"[\W_]+", stem)
    return " ".join(word for word in words if word and not re.search(r"\d", word)).lower()


def _is_series(title: str) -> bool:
    return bool(re.match(r"(part of|clipart by|various) ", title, re.IGNORECASE))


def _title(path: Path) -> str:
    try:
        with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):
            picture = Image.open(path)  # no pixel is decoded here
        with picture:
            title = str(picture.info.get("Title") or "")
    except (Image.DecompressionBombError, UnidentifiedImageError, OSError):
        return ""  # too large, or broken: its pixels are judged later
    return " ".join(title.split())


def _few_share(files: Sequence[Path], captions: Sequence[str], top: Path) -> Iterator[Drawing]:
    times = Counter(caption.lower() for caption in captions)
    for path, caption in zip(files, captions, strict=True):
        if len(caption) >= SHORTEST and times[caption.lower()] <= SHARED:
            yield Drawing(path, caption, path.relative_to(top).parts[0])
