"""Addresses of data that lie elsewhere (``s3://bucket/photos``), and what of them may be seen."""

from __future__ import annotations

import re

_SCHEME = r"[A-Za-z][A-Za-z0-9+.\-]+"
_ADDRESS = re.compile(rf"{_SCHEME}(::{_SCHEME})*://")
_COLLAPSED = re.compile(rf"{_SCHEME}:/[^/]")
# a secret may hold slashes, as those of Amazon do; a port is none, and these have no ports
_KEYED = re.compile(r"[^/@:]+:[^@]*@")
_BUCKETS = frozenset({"s3", "s3a", "gs", "gcs", "oss", "r2"})
_CONTAINER_FIRST = frozenset({"abfs", "abfss", "wasb", "wasbs"})
_WEB = frozenset({"http", "https"})
_HERE = ("file", "local")


def is_address(text: object) -> bool:
    """Say whether a text is an address of fsspec: a scheme, or a chain of them, and ``://``.

    Examples
    --------
    >>> is_address("s3://bucket/photos"), is_address("zip://a.csv::https://host/a.zip"), is_address("photos")
    (True, True, False)
    """
    return isinstance(text, str) and _ADDRESS.match(text) is not None


def was_address(text: str) -> bool:
    """Say whether a text is an address that went through a ``Path``, which takes double slashes for one.

    Examples
    --------
    >>> was_address("s3:/bucket/photos"), was_address("s3://bucket/photos")
    (True, False)
    """
    return _COLLAPSED.match(text) is not None


def local_path(address: str) -> str | None:
    """Give the path that ``file://`` names; None for any other scheme.

    Examples
    --------
    >>> local_path("file:///data/photos"), local_path("s3://bucket/photos")
    ('/data/photos', None)
    """
    scheme, _, rest = address.partition("://")
    return rest if scheme.lower() in _HERE else None


def needs_network(text: object) -> bool:
    """Say whether data can only be read through a socket.

    Examples
    --------
    >>> needs_network("https://host/photos.parquet"), needs_network("file:///data"), needs_network("photos")
    (True, False, False)
    """
    if not isinstance(text, str) or not is_address(text):
        return False
    return text.split("::")[-1].partition("://")[0].lower() not in {*_HERE, "memory"}


def shown(text: str) -> str:
    """Take credentials out of an address: user and password, keys, and signed query strings.

    Parameters
    ----------
    text : str
        An address; a name or a path comes back as it is.

    Returns
    -------
    str
        What may be printed and stored.

    Examples
    --------
    >>> shown("s3://KEY:sec/ret@bucket/a@2x.jpg")
    's3://bucket/a@2x.jpg'
    >>> shown("https://me:word@host:8080/a.parquet?X-Amz-Signature=abc")
    'https://host:8080/a.parquet'
    >>> shown("photos/a@2x.jpg?")
    'photos/a@2x.jpg?'
    """
    return "::".join(_shown(part) for part in text.split("::")) if is_address(text) else text


def credentials(address: str) -> tuple[str, str]:
    """Give what stands before the ``@`` of an address's last part, and the address without it.

    Examples
    --------
    >>> credentials("s3://KEY:secret@bucket/photos")
    ('KEY:secret', 's3://bucket/photos')
    """
    chain, mark, last = address.rpartition("::")
    scheme, _, rest = last.partition("://")
    user, rest = _user(scheme.lower(), rest)
    return user, f"{chain}{mark}{scheme}://{rest}"


def secrets(address: str) -> tuple[str, ...]:
    """Give the pieces of an address that an error of some library must not repeat, longest first.

    Examples
    --------
    >>> secrets("https://me:pass@host/a?sig=abcd")
    ('me:pass@', 'sig=abcd', 'abcd', 'pass')
    """
    found: set[str] = set()
    for part in address.split("::"):
        scheme, _, rest = part.partition("://")
        query = rest[len(_no_query(scheme.lower(), rest)) :].lstrip("?#")
        user, _ = _user(scheme.lower(), _no_query(scheme.lower(), rest))
        found |= {query, *(pair.partition("=")[2] for pair in query.split("&"))}
        found |= {f"{user}@" if user else "", *user.split(":", 1)}
    # one or two letters are everywhere, and say nothing
    return tuple(sorted((one for one in found if len(one) > 3), key=lambda one: (-len(one), one)))


def _shown(part: str) -> str:
    scheme, mark, rest = part.partition("://")
    if not mark:
        return part
    return f"{scheme}://{_user(scheme.lower(), _no_query(scheme.lower(), rest))[1]}"


def _no_query(scheme: str, rest: str) -> str:
    if scheme in _WEB:
        return re.split(r"[?#]", rest, maxsplit=1)[0]
    # elsewhere a question mark may be a part of a pattern
    path, _, query = rest.partition("?")
    return path if "=" in query else rest


def _user(scheme: str, rest: str) -> tuple[str, str]:
    place, slash, path = rest.partition("/")
    user, mark, host = place.rpartition("@")
    if mark:
        # abfs://container@account: a name, not a secret
        return ("", rest) if scheme in _CONTAINER_FIRST and ":" not in user else (user, host + slash + path)
    keyed = _KEYED.match(rest) if scheme in _BUCKETS else None
    return (rest[: keyed.end() - 1], rest[keyed.end() :]) if keyed else ("", rest)
