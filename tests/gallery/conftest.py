"""Small networks with random weights around which careful and careless adapters are written."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipeval.encoders.base import JointEncoder, as_rows
from clipeval.encoders.hf_text import canonical_text

OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
START, END = 49406, 49407

TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
VIT = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": TEXT,
}


class Adapter(JointEncoder):
    """What a user writes around a network of transformers; every argument but the first is one mistake."""

    def __init__(
        self,
        model: Any,
        *,
        family: str,
        normalise: tuple[Any, Any] | None = None,
        antialias: bool = True,
        keep_end: bool = True,
        pad_to_max: bool = True,
        canonical: bool = True,
        tokens_as_embedding: bool = False,
        words: dict[str, str] | None = None,
    ) -> None:
        self.model, self.family, self.name = model, family, f"python:mine:{family}"
        self.mean, self.sd = normalise or (OPENAI if family == "clip" else HALF)
        self.antialias, self.keep_end, self.pad_to_max = antialias, keep_end, pad_to_max
        self.canonical, self.tokens_as_embedding = canonical, tokens_as_embedding
        self.truncated = 0
        self.words = {
            "model": "openai/clip-vit-base-patch32" if family == "clip" else "google/siglip-base-patch16-224",
            "mean": " ".join(map(str, self.mean)),
            "sd": " ".join(map(str, self.sd)),
            **(words or {}),
        }

    @property
    def fingerprint(self) -> dict[str, str]:
        return self.words

    def encode_images(self, pictures: Sequence[Image.Image]) -> Any:
        import torch

        pixels = torch.stack([self._pixels(picture) for picture in pictures])
        pixels = (pixels - torch.tensor(self.mean)[:, None, None]) / torch.tensor(self.sd)[:, None, None]
        with torch.inference_mode():
            dtype = next(self.model.parameters()).dtype
            return self._rows(self.model.get_image_features(pixel_values=pixels.to(dtype)), len(pictures))

    def _pixels(self, picture: Image.Image) -> Any:
        import torch

        whole = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255
        small = torch.nn.functional.interpolate(
            whole, size=(32, 32), mode="bilinear", antialias=self.antialias, align_corners=False
        )
        return small[0]

    def encode_texts(self, texts: Sequence[str]) -> Any:
        import torch

        tokens = [self._clip_tokens(t) if self.family == "clip" else self._word_tokens(t) for t in texts]
        length = 77 if self.family == "clip" else 16
        longest = length if self.pad_to_max else max(map(len, tokens))
        padded = torch.tensor([t + [0] * (longest - len(t)) for t in tokens])
        with torch.inference_mode():
            return self._rows(self.model.get_text_features(input_ids=padded), len(texts))

    def _clip_tokens(self, text: str) -> list[int]:
        import open_clip

        inner = (
            open_clip.SimpleTokenizer().encode(text) if not hasattr(self, "_bpe") else self._bpe.encode(text)
        )
        self.truncated += len(inner) > 75
        if self.keep_end:
            return [START, *inner[:75], END]
        return [START, *inner, END][:77]

    def _word_tokens(self, text: str) -> list[int]:
        """One token for each word as it is written, in the place of SigLIP's vocabulary."""
        words = (canonical_text(text, form="full") if self.canonical else text).split()
        self.truncated += len(words) > 15
        known = [2 + sum(ord(letter) * 31**at for at, letter in enumerate(word)) % 998 for word in words]
        return [*known[:15], 1]

    def _rows(self, output: Any, n: int) -> Any:
        if self.tokens_as_embedding:
            return output[0].float().numpy()
        pooled = getattr(output, "pooler_output", output)
        return as_rows(pooled.float().numpy(), expected=n, where=self.name)


def tiny(family: str, *, activation: str = "quick_gelu") -> Any:
    """Build a CLIP or SigLIP of two layers in evaluation mode, the same each time."""
    import torch
    import transformers

    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    picture = {**tower, "image_size": 32, "patch_size": 16}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        if family == "clip":
            text = {**tower, "vocab_size": 49408, "bos_token_id": START, "eos_token_id": END}
            act = {"hidden_act": activation}
            config = transformers.CLIPConfig(
                text_config={**text, **act}, vision_config={**picture, **act}, projection_dim=24
            )
            model = transformers.CLIPModel(config)
        else:
            text = {**tower, "vocab_size": 1000, "max_position_embeddings": 16, "bos_token_id": 1}
            config = transformers.SiglipConfig(text_config={**text, "eos_token_id": 1}, vision_config=picture)
            model = transformers.SiglipModel(config)
        for (
            name,
            value,
        ) in model.named_parameters():  # the default draws embeddings too small to tell words apart
            if "embedding" in name and value.dim() == 2:
                torch.nn.init.normal_(value, std=0.5)
    return model.eval()


@pytest.fixture(scope="session")
def network(models_extra: None) -> Callable[..., Any]:
    return tiny


@pytest.fixture(scope="session")
def adapter(models_extra: None) -> Callable[..., Adapter]:
    """Write an adapter around a small network: ``adapter("clip", antialias=False)``."""
    import open_clip

    bpe = open_clip.SimpleTokenizer()

    def write(family: str, *, model: Any = None, **mistakes: Any) -> Adapter:
        made = Adapter(model or tiny(family), family=family, **mistakes)
        made._bpe = bpe  # building it takes a quarter of a second
        return made

    return write


@pytest.fixture(scope="session")
def open_clip_folder(models_extra: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Save a small model as open_clip does: ``open_clip_folder("name", VIT, mean, sd)``."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    def save(name: str, config: dict[str, Any], mean: Any, sd: Any) -> Path:
        folder = tmp_path_factory.mktemp("open-clip") / name
        folder.mkdir()
        preprocess = {"mean": list(mean), "std": list(sd), "interpolation": "bicubic"}
        text = json.dumps({"model_cfg": config, "preprocess_cfg": preprocess})
        (folder / "open_clip_config.json").write_text(text, encoding="utf-8")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(6)
            state = open_clip.CLIP(**config).state_dict()
        save_file({key: value.contiguous() for key, value in state.items()}, folder / "model.safetensors")
        return folder

    return save


@pytest.fixture(scope="session")
def named(models_extra: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two names for open_clip that differ in the activation only, and one weight file."""
    import open_clip
    import torch

    folder = tmp_path_factory.mktemp("names")
    for name, quick in (("gallery-tiny", False), ("gallery-tiny-quickgelu", True)):
        (folder / f"{name}.json").write_text(json.dumps({**VIT, "quick_gelu": quick}), encoding="utf-8")
    open_clip.add_model_config(folder)
    torch.save(open_clip.CLIP(**VIT).state_dict(), folder / "weights.pt")
    return folder / "weights.pt"
