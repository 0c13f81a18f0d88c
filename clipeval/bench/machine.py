"""What a speed depends on beside the model: processor, memory, libraries, threads, accelerator."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from clipeval.encoders.allocator import allocator_words
from clipeval.encoders.imports import versions
from clipeval.evaluation.overlap import usable_cores

INSTRUCTION_SETS = (
    *("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8"),
    *("asimd", "asimdhp", "sve", "sve2", "bf16", "i8mm"),
)
LIBRARIES = (
    "torch",
    "torchvision",
    "transformers",
    "open_clip_torch",
    "sentence-transformers",
    "timm",
    "onnxruntime",
    "openvino",
    "numpy",
    "pillow",
)
THREADS = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_PROC_BIND", "OMP_PLACES"),
    *("GOMP_CPU_AFFINITY", "KMP_AFFINITY", "KMP_BLOCKTIME", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA"),
    *("MKL_ENABLE_INSTRUCTIONS", "OPENBLAS_CORETYPE", "CUDA_VISIBLE_DEVICES", "PYTORCH_CUDA_ALLOC_CONF"),
    *("GLIBC_TUNABLES", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"),
)
"""Variables that choose threads, kernels, devices or how memory is kept."""


def machine_words(device: str = "cpu") -> dict[str, str]:
    """Describe this machine, as far as it says.

    Parameters
    ----------
    device : str
        What is timed; an accelerator is described too.

    Returns
    -------
    dict of str to str
        ``processor``, ``model``, ``cores``, ``instruction sets``, ``memory``, ``system``, ``python``,
        thread settings, library versions, and for an accelerator its name, memory and driver. What the
        machine does not say is absent. No names of users or hosts.

    Examples
    --------
    >>> words = machine_words()
    >>> "processor" in words, "numpy" in words
    (True, True)
    """
    info = _cpuinfo()
    flags = set((info.get("flags") or info.get("Features") or "").split())
    words = {
        "processor": info.get("model name") or _apple() or platform.processor() or platform.machine(),
        # clouds hide the name behind "Xeon Processor"; the numbers tell generations apart
        "model": " ".join(f"{key} {info[key]}" for key in ("cpu family", "model", "stepping") if key in info),
        "architecture": platform.machine(),
        "cores": f"{usable_cores()} of {os.cpu_count()} usable",
        "core limit": _quota(),
        "instruction sets": " ".join(name for name in INSTRUCTION_SETS if name in flags) or "not known",
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **versions(*LIBRARIES),
        **{name: os.environ[name] for name in THREADS if name in os.environ},
        **allocator_words(),
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


def _cpuinfo() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _apple() -> str:
    """Ask macOS, which has no /proc, for the processor's name."""
    if platform.system() != "Darwin":
        return ""
    command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout.strip()  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""


def _quota() -> str:
    """Say how much processor time a container may use, in cores."""
    try:
        allowed, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return "" if allowed == "max" else f"{int(allowed) / int(period):g} cores' time"
    except (OSError, ValueError):
        return ""


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
    words = {
        "torch threads": str(torch.get_num_threads()),
        "torch threads between operators": str(torch.get_num_interop_threads()),
        "torch kernels": str(torch.backends.cpu.get_cpu_capability()),
    }
    if device.startswith("cuda"):
        found = torch.cuda.get_device_properties(device)
        words |= {
            "accelerator": found.name,
            "accelerator memory": f"{found.total_memory / 2**30:.1f} GiB",
            "accelerator capability": f"{found.major}.{found.minor}",
            "accelerator processors": str(found.multi_processor_count),
            "cuda": str(torch.version.cuda),
            "cudnn": str(torch.backends.cudnn.version()),
            "tf32": str(torch.backends.cuda.matmul.allow_tf32),
        }
        with suppress(OSError, IndexError):
            words["driver"] = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8").splitlines()[0]
    return words
