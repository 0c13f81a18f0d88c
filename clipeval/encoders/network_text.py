"""The text tower of a dual encoder whose text network was trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from clipeval.encoders.base import Fingerprint, Rows, as_rows
from clipeval.encoders.batching import batches, stack
from clipeval.encoders.imports import import_models
from clipeval.encoders.networks import text_rows, tokenise
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.placement import place
from clipeval.encoders.running import network_words


@dataclass(eq=False)
class NetworkTextTower:
    """A text network and its tokenizer; both are built when the first text comes.

    Parameters
    ----------
    where : str
        The model spec, for errors.
    build : callable
        Makes the network (in evaluation mode, on the device) and the tokenizer.
    pooling : str
        One of `clipeval.encoders.networks.POOLINGS`.
    length : int
        Tokens that reach the network.
    options : LoadOptions
    fingerprint : mapping
    width : int
        d.
    truncated : int
        Texts that were cut at the length since the tower was made.
    """

    where: str
    build: Callable[[], tuple[Any, Any]]
    pooling: str
    length: int
    options: LoadOptions
    fingerprint: Fingerprint
    width: int
    truncated: int = 0

    @cached_property
    def parts(self) -> tuple[Any, Any]:
        """Network and tokenizer, built on first use."""
        return self.build()

    def encode_texts(self, texts: Sequence[str]) -> Rows:
        """Encode texts to float32 rows, shape ``(n, d)``.

        Raises
        ------
        EncoderError
            The network gave NaN or infinity.
        """
        torch = import_models("torch")
        network, tokenizer = self.parts
        device, _ = place(self.options, where=self.where)
        found = []
        with torch.inference_mode():
            for batch in batches(texts, self.options.batch_size):
                tokens = tokenise(tokenizer, batch, length=self.length)
                whole = tokenizer(list(batch), padding=False, truncation=False, verbose=False)["input_ids"]
                self.truncated += sum(len(one) > self.length for one in whole)
                on_device = {name: value.to(device) for name, value in tokens.items()}
                rows = text_rows(network, on_device, self.pooling).float().cpu().numpy()
                found.append(as_rows(rows, expected=len(batch), where=self.where))
        return stack(found, width=self.width)

    def kept_tokens(self, text: str) -> tuple[list[int], int | None]:
        """Give the tokens of a text that reach the network, and the one that is pooled, if it is one."""
        kept = tokenise(self.parts[1], [text], length=self.length)["input_ids"][0].tolist()
        return kept, kept[-1] if self.pooling in {"last", "end"} else None

    def network_words(self) -> Fingerprint:
        """Give activation and attention; builds the network, which says them only then."""
        return network_words(self.parts[0])
