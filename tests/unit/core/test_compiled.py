"""What numba compiles gives the bits of what numpy computes."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from clipeval import rank_retrieval, unit_rows
from clipeval.core import block_budget
from clipeval.core.compiled import compiler
from clipeval.core.fixed_order import fixed_order_dot
from clipeval.core.ranks import Ranks
from clipeval.errors import InvalidInputError, MissingExtraError

WIDTHS = (1, 2, 3, 31, 32, 100, 512, 777)


@pytest.fixture
def numba_there() -> None:
    pytest.importorskip("numba", reason="needs clipeval[fast]")


def assert_same(one: Ranks, other: Ranks) -> None:
    for mine, theirs in ((one.i2t, other.i2t), (one.t2i, other.t2i)):
        for name in ("query", "start", "positives", "wrong", "before"):
            np.testing.assert_array_equal(getattr(mine.groups, name), getattr(theirs.groups, name))
        for name in ("queries", "positive_score", "best_rival", "rival_score"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
        assert (mine.top is None) == (theirs.top is None)
        if mine.top is not None and theirs.top is not None:
            np.testing.assert_array_equal(mine.top.candidates, theirs.top.candidates)
            np.testing.assert_array_equal(mine.top.scores, theirs.top.scores)


def hard_rows(n: int, width: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, width)) * 10.0 ** rng.integers(-44, 38, size=(n, 1))
    rows[::7] = 0
    rows[1::7] *= rng.choice([0, 1e-30, 1], size=rows[1::7].shape)
    with np.errstate(under="ignore"):
        return rows.astype(np.float32)


@pytest.mark.usefixtures("numba_there")
@pytest.mark.parametrize("width", WIDTHS)
def test_compiled_unit_rows_are_those_of_numpy_to_the_last_bit(width: int) -> None:
    from clipeval.core.compiled.sums import unit_rows_of_float32

    rows = hard_rows(60, width, width)
    found = np.empty_like(rows)
    unit_rows_of_float32(rows, found)
    np.testing.assert_array_equal(found.view(np.uint32), unit_rows(rows).view(np.uint32))


@pytest.mark.usefixtures("numba_there")
@pytest.mark.parametrize("width", WIDTHS)
def test_compiled_scores_are_those_of_numpy_to_the_last_bit(width: int) -> None:
    from clipeval.core.compiled.sums import dot_pairs

    left, right = hard_rows(40, width, 1), hard_rows(50, width, 2)
    i, j = np.random.default_rng(3).integers(0, 40, size=(2, 300))
    found = np.empty(300)
    dot_pairs(left, i, right, j, found)
    np.testing.assert_array_equal(found, fixed_order_dot(left[i], right[j]))


def crowd(rng: np.random.Generator, m: int, n: int) -> Any:
    """Rows so close together that no fast score tells them apart, beside ordinary ones."""
    images, texts = rng.normal(size=(m, 40)), rng.normal(size=(n, 40))
    texts[n // 2 :] = texts[0] + 1e-7 * texts[n // 2 :]
    images[m // 2 :] = texts[0] + 1e-6 * images[m // 2 :]
    return images, texts


@pytest.mark.usefixtures("numba_there")
@pytest.mark.parametrize("top", [0, 1, 10])
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_rows_whose_short_list_overflows_are_ranked_as_without_short_lists(
    top: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_budget, "_WORTH_THREADS", 0)
    monkeypatch.setattr(block_budget, "_ROWS", 40)
    monkeypatch.setattr(block_budget, "_COLUMNS", 56)
    monkeypatch.setattr(block_budget, "blas_threads", lambda: workers)
    rng = np.random.default_rng(4)
    images, texts = crowd(rng, 300, 700)
    owner = [[int(i)] if i % 3 else [] for i in rng.integers(0, 300, 700)]
    wanted = rank_retrieval(images, texts, owner, top=top, compiled=False)
    for block_bytes in (2**26, 2**16):
        found = rank_retrieval(images, texts, owner, top=top, compiled=True, block_bytes=block_bytes)
        assert_same(found, wanted)


@pytest.mark.usefixtures("numba_there")
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "float32 reversed", "int8"])
def test_any_dtype_and_layout_ranks_the_same_compiled(dtype: str) -> None:
    rng = np.random.default_rng(5)
    images, texts = (10 * rng.normal(size=(n, 24)) for n in (60, 110))
    name, *backwards = dtype.split()
    images, texts = (rows.astype(name) for rows in (images, texts))
    if backwards:
        images, texts = images[::-1, ::-1], np.asfortranarray(texts)
    owner = rng.integers(0, 60, 110)
    assert_same(
        rank_retrieval(images, texts, owner, top=5, compiled=True),
        rank_retrieval(images, texts, owner, top=5, compiled=False),
    )


@pytest.mark.usefixtures("numba_there")
def test_where_no_folder_can_hold_the_compiled_code_it_is_compiled_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import numba

    njit = numba.njit

    def without_cache(**options: Any) -> Any:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(numba, "njit", without_cache)
    assert compiler.compiled()(lambda x: x + 1)(2) == 3


@pytest.mark.usefixtures("numba_there")
def test_compiled_counting_is_used_only_where_it_makes_up_for_its_start() -> None:
    assert not compiler.use_compiled(None, pairs=compiler.WORTH_PAIRS - 1)
    assert compiler.use_compiled(None, pairs=compiler.WORTH_PAIRS)
    assert compiler.use_compiled(True, pairs=1)
    assert not compiler.use_compiled(False, pairs=10**12)


def test_without_numba_large_work_is_done_by_numpy_and_insisting_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compiler, "find_spec", lambda name: None)
    assert not compiler.use_compiled(None, pairs=10**12)
    with pytest.raises(MissingExtraError, match=r"numba[\s\S]*clipeval\[fast\]"):
        rank_retrieval(np.eye(3), np.eye(3), compiled=True)


@pytest.mark.usefixtures("numba_there")
def test_a_numba_that_refuses_this_numpy_is_no_reason_to_fail_unless_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Refuses:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "numba":
                raise ImportError("Numba needs NumPy 2.5 or less. Got NumPy 2.6.")

    monkeypatch.delitem(sys.modules, "numba", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Refuses(), *sys.meta_path])
    monkeypatch.setattr(compiler, "find_spec", lambda name: object())  # it is installed
    assert not compiler.use_compiled(None, pairs=10**12)
    with pytest.raises(ImportError, match="needs NumPy"):
        compiler.compiled()


@pytest.mark.usefixtures("numba_there")
def test_candidates_with_numbers_too_large_for_short_lists_are_ranked_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from clipeval.core.compiled import shortlists

    monkeypatch.setattr(shortlists, "MOST_CANDIDATES", 70)
    followed: list[int] = []
    make = shortlists.Shortlists.__init__
    monkeypatch.setattr(
        shortlists.Shortlists,
        "__init__",
        lambda self, start, stop, **options: [followed.append(stop), make(self, start, stop, **options)][-1],
    )
    rng = np.random.default_rng(6)
    images, texts = rng.normal(size=(60, 8)), rng.normal(size=(80, 8))
    owner = rng.integers(0, 60, 80)
    found = rank_retrieval(images, texts, owner, top=5, compiled=True)
    assert set(followed) == {80}  # the captions, among 60 images; the images have 80 candidates
    assert_same(found, rank_retrieval(images, texts, owner, top=5, compiled=False))


def test_compiled_counting_beside_a_device_is_refused() -> None:
    pytest.importorskip("torch", reason="needs clipeval[models]")
    with pytest.raises(InvalidInputError, match="compiled"):
        rank_retrieval(np.eye(3), np.eye(3), device="cpu", compiled=True)
