"""One job at a time on one store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from clipeval.errors import EncoderError, NotAvailableError

LOCK = ".lock"


@contextmanager
def only_job(folder: Path) -> Iterator[None]:
    """Hold a store, made if it is not there, for the time of a job.

    The operating system lets the lock go when a process ends, however it ends: a dead job blocks nobody. The
    empty lock file stays.

    Parameters
    ----------
    folder : Path
        The store.

    Raises
    ------
    NotAvailableError
        Another job holds it.
    EncoderError
        It is not a folder, or it may not be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise EncoderError(f"'{folder}' is a file", fix="name a folder for the store") from None
    except OSError as error:
        raise EncoderError(
            f"the store cannot be made: {error.strerror}", where=str(folder), fix="name another folder"
        ) from error
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise NotAvailableError(
            "another job is writing this store",
            where=str(folder),
            fix="wait until it ends; both would encode the same",
        ) from None
    except OSError as error:
        raise EncoderError(
            f"the store cannot be written to: {error.strerror}", where=str(folder), fix="name another folder"
        ) from error
    try:
        yield
    finally:
        lock.release()
