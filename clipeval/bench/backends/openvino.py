"""Backend ``openvino``: OpenVINO on the CPU."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from typing import Any

from clipeval.bench.backends.exported import exported_runner
from clipeval.bench.backends.tensors import Inputs
from clipeval.bench.seam import Call, Seam
from clipeval.encoders.imports import import_models
from clipeval.errors import MissingExtraError

DEVICES = ("cpu",)
DTYPES = ("float32", "bfloat16", "float16")

_PRECISIONS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}


def check(device: str) -> None:
    """Check that its package is here.

    Raises
    ------
    MissingExtraError
        It is not.
    """
    import_models("torch")
    if importlib.util.find_spec("openvino") is None:
        raise MissingExtraError("openvino", extra="openvino")


def runner(seam: Seam, before: Call, *, device: str, dtype: str) -> Call:
    """Make a call that OpenVINO answers."""

    def build(program: Any, inputs: Inputs) -> Any:
        return _session(program, fixed=seam.side == "image", dtype=dtype)

    return exported_runner("OpenVINO", seam, before, build, dtype=dtype)


def _session(program: Any, *, fixed: bool, dtype: str) -> Any:
    """Compile for each shape of a picture batch; once for texts, whose lengths are many."""
    openvino = _without_telemetry()
    model, core = openvino.convert_model(program), openvino.Core()
    words = {
        "INFERENCE_PRECISION_HINT": _PRECISIONS[dtype],
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": import_models("torch").get_num_threads(),
    }
    ready: dict[object, Any] = {}

    def run(arrays: Sequence[Any]) -> Any:
        key = tuple(array.shape for array in arrays) if fixed else None
        if key not in ready:
            shaped = model.clone() if fixed else model
            if fixed:
                shaped.reshape({at: list(array.shape) for at, array in enumerate(arrays)})
            ready[key] = core.compile_model(shaped, "CPU", words).create_infer_request()
        # the answer is copied: the library writes the next one to the same place
        return ready[key].infer(list(arrays), share_inputs=True, share_outputs=False)[0]

    return run


def _without_telemetry() -> Any:
    """Import OpenVINO so that it tells nobody: left alone, its import alone opens a connection.

    It takes a stub of its own where the package that sends is absent, which ``None`` says it is.
    """
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return importlib.import_module("openvino")
