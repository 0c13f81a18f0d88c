"""What a training run is told: every choice that changes its result, in one frozen object."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from clipeval.errors import InvalidInputError, near

Loss = Literal["infonce", "siglip"]
LOSSES: tuple[Loss, ...] = ("infonce", "siglip")
PRECISIONS = ("float32", "bfloat16")
LEAST = {"epochs": 1, "batch_size": 2, "parts": 1, "dim": 1, "ensemble": 1, "patience": 0}


@dataclass(frozen=True)
class TrainingSettings:
    """Choices of one training run.

    Attributes
    ----------
    epochs : int
        Passes over all pairs.
    batch_size : int
        Pairs that are contrasted with each other.
    parts : int
        A batch goes through the towers in so many parts, and is contrasted whole all the same; see
        `clipeval.training.cached_gradients`.
    dim : int
        Width of the common space.
    loss : {"infonce", "siglip"}
    learning_rate : float
        At its highest, of the heads and the temperature.
    tower_learning_rate : float
        At its highest, of the towers' own parameters.
    weight_decay : float
        Of matrices; biases, norms and the temperature are not decayed.
    warmup : float
        Share of all steps in which the rate rises, from 0 to 1; then it falls along a cosine to 0.
    clip : float
        Largest norm of all gradients together; 0 for no limit.
    hidden : tuple of two int
        Width of the image and of the text head's second layer; 0 for a linear head.
    dropout : float
        Of the heads' inputs.
    hidden_dropout : float, optional
        Of the heads' hidden layers; by default as of their inputs.
    ensemble : int
        Heads on each side, from different beginnings and with dropout masks of their own; each pair of them
        has its own loss, and their cosines are averaged.
    precision : {"float32", "bfloat16"}
        Of the towers' arithmetic; weights, loss and optimiser stay float32. float16 is not offered: it needs
        a loss scaler, and every device that trains fast in float16 has bfloat16.
    held_out : float
        Share of the independent units that is not trained on, from 0 to below 1.
    patience : int
        Stop after so many epochs without a better retrieval on what is held out; 0 for never.
    seed : int
        Of the initial weights, the order and dropout.

    Raises
    ------
    InvalidInputError
        A value out of range (near matches named).

    Examples
    --------
    >>> TrainingSettings(loss="infonec")
    Traceback (most recent call last):
    clipeval.errors.InvalidInputError: unknown loss 'infonec'
      to do: did you mean 'infonce'?
    """

    epochs: int = 5
    batch_size: int = 64
    parts: int = 1
    dim: int = 128
    loss: Loss = "infonce"
    learning_rate: float = 1e-3
    tower_learning_rate: float = 1e-4
    weight_decay: float = 0.1
    warmup: float = 0.1
    clip: float = 1.0
    hidden: tuple[int, int] = (0, 0)
    dropout: float = 0.0
    hidden_dropout: float | None = None
    ensemble: int = 1
    precision: str = "float32"
    held_out: float = 0.1
    patience: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise InvalidInputError(f"unknown loss '{self.loss}'", fix=near(self.loss, LOSSES))
        if self.precision not in PRECISIONS:
            raise InvalidInputError(
                f"unknown precision '{self.precision}'", fix=near(self.precision, PRECISIONS)
            )
        if len(self.hidden) != 2 or min(self.hidden) < 0:
            raise InvalidInputError(f"hidden is {self.hidden}", fix="two widths, 0 for a linear head")
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                raise InvalidInputError(f"{name} is {getattr(self, name)}", fix=f"at least {least}")
        for name in ("warmup", "held_out", "dropout", "hidden_dropout"):
            if not 0 <= (getattr(self, name) or 0.0) < 1:
                raise InvalidInputError(f"{name} is {getattr(self, name)}", fix="from 0 to below 1")
        for name in ("learning_rate", "tower_learning_rate", "weight_decay", "clip"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InvalidInputError(
                    f"{name} is {getattr(self, name)}", fix="a finite number, not below 0"
                )
        if self.parts > self.batch_size:
            raise InvalidInputError(f"a batch of {self.batch_size} cannot be cut into {self.parts} parts")
        if self.seed < 0:
            raise InvalidInputError(f"the seed is {self.seed}", fix="0 or more")

    def document(self) -> dict[str, Any]:
        """Give the choices as a JSON object."""
        return {**asdict(self), "hidden": list(self.hidden)}
