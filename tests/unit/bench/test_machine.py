"""What a benchmark says about the machine and about memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from clipeval.bench.machine import differences, machine_words
from clipeval.bench.memory import peak_on_device
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


_TOUCH_MEMORY = """
import mmap
from clipeval.bench.memory import forget_peak, peak_resident

forgot = forget_peak()
peaks = [peak_resident()]
block = mmap.mmap(-1, 2**26)  # 64 MiB
for page in range(0, len(block), mmap.PAGESIZE):
    block[page] = 1
peaks.append(peak_resident())
block.close()
forget_peak()
peaks.append(peak_resident())
print(forgot, *peaks)
"""


def test_memory_that_is_touched_raises_the_peak() -> None:
    # in a process of its own: this one may hold freed memory, and a peak that cannot be forgotten
    ran = subprocess.run([sys.executable, "-c", _TOUCH_MEMORY], capture_output=True, text=True, check=True)
    forgot, *peaks = ran.stdout.split()
    if "None" in peaks:
        pytest.skip("this system does not say how much memory is resident")
    before, touched, later = map(int, peaks)
    assert touched - before > 48 * 2**20
    if forgot == "True":
        assert later < touched - 48 * 2**20


def test_a_processor_has_no_device_memory_of_its_own() -> None:
    assert peak_on_device("cpu") is None
