"""A device whose work goes on after the call that asked for it returned, and tiny models."""

from __future__ import annotations

import pytest


class FakeDevice:
    """Work is queued; waiting for it moves the clock. ``launch_cost`` passes while the call runs."""

    name = "fake"

    def __init__(self) -> None:
        self.time = 0.0
        self.queued = 0.0
        self.waits = 0

    def now(self) -> float:
        return self.time

    def launch(self, work: float, *, cost: float = 0.001) -> None:
        self.time += cost
        self.queued += work

    def synchronise(self) -> None:
        self.waits += 1
        self.time += self.queued
        self.queued = 0.0


@pytest.fixture
def device() -> FakeDevice:
    return FakeDevice()


@pytest.fixture(scope="session")
def tiny_hf(models_extra, tmp_path_factory):
    """A CLIP of two layers with random weights, and the parts of a tokenizer."""
    import json

    import torch
    import transformers

    folder = tmp_path_factory.mktemp("tiny")
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**tower, "vocab_size": 64, "bos_token_id": 62, "eos_token_id": 63, "max_position_embeddings": 16}
    config = transformers.CLIPConfig(
        text_config=text, vision_config={**tower, "image_size": 32, "patch_size": 16}, projection_dim=24
    )
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(folder)
    pieces = [chr(97 + at) for at in range(26)] + [f"{chr(97 + at)}</w>" for at in range(26)]
    vocabulary = {piece: at for at, piece in enumerate(pieces)}
    vocabulary |= {"<|startoftext|>": 62, "<|endoftext|>": 63}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    transformers.CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16
    ).save_pretrained(folder)
    transformers.CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_open_clip(models_extra, tmp_path_factory):
    """An open_clip model of two layers with random weights."""
    import json

    import open_clip
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("tiny_open_clip")
    config = {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    }
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    state = open_clip.CLIP(**config).state_dict()
    save_file({key: value.contiguous() for key, value in state.items()}, folder / "model.safetensors")
    return folder


@pytest.fixture(scope="session")
def tiny_bert(models_extra, tmp_path_factory):
    """A BERT of one layer with random weights."""
    import torch
    import transformers

    folder = tmp_path_factory.mktemp("tiny_bert")
    (folder / "vocab.txt").write_text(
        "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij"])
    )
    transformers.BertTokenizer(str(folder / "vocab.txt"), model_max_length=32).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=15,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=32,
    )
    transformers.BertModel(config).save_pretrained(folder)
    return folder
