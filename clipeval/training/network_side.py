"""The side of a network that is trained, and rows of one that is frozen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from clipeval.encoders.base import Rows
from clipeval.encoders.heads import Array
from clipeval.encoders.networks import image_rows, text_rows, tokenise
from clipeval.training.model import Integers, Side
from clipeval.training.network import Network
from clipeval.training.settings import TrainingSettings
from clipeval.training.trainable_heads import all_carried, new_heads

AT_ONCE = 64

Take = Callable[[Integers], Any]


def network_side(
    network: Network, take: Take, settings: TrainingSettings, *, hidden: int, still: Sequence[Any] = ()
) -> Side:
    """Make the side of a network with a head on it.

    Parameters
    ----------
    network : Network
    take : callable
        From numbers to what `rows_of` takes.
    settings : TrainingSettings
    hidden : int
        Width of the head's second layer.
    still : sequence of torch.nn.Module
        Parts of the network that are frozen.

    Returns
    -------
    Side
    """
    heads = new_heads(network.words["width"], settings, hidden=hidden)
    modules = torch.nn.ModuleDict({"tower": network.module, **heads})
    size = float(np.sqrt(network.words["width"]))

    def embed(inputs: Any) -> Any:
        # what `plain_standardisation` says, as numpy does it when the encoder is used
        rows = functional.normalize(rows_of(network, modules["tower"], inputs).float(), dim=-1) * size
        return all_carried(heads, rows)

    return Side(modules, take, embed, tuple(still))


def plain_standardisation(width: int) -> tuple[Array, Array]:
    """Give the standardisation of a trained tower: its mean moves, so only the length is taken off."""
    return np.zeros(width, dtype=np.float32), np.full(width, np.sqrt(width), dtype=np.float32)


def rows_of(network: Network, module: Any, inputs: Any) -> Any:
    """Run a network on what its `Take` gave."""
    if network.tokenizer is None:
        return image_rows(module, inputs)
    return text_rows(module, inputs, network.words["pooling"])


def take_texts(network: Network, captions: Sequence[str], device: Any) -> Take:
    """Make the function from caption numbers to tokens."""

    def take(numbers: Integers) -> Any:
        texts = [captions[number] for number in numbers]
        tokens = tokenise(network.tokenizer, texts, length=network.words["length"])
        return {name: value.to(device) for name, value in tokens.items()}

    return take


def take_pixels(pixels: Callable[[Integers], Any], device: Any) -> Take:
    """Make the function from picture numbers to pixels on the device."""
    return lambda numbers: torch.from_numpy(pixels(numbers)).to(device)


def frozen_rows(
    network: Network,
    take: Take,
    n: int,
    device: Any,
    *,
    what: str,
    progress: Callable[[str, int, int], None] | None = None,
) -> Rows:
    """Encode all inputs once with a network that is not trained, float32 of shape ``(n, width)``."""
    module = network.module.eval().to(device)
    parts = []
    with torch.inference_mode():
        for start in range(0, n, AT_ONCE):
            numbers = np.arange(start, min(start + AT_ONCE, n))
            parts.append(rows_of(network, module, take(numbers)).float().cpu().numpy())
            if progress:
                progress(what, int(numbers[-1]) + 1, n)
    return np.concatenate(parts)
