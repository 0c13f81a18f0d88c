"""A batch that does not fit: a clear error, or half of it until it does, and all rows of one size."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from clipeval.encoders.base import JointEncoder
from clipeval.encoders.memory import ran_out, too_large
from clipeval.errors import BatchTooLargeError, EncoderError, NotAvailableError, SpecError
from clipeval.evaluation import EmbeddingCache, evaluate
from clipeval.evaluation.batch_size import FIRST, FIRST_ON_CUDA, fitting, try_largest
from clipeval.evaluation.by_spec import evaluate_spec
from clipeval.evaluation.embed import embed_images, embed_texts


class OutOfMemoryError(RuntimeError):
    """As torch's own is called."""


# --- whether memory is what is missing -----------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 8.00 TiB for an array"),
        OutOfMemoryError("whatever it says"),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory: you tried"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("bad allocation"),
        type("RuntimeException", (Exception,), {"__module__": "onnxruntime.capi"})("std::bad_alloc"),
        too_large(8, where="hf:our/clip"),
    ],
)
def test_a_full_memory_is_known_by_what_the_libraries_say(error):
    assert ran_out(error)
    wrapped = EncoderError("the encoder failed")
    wrapped.__cause__ = error
    assert ran_out(wrapped)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"),
        EncoderError("embedding 3 of 32 holds NaN"),
        ValueError("out of memory of earlier sessions"),  # not of a library that allocates
        NotAvailableError("the device 'cuda' is not here"),
    ],
)
def test_any_other_error_is_not(error):
    assert not ran_out(error)


def test_a_real_allocation_of_numpy_and_of_torch_that_cannot_be_had():
    with pytest.raises(MemoryError) as caught:
        np.empty(2**58, dtype=np.float32)
    assert ran_out(caught.value)
    torch = pytest.importorskip("torch", reason="needs clipeval[models]")
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**58, dtype=torch.float32)
    assert ran_out(caught.value)


def test_errors_that_refer_to_one_another_do_not_go_round_for_ever():
    one, two = RuntimeError("a"), RuntimeError("b")
    one.__cause__, two.__cause__ = two, one
    assert not ran_out(one)


# --- halving -------------------------------------------------------------------------------------------


def small_memory(most: int, sizes: list[int]):
    def run(size, progress):
        sizes.append(size)
        progress("pictures", 0, 9)
        if size > most:
            raise RuntimeError("CUDA out of memory")
        progress("pictures", 9, 9)
        progress("captions", 9, 9)
        return f"done with {size}"

    return run


@pytest.mark.parametrize(
    ("spec", "device", "first"),
    [
        ("hf:a", "cpu", FIRST),
        ("hf:a", "mps", FIRST),
        ("hf:a", "cuda:1", FIRST_ON_CUDA),
        ("hf:a?device=cuda", "cpu", FIRST_ON_CUDA),
        ("hf:a?device=cpu", "cuda", FIRST),
    ],
)
def test_auto_begins_with_what_suits_the_device_and_halves(spec, device, first):
    sizes: list[int] = []
    assert fitting(small_memory(5, sizes), "auto", spec=spec, device=device) == "done with 4"
    assert sizes == [first // 2**n for n in range(len(sizes))]
    assert sizes[-1] == 4


def test_the_size_is_said_once_when_something_was_encoded_with_it():
    heard: list[object] = []
    fitting(
        small_memory(20, []),
        "auto",
        spec="hf:a",
        say=heard.append,
        progress=lambda *step: heard.append(step),
    )
    note = "hf:a: a batch of 32 does not fit into memory; batch size 16 is used"
    start, end = ("pictures", 0, 9), ("pictures", 9, 9)
    assert heard == [start, start, note, end, ("captions", 9, 9)]


def test_the_size_is_said_also_where_the_job_tells_no_progress():
    heard: list[str] = []

    def run(size, _):
        if size > 8:
            raise MemoryError
        return size

    assert fitting(run, "auto", spec="hf:a", say=heard.append) == 8
    assert heard == ["hf:a: a batch of 32 does not fit into memory; batch size 8 is used"]


def test_nothing_is_said_where_the_first_size_fits():
    assert fitting(small_memory(99, []), "auto", spec="hf:a", say=pytest.fail) == "done with 32"


def test_a_size_that_was_asked_for_is_not_changed():
    sizes: list[int] = []
    with pytest.raises(BatchTooLargeError) as caught:
        fitting(small_memory(5, sizes), 8, spec="hf:a")
    assert sizes == [8]
    assert "--batch-size auto" in str(caught.value)
    assert "a batch of 8" in str(caught.value)


def test_not_even_one_is_an_error_without_advice_to_take_less():
    with pytest.raises(BatchTooLargeError, match="not even a batch of 1") as caught:
        fitting(small_memory(0, []), "auto", spec="hf:a")
    assert "batch-size" not in str(caught.value)


def test_other_errors_end_the_job_at_once():
    sizes: list[int] = []

    def run(size, _):
        sizes.append(size)
        raise SpecError("unknown")

    with pytest.raises(SpecError):
        fitting(run, "auto", spec="hf:a")
    assert sizes == [32]


def test_what_the_failed_job_held_is_let_go_before_the_next_one_begins():
    import gc
    import weakref

    class Weights:
        pass

    held: list[weakref.ref] = []

    def run(size, _):
        assert all(one() is None for one in held)
        weights = Weights()
        held.append(weakref.ref(weights))
        if size > 8:
            raise EncoderError("it failed") from MemoryError()
        return size

    gc.disable()
    try:
        assert fitting(run, "auto", spec="hf:a") == 8
    finally:
        gc.enable()
    assert len(held) == 3


# --- a model in a small memory, from its spec to its rows ------------------------------------------------


class Small:
    """Rows whose last bits depend on the batch; more than ``most`` inputs do not fit."""

    fingerprint = {"weights": "v1"}  # noqa: RUF012
    most = {"images": 99, "texts": 99}  # noqa: RUF012
    seen: list[int] = []  # noqa: RUF012

    def _rows(self, kind, values):
        if len(values) > self.most[kind]:
            raise OutOfMemoryError("CUDA out of memory")
        self.seen.append(len(values))
        rows = np.array(values, dtype=np.float32)
        rows[:, 1] += 0.125 * len(rows)
        return rows

    def encode_images(self, pictures):
        return self._rows("images", [(picture.getpixel((0, 0))[0], 1, 2) for picture in pictures])

    def encode_texts(self, texts):
        return self._rows("texts", [(len(text), sum(map(ord, text)), 3) for text in texts])


@pytest.fixture
def small(monkeypatch):
    module = types.ModuleType("small_memory")
    module.make = Small
    monkeypatch.setitem(sys.modules, "small_memory", module)

    def set_most(images, texts=99):
        monkeypatch.setattr(Small, "most", {"images": images, "texts": texts})
        monkeypatch.setattr(Small, "seen", [])
        return "python:small_memory:make"

    return set_most


@pytest.fixture
def seventy(coloured):
    return coloured(*[(n, f"caption {'x' * (n % 7)} {n}") for n in range(70)])


def test_rows_are_those_of_a_job_that_was_told_the_size(small, seventy):
    notes: list[str] = []
    found = evaluate_spec(small(10), seventy, batch_size="auto", probing=False, say=notes.append)
    told = evaluate_spec(small(99), seventy, batch_size=8, probing=False)
    other = evaluate_spec(small(99), seventy, batch_size=16, probing=False)
    assert found.images.tobytes() == told.images.tobytes() != other.images.tobytes()
    assert found.texts.tobytes() == told.texts.tobytes() != other.texts.tobytes()
    assert found.fingerprint == told.fingerprint
    assert found.fingerprint["batch size"] == "8"
    assert notes == ["python:small_memory:make: a batch of 32 does not fit into memory; batch size 8 is used"]


def test_memory_that_runs_out_half_way_begins_the_whole_job_again(small, seventy):
    found = evaluate_spec(
        small(99, texts=5), seventy, batch_size="auto", probing=False
    )  # pictures come first
    told = evaluate_spec(small(99), seventy, batch_size=4, probing=False)
    assert found.images.tobytes() == told.images.tobytes()
    assert found.texts.tobytes() == told.texts.tobytes()


def test_a_second_run_from_the_cache_takes_the_same_size(small, seventy, tmp_path):
    cache = EmbeddingCache(tmp_path)
    first = evaluate_spec(small(10), seventy, batch_size="auto", probing=False, cache=cache)
    second = evaluate_spec(small(10), seventy, batch_size="auto", probing=False, cache=cache)
    assert (first.encoded, second.encoded) == (140, 0)
    assert first.images.tobytes() == second.images.tobytes()


def test_a_size_that_does_not_fit_is_named_with_the_option_and_the_item(small, seventy):
    with pytest.raises(BatchTooLargeError) as caught:
        evaluate_spec(small(10), seventy, batch_size=16, probing=False)
    assert "a batch of 16 does not fit" in str(caught.value)
    assert "--batch-size" in str(caught.value)
    assert Small.seen == []  # nobody looked for a culprit one by one


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory")])
def test_a_loaded_encoder_in_a_small_memory_says_so_too(coloured, error):
    class Full(JointEncoder):
        name, fingerprint = "full", {"batch size": "64"}

        def encode_images(self, pictures):
            raise error

        encode_texts = encode_images

    for embed in (embed_images, embed_texts):
        with pytest.raises(BatchTooLargeError, match="a batch of 64") as caught:
            embed(Full(), coloured((1,), (2,)))
        assert "item" in str(caught.value) or "caption" in str(caught.value)
        assert ran_out(caught.value)


def test_other_errors_of_torch_are_not_dressed_up(coloured):
    class Broken(JointEncoder):
        name, fingerprint = "broken", {}

        def encode_images(self, pictures):
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

        encode_texts = encode_images

    with pytest.raises(RuntimeError, match="mat1"):
        evaluate(Broken(), coloured((1,), (2,)))


def test_the_largest_batches_are_tried_before_a_job_that_cannot_begin_again(small, seventy):
    from clipeval import load_encoder

    spec = small(99, texts=16)
    encoder = load_encoder(spec, batch_size=16)
    try_largest(encoder, seventy)
    assert Small.seen == [16, 16] + [16] * 4 + [6]
    encoder = load_encoder(spec, batch_size=32)
    with pytest.raises(BatchTooLargeError):
        try_largest(encoder, seventy)


# --- the company of a row is the batch size's, not the dataset's -----------------------------------------


def test_batches_larger_than_a_step_are_not_cut(small, coloured):
    from clipeval import load_encoder

    encoder = load_encoder(small(99), batch_size=48)
    embed_images(encoder, coloured(*[(n,) for n in range(100)]))
    assert Small.seen == [48, 48, 4]
