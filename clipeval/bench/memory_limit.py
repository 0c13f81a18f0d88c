"""Running out of memory as an error that can be caught, instead of a process that the system kills."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_INFO, _STATUS = Path("/proc/meminfo"), Path("/proc/self/status")

KEPT_FREE = 2**29
"""Bytes that are left to the system and to other processes."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell from its words, or from those of what caused it, whether an error means that memory ran out.

    Examples
    --------
    >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("CUDA out of memory. Tried ..."))
    (True, True)
    >>> is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
    False
    """
    words = str(error).lower()
    cause = error.__cause__
    return (
        (cause is not None and is_out_of_memory(cause))
        or isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or any(said in words for said in ("out of memory", "can't allocate memory", "bad alloc", "bad_alloc"))
    )


@contextmanager
def limited_memory(device: str = "cpu", *, spare: int | None = None) -> Iterator[None]:
    """Refuse allocations on the CPU beyond what is free now.

    Linux hands out more memory than there is and ends a process that uses it. Below this limit the
    allocation fails instead, which can be caught. An accelerator says so by itself.

    Parameters
    ----------
    device : str
        Nothing is limited for anything but ``cpu``.
    spare : int, optional
        Bytes that may still be allocated; by default what is available, less `KEPT_FREE`.
    """
    taken, free = _kibibytes(_STATUS, "VmData:"), _kibibytes(_INFO, "MemAvailable:")
    if not device.startswith("cpu") or taken is None or free is None:
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    limit = taken + (spare if spare is not None else max(free - KEPT_FREE, 0))
    if before[0] != resource.RLIM_INFINITY:
        limit = min(limit, before[0])
    resource.setrlimit(resource.RLIMIT_DATA, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _kibibytes(path: Path, key: str) -> int | None:
    """Read one line of a file of the kernel, in bytes; None where there is none."""
    try:
        for line in path.read_text(encoding="ascii").splitlines():
            if line.startswith(key):
                return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None
