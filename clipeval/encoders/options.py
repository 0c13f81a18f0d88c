"""How an encoder is to be loaded: what the user may choose beside the model itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LoadOptions:
    """Choices that hold for every family.

    Parameters
    ----------
    device : str
        ``cpu``, ``cuda``, ``cuda:1``, ``mps`` ...
    dtype : str
        ``float32`` unless the user asks for another.
    batch_size : int
        Inputs in one forward pass; at least 1.
    offline : bool
        Open no socket at all.
    allow_random_init : bool
        The user's explicit word that a model without trained weights may be built.
    """

    device: str = "cpu"
    dtype: str = "float32"
    batch_size: int = 32
    offline: bool = False
    allow_random_init: bool = False
