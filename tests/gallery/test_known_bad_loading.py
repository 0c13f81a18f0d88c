"""Gallery rows 1, 2, 7, 8, 16 and 17: the model that runs is not the one that was published."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from clipeval import load_encoder
from clipeval.errors import EncoderError, NotAvailableError
from clipeval.probes import probe
from clipeval.probes.published import HALF, OPENAI_MEAN, OPENAI_SD, WEIGHTS

RESNET = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
VIT = {
    **RESNET,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
}


def errors(report) -> list[str]:
    return [finding.name for finding in report.errors]


def test_row_01_gelu_on_quickgelu_weights_by_file_path(named: Path, adapter, network, monkeypatch) -> None:
    # a file without a word on its activation, and a word that the architecture contradicts, are refused ...
    with pytest.raises(EncoderError, match="with which activation"):
        load_encoder(f"open_clip:gallery-tiny/{named}")
    with pytest.raises(EncoderError, match="runs gelu"):
        load_encoder(f"open_clip:gallery-tiny/{named}?activation=quickgelu")
    # ... and a wrong word is caught where the file's hash is a published one
    digest = hashlib.sha256(named.read_bytes()).hexdigest()
    monkeypatch.setitem(WEIGHTS, digest, ("the gallery's", "quickgelu"))
    wrong = probe(load_encoder(f"open_clip:gallery-tiny/{named}?activation=gelu"))
    right = probe(load_encoder(f"open_clip:gallery-tiny-quickgelu/{named}?activation=quickgelu"))
    assert errors(wrong) == ["activation"]
    assert "trained with quickgelu" in wrong.finding("activation").what
    assert right.finding("activation").severity == "ok"
    assert errors(right) == []
    # the same in transformers, where the configuration decides
    wrong = probe(adapter("clip", model=network("clip", activation="gelu")))
    right = probe(adapter("clip", model=network("clip", activation="quick_gelu")))
    assert errors(wrong) == ["activation"]
    assert errors(right) == []


def test_row_02_siglip_2_with_the_mean_and_sd_of_openai(open_clip_folder) -> None:
    wrong = open_clip_folder("ViT-B-16-SigLIP2", VIT, OPENAI_MEAN, OPENAI_SD)
    right = open_clip_folder("ViT-B-16-SigLIP2", VIT, *2 * [HALF])
    finding = probe(load_encoder(f"open_clip:local-dir:{wrong}")).finding("preprocessing")
    assert finding.severity == "error"
    assert "SigLIP was trained with mean 0.5 0.5 0.5" in finding.what
    assert probe(load_encoder(f"open_clip:local-dir:{right}")).finding("preprocessing").severity == "ok"


def test_row_07_batch_norm_left_in_train_mode(open_clip_folder) -> None:
    folder = open_clip_folder("tiny-resnet", RESNET, OPENAI_MEAN, OPENAI_SD)
    right = load_encoder(f"open_clip:local-dir:{folder}")
    assert errors(probe(right)) == []
    wrong = load_encoder(f"open_clip:local-dir:{folder}")
    wrong._model.train()
    report = probe(wrong)
    assert {"evaluation mode", "batch invariance"} <= set(errors(report))
    assert "train mode" in report.finding("evaluation mode").what


def test_row_08_a_random_init_model_in_earnest(named: Path) -> None:
    with pytest.raises(NotAvailableError, match="random numbers"):
        load_encoder("open_clip:gallery-tiny")
    allowed = probe(load_encoder("open_clip:gallery-tiny", allow_random_init=True))
    assert [finding.name for finding in allowed.warnings] == ["trained weights"]
    right = probe(load_encoder(f"open_clip:gallery-tiny/{named}?activation=gelu"))
    assert right.finding("trained weights").severity == "ok"


def test_row_16_a_float16_checkpoint_evaluated_in_float16(adapter, network, tmp_path: Path) -> None:
    import torch
    import transformers

    network("clip").half().save_pretrained(tmp_path)
    silent = transformers.CLIPModel.from_pretrained(tmp_path, dtype="auto").eval()
    asked = transformers.CLIPModel.from_pretrained(tmp_path, dtype=torch.float32).eval()
    wrong = probe(adapter("clip", model=silent)).finding("dtype")
    assert (wrong.severity, "float16" in wrong.what) == ("warning", True)
    claimed = adapter("clip", model=silent, words={"dtype": "float32"})
    assert errors(probe(claimed)) == ["dtype"]
    right = probe(adapter("clip", model=asked, words={"dtype": "float32"}))
    assert right.finding("dtype").severity == "ok"
    # clipeval's own adapters say float32 to transformers, whatever the checkpoint holds
    from clipeval.encoders.hf import _load_model
    from clipeval.encoders.options import LoadOptions

    model, _ = _load_model(tmp_path, options=LoadOptions(), dtype=torch.float32, where="gallery")
    assert {value.dtype for value in model.parameters()} == {torch.float32}


def test_row_17_a_caption_that_looks_like_a_path_is_encoded_as_a_picture() -> None:
    from clipeval.encoders.st import _text_form

    class Library:
        """Takes inputs as sentence-transformers 6 does: a bare string that looks like media is opened."""

        def __init__(self, *, named_inputs: bool) -> None:
            self.named_inputs = named_inputs

        def preprocess(self, inputs):
            (one,) = inputs
            if isinstance(one, dict) and not self.named_inputs:
                raise TypeError("strings only")
            opened = isinstance(one, str) and ("://" in one or one.startswith("data:"))
            return {"pixel_values": np.zeros(1)} if opened else {"input_ids": np.zeros(1)}

    assert "pixel_values" in Library(named_inputs=True).preprocess(["https://example.invalid/dog.jpg"])
    guarded = _text_form(Library(named_inputs=True), where="gallery")
    assert "input_ids" in Library(named_inputs=True).preprocess([guarded("https://example.invalid/dog.jpg")])
    with pytest.raises(EncoderError, match="captions that look like addresses"):
        _text_form(Library(named_inputs=False), where="gallery")
