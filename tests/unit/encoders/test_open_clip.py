"""The open_clip family against open_clip used by hand, on small models made by the test."""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pytest

from clipeval.encoders.open_clip import load
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.spec import parse_spec
from clipeval.errors import EncoderError, NotAvailableError, SpecError

torch = pytest.importorskip("torch", reason="needs clipeval[models]")
open_clip = pytest.importorskip("open_clip", reason="needs clipeval[models]")
pytestmark = pytest.mark.usefixtures("no_sockets")

TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
VISION = {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16}
VIT = {"embed_dim": 24, "vision_cfg": VISION, "text_cfg": TEXT}
RESNET = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None},
    "text_cfg": TEXT,
}


def encoder_of(name, **options):
    return load(parse_spec(f"open_clip:{name}"), LoadOptions(**options))


def save_model(folder, config, *, seed=5):
    from safetensors.torch import save_file

    folder.mkdir()
    preprocess = {"mean": [0.5, 0.4, 0.3], "std": [0.25, 0.25, 0.25], "interpolation": "bicubic"}
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}), encoding="utf-8"
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = open_clip.CLIP(**config)
    for module in model.modules():  # batch norms whose two modes differ
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.fill_(0.1)
            module.running_var.fill_(2.0)
    save_file(
        {key: value.contiguous() for key, value in model.state_dict().items()}, folder / "model.safetensors"
    )
    return folder


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("oc") / "tiny-vit", VIT)


@pytest.fixture(scope="module")
def resnet(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("oc") / "tiny-resnet", RESNET)


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """Two built-in names that differ in the activation only, and their weight file."""
    folder = tmp_path_factory.mktemp("configs")
    for name, quick in (("clipeval-tiny", False), ("clipeval-tiny-quickgelu", True)):
        (folder / f"{name}.json").write_text(json.dumps({**VIT, "quick_gelu": quick}), encoding="utf-8")
    open_clip.add_model_config(folder)
    torch.save(open_clip.CLIP(**VIT).state_dict(), folder / "weights.pt")
    return folder


@pytest.mark.parametrize("family", ["vit", "resnet"])
def test_rows_equal_open_clip_used_by_hand(family, request, pictures, captions):
    folder = request.getfixturevalue(family)
    model, transform = open_clip.create_model_from_pretrained(f"local-dir:{folder}", precision="fp32")
    model.eval()
    with torch.no_grad():
        images = model.encode_image(torch.stack([transform(p) for p in pictures])).numpy()
        texts = model.encode_text(open_clip.get_tokenizer(f"local-dir:{folder}")(captions)).numpy()
    encoder = encoder_of(f"local-dir:{folder}")
    assert np.abs(encoder.encode_images(pictures) - images).max() == 0
    assert np.abs(encoder.encode_texts(captions) - texts).max() == 0


@pytest.mark.parametrize("family", ["vit", "resnet"])
def test_a_batch_of_one_equals_a_batch_of_all_also_with_batch_norm(family, request, pictures, captions):
    folder = request.getfixturevalue(family)
    one = encoder_of(f"local-dir:{folder}", batch_size=1)
    every = encoder_of(f"local-dir:{folder}", batch_size=32)
    np.testing.assert_allclose(one.encode_images(pictures), every.encode_images(pictures), atol=1e-5)
    np.testing.assert_allclose(one.encode_texts(captions), every.encode_texts(captions), atol=1e-5)


def test_the_fingerprint_says_activation_preprocessing_and_weights(vit):
    import hashlib

    said = encoder_of(f"local-dir:{vit}").fingerprint
    assert said["activation"] == "gelu"
    assert "mean=[0.5, 0.4, 0.3]" in said["picture transform"]
    assert "interpolation=bicubic" in said["picture transform"]
    assert "antialias=True" in said["picture transform"]
    assert said["weights"] == hashlib.sha256((vit / "model.safetensors").read_bytes()).hexdigest()
    assert {"family", "model", "device", "dtype", "torch", "open_clip_torch", "tokenizer"} <= set(said)
    assert all(isinstance(word, str) for pair in said.items() for word in pair)
    assert str(vit.parent) not in json.dumps(dict(said))


def test_long_captions_keep_their_end_of_text_and_are_counted(vit):
    encoder = encoder_of(f"local-dir:{vit}")
    long = " ".join(f"word{n}" for n in range(200))
    row = encoder.encode_texts([long, "rain"])[0]
    assert encoder.truncated == 1
    model, _ = open_clip.create_model_from_pretrained(f"local-dir:{vit}", precision="fp32")
    tokens = torch.tensor([[49406, *open_clip.SimpleTokenizer().encode(long)[:75], 49407]])
    with torch.no_grad():
        np.testing.assert_allclose(row, model.eval().encode_text(tokens).numpy()[0], atol=1e-6)


def test_a_name_without_weights_is_refused_unless_random_weights_are_asked_for(named, pictures):
    with pytest.raises(NotAvailableError, match=r"no weights.*random"):
        encoder_of("clipeval-tiny")
    first = encoder_of("clipeval-tiny", allow_random_init=True)
    second = encoder_of("clipeval-tiny", allow_random_init=True)
    assert first.fingerprint["weights"] == "random init, seed 0"
    np.testing.assert_array_equal(first.encode_images(pictures), second.encode_images(pictures))


def test_a_folder_without_weights_is_refused_unless_random_weights_are_asked_for(vit, tmp_path):
    shutil.copytree(vit, tmp_path / "bare", ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(NotAvailableError, match="no weights"):
        encoder_of(f"local-dir:{tmp_path / 'bare'}")
    assert (
        "random"
        in encoder_of(f"local-dir:{tmp_path / 'bare'}", allow_random_init=True).fingerprint["weights"]
    )


def test_a_weight_file_needs_a_word_on_its_activation(named):
    with pytest.raises(EncoderError, match=r"with which activation") as caught:
        encoder_of(f"clipeval-tiny/{named / 'weights.pt'}")
    assert "activation=quickgelu" in str(caught.value)


def test_gelu_is_not_run_on_quickgelu_weights_nor_the_reverse(named):
    path = named / "weights.pt"
    with pytest.raises(EncoderError, match=r"runs gelu.*'weights.pt' was trained with quickgelu") as caught:
        encoder_of(f"clipeval-tiny/{path}?activation=quickgelu")
    assert "clipeval-tiny-quickgelu" in str(caught.value)
    with pytest.raises(EncoderError, match=r"runs quickgelu.*trained with gelu"):
        encoder_of(f"clipeval-tiny-quickgelu/{path}?activation=gelu")
    assert encoder_of(f"clipeval-tiny/{path}?activation=gelu").fingerprint["activation"] == "gelu"
    quick = encoder_of(f"clipeval-tiny-quickgelu/{path}?activation=quickgelu")
    assert quick.fingerprint["activation"] == "quickgelu"


def test_the_activation_changes_the_rows_that_are_silently_wrong_elsewhere(named, pictures):
    path = named / "weights.pt"
    gelu = encoder_of(f"clipeval-tiny/{path}?activation=gelu").encode_images(pictures)
    quick = encoder_of(f"clipeval-tiny-quickgelu/{path}?activation=quickgelu").encode_images(pictures)
    assert np.abs(gelu - quick).max() > 1e-4


def test_openai_weights_on_a_gelu_model_are_refused_before_any_download():
    with pytest.raises(EncoderError, match=r"runs gelu.*tag 'openai' was trained with quickgelu") as caught:
        encoder_of("ViT-B-32/openai")
    assert "open_clip:ViT-B-32-quickgelu/" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("ViT-B-32-quickgelu/opnai", SpecError, "did you mean 'openai'"),
        ("ViT-B-32/laion2b", SpecError, "no pretrained tag 'laion2b'"),
        ("VitB-32/openai", SpecError, "did you mean 'ViT-B-32"),
        ("qqqq", SpecError, "open_clip.list_models"),
        ("ViT-B-32/./absent.pt", NotAvailableError, "no weight file"),
        ("local-dir:./absent", NotAvailableError, "no folder"),
        ("ViT-B-32/openai@main", SpecError, "revisions"),
        ("ViT-B-32-quickgelu/openai?activation=gelu", SpecError, "no place here"),
        ("ViT-B-32-quickgelu/openai?quick_gelu=1", SpecError, "unknown option"),
    ],
)
def test_wrong_names_are_refused_without_a_socket(name, error, words):
    with pytest.raises(error, match=words):
        encoder_of(name)


@pytest.mark.parametrize(
    "name", ["ViT-B-32-quickgelu/openai", "RN50-quickgelu/cc12m", "hf-hub:nobody/nothing"]
)
def test_weights_that_are_not_here_say_how_to_get_them_and_open_no_socket_when_offline(
    name, no_sockets, tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(NotAvailableError, match=r"not .*here|not in the cache") as caught:
        encoder_of(name, offline=True)
    assert "connected machine" in str(caught.value)
    assert no_sockets == []


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, "no open_clip_config.json"),
        ("{", "cannot read open_clip_config.json"),
        ("[]", "cannot read open_clip_config.json"),
        ('{"model_cfg": {"vision_cfg": 1, "text_cfg": {}}}', "must be objects"),
    ],
)
def test_a_folder_with_a_broken_configuration_is_refused(config, words, tmp_path):
    if config is not None:
        (tmp_path / "open_clip_config.json").write_text(config, encoding="utf-8")
    with pytest.raises(EncoderError, match=words):
        encoder_of(f"local-dir:{tmp_path}")


def test_weights_of_another_architecture_are_refused(vit, tmp_path):
    shutil.copytree(vit, tmp_path / "wrong")
    path = tmp_path / "wrong" / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["model_cfg"]["vision_cfg"]["layers"] = 3
    path.write_text(json.dumps(config))
    with pytest.raises(EncoderError, match="cannot load the model"):
        encoder_of(f"local-dir:{tmp_path / 'wrong'}")


def test_a_pickle_that_runs_code_is_not_loaded(named, tmp_path):
    import os

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    (tmp_path / "evil.pt").write_bytes(pickle.dumps({"logit_scale": Evil()}, protocol=2))
    with pytest.raises(EncoderError, match="cannot load the model"):
        encoder_of(f"clipeval-tiny/{tmp_path / 'evil.pt'}?activation=gelu")
    assert not (tmp_path / "ran").exists()


def test_a_tokenizer_that_lives_on_the_hub_is_named_when_it_is_not_here(named, tmp_path, monkeypatch):
    config = {**VIT, "text_cfg": {**TEXT, "hf_tokenizer_name": "nobody/no-tokenizer"}}
    (named / "clipeval-tiny-hub.json").write_text(json.dumps(config), encoding="utf-8")
    open_clip.add_model_config(named)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(NotAvailableError, match=r"the tokenizer.*clipeval-tiny-hub.*not here"):
        encoder_of("clipeval-tiny-hub", allow_random_init=True, offline=True)


def test_nothing_is_printed_while_loading(named, capfd):
    encoder_of("clipeval-tiny", allow_random_init=True)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_a_dtype_that_open_clip_lacks_is_refused(vit):
    with pytest.raises(EncoderError, match="no float64"):
        encoder_of(f"local-dir:{vit}", dtype="float64")


def test_channels_last_is_in_the_fingerprint_and_moves_last_bits_only(resnet, pictures):
    from clipeval.encoders.rounding import TOLERANCE

    usual, last = (
        encoder_of(f"local-dir:{resnet}", layout=word) for word in ("channels-first", "channels-last")
    )
    assert last._model.visual.conv1.weight.is_contiguous(memory_format=torch.channels_last)
    assert {**usual.fingerprint, "memory layout": "channels last"} == last.fingerprint
    before, rows = usual.encode_images(pictures), last.encode_images(pictures)
    apart = np.linalg.norm(rows - before, axis=1) / np.linalg.norm(before, axis=1)
    assert apart.max() < TOLERANCE["float32"]
