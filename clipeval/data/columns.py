"""Which column of a table holds the picture, the captions, the category, the id."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from clipeval.errors import DatasetError, near

ALIASES = {
    "filename": ("filename", "file_name", "file", "image", "image_path", "img", "picture", "path"),
    "caption": ("caption", "captions", "text", "sentence", "sentences", "description", "productdisplayname"),
    "category": ("category", "class", "label", "mastercategory"),
    "id": ("id", "image_id", "filename", "file_name", "key"),
}
"""Accepted spellings of each role, the preferred one first; capitals do not matter."""


def find_column(columns: Sequence[str], role: str, *, where: str, chosen: str | None = None) -> str | None:
    """Find the column for a role.

    Parameters
    ----------
    columns : sequence of str
        The names in the table.
    role : str
        A key of ``ALIASES``.
    where : str
        The file, for errors.
    chosen : str, optional
        The column the user named; then no other is considered.

    Returns
    -------
    str or None
        The name as the table spells it, or None where no column has one of the role's names.

    Raises
    ------
    DatasetError
        The chosen column does not exist (near match offered), or several columns could be meant.

    Examples
    --------
    >>> find_column(["Image", "Text", "split"], "caption", where="captions.csv")
    'Text'
    >>> find_column(["image", "text"], "caption", where="part.parquet", chosen="txt")
    Traceback (most recent call last):
    clipeval.errors.DatasetError: there is no column 'txt'
      where: part.parquet
      to do: did you mean 'text'?
    """
    if chosen is not None:
        if chosen not in columns:
            raise DatasetError(f"there is no column '{chosen}'", where=where, fix=near(chosen, columns))
        return chosen
    plain = [column.strip().lower() for column in columns]
    for alias in ALIASES[role]:
        if plain.count(alias) > 1:
            raise DatasetError(f"the column '{alias}' is there twice", where=where, fix="rename one of them")
    named = [columns[plain.index(alias)] for alias in ALIASES[role] if alias in plain]
    preferred = named and named[0].strip().lower() == ALIASES[role][0]
    if len(named) > 1 and not preferred and role != "id":
        raise DatasetError(
            f"the {role} could be in any of the columns " + ", ".join(f"'{name}'" for name in named),
            where=where,
            fix=f"name the right one '{ALIASES[role][0]}'",
        )
    return named[0] if named else None


def misspelt(columns: Sequence[str], role: str) -> str | None:
    """Return a column whose name is nearly one of the role's names.

    Parameters
    ----------
    columns : sequence of str
        The names in the table.
    role : str
        A key of ``ALIASES``.

    Returns
    -------
    str or None

    Examples
    --------
    >>> misspelt(["filename", "captoin"], "caption")
    'captoin'
    """
    for column in columns:
        if get_close_matches(column.strip().lower(), ALIASES[role], n=1, cutoff=0.8):
            return column
    return None
