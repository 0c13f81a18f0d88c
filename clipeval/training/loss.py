"""Contrastive losses over a batch of pairs: picture i and text i belong together."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional


def same_pairs(image_labels: Any, text_labels: Any) -> Any:
    """Find pairs off the diagonal that are right as well: the same picture, or the same words.

    Parameters
    ----------
    image_labels, text_labels : tensor of int, shape (n,)
        Equal numbers mean equal pictures, or equal captions.

    Returns
    -------
    tensor of bool, shape (n, n)
        False on the diagonal.

    Examples
    --------
    >>> same_pairs(torch.tensor([0, 0, 1]), torch.tensor([5, 6, 6])).int().tolist()
    [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    """
    same = (image_labels[:, None] == image_labels) | (text_labels[:, None] == text_labels)
    return same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)


def info_nce(images: Any, texts: Any, scale: Any, *, same: Any = None) -> Any:
    """Symmetric InfoNCE: ½ (CE over each picture's texts + CE over each text's pictures).

    Radford et al. 2021, arXiv 2103.00020, figure 3. The loss of n identical pairs is ln n.

    Parameters
    ----------
    images, texts : tensor, shape (n, d)
        Unit rows; computed in float32 whatever they are.
    scale : tensor
        What cosines are multiplied with, the inverse temperature.
    same : tensor of bool, shape (n, n), optional
        Pairs that are neither pulled nor pushed; see `same_pairs`.

    Returns
    -------
    tensor
        A scalar.

    Examples
    --------
    >>> rows = torch.ones(64, 4) / 2
    >>> round(info_nce(rows, rows, torch.tensor(14.0)).item(), 4)  # ln 64
    4.1589
    """
    logits = scale * (images.float() @ texts.float().T)
    if same is not None:
        logits = logits.masked_fill(same, -torch.inf)
    right = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(logits, right) + functional.cross_entropy(logits.T, right)) / 2


def siglip(images: Any, texts: Any, scale: Any, bias: Any, *, same: Any = None) -> Any:
    """Sigmoid loss: every pair of the batch is a yes/no question of its own.

    Zhai et al. 2023, arXiv 2303.15343: the negative log-likelihood of all pairs of a picture, summed, and
    its mean over the pictures (so n times the mean over all pairs).

    Parameters
    ----------
    images, texts : tensor, shape (n, d)
        Unit rows; computed in float32 whatever they are.
    scale, bias : tensor
        A pair's logit is ``scale * cosine + bias``.
    same : tensor of bool, shape (n, n), optional
        Pairs that are not asked about; see `same_pairs`.

    Returns
    -------
    tensor
        A scalar.

    Examples
    --------
    >>> rows = torch.eye(2)
    >>> round(siglip(rows, rows, torch.tensor(100.0), torch.tensor(-50.0)).item(), 4)
    0.0
    """
    logits = scale * (images.float() @ texts.float().T) + bias
    sign = 2 * torch.eye(len(logits), device=logits.device) - 1
    each = -functional.logsigmoid(sign * logits)
    if same is not None:
        each = each.masked_fill(same, 0.0)
    return each.sum() / len(logits)
