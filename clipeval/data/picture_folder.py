"""Reader: a folder of pictures with a text file of captions beside each."""

from __future__ import annotations

from pathlib import PurePosixPath

from clipeval.data.dataset import Dataset, Item
from clipeval.data.entries import pictures_below
from clipeval.data.own_results import data_files
from clipeval.data.plain_file import decode_utf8, read_plain
from clipeval.data.remote_path import AnyPath, place, way_to
from clipeval.data.safe_path import file_inside
from clipeval.data.sources import file_source
from clipeval.errors import DatasetError, near

NOT_CAPTIONS = frozenset({"readme", "license", "licence", "licenses", "licences", "copying", "attribution"})


def read_picture_folder(
    path: str | AnyPath, *, name: str | None = None, require_pictures: bool = True
) -> Dataset:
    """Read ``name.jpg`` with its captions in ``name.txt``, one caption a line; blank lines are skipped.

    A sub-folder is a category. Hidden files, text files named like a readme or a licence, and results of
    clipeval are left alone.

    Parameters
    ----------
    path : str, Path or RemotePath
        The folder.
    name : str, optional
        Name of the dataset; the folder's name if not given.
    require_pictures : bool, optional
        Whether a text file without its picture is an error; if not, it makes an item without a picture, whose
        id is the path without the ending.

    Returns
    -------
    Dataset
        Sorted by path; ids are picture paths relative to the folder.

    Raises
    ------
    DatasetError
        Zero pictures, a picture without captions or captions without a picture, two pictures of one stem.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "cats").mkdir()
    ...     _ = Path(folder, "cats", "1.txt").write_text("a cat")
    ...     dataset = read_picture_folder(folder, name="pets", require_pictures=False)
    >>> dataset.ids, dataset.captions, dataset.categories
    (('cats/1',), ('a cat',), ('cats',))
    """
    root = place(path)
    if not root.is_dir():
        raise DatasetError("there is no such folder", where=str(root), fix="check the path")
    captions_of = _sidecars(root)
    pictures: dict[str, str] = {}
    for file in pictures_below(root):
        stem = str(PurePosixPath(file).with_suffix(""))
        if stem in pictures:
            raise DatasetError(
                f"'{pictures[stem]}' and '{file}' would share one captions file",
                where=f"{root.name}/{stem}.txt",
                fix="rename one picture",
            )
        pictures[stem] = file
    if require_pictures:
        if not pictures:
            raise DatasetError(
                "zero pictures found", where=root.name, fix="put name.jpg beside every name.txt"
            )
        for stem in sorted(captions_of.keys() - pictures.keys()):
            raise DatasetError(
                "captions without their picture",
                where=captions_of[stem],
                fix="add the picture or remove the file",
            )
    items = []
    for stem in sorted(captions_of.keys() | pictures.keys()):
        if stem not in captions_of:
            raise DatasetError(
                f"the picture has no captions file '{stem}.txt'",
                where=pictures[stem],
                fix=near(f"{stem}.txt", captions_of.values())
                if captions_of
                else "write it, one caption a line",
            )
        source, key = None, stem
        if stem in pictures:
            key = pictures[stem]
            file_inside(root, key, where=root.name)
            source = file_source(root / key, where=key)
        items.append(Item(key, _lines(root, captions_of[stem]), source, _category(stem)))
    return Dataset(name or root.resolve().name or "pictures", tuple(items))


def _sidecars(root: AnyPath) -> dict[str, str]:
    found = {}
    for path in data_files(root):
        name = PurePosixPath(way_to(path, root))
        if path.suffix == ".txt" and path.stem.lower() not in NOT_CAPTIONS:
            found[name.with_suffix("").as_posix()] = name.as_posix()
    return found


def _category(stem: str) -> str | None:
    folder = str(PurePosixPath(stem).parent)
    return None if folder == "." else folder


def _lines(root: AnyPath, name: str) -> tuple[str, ...]:
    path = file_inside(root, name, where=root.name)
    text = decode_utf8(read_plain(path), where=name) if path else ""
    captions = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not captions:
        raise DatasetError("there is no caption", where=name, fix="write one caption a line")
    return captions
