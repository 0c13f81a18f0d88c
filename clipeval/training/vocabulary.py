"""A vocabulary of one's own: byte pairs of the captions that are trained on, for networks without one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clipeval.encoders.imports import import_models

SIZE = 4096
PAD, END = "<pad>", "<end>"


def own_tokenizer(captions: Sequence[str]) -> Any:
    """Train a byte-level BPE tokenizer (Sennrich et al. 2016) on lower-case captions.

    Every text ends with ``<end>``, which a causal network's last token stands on; padding is on the right.

    Parameters
    ----------
    captions : sequence of str
        Held-out ones must not be among them.

    Returns
    -------
    transformers.PreTrainedTokenizerFast

    Examples
    --------
    >>> tokenizer = own_tokenizer(["a cat", "a dog"])
    >>> tokenizer.decode(tokenizer("A cat")["input_ids"])
    ' a cat<end>'
    """
    tokenizers = import_models("tokenizers")
    transformers = import_models("transformers")
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.normalizer = tokenizers.normalizers.Sequence(
        [tokenizers.normalizers.NFC(), tokenizers.normalizers.Lowercase()]
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=True)
    made.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=SIZE,
        special_tokens=[PAD, END],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(sorted(set(captions)), trainer)
    end = made.token_to_id(END)
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, end)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token=PAD, eos_token=END, padding_side="right"
    )
