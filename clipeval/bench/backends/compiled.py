"""Backend ``compile``: torch.compile."""

from __future__ import annotations

import os
import shutil
from typing import Any

from clipeval.bench.backends import cannot_run
from clipeval.bench.backends.tensors import shape_key
from clipeval.bench.seam import Call, Seam
from clipeval.encoders.imports import import_models
from clipeval.errors import NotAvailableError

DEVICES = ()
DTYPES = ()
"""Empty: whatever torch runs."""

MOST_SHAPES = 256
"""Inputs of so many shapes may be compiled; torch itself gives up after eight and goes on uncompiled."""


def check(device: str) -> None:
    """Check that what compiles is here.

    Raises
    ------
    MissingExtraError
        torch is not installed.
    NotAvailableError
        A CPU needs a C++ compiler.
    """
    import_models("torch")
    names = [name for name in (os.environ.get("CXX"), "g++", "clang++", "c++", "cl") if name]
    if device.startswith("cpu") and not any(map(shutil.which, names)):
        raise NotAvailableError(
            f"torch.compile needs a C++ compiler on a CPU, and none of {', '.join(names)} is on the PATH",
            where="--backend compile",
            fix="install one (Debian: apt-get install g++) or name it in CXX",
        )


def runner(seam: Seam, before: Call, *, device: str, dtype: str) -> Call:
    """Make a compiled call; pictures for each shape, texts once shapes differ for any length."""
    torch = import_models("torch")
    # "freezing" packs weights for oneDNN: no faster for convolutions, slower than MKL's product for a ViT
    compiled = torch.compile(before, dynamic=False if seam.side == "image" else None)
    known: set[object] = set()

    def call(*arguments: Any, **words: Any) -> object:
        key = shape_key(arguments, words)
        if key in known:
            return compiled(*arguments, **words)
        try:
            with torch._dynamo.config.patch(**_limits(torch)):
                result = compiled(*arguments, **words)
        except Exception as error:  # a compiler can fail in any way
            raise cannot_run("torch.compile", seam, error) from error
        known.add(key)
        return result

    return call


def _limits(torch: Any) -> dict[str, object]:
    """Compile every shape, and fail where that is refused: the answer would be eager torch's speed."""
    config = torch._dynamo.config
    words = {
        "recompile_limit": MOST_SHAPES,
        "cache_size_limit": MOST_SHAPES,  # its name before torch 2.6
        "accumulated_recompile_limit": MOST_SHAPES * 8,
        "accumulated_cache_size_limit": MOST_SHAPES * 8,
        "fail_on_recompile_limit_hit": True,
    }
    return {key: value for key, value in words.items() if hasattr(config, key)}
