"""Other ways to run an encoder's networks: torch.compile, ONNX Runtime, OpenVINO."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module

from clipeval.bench.seam import Call, Seam
from clipeval.errors import InvalidInputError, NotAvailableError

BACKENDS = ("torch", "compile", "onnx", "openvino")

_MODULES = {"compile": "compiled", "onnx": "onnx", "openvino": "openvino"}


def check_backend(name: str, *, device: str, dtype: str) -> None:
    """Check that a backend is installed and can do what is asked, before any model is loaded.

    Parameters
    ----------
    name : str
        Of `BACKENDS`.
    device, dtype : str

    Raises
    ------
    InvalidInputError
        A device or dtype that it does not run.
    NotAvailableError
        A package is absent (the extra is named), or a C++ compiler.

    Examples
    --------
    >>> check_backend("torch", device="cpu", dtype="float32")
    """
    if name not in _MODULES:
        return
    module = import_module(f"clipeval.bench.backends.{_MODULES[name]}")
    if device.partition(":")[0] not in (module.DEVICES or (device,)):
        raise InvalidInputError(
            f"the backend '{name}' runs on {', '.join(module.DEVICES)} here, not on '{device}'",
            where="--backend",
            fix="use torch or compile there",
        )
    if dtype not in (module.DTYPES or (dtype,)):
        raise InvalidInputError(
            f"the backend '{name}' runs in {', '.join(module.DTYPES)}, not in {dtype}",
            where="--backend",
            fix=f"say --dtype {module.DTYPES[0]}, or time {dtype} with another backend",
        )
    module.check(device)


def put_backend(name: str, seams: Sequence[Seam], *, device: str, dtype: str) -> dict[str, Call]:
    """Let a backend run the networks of an encoder from now on; each is made ready by its first input.

    Parameters
    ----------
    name : str
        Of `BACKENDS`.
    seams : sequence of Seam
        Of its towers; two of them may be one place.
    device, dtype : str
        Where, and in which arithmetic.

    Returns
    -------
    dict of str to callable
        What stood there before, by side: torch's own forward pass.
    """
    before = {seam.place: seam.get() for seam in seams}
    if name in _MODULES:
        module = import_module(f"clipeval.bench.backends.{_MODULES[name]}")
        for seam in {seam.place: seam for seam in reversed(seams)}.values():
            seam.put(module.runner(seam, before[seam.place], device=device, dtype=dtype))
    return {seam.side: before[seam.place] for seam in seams}


def cannot_run(name: str, seam: Seam, error: BaseException) -> NotAvailableError:
    """Word a backend's failure: which tower, and the first line of what began it."""
    root = error
    while root.__cause__ is not None:  # exporters wrap the reason in words about themselves
        root = root.__cause__
    plain = re.sub("\x1b\\[[0-9;]*m", "", str(root))
    first = next((line.strip() for line in plain.splitlines() if line.strip()), "")
    return NotAvailableError(
        f"{name} cannot run the {seam.side} tower: {type(root).__name__}: {first[:300]}",
        fix="time it with --backend torch",
    )
