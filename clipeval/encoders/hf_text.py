"""How texts reach a transformers tokenizer: padding, truncation and the form a model was trained on."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clipeval.errors import EncoderError

_PUNCTUATION = str.maketrans("", "", string.punctuation)


def canonical_text(text: str, *, form: str) -> str:
    """Bring a text into the form that a model was trained on.

    Parameters
    ----------
    text : str
        A caption.
    form : str
        ``full`` for SigLIP: lower case, ASCII punctuation removed, white space collapsed (big_vision's
        ``canonicalize_text``); ``lower`` for SigLIP 2, whose training text was only lowered (big_vision's
        ``siglip2`` configuration; transformers' ``Siglip2Tokenizer``); ``none`` for CLIP, whose tokenizer
        lowers by itself.

    Returns
    -------
    str

    Examples
    --------
    >>> canonical_text("A dog,  on the BEACH!", form="full")
    'a dog on the beach'
    >>> canonical_text("A dog, on the BEACH!", form="lower")
    'a dog, on the beach!'
    """
    if form == "full":
        return re.sub(r"\s+", " ", text.lower().translate(_PUNCTUATION)).strip()
    return text.lower() if form == "lower" else text


@dataclass(frozen=True)
class TextPreparation:
    """Turns texts into token tensors.

    Parameters
    ----------
    tokenizer : object
        A transformers tokenizer.
    max_length : int
        Positions of the text tower.
    pad_to_max : bool
        SigLIP reads its padding (no attention mask, the last position is pooled), so it must be padded as
        in training; CLIP masks it, so padding to the longest of the batch is enough.
    form : str
        See `canonical_text`.
    """

    tokenizer: Any
    max_length: int
    pad_to_max: bool
    form: str

    @classmethod
    def of(cls, tokenizer: Any, *, architecture: str, max_length: int, canonical: str) -> TextPreparation:
        """Choose what the architecture was trained with.

        Parameters
        ----------
        tokenizer : object
            A transformers tokenizer.
        architecture : str
            ``clip``, ``siglip`` or ``siglip2``.
        max_length : int
            Positions of the text tower.
        canonical : str
            ``auto``, or a form by name.
        """
        # SigLIP 2 with fixed resolution calls itself 'siglip' in its configuration; its Gemma tokenizer tells
        said = (
            f"{type(tokenizer).__name__} {getattr(tokenizer, 'init_kwargs', {}).get('tokenizer_class', '')}"
        )
        second = architecture == "siglip2" or "gemma" in said.lower() or "siglip2" in said.lower()
        trained = "none" if architecture == "clip" else "lower" if second else "full"
        return cls(
            tokenizer, max_length, architecture != "clip", trained if canonical == "auto" else canonical
        )

    def prepare(self, texts: Sequence[str]) -> tuple[Mapping[str, Any], int]:
        """Tokenise a batch.

        Parameters
        ----------
        texts : sequence of str
            At least one.

        Returns
        -------
        tuple of mapping and int
            The model's inputs, and how many texts were cut at ``max_length``.

        Raises
        ------
        EncoderError
            The tokenizer has no padding token.
        """
        ready = [canonical_text(text, form=self.form) for text in texts]
        whole = self.tokenizer(ready, padding=False, truncation=False, verbose=False)["input_ids"]
        truncated = sum(len(tokens) > self.max_length for tokens in whole)
        try:
            inputs = self.tokenizer(
                ready,
                padding="max_length" if self.pad_to_max else True,
                truncation=True,
                max_length=self.max_length,
                return_tensors="pt",
            )
        except ValueError as error:
            raise EncoderError(f"the tokenizer cannot make a batch: {str(error).splitlines()[0]}") from error
        # SigLIP was trained without an attention mask: passing one hides the padding it expects
        names = ("input_ids",) if self.pad_to_max else ("input_ids", "attention_mask")
        return {name: inputs[name] for name in names if name in inputs}, truncated

    def words(self) -> dict[str, str]:
        """Describe the preparation for the fingerprint."""
        padding = "to the model's length, read by the model" if self.pad_to_max else "to the batch, masked"
        return {
            "text form": {"full": "lower case, no punctuation", "lower": "lower case"}.get(
                self.form, "as given"
            ),
            "text length": f"{self.max_length} tokens, longer ones cut",
            "text padding": f"{padding}, {self.tokenizer.padding_side}",
        }
