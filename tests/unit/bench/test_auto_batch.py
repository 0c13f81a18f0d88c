"""The best batch size: found by measuring, also where memory ends before speed does."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clipeval.bench.auto_batch import find_batch
from clipeval.bench.memory_limit import limited_memory
from clipeval.encoders.memory import ran_out
from clipeval.errors import NotAvailableError


def tried(found) -> list[int]:
    return [trial.batch_size for trial in found.trials]


def test_the_smallest_batch_wins_that_no_larger_one_beats_by_more_than_two_percent() -> None:
    rates = {1: 10.0, 2: 19.0, 4: 30.0, 8: 30.5, 16: 30.2, 32: 99.0}
    found = find_batch(rates.__getitem__, "forward image", most=64)
    assert (found.batch_size, tried(found)) == (4, [1, 2, 4, 8, 16])
    assert found.ended == "16 was no faster than 4"


def test_one_slow_batch_does_not_end_the_search() -> None:
    rates = {1: 10.0, 2: 20.0, 4: 15.0, 8: 80.0, 16: 80.0, 32: 80.0}
    assert find_batch(rates.__getitem__, "forward image", most=64).batch_size == 8


def test_out_of_memory_halves_the_batch_and_is_said() -> None:
    def rate(size: int) -> float:
        if size > 8:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return 10.0 * size

    found = find_batch(rate, "forward image", most=1024)
    assert found.batch_size == 8
    assert found.trials[-1].items_per_second is None
    assert found.ended == "16 did not fit into memory, so it was halved"


def test_another_error_is_no_lack_of_memory() -> None:
    def rate(size: int) -> float:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        find_batch(rate, "forward image", most=8)


def test_a_model_of_which_not_one_input_fits_is_refused() -> None:
    def rate(size: int) -> float:
        raise MemoryError

    with pytest.raises(NotAvailableError, match="not even one input fits"):
        find_batch(rate, "forward image", most=8)


def test_a_batch_that_would_take_too_long_is_not_tried() -> None:
    found = find_batch(lambda size: 1.0, "end to end image", most=1024, longest=3.0)
    assert tried(found) == [1, 2]
    assert "a batch of 4 would take more than 3 seconds" in found.ended


def test_the_largest_batch_that_may_be_tried_is_the_last() -> None:
    found = find_batch(lambda size: 10.0 * size, "forward image", most=16)
    assert (found.batch_size, found.ended) == (16, "16 is the largest batch that is tried")


_ASK_FOR_TOO_MUCH = """
import resource
import numpy as np
from clipeval.bench.memory_limit import limited_memory
from clipeval.encoders.memory import ran_out

before = resource.getrlimit(resource.RLIMIT_DATA)
with limited_memory(spare=2**26):
    if resource.getrlimit(resource.RLIMIT_DATA) == before:
        print("not limited")
        raise SystemExit
    small = np.ones(2**20)  # 8 MiB
    try:
        np.ones(2**25)  # 256 MiB
    except MemoryError as error:
        print("caught", ran_out(error), small.sum() == 2**20)
print(resource.getrlimit(resource.RLIMIT_DATA) == before, np.ones(2**25)[-1])
"""


def test_memory_that_is_not_there_is_an_error_that_can_be_caught() -> None:
    pytest.importorskip("resource", reason="this system cannot limit memory")
    # in a process of its own: this one may hold freed memory, for which it need not ask
    ran = subprocess.run(
        [sys.executable, "-c", _ASK_FOR_TOO_MUCH], capture_output=True, text=True, check=True
    )
    if ran.stdout == "not limited\n":
        pytest.skip("this system cannot limit memory")
    assert ran.stdout.split() == ["caught", "True", "True", "True", "1.0"]


def test_torch_says_so_too(models_extra) -> None:
    torch = pytest.importorskip("torch", reason="needs clipeval[models]")
    pytest.importorskip("resource", reason="this system cannot limit memory")
    with limited_memory(spare=2**26), pytest.raises(RuntimeError) as caught:
        torch.ones(2**30)  # 4 GiB: more than this process can hold freed
    assert ran_out(caught.value)
