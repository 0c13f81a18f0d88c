"""A connection to a Ray cluster, or one of our own that ends with the job."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from clipeval.cluster.settings import ClusterSettings
from clipeval.errors import MissingExtraError, NotAvailableError
from clipeval.evaluation.overlap import usable_cores

OBJECT_STORE = 2**30
"""Bytes for what is between two stages, of a cluster that is started here; pages are taken when used."""

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "false",
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # what it says of restarts that it will manage goes to standard error
}


def ray_library() -> Any:
    """Import Ray, which tells nobody that it is used.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError:
        raise MissingExtraError("ray[data]", extra="ray") from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
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
    NotAvailableError
        Nobody answers at the address.
    """
    ray = ray_library()
    if ray.is_initialized():
        yield ray
        return
    folder = None if settings.address else tempfile.mkdtemp(prefix="clipeval-ray-")
    try:
        _connect(ray, settings, folder)
        yield ray
    finally:
        ray.shutdown()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


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
    try:
        with _silence():
            ray.init(
                address=settings.address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                **({} if settings.address else here),
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise NotAvailableError(
            f"there is no Ray cluster at '{settings.address}'"
            if settings.address
            else "Ray could not be started here",
            where=str(error).splitlines()[0][:200] if str(error) else None,
            fix="check the address, or start one: ray start --head"
            if settings.address
            else "leave out --engine ray",
        ) from error
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _silence() -> Iterator[None]:
    """Let Ray's own library, which knows no level for this, not tell on standard error how it is set up."""
    try:
        kept = os.dup(2)
    except OSError:  # it is closed: nobody hears it anyway
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
