"""Contrastive losses against plain loops, open_clip's own, and what is known without computing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs clipeval[models]")

from clipeval.training.loss import info_nce, same_pairs, siglip  # noqa: E402


def unit(n: int, d: int, seed: int) -> Any:
    rows = np.random.default_rng(seed).normal(size=(n, d))
    return torch.tensor(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=torch.float32)


def slow_info_nce(images: Any, texts: Any, scale: float, same: Any = None) -> float:
    scores = scale * images.numpy().astype(np.float64) @ texts.numpy().astype(np.float64).T
    n = len(scores)
    total = 0.0
    for i in range(n):
        over_texts = sum(math.exp(scores[i, j]) for j in range(n) if same is None or not same[i, j])
        over_images = sum(math.exp(scores[j, i]) for j in range(n) if same is None or not same[j, i])
        total -= math.log(math.exp(scores[i, i]) / over_texts) + math.log(
            math.exp(scores[i, i]) / over_images
        )
    return total / (2 * n)


def slow_siglip(images: Any, texts: Any, scale: float, bias: float, same: Any = None) -> float:
    scores = scale * images.numpy().astype(np.float64) @ texts.numpy().astype(np.float64).T + bias
    total = 0.0
    for i in range(len(scores)):
        for j in range(len(scores)):
            if same is None or not same[i, j]:
                total += math.log1p(math.exp(-scores[i, j] if i == j else scores[i, j]))
    return total / len(scores)


MASK = same_pairs(torch.tensor([0, 1, 0, 2, 3, 4, 5]), torch.tensor([0, 1, 2, 3, 3, 5, 6]))


@pytest.mark.parametrize("same", [None, MASK])
def test_info_nce_is_what_a_plain_loop_gives(same: Any) -> None:
    images, texts = unit(7, 5, 1), unit(7, 5, 2)
    assert info_nce(images, texts, torch.tensor(9.0), same=same).item() == pytest.approx(
        slow_info_nce(images, texts, 9.0, same), rel=1e-5
    )


@pytest.mark.parametrize("same", [None, MASK])
def test_siglip_is_what_a_plain_loop_gives(same: Any) -> None:
    images, texts = unit(7, 5, 1), unit(7, 5, 2)
    found = siglip(images, texts, torch.tensor(9.0), torch.tensor(-3.0), same=same).item()
    assert found == pytest.approx(slow_siglip(images, texts, 9.0, -3.0, same), rel=1e-5)


def test_both_losses_are_those_of_open_clip() -> None:
    theirs = pytest.importorskip("open_clip.loss", reason="needs clipeval[models]")
    images, texts, scale, bias = unit(16, 8, 1), unit(16, 8, 2), torch.tensor(14.3), torch.tensor(-10.0)
    assert info_nce(images, texts, scale).item() == pytest.approx(
        theirs.ClipLoss()(images, texts, scale).item(), rel=1e-6
    )
    assert siglip(images, texts, scale, bias).item() == pytest.approx(
        theirs.SigLipLoss()(images, texts, scale, bias).item(), rel=1e-6
    )


def test_the_loss_of_64_identical_pairs_is_the_logarithm_of_64() -> None:
    rows = unit(1, 128, 0).expand(64, 128)
    assert info_nce(rows, rows, torch.tensor(1 / 0.07)).item() == pytest.approx(math.log(64), rel=1e-6)


def test_the_loss_of_perfect_pairs_at_a_large_scale_is_nothing() -> None:
    rows = torch.eye(32)
    assert info_nce(rows, rows, torch.tensor(100.0)).item() < 1e-6
    assert siglip(rows, rows, torch.tensor(100.0), torch.tensor(-50.0)).item() < 1e-6


def test_the_loss_does_not_depend_on_the_order_of_the_batch_nor_on_which_side_is_which() -> None:
    images, texts, scale = unit(12, 6, 3), unit(12, 6, 4), torch.tensor(7.0)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    here = info_nce(images, texts, scale).item()
    assert info_nce(images[order], texts[order], scale).item() == pytest.approx(here, rel=1e-6)
    assert info_nce(texts, images, scale).item() == pytest.approx(here, rel=1e-6)


def test_a_caption_that_occurs_twice_is_masked_and_not_punished() -> None:
    rows = torch.eye(4)
    images, texts = rows, rows[[0, 0, 2, 3]]
    labels = torch.arange(4), torch.tensor([0, 0, 2, 3])
    masked = info_nce(images[[0, 0, 2, 3]], texts, torch.tensor(100.0), same=same_pairs(*labels))
    assert masked.item() < 1e-6
    assert info_nce(images[[0, 0, 2, 3]], texts, torch.tensor(100.0)).item() > 0.3


def test_masked_pairs_get_no_gradient() -> None:
    images = unit(3, 4, 5).requires_grad_()
    texts = unit(3, 4, 6).requires_grad_()
    same = same_pairs(torch.tensor([0, 1, 2]), torch.tensor([9, 9, 8]))
    logits = images @ texts.T
    logits.retain_grad()
    # the same arithmetic on logits of our own: what reaches a masked cell is exactly nothing
    info_nce(torch.eye(3), logits.T, torch.tensor(1.0), same=same).backward()
    assert logits.grad[same].tolist() == [0.0, 0.0]
    assert (logits.grad[~same] != 0).all()
