"""Every backend gives torch's rows, for any batch size and text length, or says why it cannot."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from clipeval.bench.backends import BACKENDS, check_backend, put_backend
from clipeval.bench.seam import image_seam, text_seam
from clipeval.bench.settings import Settings
from clipeval.errors import InvalidInputError, MissingExtraError, NotAvailableError

pytest.importorskip("torch", reason="needs clipeval[models]")

PACKAGES = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "openvino": ("openvino",)}


def need(backend: str) -> None:
    for package in PACKAGES.get(backend, ()):
        pytest.importorskip(package, reason=f"needs clipeval[{backend}]")
    if backend == "compile" and not any(map(shutil.which, ("g++", "clang++", "c++"))):
        pytest.skip("torch.compile needs a C++ compiler")


@pytest.fixture(params=["hf", "open_clip", "st", "preclip"])
def spec(request) -> str:
    if request.param == "open_clip":
        return f"open_clip:local-dir:{request.getfixturevalue('tiny_open_clip')}"
    if request.param == "preclip":
        return f"preclip:efficientnet-lite0+bert:{request.getfixturevalue('tiny_bert')}"
    return f"{request.param}:{request.getfixturevalue('tiny_hf')}"


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_rows_are_torchs_for_any_batch_size_and_length(spec, backend, embedded, embedded_pictures) -> None:
    from clipeval import load_encoder

    need(backend)
    encoder = load_encoder(spec, offline=True)
    pictures, texts = embedded_pictures[:5], list(embedded.captions[:5])
    plain = encoder.encode_images(pictures), encoder.encode_texts(texts)
    seams = image_seam(encoder.image_tower), text_seam(encoder.text_tower)
    before = put_backend(backend, seams, device="cpu", dtype="float32")
    assert all(seam.get() is not before[seam.side] for seam in seams)
    for size in (1, 2, 5):
        images = np.concatenate([encoder.encode_images(pictures[at : at + size]) for at in range(0, 5, size)])
        rows = np.concatenate([encoder.encode_texts(texts[at : at + size]) for at in range(0, 5, size)])
        np.testing.assert_allclose(images, plain[0], rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(rows, plain[1], rtol=1e-3, atol=1e-4)


def test_compiled_rows_are_torchs_and_no_shape_falls_back(tiny_hf, embedded_pictures) -> None:
    import torch

    from clipeval import load_encoder

    need("compile")
    encoder = load_encoder(f"hf:{tiny_hf}", offline=True)
    plain = encoder.encode_images(embedded_pictures[:3])
    put_backend("compile", [image_seam(encoder.image_tower)], device="cpu", dtype="float32")
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    # a limit behind which torch goes on uncompiled, without a word
    with torch._dynamo.config.patch(recompile_limit=1):
        for size in (2, 3):
            rows = encoder.encode_images(embedded_pictures[:size])
            np.testing.assert_allclose(rows, plain[:size], rtol=1e-3, atol=1e-4)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] - before >= 2


def test_a_network_that_cannot_be_exported_is_not_run_and_says_which_tower(tiny_hf, monkeypatch) -> None:
    from clipeval.bench.job import run_bench

    need("onnx")
    quick = Settings(backends=("torch", "onnx"), batch_sizes=(2,), seconds=0.01, offline=True)
    spec = f"hf:{tiny_hf}"

    def refuse(program, inputs):
        raise ValueError("no operator 'frobnicate'")

    monkeypatch.setattr("clipeval.bench.backends.onnx._build", refuse)
    found = run_bench([spec], replace(quick, parts=("forward image",)))
    assert [model.status for model in found.models] == ["ok", "not_run"]
    assert "ONNX Runtime cannot run the image tower: ValueError: no operator" in found.models[1].reason
    assert {one.model for one in found.measurements} == {spec}


def test_an_encoder_without_a_seam_is_not_run_by_a_backend(tmp_path, monkeypatch) -> None:
    from clipeval.bench.job import run_bench

    need("openvino")
    (tmp_path / "no_seam.py").write_text(
        "import numpy as np\n\n\nclass Own:\n"
        "    def encode_images(self, pictures):\n        return np.ones((len(pictures), 4))\n\n"
        "    def encode_texts(self, texts):\n        return np.ones((len(texts), 4))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = Settings(backends=("openvino",), batch_sizes=(1,), seconds=0.01)
    (model,) = run_bench(["python:no_seam:Own"], settings).models
    assert model.status == "not_run"
    assert "cannot be taken apart, so openvino cannot run it" in model.reason


@pytest.mark.parametrize(("backend", "packages"), PACKAGES.items())
def test_a_missing_package_is_named_with_its_extra(backend, packages, monkeypatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == packages[-1] else found(name, *more)
    )
    if any(found(package) is None for package in packages[:-1]):
        pytest.skip(f"needs clipeval[{backend}]")
    with pytest.raises(MissingExtraError) as caught:
        check_backend(backend, device="cpu", dtype="float32")
    assert caught.value.package == packages[-1]
    assert caught.value.fix == f"pip install 'clipeval[{backend}]'"


def test_compiling_without_a_compiler_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(NotAvailableError, match=r"needs a C\+\+ compiler .* none of g\+\+"):
        check_backend("compile", device="cpu", dtype="float32")


@pytest.mark.parametrize(
    ("backend", "device", "dtype", "words"),
    [
        ("onnx", "cuda", "float32", "runs on cpu here, not on 'cuda'"),
        ("openvino", "mps", "float32", "runs on cpu here, not on 'mps'"),
        ("onnx", "cpu", "bfloat16", "runs in float32, not in bfloat16"),
    ],
)
def test_what_a_backend_does_not_run_is_refused(backend, device, dtype, words) -> None:
    with pytest.raises(InvalidInputError, match=words):
        check_backend(backend, device=device, dtype=dtype)


def test_an_unknown_backend_is_refused_with_those_that_exist() -> None:
    with pytest.raises(InvalidInputError) as caught:
        Settings(backends=("tensorrt",)).check()
    assert caught.value.fix == f"known: {', '.join(BACKENDS)}"


def test_openvino_tells_nobody() -> None:
    """Its import alone would send an event; run apart, for it may be imported here already."""
    need("openvino")
    import subprocess
    import sys

    code = (
        "from clipeval.bench.backends.openvino import _without_telemetry\n"
        "_without_telemetry()\n"
        "from openvino.tools.ovc import telemetry_utils\n"
        "print(telemetry_utils.tm.__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "openvino.tools.ovc.telemetry_stub"
