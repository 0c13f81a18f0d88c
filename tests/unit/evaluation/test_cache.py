"""The cache of embeddings: what comes back is what was put, or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from clipeval.evaluation import EmbeddingCache, default_cache, evaluate

WORDS = {"tower": "a", "dtype": "float32"}
KEYS = ["k1", "k2", "k3"]


@pytest.fixture
def rows():
    return np.random.default_rng(1).standard_normal((3, 5)).astype(np.float32)


@pytest.fixture
def cache(tmp_path):
    return EmbeddingCache(tmp_path / "cache")


def only_file(cache):
    (file,) = [path for path in cache.folder.rglob("*") if path.is_file()]
    return file


def test_what_was_put_comes_back_to_the_bit(cache, rows):
    assert cache.get(WORDS, "image", KEYS) is None
    cache.put(WORDS, "image", KEYS, rows)
    back = cache.get(WORDS, "image", KEYS)
    assert back.dtype == np.float32
    assert back.tobytes() == rows.tobytes()


def test_rows_that_are_no_contiguous_block_come_back_too(cache, rows):
    cache.put(WORDS, "image", KEYS, rows[::-1])
    assert np.array_equal(cache.get(WORDS, "image", KEYS), rows[::-1])


@pytest.mark.parametrize(
    ("words", "kind", "keys"),
    [
        ({**WORDS, "dtype": "float16"}, "image", KEYS),
        ({**WORDS, "more": ""}, "image", KEYS),
        ({"tower": "a"}, "image", KEYS),
        (WORDS, "text", KEYS),
        (WORDS, "image", KEYS[:2]),
        (WORDS, "image", KEYS[::-1]),
        (WORDS, "image", ["k1", "k2", "k4"]),
        (WORDS, "image", ["k1k2", "k3", ""]),
    ],
)
def test_another_fingerprint_kind_content_or_order_is_another_key(cache, rows, words, kind, keys):
    cache.put(WORDS, "image", KEYS, rows)
    assert cache.get(words, kind, keys) is None


def test_the_order_of_a_fingerprints_words_does_not_matter(cache, rows):
    cache.put(WORDS, "image", KEYS, rows)
    assert cache.get(dict(reversed(WORDS.items())), "image", KEYS) is not None


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 20, 100, -1])
def test_a_truncated_file_counts_as_absent(cache, rows, keep):
    cache.put(WORDS, "image", KEYS, rows)
    file = only_file(cache)
    file.write_bytes(file.read_bytes()[:keep])
    assert cache.get(WORDS, "image", KEYS) is None


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 200,
        b"\xff" * 200,
        b"not a cache file at all, only some text that is longer than a header",
        (2).to_bytes(8, "little") + b"{}",
        (2**40).to_bytes(8, "little") + b"{}",
        (58).to_bytes(8, "little")
        + b'{"rows":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]}}'
        + b"\x00" * 6,
        (57).to_bytes(8, "little")
        + b'{"rows":{"dtype":"F99","shape":[3],"data_offsets":[0,6]}}'
        + b"\x00" * 6,
    ],
)
def test_garbage_counts_as_absent(cache, rows, garbage):
    cache.put(WORDS, "image", KEYS, rows)
    only_file(cache).write_bytes(garbage)
    assert cache.get(WORDS, "image", KEYS) is None


def test_any_changed_byte_is_noticed(cache, rows):
    cache.put(WORDS, "image", KEYS, rows)
    file = only_file(cache)
    data = file.read_bytes()
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 4
        file.write_bytes(changed)
        back = cache.get(WORDS, "image", KEYS)
        assert back is None or back.tobytes() == rows.tobytes(), f"byte {position} of {len(data)}"


@pytest.mark.parametrize(
    "other",
    [
        np.zeros((2, 5), np.float32),
        np.zeros((3, 5)),
        np.zeros(3, np.float32),
        np.full((3, 5), np.nan, np.float32),
    ],
)
def test_rows_of_the_wrong_shape_type_or_value_count_as_absent(cache, other):
    cache.put(WORDS, "image", KEYS, other)
    assert cache.get(WORDS, "image", KEYS) is None


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path, rows):
    (tmp_path / "file").write_text("in the way")
    for cache in (EmbeddingCache(tmp_path / "file"), EmbeddingCache(tmp_path / "file" / "below")):
        cache.put(WORDS, "image", KEYS, rows)
        assert cache.get(WORDS, "image", KEYS) is None


def test_a_folder_that_cannot_be_written_to_is_no_error(tmp_path, rows, monkeypatch, counting, coloured):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    evaluation = evaluate(counting(), coloured((1,), (2,)), cache=EmbeddingCache(tmp_path))
    assert evaluation.encoded == 4
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_interrupted_write_leaves_nothing_behind(cache, rows, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cache.put(WORDS, "image", KEYS, rows)
    assert not [path for path in cache.folder.rglob("*") if path.is_file()]


WRITER = """
import sys
from pathlib import Path
import numpy as np
from clipeval.evaluation import EmbeddingCache
cache = EmbeddingCache(Path(sys.argv[1]))
rows = np.full((3, 20000), 7, np.float32)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(60):
    cache.put({"a": "b"}, "image", ["1", "2", "3"], rows)
    back = cache.get({"a": "b"}, "image", ["1", "2", "3"])
    assert back is not None and (back == 7).all()
"""


def test_two_processes_may_write_the_same_key_at_once(tmp_path):
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    errors = [writer.communicate(timeout=60)[1] for writer in writers]
    assert errors == ["", ""]
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".safetensors"]


def test_the_users_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("CLIPEVAL_CACHE", str(tmp_path))
    assert default_cache().folder == tmp_path / "embeddings"
    monkeypatch.delenv("CLIPEVAL_CACHE")
    assert default_cache().folder.is_absolute()
    assert "clipeval" in str(default_cache().folder)
    assert os.environ.get("CLIPEVAL_CACHE") is None
