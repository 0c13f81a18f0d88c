"""What a speed depends on beside the model: processor, memory, libraries, threads, accelerator."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from clipeval.encoders.imports import versions

INSTRUCTION_SETS = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "asimd", "sve", "bf16")
LIBRARIES = (
    "torch",
    "torchvision",
    "transformers",
    "open_clip_torch",
    "sentence-transformers",
    "numpy",
    "pillow",
)
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def machine_words(device: str = "cpu") -> dict[str, str]:
    """Describe this machine, as far as it says.

    Parameters
    ----------
    device : str
        What is timed; an accelerator is described too.

    Returns
    -------
    dict of str to str
        ``processor``, ``cores``, ``instruction sets``, ``memory``, ``system``, ``python``, thread settings,
        library versions, and for an accelerator its name, memory and driver. No names of users or hosts.

    Examples
    --------
    >>> words = machine_words()
    >>> "processor" in words, "numpy" in words
    (True, True)
    """
    info = _cpuinfo()
    flags = set((info.get("flags") or info.get("Features") or "").split())
    words = {
        "processor": info.get("model name") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "cores": f"{cores_allowed()} of {os.cpu_count()} usable",
        "instruction sets": " ".join(name for name in INSTRUCTION_SETS if name in flags) or "not known",
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **versions(*LIBRARIES),
        **{name: os.environ[name] for name in THREADS if name in os.environ},
        **_torch_words(device),
    }
    return {key: value for key, value in words.items() if value}


def differences(first: Mapping[str, str], second: Mapping[str, str]) -> list[str]:
    """Say in which words two machines differ.

    Examples
    --------
    >>> differences({"torch": "2.4"}, {"torch": "2.5", "python": "3.12"})
    ['python: not said, 3.12', 'torch: 2.4, 2.5']
    """
    return [
        f"{key}: {first.get(key, 'not said')}, {second.get(key, 'not said')}"
        for key in sorted({*first, *second})
        if first.get(key) != second.get(key)
    ]


def cores_allowed() -> int:
    """Count the cores that this process may use.

    Examples
    --------
    >>> cores_allowed() >= 1
    True
    """
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1


def _cpuinfo() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"
    except (AttributeError, OSError, ValueError):
        return ""


def _torch_words(device: str) -> dict[str, str]:
    try:
        import torch
    except ModuleNotFoundError:
        return {}
    words = {"torch threads": str(torch.get_num_threads())}
    if device.startswith("cuda"):
        found = torch.cuda.get_device_properties(device)
        words |= {
            "accelerator": found.name,
            "accelerator memory": f"{found.total_memory / 2**30:.1f} GiB",
            "cuda": str(torch.version.cuda),
            "tf32": str(torch.backends.cuda.matmul.allow_tf32),
        }
        with suppress(OSError, IndexError):
            words["driver"] = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8").splitlines()[0]
    return words
