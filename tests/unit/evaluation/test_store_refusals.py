"""What a store refuses: another model, other data, a second job, another folder, a part as the whole."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from clipeval import load_encoder
from clipeval.data import Dataset, Item
from clipeval.errors import DatasetError, EncoderError, InvalidInputError, NotAvailableError
from clipeval.evaluation.store import embed_to_store


@pytest.fixture
def sixty(coloured):
    """Sixty distinct pictures: two shards of pictures and one of captions."""
    return coloured(*[(n, f"caption {n}") for n in range(60)])


class Stops:
    """An encoder that fails when it has seen so many pictures."""

    def __new__(cls, counting, after: int):
        encoder = counting()
        encode = encoder.encode_images

        def stopping(pictures):
            if len(encoder.images) >= after:
                raise KeyboardInterrupt
            return encode(pictures)

        encoder.encode_images = stopping
        return encoder


@pytest.fixture
def half(counting, sixty, tmp_path: Path) -> Path:
    """A store that holds the captions and the first of two shards of pictures."""
    with pytest.raises(KeyboardInterrupt):
        embed_to_store(Stops(counting, 32), sixty, tmp_path / "half", shard_size=32)
    return tmp_path / "half"


def test_an_unfinished_store_is_not_read_and_says_how_to_finish_it(half: Path) -> None:
    with pytest.raises(NotAvailableError) as refusal:
        load_encoder(f"frozen:{half}")
    assert "it holds 2 of 3 shards" in refusal.value.what
    assert "'images-00001.safetensors'" in str(refusal.value.where)
    assert "clipeval embed --model counting:encoder --data DATA --out" in str(refusal.value.fix)
    assert "the dataset 'colours'" in str(refusal.value.fix)


def test_it_goes_on_where_it_stopped(half: Path, counting, sixty, tmp_path: Path) -> None:
    encoder = counting()
    done = embed_to_store(encoder, sixty, half)
    assert (len(encoder.images), encoder.texts) == (28, [])
    assert (done.made, done.kept, done.mended) == (1, 2, ())
    embed_to_store(counting(), sixty, tmp_path / "whole", shard_size=32)
    for path in (tmp_path / "whole").iterdir():
        assert (half / path.name).read_bytes() == path.read_bytes()


def test_another_model_is_refused_and_the_difference_named(half: Path, counting, sixty) -> None:
    other = counting(words={"name": "counting", "width": "8", "dtype": "float16"})
    with pytest.raises(EncoderError, match="another model: 'dtype' is absent there, 'float16' here"):
        embed_to_store(other, sixty, half)


def test_another_setting_is_refused(half: Path, counting, sixty) -> None:
    with pytest.raises(EncoderError, match="other settings: 'batch size' is absent there, '4' here"):
        embed_to_store(counting(), sixty, half, settings={"batch size": "4"})


def test_other_data_is_refused_and_the_difference_named(half: Path, counting, sixty) -> None:
    with pytest.raises(DatasetError, match="60 images and 60 captions there, 59 images and 59 captions here"):
        embed_to_store(counting(), Dataset("fewer", sixty.items[1:]), half)
    renamed = Item("another id", sixty.items[0].captions, sixty.items[0].picture)
    with pytest.raises(DatasetError, match="equal counts, but an id, a picture, a caption"):
        embed_to_store(counting(), Dataset("colours", (renamed, *sixty.items[1:])), half)


def test_another_shard_size_is_refused_and_none_takes_the_stores_own(half: Path, counting, sixty) -> None:
    with pytest.raises(EncoderError, match="begun with 32 pictures and 256 captions in a shard, not 64"):
        embed_to_store(counting(), sixty, half, shard_size=64)
    assert embed_to_store(counting(), sixty, half).manifest.n_shards == 3


def test_a_second_job_is_refused_while_the_first_runs(counting, sixty, tmp_path: Path) -> None:
    refused: list[str] = []

    def second(step: str, done: int, total: int) -> None:
        if (step, done) == ("pictures", 32):
            with pytest.raises(NotAvailableError, match="another job is writing this store") as refusal:
                embed_to_store(counting(), sixty, tmp_path / "store")
            refused.append(refusal.value.what)

    embed_to_store(counting(), sixty, tmp_path / "store", shard_size=32, progress=second)
    assert len(refused) == 1
    embed_to_store(counting(), sixty, tmp_path / "store")


def test_the_lock_of_a_dead_process_blocks_nobody(counting, sixty, tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, pathlib\n"
        "from clipeval.evaluation.store.lock import only_job\n"
        "with only_job(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    {end}\n"
    )
    store = tmp_path / "store"
    waits = [sys.executable, "-c", code.format(end="sys.stdin.read()"), str(store)]
    with subprocess.Popen(waits, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(NotAvailableError, match="another job is writing this store"):
            embed_to_store(counting(), sixty, store)
        process.kill()
        process.wait()
    assert (store / ".lock").exists()
    assert embed_to_store(counting(), sixty, store).made == 2


def test_a_folder_of_something_else_is_left_alone(counting, sixty, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work", encoding="utf-8")
    with pytest.raises(EncoderError, match=r"it holds 'thesis\.tex' and no manifest"):
        embed_to_store(counting(), sixty, tmp_path)
    with pytest.raises(EncoderError, match=r"thesis\.tex' is a file"):
        embed_to_store(counting(), sixty, tmp_path / "thesis.tex")
    assert not (tmp_path / "manifest.json").exists()


def test_an_encoder_without_fingerprint_is_refused_before_anything_is_encoded(
    counting, sixty, tmp_path: Path
) -> None:
    encoder = counting(words={"weights": "unfingerprinted"})
    with pytest.raises(EncoderError, match="the encoder has no fingerprint"):
        embed_to_store(encoder, sixty, tmp_path / "store")
    assert (encoder.texts, (tmp_path / "store").exists()) == ([], False)


def test_frozen_rows_and_pictures_that_are_absent_are_refused(counting, sixty, tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", images=np.eye(2), texts=np.eye(2))
    with pytest.raises(EncoderError, match="frozen embeddings are on disk already"):
        embed_to_store(load_encoder(f"frozen:{tmp_path}/rows.npz"), sixty, tmp_path / "store")
    blind = Dataset("blind", (Item("a", ("a cat",)),))
    with pytest.raises(NotAvailableError, match="the dataset lacks some of them"):
        embed_to_store(counting(), blind, tmp_path / "store")


def test_widths_that_differ_are_found_at_the_first_pictures(counting, sixty, tmp_path: Path) -> None:
    encoder = counting()
    encoder.encode_images = lambda pictures: np.ones((len(pictures), 5), dtype=np.float32)
    with pytest.raises(EncoderError, match="these images have rows of 5 columns, earlier rows have 8"):
        embed_to_store(encoder, sixty, tmp_path / "store")


def test_a_shard_size_below_one_is_refused(counting, sixty, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="the shard size is 0"):
        embed_to_store(counting(), sixty, tmp_path / "store", shard_size=0)


def test_a_full_disk_ends_the_job_and_leaves_a_store_that_goes_on(
    counting, sixty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, left = os.fsync, [4]

    def full(descriptor: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        embed_to_store(counting(), sixty, tmp_path / "store", shard_size=32)
    monkeypatch.undo()
    assert not list((tmp_path / "store").glob("*.part"))
    embed_to_store(counting(), sixty, tmp_path / "store")
    embed_to_store(counting(), sixty, tmp_path / "whole", shard_size=32)
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "store" / path.name).read_bytes() == path.read_bytes()


def test_a_row_that_is_not_finite_ends_the_job_by_name_and_leaves_no_part(
    counting, sixty, tmp_path: Path
) -> None:
    encoder = counting()
    encoder.break_on = "(7, 1, 2)"
    with pytest.raises(EncoderError, match="NaN or infinity") as refusal:
        embed_to_store(encoder, sixty, tmp_path / "store", shard_size=32)
    assert "item7.png" in str(refusal.value.where)
    with pytest.raises(NotAvailableError, match="of 3 shards"):
        load_encoder(f"frozen:{tmp_path}/store")
    assert not list((tmp_path / "store").glob("*.part"))
