"""Running out of memory as an error that can be caught, instead of a process that the system kills."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_INFO, _STATUS = Path("/proc/meminfo"), Path("/proc/self/status")

KEPT_FREE = 2**29
"""Bytes that are left to the system and to other processes."""


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
