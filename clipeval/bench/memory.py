"""Peak memory of a piece of work, where the system tells it."""

from __future__ import annotations

import sys
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def forget_peak(device: str = "cpu") -> bool:
    """Start a new peak at what is resident now.

    Returns
    -------
    bool
        False where the system cannot: `peak_resident` is then of the whole process so far.

    Examples
    --------
    >>> forget_peak() in (True, False)
    True
    """
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)
    try:
        _CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def peak_resident() -> int | None:
    """Give the peak of the resident memory in bytes, None where nothing says it.

    Examples
    --------
    >>> peak = peak_resident()
    >>> peak is None or peak > 10**6
    True
    """
    try:
        for line in _STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def peak_on_device(device: str) -> int | None:
    """Give the peak of what torch allocated on an accelerator in bytes; None elsewhere.

    Examples
    --------
    >>> peak_on_device("cpu") is None
    True
    """
    if not device.startswith("cuda"):
        return None
    import torch

    return int(torch.cuda.max_memory_allocated(device))
