"""Freed memory stays with the process, so that a forward pass finds it again without page faults."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
from clipeval.encoders.allocator import allocator_words, keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "kept" else False
def faults(times):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        b"x" * 2**26
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(2)
print(kept, len(allocator_words()), faults(20))
"""
CHOICES = ("GLIBC_TUNABLES", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "LD_PRELOAD")


@pytest.fixture
def blocks_of_64_mib() -> None:
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        pytest.skip("needs Linux with glibc")


def run(how: str, **more: str) -> list[str]:
    environment = {name: value for name, value in os.environ.items() if name not in CHOICES}
    return subprocess.run(
        [sys.executable, "-c", FAULTS, how],
        env={**environment, **more},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()


def test_a_block_that_was_freed_is_used_again_without_page_faults(blocks_of_64_mib: None) -> None:
    kept, words, few = run("kept")
    assert (kept, words) == ("True", "1")
    left_alone, no_words, many = run("left alone")
    assert (left_alone, no_words) == ("False", "0")
    assert int(few) < 20 <= int(many)


@pytest.mark.parametrize("name", CHOICES)
def test_what_the_user_chose_stays(name: str, blocks_of_64_mib: None) -> None:
    value = {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=131072", "LD_PRELOAD": ""}.get(name, "131072")
    kept, words, _ = run("kept", **{name: value})
    assert (kept, words) == ("False", "0")
