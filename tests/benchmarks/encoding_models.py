"""Networks of full size with random weights, saved or built so that no model hub is asked."""

from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

from clipeval.encoders.image_towers import Classifier, ClassifierTower
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.placement import placement_words


def save_clip(folder: Path) -> Path:
    """Save a CLIP ViT-B/32 of transformers, with CLIP's own vocabulary from open_clip's package."""
    import torch
    import transformers
    from open_clip.tokenizer import bytes_to_unicode, default_bpe

    path = folder / "clip-vit-base-patch32"
    if path.exists():
        return path
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ends = {"bos_token_id": 49406, "eos_token_id": 49407}
        transformers.CLIPModel(transformers.CLIPConfig(text_config=ends)).save_pretrained(path)
    with gzip.open(default_bpe(), "rt", encoding="utf-8") as lines:
        merges = [line.rstrip("\n") for line in itertools.islice(lines, 1, 49152 - 256 - 2 + 1)]
    letters = list(bytes_to_unicode().values())
    words = [*letters, *(letter + "</w>" for letter in letters)]
    words += ["".join(merge.split()) for merge in merges] + ["<|startoftext|>", "<|endoftext|>"]
    (path / "vocab.json").write_text(json.dumps({word: at for at, word in enumerate(words)}), "utf-8")
    (path / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", "utf-8")
    transformers.CLIPTokenizer.from_pretrained(path, model_max_length=77).save_pretrained(path)
    transformers.CLIPImageProcessor().save_pretrained(path)
    return path


def resnet50_tower(batch_size: int) -> ClassifierTower:
    """Build torchvision's ResNet-50 without its last layer, as ``preclip:resnet50+...`` has it."""
    import torch
    from torchvision import models

    options = LoadOptions(batch_size=batch_size)

    def build() -> Classifier:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network: Any = models.resnet50()
        network.fc = torch.nn.Identity()
        network.eval()
        return Classifier(network, models.ResNet50_Weights.IMAGENET1K_V1.transforms(), network)

    return ClassifierTower(
        "resnet50", build, options, {"model": "resnet50", **placement_words(options)}, 2048
    )


def save_siglip(folder: Path) -> Path:
    """Save a SigLIP ViT-B/16 of transformers without weights, its vocabulary the letters.

    SigLIP's own vocabulary is in no package.
    """
    import tokenizers
    import transformers

    path = folder / "siglip-base-patch16-224"
    if path.exists():
        return path
    ends = {"bos_token_id": 1, "eos_token_id": 1}
    transformers.SiglipConfig(text_config=ends).save_pretrained(path)
    words = ["<pad>", "<eos>", "<unk>", *map(chr, range(33, 127))]
    inner = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: at for at, word in enumerate(words)}, unk_token=words[2])
    )
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Split("", "isolated")
    inner.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 1)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token=words[0], eos_token=words[1], unk_token=words[2]
    ).save_pretrained(path)
    transformers.SiglipImageProcessor().save_pretrained(path)
    return path
