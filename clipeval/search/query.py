"""What is searched for: a text, or a picture in a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clipeval.data.dataset import Item, PictureSource
from clipeval.data.pictures import PICTURE_SUFFIXES
from clipeval.errors import DatasetError

NO_CAPTION = "a picture"
"""Stands for the caption that an item must have, where only its picture is encoded."""


@dataclass(frozen=True)
class Query:
    """One question.

    Attributes
    ----------
    text : str
        What is searched for; of a picture the name of its file, without folders.
    picture : PictureSource or None
        None where a text is searched for.
    """

    text: str
    picture: PictureSource | None = None

    @property
    def item(self) -> Item:
        """The question as an item, for the encoder."""
        return Item("query", (NO_CAPTION if self.picture else self.text,), self.picture)


def query_of(text: str | None, image: Path | None) -> Query:
    """Read a question as the command line has it.

    Parameters
    ----------
    text : str or None
        A text; or the path of a picture that exists, which is then a question by picture.
    image : Path or None
        A picture; then there is no text.

    Returns
    -------
    Query

    Raises
    ------
    DatasetError
        Both or neither are given, the text is blank, or the file is not there.

    Examples
    --------
    >>> query_of("a cat", None)
    Query(text='a cat', picture=None)
    """
    if (text is None) == (image is None):
        raise DatasetError(
            "one question at a time: a text or a picture" if image else "nothing is asked for",
            fix="give a text in quotes, or a picture with --image FILE",
        )
    if image is None:
        asked = text or ""
        if not asked.strip():
            raise DatasetError("the text is empty", fix="write what is searched for, in quotes")
        if not _is_picture(asked):
            return Query(asked)
        image = Path(asked)
    if not image.is_file():
        raise DatasetError(
            "there is no such picture", where=str(image), fix="check the path, or ask with a text"
        )
    return Query(image.name, PictureSource(image.name, image.read_bytes))


def _is_picture(text: str) -> bool:
    try:
        return Path(text).suffix.lower() in PICTURE_SUFFIXES and Path(text).is_file()
    except (OSError, ValueError):  # longer than a path may be, or with a character that none may have
        return False
