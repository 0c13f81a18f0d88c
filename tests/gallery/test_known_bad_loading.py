"""Gallery rows 1, 2, 7, 8, 16 and 17: the model that runs is not the one that was published."""

from __future__ import annotations

import hashlib
import json
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


@pytest.fixture(scope="module")
def clip_folder(network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small CLIP in float16 with CLIP's own vocabulary, as transformers saves it."""
    import open_clip.tokenizer as source
    import transformers

    folder = tmp_path_factory.mktemp("clip")
    bpe = source.SimpleTokenizer()
    merges = [" ".join(pair) for pair, _ in sorted(bpe.bpe_ranks.items(), key=lambda entry: entry[1])]
    names = {49406: "<|startoftext|>", 49407: "<|endoftext|>"}  # open_clip spells them otherwise
    words = {names.get(number, word): number for word, number in bpe.encoder.items()}
    (folder / "vocab.json").write_text(json.dumps(words), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder, model_max_length=77, **special)
    tokenizer.save_pretrained(folder)
    size = {"height": 32, "width": 32}
    processor = transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=size)
    processor.save_pretrained(folder)
    network("clip").half().save_pretrained(folder)
    return folder


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


def test_row_16_a_float16_checkpoint_evaluated_in_float16(adapter, clip_folder: Path) -> None:
    import torch
    import transformers

    silent = transformers.CLIPModel.from_pretrained(clip_folder, dtype="auto").eval()
    asked = transformers.CLIPModel.from_pretrained(clip_folder, dtype=torch.float32).eval()
    wrong = probe(adapter("clip", model=silent)).finding("dtype")
    assert (wrong.severity, "float16" in wrong.what) == ("warning", True)
    claimed = adapter("clip", model=silent, words={"dtype": "float32"})
    assert errors(probe(claimed)) == ["dtype"]
    right = probe(adapter("clip", model=asked, words={"dtype": "float32"}))
    assert right.finding("dtype").severity == "ok"
    # clipeval's own adapter says float32, whatever the checkpoint holds, and says so in the fingerprint
    own = probe(load_encoder(f"hf:{clip_folder}"))
    assert own.finding("dtype").what == "the parameters are float32"
    assert errors(own) == []


def test_row_17_a_caption_that_looks_like_a_path_is_encoded_as_a_picture(
    clip_folder: Path, tmp_path: Path, monkeypatch
) -> None:
    import sentence_transformers
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (40, 40), (200, 30, 60)).save("dog.jpg")
    naive = sentence_transformers.SentenceTransformer(str(clip_folder), device="cpu", local_files_only=True)
    guarded = load_encoder(f"st:{clip_folder}")
    as_picture = guarded.encode_images([Image.open("dog.jpg")])
    wrong, right = naive.float().encode(["dog.jpg"]), guarded.encode_texts(["dog.jpg"])
    np.testing.assert_allclose(wrong, as_picture, atol=1e-3)
    assert np.abs(right - as_picture).max() > 1e-2
    Path("dog.jpg").unlink()
    np.testing.assert_array_equal(guarded.encode_texts(["dog.jpg"]), right)  # no file changes a caption's row
