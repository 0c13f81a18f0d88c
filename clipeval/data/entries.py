"""From rows that name picture files to items of a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from clipeval.data.dataset import Item
from clipeval.data.own_results import data_files
from clipeval.data.pictures import PICTURE_SUFFIXES
from clipeval.data.remote_path import AnyPath, way_to
from clipeval.data.safe_path import file_inside, relative_name
from clipeval.data.sources import file_source
from clipeval.errors import DatasetError, near


@dataclass(frozen=True)
class Entry:
    """One row of a captions file.

    Parameters
    ----------
    file : str
        The picture as the row names it.
    captions : tuple of str
        At least one.
    category : str or None
        Label for tables.
    where : str
        File and row, for errors.
    """

    file: str
    captions: tuple[str, ...]
    category: str | None
    where: str


def items_from(
    entries: Iterable[Entry],
    *,
    root: AnyPath,
    folders: Sequence[str] = ("", "images"),
    join_rows: bool,
    require_pictures: bool,
) -> tuple[Item, ...]:
    """Find the picture of every entry and make the items.

    Parameters
    ----------
    entries : iterable of Entry
        Rows in order.
    root : Path or RemotePath
        The dataset folder, which no path may leave.
    folders : sequence of str, optional
        Where pictures are looked for inside ``root``; in each also in the sub-folder named as the category.
    join_rows : bool
        Whether rows of one picture are its several captions; otherwise a repeated picture is an error.
    require_pictures : bool
        Whether a missing file is an error. If not, the item has no picture and its id is the path as written.

    Returns
    -------
    tuple of Item
        In order of first appearance; ids are paths relative to ``root``.

    Raises
    ------
    DatasetError
        A missing picture or one that could be either of two files, a path that leaves the folder, a picture
        named twice, or with two categories.
    """
    items: dict[str, Item] = {}
    first: dict[str, str] = {}
    missing: list[Entry] = []
    for entry in entries:
        found = _find(entry, root=root, folders=folders)
        key = found or relative_name(entry.file, where=entry.where)
        if found is None:
            missing.append(entry)
        if key not in items:
            source = file_source(root / found, where=f"{found} ({entry.where})") if found else None
            items[key] = Item(key, entry.captions, source, entry.category)
            first[key] = entry.where
            continue
        known = items[key]
        if not join_rows:
            raise DatasetError(
                f"the picture '{key}' is named twice",
                where=f"{first[key]} and {entry.where}",
                fix='write one row with "captions": ["...", "..."]',
            )
        if known.category != entry.category:
            raise DatasetError(
                f"the picture '{key}' has two categories, '{known.category}' and '{entry.category}'",
                where=f"{first[key]} and {entry.where}",
                fix="give all rows of a picture one category, or different pictures different names",
            )
        items[key] = Item(key, known.captions + entry.captions, known.picture, known.category)
    if missing and require_pictures:
        raise _missing(missing, found=sum(item.picture is not None for item in items.values()), root=root)
    return tuple(items.values())


def pictures_below(root: AnyPath) -> Iterator[str]:
    """List the pictures in a folder and its sub-folders, without hidden ones and results of clipeval.

    Parameters
    ----------
    root : Path or RemotePath
        The folder.

    Yields
    ------
    str
        Paths relative to ``root``, sorted.
    """
    found = (path for path in data_files(root) if path.suffix.lower() in PICTURE_SUFFIXES)
    yield from sorted(way_to(path, root) for path in found)


def _find(entry: Entry, *, root: AnyPath, folders: Sequence[str]) -> str | None:
    name = relative_name(entry.file, where=entry.where)
    inside = [f"{folder}/{name}" if folder else name for folder in folders]
    if entry.category and _is_folder_name(entry.category):
        inside += [
            f"{folder}/{entry.category}/{name}" if folder else f"{entry.category}/{name}"
            for folder in folders
        ]
    there = [name for name in inside if file_inside(root, name, where=entry.where)]
    if len(there) > 1:
        raise DatasetError(
            f"the picture '{entry.file}' could be " + " or ".join(f"'{name}'" for name in there),
            where=entry.where,
            fix="write the whole path relative to the dataset folder, or remove one of the files",
        )
    return there[0] if there else None


def _is_folder_name(category: str) -> bool:
    return category not in {".", ".."} and not set("/\\\0:") & set(category)


def _missing(missing: list[Entry], *, found: int, root: AnyPath) -> DatasetError:
    entry = missing[0]
    there = list(pictures_below(root))
    tail = relative_name(entry.file, where=entry.where).rpartition("/")[2]
    same_name = [name for name in there if name.rpartition("/")[2] == tail]
    if same_name:
        fix = f"'{same_name[0]}' is there: write that path"
    elif there:
        close = get_close_matches(entry.file, there[:1000], n=2) or there[:3]
        fix = f"paths are relative to the folder '{root.name}'; {near(entry.file, close)}"
    else:
        fix = f"there is no picture in '{root.name}': put the pictures beside the captions"
    if not found:
        what = f"zero pictures found: not one of the {len(missing)} named files exists, first '{entry.file}'"
    else:
        what = f"the picture '{entry.file}' is missing ({len(missing)} missing, {found} found)"
    return DatasetError(what, where=entry.where, fix=fix)
