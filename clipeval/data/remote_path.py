"""A path to data that lie elsewhere: what readers ask of a ``Path``, answered through fsspec."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeAlias

from clipeval.data.address import is_address, local_path
from clipeval.data.remote import FOLDER, Remote


class Stat(NamedTuple):
    """What is known of a file.

    Attributes
    ----------
    st_size : int
        Bytes; 0 where the server does not say.
    """

    st_size: int


class RemotePath:
    """A path on a `clipeval.data.remote.Remote`; its text never holds credentials.

    Parameters
    ----------
    remote : Remote
    path : str
        As its file system writes it.
    """

    __slots__ = ("_path", "_remote")

    def __init__(self, remote: Remote, path: str) -> None:
        self._remote, self._path = remote, path

    def __reduce__(self) -> tuple[type[RemotePath], tuple[Remote, str]]:
        return RemotePath, (self._remote, self._path)

    def __str__(self) -> str:
        return self._remote.shown(self._path)

    def __repr__(self) -> str:
        return f"RemotePath({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemotePath) and (self._remote, self._path) == (other._remote, other._path)

    def __hash__(self) -> int:
        return hash(self._path)

    def __lt__(self, other: RemotePath) -> bool:
        return self._parts() < other._parts()

    def __truediv__(self, name: str) -> RemotePath:
        path = self._path
        for part in PurePosixPath(name).parts:
            path = self._remote.below(path, part)
        return RemotePath(self._remote, path)

    def _parts(self) -> list[str]:
        return self._remote.name_of(self._path).split("/")

    @property
    def name(self) -> str:
        """Last part."""
        return self._remote.name_of(self._path.rstrip("/").rpartition("/")[2])

    @property
    def stem(self) -> str:
        """Last part without its ending."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """Ending, with its dot."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> RemotePath:
        """The folder."""
        above, slash, _ = self._path.rstrip("/").rpartition("/")
        if not above and self._path.strip("/"):
            return RemotePath(self._remote, slash)  # the root of an archive
        return self if not above or above.endswith("/") else RemotePath(self._remote, above)

    def resolve(self) -> RemotePath:
        """Give itself: nothing is followed there."""
        return self

    def way_from(self, root: RemotePath) -> str:
        """Give the way from a folder to it."""
        return self._remote.name_of(self._path[len(root._path.rstrip("/")) + 1 :])

    def is_dir(self) -> bool:
        """Say whether it can be listed."""
        return self._remote.listing(self._path) is not None

    def is_file(self) -> bool:
        """Say whether it is a file; a folder that was listed already is not asked again."""
        above = self.parent._path
        if self._remote.listed_before(above):
            return (self._remote.listing(above) or {}).get(self.name, FOLDER) != FOLDER
        if self._remote.listed_before(self._path) or self._remote.surely_none(above):
            return False  # it is a folder, or its folder is not there
        found = self._remote.info(self._path)
        return found is not None and found["type"] == "file"

    def is_member(self) -> bool:
        """Say whether it is a file, as one of many: the folder is listed for it, where it can be."""
        self._remote.listing(self.parent._path)
        return self.is_file()

    def exists(self) -> bool:
        """Say whether something is there."""
        return self.is_file() or self.is_dir()

    def listed_size(self) -> int | None:
        """Give what the folder's listing says of its size, if it was listed."""
        return self._remote.known(self._path)

    def stat(self) -> Stat:
        """Say how large it is."""
        size = self.listed_size()
        return Stat(size or (self._remote.info(self._path) or {}).get("size") or 0)

    def read_bytes(self) -> bytes:
        """Read the whole file."""
        return self._remote.whole(self._path)

    def read_span(self, offset: int, size: int) -> bytes:
        """Read a part of the file."""
        return self._remote.span(self._path, offset, size)

    def open(self, mode: str = "rb") -> io.BufferedIOBase:
        """Open it to be read."""
        return self._remote.opened(self._path)

    def iterdir(self) -> Iterator[RemotePath]:
        """List the folder."""
        for name in self._remote.listing(self._path) or ():
            yield self / name

    def glob(self, pattern: str) -> Iterator[RemotePath]:
        """Find what the folder holds, or a sub-folder that the pattern names."""
        folder, _, last = pattern.rpartition("/")
        here = self / folder if folder else self
        if folder and not any(one.name == folder for one in self.iterdir()):
            return
        for path in here.iterdir():
            if fnmatchcase(path.name, last):
                yield path

    def walk(self) -> Iterator[tuple[RemotePath, list[str], list[str]]]:
        """Go through the folder and its sub-folders, as ``os.walk`` does."""
        listing = self._remote.listing(self._path) or {}
        folders = [name for name, size in listing.items() if size == FOLDER]
        yield self, folders, [name for name, size in listing.items() if size != FOLDER]
        for name in folders:
            yield from (self / name).walk()

    def forget(self) -> None:
        """Give the memory of all listings back."""
        self._remote.forget()


AnyPath: TypeAlias = Path | RemotePath


def place(path: str | Path | RemotePath) -> AnyPath:
    """Make a path of what a user wrote: an address of fsspec lies elsewhere, all others here.

    Parameters
    ----------
    path : str, Path or RemotePath

    Returns
    -------
    Path or RemotePath

    Examples
    --------
    >>> place("photos").name, place("file:///data/photos").parent.name
    ('photos', 'data')
    """
    if not isinstance(path, str) or not is_address(path):
        return path if isinstance(path, RemotePath) else Path(path)
    local = local_path(path)
    if local is not None:
        return Path(local)
    remote = Remote(path)
    return RemotePath(remote, remote.root)


def way_to(path: AnyPath, root: AnyPath) -> str:
    """Give the way from a folder to what lies below it, with forward slashes.

    Examples
    --------
    >>> way_to(Path("photos/cats/1.jpg"), Path("photos"))
    'cats/1.jpg'
    """
    if isinstance(path, RemotePath) and isinstance(root, RemotePath):
        return path.way_from(root)
    assert isinstance(path, Path) and isinstance(root, Path)  # noqa: PT018, S101  (both are of one kind)
    return path.relative_to(root).as_posix()
