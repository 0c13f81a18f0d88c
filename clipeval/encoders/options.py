"""How an encoder is to be loaded: what the user may choose beside the model itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from clipeval.encoders.base import Fingerprint, Rows


class RowCache(Protocol):
    """Where rows are kept between runs; see `clipeval.evaluation.cache.EmbeddingCache`."""

    def get(self, fingerprint: Fingerprint, kind: str, contents: Sequence[str]) -> Rows | None:
        """Look a batch up by its tower, its kind and the content hash of every input."""
        ...

    def put(self, fingerprint: Fingerprint, kind: str, contents: Sequence[str], rows: Rows) -> None:
        """Keep a batch."""
        ...


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
    cache : RowCache, optional
        For what a bridge has to embed itself (class names).
    layout : str
        Of the image network's weights in memory: ``channels-first``, or ``channels-last``, with which
        convolutions are faster and other in their last bits.
    """

    device: str = "cpu"
    dtype: str = "float32"
    batch_size: int = 32
    offline: bool = False
    allow_random_init: bool = False
    cache: RowCache | None = None
    layout: str = "channels-first"
