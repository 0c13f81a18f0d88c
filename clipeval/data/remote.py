"""A connection to where data lie elsewhere, through fsspec: every error says where, none a secret."""

from __future__ import annotations

import errno
import io
import re
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from clipeval.data.address import credentials, secrets, shown
from clipeval.errors import DatasetError, MissingExtraError, NotAvailableError, near

Answer = TypeVar("Answer")

FOLDER = -1
"""Stands for the size of a folder in a listing."""

_FORGETFUL = ("http", "https", "s3", "s3a", "gs", "gcs", "abfs", "abfss", "az")
"""File systems that would keep all their listings in memory, and can be told not to."""

_BUCKETS = ("s3", "s3a")


class Remote:
    """A file system of fsspec, opened anew by every process that is sent one.

    Parameters
    ----------
    address : str
        Of a file or a folder in it.

    Raises
    ------
    MissingExtraError
        fsspec is not installed.
    NotAvailableError
        The library behind the scheme is not installed, or cannot be set up.
    DatasetError
        An unknown scheme.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._secrets = secrets(address)
        self.scheme = address.partition("://")[0].rpartition("::")[2].lower()
        self.web = self.scheme in ("http", "https")
        plain = address.partition("#")[0].partition("?")[0] if self.web else address
        self._query = address[len(plain) :].partition("#")[0]
        self.files, self.root = _opened(plain, self.scheme, self._clean)
        self.root = self.root.rstrip("/") if self.root.strip("/") else self.root
        self._start = shown(plain).rstrip("/")
        self._listings: dict[str, dict[str, int | None] | None] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Remote, (self._address,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and self._address == other._address

    def __hash__(self) -> int:
        return hash(self._address)

    def shown(self, path: str) -> str:
        """Say where a path lies, without credentials."""
        if path.startswith(self.root):
            return self._start + self.name_of(path[len(self.root) :])
        return f"{self.scheme}://{self.name_of(shown(path).partition('://')[2] or path)}"

    def name_of(self, path: str) -> str:
        """Read a path as people write it: the web's is quoted."""
        return unquote(path) if self.web else path

    def below(self, path: str, name: str) -> str:
        """Give the path of what a folder holds under this name."""
        above = f"{path.rstrip('/')}/" if path else ""  # the root of an archive has no name
        return above + (quote(name) if self.web else name)

    def listing(self, path: str) -> dict[str, int | None] | None:
        """List a folder, once: names, with their sizes or `FOLDER`; None where it is none."""
        if path not in self._listings:
            self._listings[path] = None if self.surely_none(path) else self._listed(path)
        return self._listings[path]

    def known(self, path: str) -> int | None:
        """Give the size of a file that was listed."""
        above, _, name = path.rpartition("/")
        return (self._listings.get(above) or {}).get(self.name_of(name))

    def listed_before(self, path: str) -> bool:
        """Say whether a folder was listed."""
        return self._listings.get(path) is not None

    def surely_none(self, path: str) -> bool:
        """Say whether the folder above was listed and holds no folder of this name."""
        above, _, name = path.rpartition("/")
        listing = self._listings.get(above)
        return listing is not None and listing.get(self.name_of(name)) != FOLDER

    def forget(self) -> None:
        """Give the memory of all listings back."""
        self._listings.clear()

    def info(self, path: str) -> dict[str, Any] | None:
        """Ask about one path; None where nothing is there."""
        try:
            found: dict[str, Any] = self.call(path, lambda: self.files.info(path + self._query))
        except FileNotFoundError:
            return None
        return found

    def whole(self, path: str) -> bytes:
        """Read a file."""
        data: bytes = self.call(path, lambda: self.files.cat_file(path + self._query))
        return data

    def span(self, path: str, offset: int, size: int) -> bytes:
        """Read a part of a file; shorter where the file ends."""
        if not size:
            return b""
        data: bytes = self.call(
            path, lambda: self.files.cat_file(path + self._query, start=offset, end=offset + size)
        )
        if len(data) > size:
            raise OSError(errno.EIO, f"{self.shown(path)}: the server sends whole files, not parts of them")
        return data

    def opened(self, path: str) -> io.BufferedIOBase:
        """Open a file to be read in any order."""
        file = self.call(path, lambda: self.files.open(path + self._query, "rb"))
        if not file.seekable():
            raise OSError(errno.EIO, f"{self.shown(path)}: the server sends whole files, not parts of them")
        return io.BufferedReader(_Reading(self, path, file))

    def call(self, path: str, ask: Callable[[], Answer]) -> Answer:
        """Ask the file system for something; whatever its library raises becomes an OSError in words."""
        try:
            return ask()
        except Exception as error:
            raise self._told(path, error) from None

    def _listed(self, path: str) -> dict[str, int | None] | None:
        if self.web and (self.info(path) or {}).get("mimetype") != "text/html":
            return None  # to list it would be to fetch it
        there = f"{path}/{self._query}" if self.web else path
        try:
            entries = self.call(path, lambda: self.files.ls(there, detail=True))
        except (FileNotFoundError, NotADirectoryError):
            return None
        found: dict[str, int | None] = {}
        for entry in entries:
            there_is = entry["name"].replace("/./", "/") if self.web else entry["name"]
            above, _, raw = there_is.rstrip("/").rpartition("/")
            if there_is.rstrip("/") == path.rstrip("/"):
                if entry["type"] == "file" and len(entries) == 1 and not there_is.endswith("/"):
                    return None  # a file is asked for its own list
                continue
            name = self.name_of(raw)
            # what a web page links is not always what lies below it
            if above.rstrip("/") not in (path.rstrip("/"), there.rstrip("/")) or not _is_name(
                raw, name, self.web
            ):
                continue
            found[name] = FOLDER if entry["type"] == "directory" else entry.get("size")
        return None if self.web and not found else found  # a page without links is no list

    def _told(self, path: str, error: BaseException) -> OSError:
        where = self.shown(path)
        while isinstance(error, FileNotFoundError) and error.__cause__ is not None:
            error = error.__cause__  # fsspec takes every failure of the web for absence
        status = getattr(error, "status", None)
        if isinstance(error, FileNotFoundError) or status in (404, 410):
            return FileNotFoundError(errno.ENOENT, f"{where}: nothing is there")
        if isinstance(error, NotADirectoryError):
            return NotADirectoryError(errno.ENOTDIR, f"{where}: this is no folder")
        if isinstance(error, PermissionError) or status in (401, 403):
            return PermissionError(errno.EACCES, f"{where}: it may not be read ({self._clean(str(error))})")
        return OSError(errno.EIO, f"{where}: {type(error).__name__}: {self._clean(str(error))}")

    def _clean(self, text: str) -> str:
        # a library may quote the address anew, or name another one that a server sent it to
        text = _USER_IN_URL.sub(r"\1…@", _QUERY_IN_URL.sub(r"\1?…", text))
        for secret in self._secrets:
            for spelling in (secret, quote(secret), quote(secret, safe=""), unquote(secret)):
                text = text.replace(spelling, "…")
        return next((line for line in text.splitlines() if line.strip()), "")[:200]


class _Reading(io.RawIOBase):
    """A file of fsspec whose errors are told in words too."""

    def __init__(self, remote: Remote, path: str, file: Any) -> None:
        self._remote, self._path, self._file = remote, path, file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._remote.call(self._path, lambda: self._file.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        place: int = self._remote.call(self._path, lambda: self._file.seek(offset, whence))
        return place

    def tell(self) -> int:
        place: int = self._file.tell()
        return place

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def _opened(address: str, scheme: str, clean: Callable[[str], str]) -> tuple[Any, str]:
    try:
        import fsspec
        from fsspec.core import url_to_fs
    except ImportError:
        raise MissingExtraError("fsspec", extra="remote") from None
    if "::" not in address:
        address = scheme + address[len(scheme) :]  # fsspec knows schemes in small letters only
    options: dict[str, Any] = {}
    if scheme in _FORGETFUL and "::" not in address:
        options["use_listings_cache"] = False
    if scheme in _BUCKETS and "::" not in address:
        user, address = credentials(address)
        if user:
            key, _, secret = user.partition(":")
            options |= {"key": unquote(key), "secret": unquote(secret)}
    try:
        files, path = url_to_fs(address, **options)
    except ImportError as error:
        package = _PACKAGES.get(scheme)
        raise NotAvailableError(
            f"addresses of '{scheme}' need a package that is not installed ({clean(str(error))})",
            where=shown(address),
            fix=f"pip install {package}" if package else "install what the message names",
        ) from None
    except ValueError as error:
        if "protocol not known" not in str(error).lower():
            raise NotAvailableError(
                f"the address cannot be opened ({clean(str(error))})", where=shown(address)
            ) from None
        known = set(fsspec.available_protocols())
        advice = near(scheme, known)
        raise DatasetError(
            f"'{scheme}' is no scheme that fsspec knows",
            where=shown(address),
            fix=advice if advice.startswith("did") else "s3, gs, abfs, http, https and others of fsspec",
        ) from None
    except Exception as error:
        raise NotAvailableError(
            f"the address cannot be opened ({type(error).__name__}: {clean(str(error))})",
            where=shown(address),
            fix="check the address and the credentials of this machine",
        ) from None
    return files, path


_PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "az": "adlfs",
    "http": "'clipeval[remote]'",
    "https": "'clipeval[remote]'",
    "sftp": "paramiko",
    "ssh": "paramiko",
}


def _is_name(raw: str, name: str, web: bool) -> bool:
    # a query in a link sorts the page that it is on; a quoted question mark is a part of a name
    return name not in ("", ".", "..") and "/" not in name and not (web and set("?#") & set(raw))


_QUERY_IN_URL = re.compile(r"(\w://[^\s?#'\"]*)[?#][^\s'\")]*")
_USER_IN_URL = re.compile(r"(\w://)[^\s/@'\"]+@")
