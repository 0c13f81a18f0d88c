"""Backend ``onnx``: ONNX Runtime on the CPU."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from clipeval.bench.backends.exported import exported_runner
from clipeval.bench.backends.tensors import Inputs
from clipeval.bench.seam import Call, Seam
from clipeval.encoders.imports import import_models
from clipeval.errors import MissingExtraError

DEVICES = ("cpu",)
DTYPES = ("float32",)


def check(device: str) -> None:
    """Check that its packages are here.

    Raises
    ------
    MissingExtraError
        The first that is not.
    """
    import_models("torch")
    for package in ("onnx", "onnxscript", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, extra="onnx")


def runner(seam: Seam, before: Call, *, device: str, dtype: str) -> Call:
    """Make a call that ONNX Runtime answers."""
    return exported_runner("ONNX Runtime", seam, before, _build, dtype=dtype)


def _build(program: Any, inputs: Inputs) -> Any:
    import onnxruntime

    torch = import_models("torch")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    # its threads stay awake for a while after a call, and would take the processor from what runs in turns
    options.add_session_config_entry("session.force_spinning_stop", "1")
    with TemporaryDirectory() as folder:  # weights beside the graph: one file holds 2 GB at most
        path = Path(folder) / "network.onnx"
        torch.onnx.export(program, dynamo=True, verbose=False).save(str(path), external_data=True)
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]

    def run(arrays: Sequence[Any]) -> Any:
        return session.run(None, dict(zip(names, arrays, strict=True)))[0]

    return run
