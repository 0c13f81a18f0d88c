"""A whole benchmark of small encoders: what is timed, what is struck out, what is kept when it stops."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from clipeval.bench.compared import compare_documents
from clipeval.bench.document import bench_document, bench_schema, read_document
from clipeval.bench.findings import Bench
from clipeval.bench.job import run_bench
from clipeval.bench.parts import BATCHES
from clipeval.bench.quality import judge_rows
from clipeval.bench.settings import Settings
from clipeval.data import load_dataset
from clipeval.errors import DatasetError, InvalidInputError, SpecError

MODULE = '''
import numpy as np

calls = []


class Toy:
    """Rows of mean colours and letters; `wrong` adds noise that grows with the batch."""

    def __init__(self, wrong=False, broken=False):
        self.wrong, self.broken = wrong, broken

    def encode_images(self, pictures):
        rows = np.array([np.resize(np.array(p.resize((4, 4)), dtype=float).ravel(), 26) for p in pictures])
        if self.broken:
            rows[:] = np.nan
        return rows + 1 if not self.wrong or len(pictures) == 1 else np.roll(rows, 3, axis=1)

    def encode_texts(self, texts):
        calls.append(len(texts))
        return np.array([[t.lower().count(chr(97 + at)) + 1.0 for at in range(26)] for t in texts])


def sound():
    return Toy()


def wrong():
    return Toy(wrong=True)


def broken():
    return Toy(broken=True)


def stopped():
    toy = Toy()
    plain = toy.encode_texts

    def encode_texts(texts):
        if len(calls) > 45:  # 43 check the answers
            raise KeyboardInterrupt
        return plain(texts)

    toy.encode_texts = encode_texts
    return toy
'''


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "bench_toys.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "python:bench_toys:"
    sys.modules.pop("bench_toys", None)


WHOLE = ("decode", "end to end image", "end to end text", "end to end image, overlapped")
QUICK = Settings(batch_sizes=(1, 8), seconds=0.01)


def test_a_model_of_ones_own_is_timed_end_to_end_and_says_what_cannot_be_timed(toys) -> None:
    found = run_bench([f"{toys}sound"], QUICK)
    (model,) = found.models
    assert (found.partial, model.status) == (False, "ok")
    assert {(one.part, one.batch_size) for one in found.measurements} == {
        (part, size) for part in WHOLE for size in (1, 8)
    }
    assert [line.partition(":")[0] for line in model.missing] == [
        "preprocess",
        "forward image",
        "tokenise",
        "forward text",
    ]
    assert all(one.agrees and one.least_cosine == pytest.approx(1) for one in model.quality.values())
    for one in found.measurements:
        assert one.items == one.batch_size * (BATCHES if "overlapped" in one.part else 1)
        assert one.items_per_second == pytest.approx(one.items / np.median(one.timing.seconds))


def test_wrong_answers_at_one_batch_size_are_found_there(toys) -> None:
    found = run_bench([f"{toys}wrong"], QUICK)
    quality = found.models[0].quality
    assert (quality[1].agrees, quality[8].agrees) == (True, False)
    assert "has cosine" in quality[8].reason
    document = bench_document(found)
    sound = {(one["part"], one["batch_size"]): one["sound"] for one in document["measurements"]}
    assert sound == {(part, size): part == "decode" or size == 1 for part in WHOLE for size in (1, 8)}


def test_a_ratio_with_a_model_whose_answers_are_wrong_does_not_count(toys) -> None:
    found = run_bench([f"{toys}sound", f"{toys}wrong"], replace(QUICK, batch_sizes=(8,)))
    counts = {one["part"]: one["sound"] for one in bench_document(found)["ratios"]}
    assert counts == {part: part == "decode" for part in WHOLE}


def test_a_model_that_gives_nan_is_not_timed_and_the_others_are(toys) -> None:
    found = run_bench([f"{toys}broken", f"{toys}sound"], QUICK)
    assert [model.status for model in found.models] == ["broken", "ok"]
    assert "NaN" in found.models[0].reason
    assert {one.model for one in found.measurements} == {f"{toys}sound"}


def test_a_model_against_itself_is_as_fast_as_itself(toys) -> None:
    found = run_bench([f"{toys}sound"] * 2, replace(QUICK, seconds=0.2, batch_sizes=(8,)))
    assert [model.label for model in found.models] == [f"{toys}sound", f"{toys}sound (2)"]
    assert {one.part for one in found.ratios} == set(WHOLE)
    for one in found.ratios:
        assert one.interval.low <= one.ratio <= one.interval.high
        assert 0.5 < one.ratio < 2.0


def test_what_was_timed_before_an_interrupt_is_kept_and_marked_partial(toys) -> None:
    kept = Bench(QUICK)
    with pytest.raises(KeyboardInterrupt):
        run_bench([f"{toys}stopped"], QUICK, into=kept)
    document = bench_document(kept)
    assert document["partial"]
    assert "decode" in {one["part"] for one in document["measurements"]}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (replace(QUICK, batch_sizes=(0,)), "at least 1, got 0"),
        (replace(QUICK, batch_sizes=()), "got none"),
        (replace(QUICK, batch_sizes=(10**9,)), "beyond any machine"),
        (replace(QUICK, seconds=float("nan")), "for nan seconds"),
        (replace(QUICK, seconds=float("inf")), "for inf seconds"),
        (replace(QUICK, dtype="float23"), "unknown 'float23'"),
        (replace(QUICK, backends=("tensorrt",)), "unknown backend 'tensorrt'"),
        (replace(QUICK, parts=("fly",)), "unknown 'fly'"),
        (replace(QUICK, seconds=0.0), "for 0 seconds"),
    ],
)
def test_settings_that_cannot_be_timed_are_refused(toys, settings, words) -> None:
    with pytest.raises(InvalidInputError, match=words):
        run_bench([f"{toys}sound"], settings)


def test_stored_rows_cannot_be_timed(tmp_path) -> None:
    with pytest.raises(SpecError, match="played back"):
        run_bench([f"frozen:{tmp_path / 'rows.npz'}"], QUICK)


def test_rows_are_judged_by_cosine_and_by_first_places() -> None:
    data = load_dataset("embedded")
    rng = np.random.default_rng(1)
    rows = tuple(rng.normal(size=(20, 64)).astype(np.float32) for _ in range(2))
    same = judge_rows(rows, rows, data, dtype="float32", trained=True)
    assert (same.agrees, same.least_cosine, same.moved) == (True, pytest.approx(1.0), 0.0)
    near = tuple((row + 0.02 * rng.normal(size=row.shape)).astype(np.float32) for row in rows)
    assert judge_rows(near, rows, data, dtype="bfloat16", trained=False).agrees
    assert not judge_rows(near, rows, data, dtype="float32", trained=False).agrees
    assert judge_rows(near, rows, data, dtype="bfloat16", trained=False).moved is None
    one_off = tuple(row.copy() for row in rows)
    one_off[0][3] += 0.25 * rng.normal(size=64)  # rounding that throws a single row off
    assert judge_rows(one_off, rows, data, dtype="bfloat16", trained=False).agrees
    all_off = tuple((row + 0.09 * rng.normal(size=row.shape)).astype(np.float32) for row in rows)
    found = judge_rows(all_off, rows, data, dtype="bfloat16", trained=False)
    assert found.least_cosine > 0.99  # no row is far off, and yet the arithmetic is wrong
    assert "the median row has cosine" in found.reason
    other = tuple(np.roll(row, 1, axis=0) for row in rows)
    assert "cosine" in judge_rows(other, rows, data, dtype="bfloat16", trained=True).reason
    assert "shape" in judge_rows((rows[0][:, :8], rows[1]), rows, data, dtype="float32", trained=True).reason


def written(found: Bench, path: Path) -> dict:
    document = json.loads(json.dumps(bench_document(found)))
    jsonschema.validate(document, bench_schema())
    path.write_text(json.dumps(document), encoding="utf-8")
    return dict(read_document(path))


def test_two_benchmarks_are_compared_where_they_measured_the_same(toys, tmp_path) -> None:
    first = written(run_bench([f"{toys}sound"], QUICK), tmp_path / "a.json")
    second = written(run_bench([f"{toys}sound"], replace(QUICK, batch_sizes=(8, 4))), tmp_path / "b.json")
    compared = compare_documents(first, second)
    assert {(pair.part, pair.batch_size) for pair in compared.pairs} == {(part, 8) for part in WHOLE}
    assert compared.alone == 2 * len(WHOLE)
    assert all(pair.unsound == "" for pair in compared.pairs)
    for document in (first, second):
        document["runnable_processes"] = [0.0, 1.0]
    assert compare_documents(first, second).unlike == ()
    busy = {**second, "runnable_processes": [3.5, 1.0]}
    assert compare_documents(first, busy).unlike == (
        "load: second began with 3.5 runnable processes: others were at work",
    )
    elsewhere = {**second, "machine": {**second["machine"], "processor": "Other"}, "partial": True}
    unlike = compare_documents(first, elsewhere).unlike
    assert [line.partition(":")[0] for line in unlike] == ["processor", "partial"]


def test_documents_of_absent_models_fit_the_schema_and_wrong_ones_do_not(toys, tmp_path) -> None:
    found = run_bench(["hf:no/such-model", f"{toys}wrong", f"{toys}sound"], replace(QUICK, offline=True))
    document = written(found, tmp_path / "a.json")
    assert [one["status"] for one in document["models"]] == ["not_run", "ok", "ok"]
    del document["measurements"][0]["sound"]
    with pytest.raises(jsonschema.ValidationError, match="sound"):
        jsonschema.validate(document, bench_schema())


def test_unlike_models_of_one_name_are_refused(toys, tmp_path) -> None:
    first = written(run_bench([f"{toys}sound"], QUICK), tmp_path / "a.json")
    second = json.loads(json.dumps(first))
    second["models"][0]["fingerprint"]["weights"] = "others"
    with pytest.raises(InvalidInputError, match="not the same model on both sides: weights"):
        compare_documents(first, second)
    second = json.loads(json.dumps(first))
    second["measurements"] = []
    with pytest.raises(InvalidInputError, match="no measurement in common"):
        compare_documents(first, second)
    second = json.loads(json.dumps(first))
    second["models"][0]["quality"]["8"] = {"agrees": False, "reason": "it is wrong"}
    for pair in compare_documents(first, second).pairs:
        wrong = pair.batch_size == 8 and pair.part != "decode"
        assert pair.unsound == ("second: it is wrong" if wrong else "")


def test_a_side_that_was_too_noisy_and_random_weights_are_said_in_a_comparison(toys, tmp_path) -> None:
    first = written(run_bench([f"{toys}sound"], QUICK), tmp_path / "a.json")
    for one in first["measurements"]:
        one["against_itself"] = {"ratio": 1.0, "half_width": 0.01, "too_noisy": False}
    second = json.loads(json.dumps(first))
    second["measurements"][0]["against_itself"] = {"ratio": 1.0, "half_width": 0.071, "too_noisy": True}
    assert [pair.noisy for pair in compare_documents(first, second).pairs][:2] == ["second ± 7.1%", ""]
    assert compare_documents(first, second).random == frozenset()
    second["models"][0]["random_init"] = True
    assert compare_documents(first, second).random == {f"{toys}sound"}


def test_where_memory_ends_in_the_copy_the_models_are_timed_all_the_same(toys, monkeypatch) -> None:
    def copied(*_: object, **__: object) -> float:
        raise RuntimeError(
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate 268435456 bytes"
        )

    monkeypatch.setattr("clipeval.bench.job.copy_rate", copied)
    found = run_bench([f"{toys}sound"], QUICK)
    assert (found.partial, found.copy, found.models[0].status) == (False, None, "ok")
    assert found.measurements


@pytest.mark.parametrize("content", ["{", "[]", '{"kind": "something else"}'])
def test_files_that_are_no_benchmark_are_refused_by_name(tmp_path, content) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(DatasetError) as caught:
        read_document(path)
    assert str(path) in str(caught.value.where)
