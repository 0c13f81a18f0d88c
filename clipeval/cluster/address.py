"""Whether somebody answers at a cluster's address: asked in seconds, where Ray itself tries for minutes."""

from __future__ import annotations

import os
import re
import socket
from contextlib import suppress

from clipeval.errors import InvalidInputError, NotAvailableError

PATIENCE = 5.0
"""Seconds for a connection, and for the first word."""

_FORM = re.compile(r"(\[[0-9a-fA-F:.%\w]+\]|[^\s:/\[\]]+):([0-9]{1,5})")
# what gRPC begins with (RFC 9113, section 3.4): a fixed line and an empty frame of settings
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_FRAME, _SETTINGS = 9, 4
_START = "check the address, or start a cluster: ray start --head"


def check_address(address: str) -> None:
    """Refuse an address that is none, or at which nothing answers that could be Ray.

    Parameters
    ----------
    address : str
        ``HOST:PORT``, or ``auto``, which Ray finds by itself.

    Raises
    ------
    InvalidInputError
        It is no address.
    NotAvailableError
        Nobody answers.

    Examples
    --------
    >>> check_address("ray://head:10001")
    Traceback (most recent call last):
    clipeval.errors.InvalidInputError: 'ray://head:10001' is no address of a cluster
      where: --address
      to do: HOST:PORT as 'ray start --head' told it (6379 as a rule), or auto on one of its machines
    """
    if address == "auto":
        return
    found = _FORM.fullmatch(address)
    if found is None or not 0 < int(found[2]) < 2**16:
        raise _no_address(address)
    host, port = found[1].strip("[]"), int(found[2])
    try:
        with socket.create_connection((host, port), timeout=PATIENCE) as link:
            answers = os.environ.get("RAY_USE_TLS", "0") != "0" or _speaks_grpc(link)
    except UnicodeError as error:  # a name with a part that is empty, or too long
        raise _no_address(address) from error
    except OSError as error:  # no such host, nobody there, or no way
        raise NotAvailableError(
            f"there is no Ray cluster at '{address}'", where=error.strerror or str(error), fix=_START
        ) from error
    if not answers:
        raise NotAvailableError(
            f"there is no Ray cluster at '{address}'",
            where="something is there, and does not answer as Ray does",
            fix=_START,
        )


def _no_address(word: str) -> InvalidInputError:
    return InvalidInputError(
        f"'{word}' is no address of a cluster",
        where="--address",
        fix="HOST:PORT as 'ray start --head' told it (6379 as a rule), or auto on one of its machines",
    )


def _speaks_grpc(link: socket.socket) -> bool:
    head = b""
    with suppress(OSError):  # silence, or a door shut
        link.sendall(_HELLO)
        while len(head) < _FRAME and (more := link.recv(_FRAME - len(head))):
            head += more
    return len(head) == _FRAME and head[3] == _SETTINGS
