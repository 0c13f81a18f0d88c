"""Embeddings of the embedded pictures that are shipped with clipeval, for machines without torch.

They are made by ``tools/make_precomputed.py``; wherever they stand in, the result is labelled precomputed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from clipeval.data.content import dataset_hash
from clipeval.data.dataset import Dataset
from clipeval.data.load import EMBEDDED
from clipeval.encoders.base import Encoder
from clipeval.encoders.frozen import FrozenEncoder, load_frozen_tower
from clipeval.encoders.learned_spec import is_learned
from clipeval.encoders.preclip import join
from clipeval.encoders.spec import parse_spec
from clipeval.encoders.towers import check_tower_options

_MODALITIES: tuple[Literal["images", "texts"], ...] = ("images", "texts")
ROWS = EMBEDDED / "embeddings.safetensors"
WORDS = EMBEDDED / "embeddings.json"
MADE_WITH = {"dtype": "float32", "device": "cpu", "layout": "channels-first"}
WHERE_IT_SERVES = (
    "the embeddings shipped with clipeval stand in only for the whole embedded dataset, on the CPU, "
    "with the model's default options (for preclip: any projection that learns nothing)"
)


def is_shipped(spec: str) -> bool:
    """Say whether embeddings of this model are shipped, be it for other options or data than those asked for.

    Examples
    --------
    >>> is_shipped("conse:efficientnet-lite0+all-MiniLM-L6-v2?top=5"), is_shipped("frozen:rows.npz")
    (True, False)
    """
    parsed = parse_spec(spec)
    return f"{parsed.family}:{parsed.name}" in _shipped()


def precomputed_encoder(spec: str, dataset: Dataset) -> Encoder | None:
    """Give the shipped embeddings that stand in for a model on a dataset, if there are any.

    Parameters
    ----------
    spec : str
        A model spec. For ``preclip`` the shipped towers serve any projection and seed that is not learned.
    dataset : Dataset
        Only the embedded dataset, byte for byte, has shipped embeddings.

    Returns
    -------
    Encoder or None

    Examples
    --------
    >>> from clipeval.data import load_dataset
    >>> precomputed_encoder("hf:openai/clip-vit-base-patch32", load_dataset("embedded")) is None
    True
    """
    parsed = parse_spec(spec)
    if any(parsed.options.get(option, made) != made for option, made in MADE_WITH.items()):
        return None
    parsed = parsed.without(*MADE_WITH)
    shipped = _shipped().get(f"{parsed.family}:{parsed.name}")
    if shipped is None or parsed.revision or dataset_hash(dataset) != shipped["dataset sha256"]:
        return None
    images, texts = (
        load_frozen_tower(
            ROWS,
            modality=modality,
            tensor=f"{parsed.family}_{modality}",
            fingerprint=shipped[modality],
        )
        for modality in _MODALITIES
    )
    if parsed.family == "preclip":
        check_tower_options(parsed)
        if is_learned(parsed):
            return None
        return join(parsed, images, texts) if "layer" not in parsed.options else None
    if parsed.options:
        return None
    return FrozenEncoder(name=str(parsed), images=images, texts=texts, fingerprint=shipped["encoder"])


def _shipped(path: Path = WORDS) -> dict[str, Any]:
    words: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return words
