"""Emoji: one picture for each, drawn from its SVG, with the words of its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from clipeval.data.recipes.drawings import Drawing, words_of
from clipeval.errors import DatasetError, MissingExtraError

CATEGORY = "emoji"
_SKIN = re.compile(r"-(?:light|medium-light|medium|medium-dark|dark)$")


def fluentui(root: Path) -> Iterator[Drawing]:
    """Read npm's ``fluentui-emoji``: its flat drawings, of people those without a skin tone.

    Parameters
    ----------
    root : Path
        Where the package was unpacked; a PNG is written beside each SVG.

    Yields
    ------
    Drawing

    Raises
    ------
    MissingExtraError
        resvg-py is not installed.
    DatasetError
        A drawing is no SVG.
    """
    try:
        import resvg_py
    except ImportError as error:
        raise MissingExtraError("resvg-py", extra="datasets") from error
    files = sorted((root / "package/icons/flat").glob("*.svg"))
    for path in files:
        if _SKIN.search(path.stem):
            continue
        caption = words_of(path.stem.removesuffix("-default"))
        if not caption:
            continue
        picture = path.with_suffix(".png")
        try:
            # from a string: paths in it lead nowhere
            drawn = resvg_py.svg_to_bytes(
                svg_string=path.read_text(encoding="utf-8"),
                width=256,
                background="#ffffff",
                skip_system_fonts=True,
            )
        except ValueError as error:
            raise DatasetError(f"a drawing is no SVG: {error}", where=path.name) from error
        picture.write_bytes(drawn)
        yield Drawing(picture, caption, CATEGORY)
