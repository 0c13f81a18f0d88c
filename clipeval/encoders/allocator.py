"""Memory that networks free between batches: kept by the process, or given back and asked for again."""

from __future__ import annotations

import ctypes
import os
import sys

MMAP_THRESHOLD = 2**28
"""Bytes from which on a block is a mapping of its own, given back when it is freed."""

TRIM_THRESHOLD = 2**30
"""Free bytes at the end of the heap from which on they are given back."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_CHOSEN_BY_USER = ("GLIBC_TUNABLES", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "LD_PRELOAD")

_kept = False


def keep_freed_memory() -> bool:
    """Let glibc keep freed blocks of up to 256 MiB for the next batch, for this whole process.

    Left alone, glibc gives the activations of a forward pass back to the system and asks for them again in
    the next one: 74,000 to 115,000 page faults for a batch of 32 in ViT-B/32, and a rate about a tenth lower
    (``python tests/benchmarks/freed_memory.py``). The command line calls this when it starts;
    a program of your own may, or sets ``GLIBC_TUNABLES``. Up to 1 GiB more may stay with the process.

    Returns
    -------
    bool
        False where nothing was changed: another C library, or the user has chosen an allocator or its
        settings by ``GLIBC_TUNABLES``, ``MALLOC_MMAP_THRESHOLD_``, ``MALLOC_TRIM_THRESHOLD_`` or
        ``LD_PRELOAD``.

    Examples
    --------
    >>> keep_freed_memory() in (True, False)
    True
    """
    global _kept
    if sys.platform != "linux" or any(name in os.environ for name in _CHOSEN_BY_USER):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    done = [
        library.mallopt(_M_MMAP_THRESHOLD, MMAP_THRESHOLD),
        library.mallopt(_M_TRIM_THRESHOLD, TRIM_THRESHOLD),
    ]
    _kept = all(done)
    return _kept


def allocator_words() -> dict[str, str]:
    """Say in words whether freed memory is kept, for the description of a machine.

    Examples
    --------
    >>> set(allocator_words()) <= {"freed memory"}
    True
    """
    return {"freed memory": "kept (glibc)"} if _kept else {}
