"""Ranking with torch, on the processor: the same code as on an accelerator, the same ranks as numpy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clipeval import rank_retrieval, unit_rows
from clipeval.core.ranks import Ranks
from clipeval.errors import InvalidInputError

FORMATS = ("float32", "tf32", "float16", "bfloat16")


def inputs(kind: str) -> tuple[np.ndarray, np.ndarray, list[list[int]]]:
    rng = np.random.default_rng(0)
    owners = [rng.choice(60, size=rng.integers(0, 3), replace=False).tolist() for _ in range(170)]
    images, texts = rng.normal(size=(60, 33)), rng.normal(size=(170, 33))
    if kind == "many":
        owners = [rng.choice(60, size=20, replace=False).tolist() for _ in range(170)]
    elif kind == "copies":
        images, texts = images[rng.integers(0, 9, 60)], images[rng.integers(0, 12, 170)]
    elif kind == "near":
        images, texts = images[:1] + 1e-7 * images, images[:1] + 1e-7 * texts
    elif kind == "zero":
        images[::3], texts[::4] = 0, 0
    return images, texts, owners


def assert_same(one: Ranks, other: Ranks) -> None:
    for mine, theirs in ((one.i2t, other.i2t), (one.t2i, other.t2i)):
        for name in ("query", "start", "positives", "wrong", "before"):
            np.testing.assert_array_equal(getattr(mine.groups, name), getattr(theirs.groups, name))
        for name in ("queries", "positive_score", "best_rival", "rival_score"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
        assert mine.top is not None
        assert theirs.top is not None
        np.testing.assert_array_equal(mine.top.candidates, theirs.top.candidates)
        np.testing.assert_array_equal(mine.top.scores, theirs.top.scores)


@pytest.mark.parametrize("filter_format", FORMATS)
@pytest.mark.parametrize("kind", ["plain", "many", "copies", "near", "zero"])
@pytest.mark.parametrize("block_bytes", [2**26, 2**14])
def test_every_filter_format_gives_the_ranks_of_numpy_bit_for_bit(
    filter_format: str, kind: str, block_bytes: int
) -> None:
    pytest.importorskip("torch", reason="needs clipeval[models]")
    images, texts, owners = inputs(kind)
    wanted = rank_retrieval(images, texts, owners, top=4)
    found = rank_retrieval(
        images, texts, owners, top=4, device="cpu", filter_format=filter_format, block_bytes=block_bytes
    )
    assert_same(wanted, found)


@pytest.mark.parametrize("filter_format", FORMATS)
@pytest.mark.parametrize("width", [2, 40, 700])
def test_no_fast_product_is_further_from_the_score_than_the_bound_of_its_format(
    filter_format: str, width: int
) -> None:
    pytest.importorskip("torch", reason="needs clipeval[models]")
    from clipeval.core.torch_engine import TorchEngine

    rng = np.random.default_rng(width)
    rows = rng.normal(size=(50, width)) * 10.0 ** rng.uniform(-6, 0, size=(50, width))
    left, right = unit_rows(np.abs(rows)), unit_rows(np.abs(rows[::-1]))
    engine = TorchEngine("cpu", filter_format)
    none = (np.zeros(0, np.int64), np.zeros(0, np.int64))
    fast, _ = engine.product(engine.load(left), engine.load(right), none)
    fast = fast.numpy()
    exact = left.astype(np.float64) @ right.astype(np.float64).T
    assert np.abs(fast - exact).max() <= engine.bound(width)
    if filter_format != "float32":
        assert np.abs(fast - exact).max() > 1e-7  # the format is really narrower


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_tensors_of_any_dtype_rank_as_their_values_even_with_gradients(dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="needs clipeval[models]")
    images, texts, owners = inputs("plain")
    left = torch.tensor(images, dtype=getattr(torch, dtype), requires_grad=True)
    right = torch.tensor(texts, dtype=getattr(torch, dtype))
    wanted = rank_retrieval(left.detach().double().numpy(), right.double().numpy(), owners, top=4)
    assert_same(wanted, rank_retrieval(left, right, owners, top=4))
    assert_same(wanted, rank_retrieval(left, right, owners, top=4, device="cpu"))


def test_ranking_with_torch_leaves_its_precision_setting_alone() -> None:
    torch = pytest.importorskip("torch", reason="needs clipeval[models]")
    before = torch.get_float32_matmul_precision()
    rank_retrieval(np.eye(3), np.eye(3), device="cpu", filter_format="tf32")
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.parametrize("rivals", [True, False])
@pytest.mark.parametrize("filter_format", FORMATS)
def test_the_product_is_not_made_narrower_by_an_autocast_around_it(filter_format: str, rivals: bool) -> None:
    torch = pytest.importorskip("torch", reason="needs clipeval[models]")
    rng = np.random.default_rng(0)
    images = rng.normal(size=(300, 64))
    texts = 0.3 * images + rng.normal(size=(300, 64))
    wanted = rank_retrieval(images, texts)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = rank_retrieval(images, texts, device="cpu", filter_format=filter_format, rivals=rivals)
        assert torch.is_autocast_enabled("cpu")
    for mine, theirs in ((wanted.i2t, found.i2t), (wanted.t2i, found.t2i)):
        np.testing.assert_array_equal(mine.better, theirs.better)


@pytest.mark.parametrize("rough", ["bf16", "tf32"])
def test_the_product_is_a_whole_float32_one_whatever_torch_is_told_to_use_for_others(rough: str) -> None:
    torch = pytest.importorskip("torch", reason="needs clipeval[models]")
    setting = getattr(torch.backends.mkldnn, "matmul", None)
    if not hasattr(setting, "fp32_precision"):
        pytest.skip("this torch has no precision for each backend")
    from clipeval.core.torch_engine import TorchEngine

    rows = unit_rows(np.abs(np.random.default_rng(0).normal(size=(300, 512))))
    engine = TorchEngine("cpu")
    none = (np.zeros(0, np.int64), np.zeros(0, np.int64))
    before = setting.fp32_precision
    setting.fp32_precision = rough
    try:
        fast, _ = engine.product(engine.load(rows), engine.load(rows), none)
        fast = fast.numpy()
        assert setting.fp32_precision == rough
    finally:
        setting.fp32_precision = before
    exact = rows.astype(np.float64) @ rows.astype(np.float64).T
    assert np.abs(fast - exact).max() <= engine.bound(512)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "cpu", "filter_format": "float61"}, "unknown filter format 'float61'"),
        ({"device": "gpu"}, "torch cannot use device 'gpu'"),
        ({"device": "meta"}, "nothing is known of how device 'meta' rounds"),
    ],
)
def test_an_unknown_device_or_format_is_refused(options: Any, words: str) -> None:
    pytest.importorskip("torch", reason="needs clipeval[models]")
    with pytest.raises(InvalidInputError, match=words):
        rank_retrieval(np.eye(3), np.eye(3), **options)


def test_a_format_without_a_device_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="numpy multiplies in float32"):
        rank_retrieval(np.eye(3), np.eye(3), filter_format="float16")
