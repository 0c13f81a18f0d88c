"""What is trained: two sides and a temperature."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from clipeval.training.loss import info_nce, same_pairs, siglip
from clipeval.training.settings import TrainingSettings
from clipeval.training.temperature import clamp, new_temperature

Integers = NDArray[np.int64]
SideName = Literal["image", "text"]
SIDES: tuple[SideName, ...] = ("image", "text")


@dataclass(frozen=True, eq=False)
class Side:
    """One half of a dual encoder while it is trained.

    Attributes
    ----------
    modules : torch.nn.ModuleDict
        Everything of this side that has parameters or buffers.
    take : callable
        From numbers of pictures (or captions) to what ``embed`` takes.
    embed : callable
        To rows of the common space, shape ``(n, dim)``, not normalised; those of an ensemble side by side.
    still : tuple of torch.nn.Module
        Parts that are frozen: they stay in evaluation mode, so that neither dropout nor the statistics of
        batch norm move them.
    """

    modules: Any
    take: Callable[[Integers], Any]
    embed: Callable[[Any], Any]
    still: tuple[Any, ...] = ()


@dataclass(frozen=True, eq=False)
class DualModel:
    """Two sides, a temperature and the loss over them.

    Attributes
    ----------
    image, text : Side
    settings : TrainingSettings
    modules : torch.nn.ModuleDict
        Of both sides and the temperature.
    device : torch.device
    """

    image: Side
    text: Side
    settings: TrainingSettings
    device: Any = field(default_factory=lambda: torch.device("cpu"))
    modules: Any = field(init=False)

    def __post_init__(self) -> None:
        parts = {
            "image": self.image.modules,
            "text": self.text.modules,
            "temperature": new_temperature(self.settings.loss),
        }
        object.__setattr__(self, "modules", torch.nn.ModuleDict(parts).to(self.device))

    @property
    def scale(self) -> float:
        """What cosines are multiplied with."""
        return float(self.modules["temperature"]["log_scale"].detach().exp())

    def train(self) -> None:
        """Put all that is trained into training mode, and what is frozen into evaluation mode."""
        self.modules.train()
        for side in (self.image, self.text):
            for module in side.still:
                module.eval()

    def rows(self, side: SideName, numbers: Integers, *, seed: int | None = None) -> Any:
        """Embed numbered pictures or captions to unit rows, float32.

        Parameters
        ----------
        side : {"image", "text"}
        numbers : ndarray of int
        seed : int, optional
            Of dropout; the same seed gives the same masks.
        """
        half: Side = getattr(self, side)
        inputs = half.take(numbers)
        if seed is not None:
            torch.manual_seed(seed)
        half_precision = self.settings.precision == "bfloat16"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=half_precision):
            rows = half.embed(inputs)
        # the heads of an ensemble lie side by side, each with a row of its own
        each = functional.normalize(rows.float().unflatten(-1, (self.settings.ensemble, -1)), dim=-1)
        return each.flatten(-2) / math.sqrt(self.settings.ensemble)

    def loss(self, images: Any, texts: Any, image_labels: Integers, text_labels: Integers) -> Any:
        """Contrast the unit rows of a batch, head by head; see `clipeval.training.loss`.

        Returns
        -------
        tensor
            A scalar, the mean over the heads.
        """
        same = same_pairs(
            *(torch.as_tensor(labels).to(self.device) for labels in (image_labels, text_labels))
        )
        temperature = self.modules["temperature"]
        scale = temperature["log_scale"].exp()
        masked = same if bool(same.any()) else None
        n = self.settings.ensemble
        scale = scale * n  # for rows of length 1 / sqrt(n)
        losses = [
            siglip(mine, yours, scale, temperature["bias"], same=masked)
            if self.settings.loss == "siglip"
            else info_nce(mine, yours, scale, same=masked)
            for mine, yours in zip(images.chunk(n, dim=-1), texts.chunk(n, dim=-1), strict=True)
        ]
        return torch.stack(losses).mean()

    def clamp(self) -> None:
        """Keep the temperature within its bounds."""
        clamp(self.modules["temperature"])
