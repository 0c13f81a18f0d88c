"""A connection to a Ray cluster, or one of our own that ends with the job."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from clipeval.cluster.address import check_address
from clipeval.cluster.settings import ClusterSettings, Room
from clipeval.counted import count
from clipeval.errors import MissingExtraError, NotAvailableError
from clipeval.evaluation.overlap import usable_cores

OBJECT_STORE = 2**30
"""Bytes for what is between two stages, of a cluster that is started here; pages are taken when used."""

SOCKET_NAME = 103
"""Bytes that the name of a socket may have on any system (macOS; Linux: 107)."""

_IN_FOLDER = len("/session_2000-01-01_00-00-00_000000_4194304/sockets/plasma_store.99")

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "false",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # what it says of restarts that it will manage goes to standard error
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # and what raylets say of processes that died, to standard output
}


def check_installed() -> None:
    """Find Ray and what its Ray Data needs, without the seconds that importing them takes.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    for name in ("ray", "pyarrow", "pandas", "fsspec"):
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError("ray[data]", extra="ray")


def ray_library() -> Any:
    """Import Ray, which tells nobody that it is used.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    check_installed()
    import ray
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what it logs as an error, it raises as well
    return ray


@contextmanager
def connected(settings: ClusterSettings) -> Iterator[Any]:
    """Connect to the cluster, or start one; where this process is connected already, it stays so.

    Parameters
    ----------
    settings : ClusterSettings

    Yields
    ------
    module
        ``ray``.

    Raises
    ------
    MissingExtraError
        Ray is not installed.
    InvalidInputError
        The address is none.
    NotAvailableError
        Nobody answers there, or one that this process cannot work with.
    """
    if settings.address is not None:
        check_address(settings.address)
    ray = ray_library()
    if ray.is_initialized():
        yield ray
        return
    folder = None if settings.address else short_folder()
    try:
        _connect(ray, settings, folder)
        yield ray
    finally:
        with _silence([]):
            ray.shutdown()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def short_folder() -> str:
    """Make a folder for a cluster that is started here, in which the names of its sockets are short enough.

    Returns
    -------
    str
        In the usual place for such folders (``TMPDIR``), or in ``/tmp`` where that has a long name, as on
        macOS, or in jobs of large machines.
    """
    prefix = "clipeval-ray-"
    longest = SOCKET_NAME - _IN_FOLDER - len(f"/{prefix}01234567")
    usual = tempfile.gettempdir()
    short = os.name == "nt" or len(os.fsencode(usual)) <= longest
    return tempfile.mkdtemp(prefix=prefix, dir=usual if short else "/tmp")  # noqa: S108  (a new folder, for us alone)


def machines() -> list[Room]:
    """Ask what each living machine of the cluster has.

    Raises
    ------
    NotAvailableError
        Not one core: whatever were asked of it would wait forever.
    """
    import ray

    resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    there = [Room(one.get("CPU", 0.0), one.get("GPU", 0.0)) for one in resources]
    if sum(one.cpus for one in there) < 1:
        raise NotAvailableError(
            "no machine of the cluster has a core for tasks",
            where=f"{count(len(there), 'machine')}",
            fix="add one: ray start --address=HOST:PORT",
        )
    return there


def _connect(ray: Any, settings: ClusterSettings, folder: str | None) -> None:
    here = {
        "num_cpus": usable_cores(),
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE,
        "_temp_dir": folder,
        "_node_ip_address": "127.0.0.1",  # a cluster of this machine alone listens on no network
    }
    # Ray puts a handler of its own in the place of the one that ends this job in order
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM) if main else None
    said: list[str] = []
    try:
        with _silence(said):
            ray.init(
                address=settings.address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                **({} if settings.address else here),
            )
    except SystemExit:  # Ray's handler, while it was there
        if callable(before):
            before(signal.SIGTERM, None)
        raise
    except Exception as error:  # Ray has no class for most of it
        raise _refusal(
            settings.address, f"{str(error) or type(error).__name__}\n" + "\n".join(said)
        ) from error
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


def _refusal(address: str | None, told: str) -> NotAvailableError:
    """Say in our words what Ray says in many."""
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    reason = lines[0][:200] if lines else None
    if address is None:
        return NotAvailableError(
            "Ray could not be started here", where=reason, fix="try again, or leave out --engine ray"
        )
    if "The cluster was started with:" in told:
        return NotAvailableError(
            f"the cluster at '{address}' has other versions than this command",
            where=_versions(lines),
            fix="install the same Ray and the same Python on all machines",
        )
    if "InvalidAuthToken" in told or "authentication token" in told.lower():
        return NotAvailableError(
            f"the cluster at '{address}' wants a token, and has not got the right one",
            where=reason,
            fix="export RAY_AUTH_MODE=token, with the cluster's token in ~/.ray/auth_token or RAY_AUTH_TOKEN",
        )
    if address == "auto":
        return NotAvailableError(
            "this machine is no part of a Ray cluster",
            where=reason,
            fix="make it one: ray start --head, or ray start --address=HOST:PORT",
        )
    return NotAvailableError(
        f"this machine gets no part in the cluster at '{address}'",
        where=reason,
        fix="run the command on a machine of the cluster, or make this one a part: "
        f"ray start --address={address}",
    )


def _versions(lines: Sequence[str]) -> str:
    found = [line.replace(":", "") for line in lines if line.startswith(("Ray:", "Python:"))]
    return f"there {' and '.join(found[:2])}; here {' and '.join(found[2:4])}"


@contextmanager
def _silence(said: list[str]) -> Iterator[None]:
    """Let Ray's own library, which knows no level for this, not tell on standard error how it is set up.

    What it told is kept, for the reason of a failure is nowhere else.
    """
    try:
        kept = os.dup(2)
    except OSError:  # it is closed: nobody hears it anyway
        yield
        return
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            aside.seek(0)
            said += aside.read().decode("utf-8", "replace").splitlines()
