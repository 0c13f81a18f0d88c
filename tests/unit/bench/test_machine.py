"""What a benchmark says about the machine and about memory."""

from __future__ import annotations

import os
import re

import numpy as np
import pytest

from clipeval.bench.machine import differences, machine_words
from clipeval.bench.memory import forget_peak, peak_on_device, peak_resident
from clipeval.evaluation.overlap import usable_cores


def test_the_machine_is_described_without_naming_user_or_host() -> None:
    words = machine_words()
    assert {"processor", "architecture", "cores", "instruction sets", "system", "python", "numpy"} <= set(
        words
    )
    assert re.fullmatch(r"\d+ of \d+ usable", words["cores"])
    said = " ".join(words.values())
    for private in (os.uname().nodename if hasattr(os, "uname") else "", os.environ.get("USER", "")):
        assert len(private) < 4 or private not in said


def test_thread_settings_are_part_of_the_description(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert machine_words()["OMP_NUM_THREADS"] == "3"
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert "OMP_NUM_THREADS" not in machine_words()
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_machines_that_are_alike_differ_in_nothing() -> None:
    words = machine_words()
    assert differences(words, dict(words)) == []
    assert differences(words, {**words, "processor": "Other"}) == [f"processor: {words['processor']}, Other"]


def test_memory_that_is_touched_raises_the_peak() -> None:
    forget_peak()
    before = peak_resident()
    if before is None:
        pytest.skip("this system does not say how much memory is resident")
    block = np.ones(2**23)  # 64 MiB
    after = peak_resident()
    assert after is not None
    assert after - before > 48 * 2**20
    assert block[-1] == 1
    if forget_peak():
        del block
        forget_peak()
        later = peak_resident()
        assert later is not None
        assert later < after - 48 * 2**20
    assert peak_on_device("cpu") is None
