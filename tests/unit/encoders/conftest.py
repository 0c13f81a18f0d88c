"""Small models with random weights, saved as real checkpoints, so that no test needs a hub."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CAPTIONS = [
    "A dog, running on the BEACH!",
    "two red apples",
    "a small house at night",
    "A photograph of a cat. It sleeps.",
    "rain",
]


@pytest.fixture(scope="session")
def captions() -> list[str]:
    return list(CAPTIONS)


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    """Five RGB pictures of different shapes."""
    rng = np.random.default_rng(3)
    shapes = [(40, 60), (64, 48), (33, 33), (90, 50), (32, 80)]
    coarse = [rng.integers(0, 256, (5, 7, 3), dtype=np.uint8) for _ in shapes]
    return [
        Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
        for pixels, (height, width) in zip(coarse, shapes, strict=True)
    ]


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make every socket an error, and keep a list of the attempts."""
    import socket

    attempts: list[str] = []

    def refuse(*args: object, **_: object) -> None:
        attempts.append(repr(args))
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    return attempts


def _word_tokenizer() -> object:
    """A tiny word-level tokenizer in the place of SigLIP's sentencepiece vocabulary.

    It keeps capitals and punctuation apart, so a text in the wrong form gets other tokens.
    """
    tokenizers = pytest.importorskip("tokenizers", reason="needs clipeval[models]")
    transformers = pytest.importorskip("transformers", reason="needs clipeval[models]")
    words = {word for text in CAPTIONS for t in (text, text.lower()) for word in t.replace(".", " .").split()}
    words |= {word.strip(",.!").lower() for word in set(words)} | {",", "!", "."}
    vocabulary = {w: i for i, w in enumerate(["<pad>", "<eos>", "<unk>", *sorted(words - {""})])}
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))  # noqa: S106
    inner.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    inner.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 1)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="<unk>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
        eos_token="<eos>",  # noqa: S106
        model_input_names=["input_ids"],
        padding_side="right",
    )


def _gemma_tokenizer() -> object:
    """A tiny byte-pair tokenizer built as Gemma's is: punctuation kept, end of text added."""
    tokenizers = pytest.importorskip("tokenizers", reason="needs clipeval[models]")
    transformers = pytest.importorskip("transformers", reason="needs clipeval[models]")
    inner = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>", byte_fallback=True))  # noqa: S106
    inner.normalizer = tokenizers.normalizers.Replace(" ", "▁")
    inner.train_from_iterator(
        [text for caption in CAPTIONS for text in (caption, caption.lower())],
        tokenizers.trainers.BpeTrainer(
            vocab_size=200, special_tokens=["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"], show_progress=False
        ),
    )
    inner.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 1)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        unk_token="<unk>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
        eos_token="<eos>",  # noqa: S106
        bos_token="<bos>",  # noqa: S106
        model_input_names=["input_ids"],
        padding_side="right",
    )


@pytest.fixture(scope="session")
def siglip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SigLIP of two layers; its text tower reads 16 positions."""
    torch = pytest.importorskip("torch", reason="needs clipeval[models]")
    transformers = pytest.importorskip("transformers", reason="needs clipeval[models]")
    folder = tmp_path_factory.mktemp("tiny-siglip")
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    tokenizer = _word_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        model = transformers.SiglipModel(
            transformers.SiglipConfig(
                text_config={
                    **tower,
                    "vocab_size": len(tokenizer),
                    "max_position_embeddings": 16,
                    "bos_token_id": 1,
                    "eos_token_id": 1,
                    "attention_dropout": 0.5,
                },
                vision_config={**tower, "image_size": 32, "patch_size": 16, "attention_dropout": 0.5},
            )
        )
    model.train()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    transformers.SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def siglip2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SigLIP 2 of two layers with flexible resolution (patches, masks and shapes)."""
    torch = pytest.importorskip("torch", reason="needs clipeval[models]")
    transformers = pytest.importorskip("transformers", reason="needs clipeval[models]")
    folder = tmp_path_factory.mktemp("tiny-siglip2")
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    tokenizer = _gemma_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = transformers.Siglip2Model(
            transformers.Siglip2Config(
                text_config={
                    **tower,
                    "vocab_size": len(tokenizer),
                    "max_position_embeddings": 16,
                    "bos_token_id": 2,
                    "eos_token_id": 1,
                },
                vision_config={**tower, "num_patches": 16, "patch_size": 8},
            )
        )
    model.train()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    transformers.Siglip2ImageProcessor(patch_size=8, max_num_patches=16).save_pretrained(folder)
    return folder
