"""Networks that are trained here: built from a description, and what one row of theirs is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipeval.encoders.imports import import_models
from clipeval.errors import EncoderError, near

POOLINGS = ("mean", "first", "last", "end")
"""Of a text's tokens: the mean of the real ones, the first, the last real one, or the last position."""

LIBRARIES = ("transformers", "torchvision", "timm")


def build_network(words: Mapping[str, Any], *, where: str) -> Any:
    """Build a network with random weights.

    Parameters
    ----------
    words : mapping
        ``library``; ``config`` (transformers' own JSON) or ``name`` (torchvision, timm).
    where : str
        For errors.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    EncoderError
        An unknown library, name or configuration.
    MissingExtraError
        The library is not installed.
    """
    library = words.get("library")
    try:
        if library == "transformers":
            return _from_config(dict(words["config"]))
        if library == "torchvision":
            models = import_models("torchvision.models", package="torchvision")
            return _headless(models.get_model(words["name"], weights=None))
        if library == "timm":
            return import_models("timm").create_model(words["name"], pretrained=False, num_classes=0)
    except (KeyError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        first = (str(error).strip().splitlines() or [""])[0][:300]
        raise EncoderError(
            f"cannot build the network: {type(error).__name__}: {first}", where=where
        ) from error
    raise EncoderError(f"unknown library '{library}'", where=where, fix=near(str(library), LIBRARIES))


def _from_config(config: dict[str, Any]) -> Any:
    transformers = import_models("transformers")
    kind = config.pop("model_type")
    made = transformers.AutoConfig.for_model(kind, **config)
    more = {"add_pooling_layer": False} if kind in {"bert", "vit", "roberta"} else {}
    return transformers.AutoModel.from_config(made, **more)


def _headless(network: Any) -> Any:
    """Take the last linear layer off, which knows classes; its input is the row."""
    torch = import_models("torch")
    for name in ("fc", "head", "heads", "classifier"):
        if hasattr(network, name):
            setattr(network, name, torch.nn.Identity())
            return network
    raise ValueError("nothing in it looks like a last layer")


def image_rows(network: Any, pixels: Any) -> Any:
    """Run an image network: pixels ``(n, 3, h, w)`` to rows ``(n, d)``.

    A map of features is averaged over its places, a sequence of tokens over its tokens.
    """
    out = network(pixels)
    pooled = getattr(out, "pooler_output", None)
    hidden = pooled if pooled is not None else getattr(out, "last_hidden_state", out)
    if hidden.ndim == 4:
        return hidden.mean(dim=(2, 3))
    return hidden.mean(dim=1) if hidden.ndim == 3 else hidden


def text_rows(network: Any, tokens: Mapping[str, Any], pooling: str) -> Any:
    """Run a text network: tokens ``(n, length)`` to rows ``(n, d)``.

    Parameters
    ----------
    network : torch.nn.Module
    tokens : mapping
        ``input_ids`` and ``attention_mask`` (1 for real tokens, wherever the padding stands).
    pooling : str
        One of `POOLINGS`. A network that reads causally knows the whole text at the last real token only.

    Returns
    -------
    tensor
    """
    mask = tokens["attention_mask"]
    hidden = network(input_ids=tokens["input_ids"], attention_mask=mask).last_hidden_state
    if pooling == "mean":
        real = mask[..., None].to(hidden.dtype)
        return (hidden * real).sum(dim=1) / real.sum(dim=1)
    places = {"first": mask.argmax(dim=1), "last": _last(mask), "end": _last(mask * 0 + 1)}[pooling]
    return hidden[range(len(hidden)), places]


def _last(mask: Any) -> Any:
    return mask.shape[1] - 1 - mask.flip(1).argmax(dim=1)


def is_causal(network: Any) -> bool:
    """Say whether a text network's tokens see only what stands before them."""
    config = getattr(network, "config", None)
    kind = str(getattr(config, "model_type", ""))
    return bool(getattr(config, "is_decoder", False)) or kind in CAUSAL


CAUSAL = frozenset(
    {"gpt2", "gpt_neo", "gpt_neox", "gptj", "opt", "llama", "mistral", "qwen2", "qwen3", "gemma", "phi"}
)


def read_tokenizer(folder: Path, *, where: str) -> Any:
    """Load a tokenizer from a folder; one without a padding token gets its end-of-text token for it.

    Raises
    ------
    EncoderError
        It cannot be loaded, or has no token to pad with.
    """
    try:
        tokenizer = import_models("transformers").AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # a broken folder can fail anywhere below
        first = (str(error).strip().splitlines() or [""])[0][:300]
        raise EncoderError(
            f"cannot load the tokenizer: {type(error).__name__}: {first}", where=where
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise EncoderError("the tokenizer has no token to pad a batch with", where=where)
    return tokenizer


def tokenise(tokenizer: Any, texts: Any, *, length: int) -> dict[str, Any]:
    """Turn texts into ``input_ids`` and ``attention_mask``, padded to the longest, cut at ``length``."""
    made = tokenizer(list(texts), padding=True, truncation=True, max_length=length, return_tensors="pt")
    return {"input_ids": made["input_ids"], "attention_mask": made["attention_mask"]}
