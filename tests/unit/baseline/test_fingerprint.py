"""Whole fingerprints: the same everywhere, and each change in its own words."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from clipeval import load_encoder
from clipeval.baseline.fingerprint import CAPTIONS, NOT_SHOWN, PIXELS, TOKENS, full_fingerprint
from clipeval.encoders.base import JointEncoder
from clipeval.errors import EncoderError

BRIDGE = "preclip:efficientnet-lite0+all-MiniLM-L6-v2"


def fingerprint_of(folder, query="", **options):
    return full_fingerprint(load_encoder(f"hf:{folder}{query}", offline=True, **options))


def changed(old, new) -> set[str]:
    return {name for name in {*old, *new} if old.get(name) != new.get(name)}


@pytest.fixture(scope="module")
def before(clip_folder):
    return fingerprint_of(clip_folder)


@pytest.fixture
def copy(clip_folder, tmp_path):
    """A copy of the small CLIP under the same name, to be altered."""
    return Path(shutil.copytree(clip_folder, tmp_path / clip_folder.name))


def altered_json(path, alter) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    alter(content)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


# --- the same everywhere -------------------------------------------------------------------------------


def test_two_processes_in_other_folders_with_other_seeds_and_threads_agree(copy, before, tmp_path):
    code = (
        "import json, sys\n"
        "from clipeval import load_encoder\n"
        "from clipeval.baseline.fingerprint import full_fingerprint\n"
        "print(json.dumps(full_fingerprint(load_encoder(sys.argv[1], offline=True))))"
    )
    root = str(Path(__file__).parents[3])
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, spec],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": root, "PYTHONHASHSEED": number, "OMP_NUM_THREADS": number},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number, spec in (("1", f"hf:{copy}"), ("2", f"hf:{copy.name}"))
    ]
    for process in running:
        output, _ = process.communicate()
        assert process.returncode == 0
        said = json.loads(output.splitlines()[-1])
        assert said == before
        assert list(said) == sorted(said)


def test_the_same_folder_elsewhere_has_the_same_fingerprint_and_no_word_names_the_place(copy, before):
    words = fingerprint_of(copy)
    assert words == before
    everything = json.dumps(words)
    for secret in (str(copy.parent), str(Path.home()), socket.gethostname()):
        assert secret not in everything


def test_the_number_of_threads_changes_no_word(clip_folder, before):
    torch = pytest.importorskip("torch", reason="needs clipeval[models]")
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        assert fingerprint_of(clip_folder) == before
    finally:
        torch.set_num_threads(threads)


def test_the_bridges_agree_with_their_joint_kin_on_names_and_show_pixels_and_tokens(models_extra, before):
    words = full_fingerprint(load_encoder(BRIDGE, offline=True))
    conse = full_fingerprint(load_encoder(BRIDGE.replace("preclip", "conse"), offline=True))
    assert NOT_SHOWN not in words.values()
    assert (words[PIXELS], words[TOKENS]) == (conse[PIXELS], conse[TOKENS])
    for tower in ("image", "text"):
        own = {name.partition(": ")[2] for name in words if name.startswith(f"{tower}: ")}
        assert own >= {
            "weights",
            "model",
            "dtype",
            "device",
            "activation",
            "attention",
            "batch size",
            "torch",
        }
    assert words["text: attention"] == before["attention"]
    assert (words["image: attention"], words["image: activation"]) == ("none", "relu6")


def test_the_declared_words_of_a_network_are_those_that_it_runs(models_extra):
    from clipeval.encoders.running import network_words

    tower = load_encoder(BRIDGE, offline=True).image_tower
    ran = network_words(tower.classifier.network)
    assert ran == {name: tower.fingerprint[name] for name in ran}


# --- one change, its own words -------------------------------------------------------------------------


def test_one_weight_flipped(copy, before):
    path = copy / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    assert changed(before, fingerprint_of(copy)) == {"weights"}


def test_pillow_or_torchvision(clip_folder, before):
    after = fingerprint_of(clip_folder, "?processor=torchvision")
    assert changed(before, after) == {"image processor backend", "picture processor", "torchvision", PIXELS}


def test_antialias_off(clip_folder):
    before = fingerprint_of(clip_folder, "?processor=torchvision")
    after = fingerprint_of(clip_folder, "?processor=torchvision&antialias=false")
    assert changed(before, after) == {"resize", PIXELS}


def test_antialias_off_behind_the_back_of_every_word(clip_folder):
    before = fingerprint_of(clip_folder, "?processor=torchvision")
    encoder = load_encoder(f"hf:{clip_folder}?processor=torchvision")
    resize = encoder._pictures.resize
    encoder._pictures.resize = lambda **named: resize(**named, antialias=False)
    assert changed(before, full_fingerprint(encoder)) == {PIXELS}


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("image_mean", [0.485, 0.4578275, 0.40821073], "mean"),
        ("image_std", [0.26862954, 0.26130258, 0.2766], "standard deviation"),
        ("size", {"shortest_edge": 36}, "resize"),
        ("resample", 2, "resize"),
        ("crop_size", {"height": 28, "width": 32}, "crop"),
        ("do_center_crop", False, "crop"),
        ("rescale_factor", 1 / 256, "scale"),
    ],
)
def test_one_setting_of_the_preprocessing(copy, before, key, value, word):
    found = sorted(copy.glob("*processor_config.json"))
    assert found
    for path in found:
        altered_json(path, lambda settings: settings.get("image_processor", settings).update({key: value}))
    after = fingerprint_of(copy)
    assert changed(before, after) == {word, PIXELS}


def test_one_token_of_the_vocabulary(copy, before):
    def swap(settings):
        vocabulary = settings["model"]["vocab"]
        vocabulary["dog</w>"], vocabulary["cat</w>"] = vocabulary["cat</w>"], vocabulary["dog</w>"]

    altered_json(copy / "tokenizer.json", swap)
    assert changed(before, fingerprint_of(copy)) == {"tokenizer", TOKENS}


def test_lower_casing_switched_off_in_the_tokenizer(clip_folder, before):
    normalizers = pytest.importorskip("tokenizers", reason="needs clipeval[models]").normalizers
    encoder = load_encoder(f"hf:{clip_folder}")
    # in memory: transformers' CLIPTokenizer builds its own normalizer, whatever tokenizer.json says
    encoder._text.tokenizer.backend_tokenizer.normalizer = normalizers.NFC()
    assert changed(before, full_fingerprint(encoder)) == {TOKENS}


def test_capitals_and_punctuation_removed_before_the_tokenizer(clip_folder, before):
    assert changed(before, fingerprint_of(clip_folder, "?canonical=full")) == {"text form", TOKENS}


def test_a_shorter_longest_text(clip_folder, before):
    from dataclasses import replace

    encoder = load_encoder(f"hf:{clip_folder}")
    encoder._text = replace(encoder._text, max_length=60)
    assert changed(before, full_fingerprint(encoder)) == {TOKENS}


def test_dtype(clip_folder, before):
    assert changed(before, fingerprint_of(clip_folder, "?dtype=bfloat16")) == {"dtype"}


def test_batch_size_is_a_word_and_changes_neither_pixels_nor_tokens(clip_folder, before):
    assert changed(before, fingerprint_of(clip_folder, batch_size=2)) == {"batch size"}


def test_another_kernel(clip_folder, before):
    encoder = load_encoder(f"hf:{clip_folder}")
    encoder._model.set_attn_implementation("eager")
    from clipeval.encoders.running import network_words

    assert before["attention"] == "sdpa"
    assert network_words(encoder._model)["attention"] == "eager"


def test_another_activation_is_a_word_though_the_weights_are_the_same(copy, before):
    def gelu(config):
        config["vision_config"]["hidden_act"] = config["text_config"]["hidden_act"] = "gelu"

    altered_json(copy / "config.json", gelu)
    after = fingerprint_of(copy)
    assert (before["activation"], after["activation"]) == ("quickgelu", "gelu")
    assert changed(before, after) == {"activation", "configuration"}


def test_another_revision_of_the_same_files(clip_folder, tmp_path, monkeypatch):
    library = pytest.importorskip("huggingface_hub", reason="needs clipeval[models]")
    monkeypatch.setattr(library.constants, "HF_HUB_CACHE", str(tmp_path))
    root = tmp_path / "models--me--tiny"
    commits = ("a" * 40, "b" * 40)
    for commit in commits:
        shutil.copytree(clip_folder, root / "snapshots" / commit)
    one, other = (fingerprint_of("me/tiny", f"@{commit}") for commit in commits)
    assert changed(one, other) == {"revision"}
    assert (one["model"], one["revision"]) == ("me/tiny", commits[0])


# --- what is not shown ---------------------------------------------------------------------------------


class Mine(JointEncoder):
    """An encoder of the user's own without a word about its network."""

    name = "python:/home/me/secret:make"
    fingerprint: dict[str, str] = {}  # noqa: RUF012

    def encode_images(self, pictures):
        return np.ones((len(pictures), 2), dtype=np.float32)

    def encode_texts(self, texts):
        return np.ones((len(texts), 2), dtype=np.float32)


class Shown(Mine):
    """One that shows what it is told to show."""

    pixels: object = np.zeros((3, 4, 5))
    tokens: object = ([1, 2], 2)

    def prepared_pixels(self, picture):
        return self.pixels

    def kept_tokens(self, text):
        return self.tokens


def test_what_an_encoder_does_not_show_is_said_in_words():
    words = full_fingerprint(Mine())
    absent = {"weights", "activation", "attention", "dtype", "device", "image processor backend"}
    assert {name for name, value in words.items() if value == NOT_SHOWN} == {*absent, PIXELS, TOKENS}
    assert {"numpy", "python", "clipeval"} <= set(words)
    assert "/home/me" not in json.dumps(words)


def test_what_a_users_encoder_shows_is_hashed():
    words = full_fingerprint(Shown())
    assert words[PIXELS].startswith("4 x 5 and 4 x 5, sha256 ")
    assert words[TOKENS].startswith(f"{2 * len(CAPTIONS)} tokens, sha256 ")


def test_an_object_behind_python_shows_only_what_it_has(tmp_path, monkeypatch):
    (tmp_path / "showing.py").write_text(
        "class Half:\n"
        "    encode_images = encode_texts = lambda self, values: [[1.0]] * len(values)\n"
        "    def kept_tokens(self, text): return [len(text)], None\n"
        "def make(): return Half()\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    words = full_fingerprint(load_encoder("python:showing:make"))
    assert words[PIXELS] == NOT_SHOWN
    assert words[TOKENS].startswith(f"{len(CAPTIONS)} tokens")


@pytest.mark.parametrize(
    "pixels", [None, "dog", np.zeros((4, 5)), np.zeros((1, 3, 4, 5)), np.full((3, 4, 5), np.nan)]
)
def test_pixels_that_are_no_pixels_are_an_error_that_names_the_method(pixels):
    encoder = Shown()
    encoder.pixels = pixels
    with pytest.raises(EncoderError, match="secret:make, prepared_pixels"):
        full_fingerprint(encoder)


@pytest.mark.parametrize("tokens", [None, 5, ([1.5, "x"], 2), [1, 2, 3]])
def test_tokens_that_are_no_tokens_are_an_error_that_names_the_method(tokens):
    encoder = Shown()
    encoder.tokens = tokens
    with pytest.raises(EncoderError, match="secret:make, kept_tokens"):
        full_fingerprint(encoder)


def test_code_of_the_users_that_fails_while_showing_is_named():
    class Broken(Mine):
        def kept_tokens(self, text):
            raise RuntimeError("no vocabulary today")

    with pytest.raises(EncoderError, match="RuntimeError: no vocabulary today"):
        full_fingerprint(Broken())


def test_words_of_the_users_about_its_network_are_taken_and_checked():
    class Told(Mine):
        words: object = {"attention": "flash", "activation": "gelu"}

        def network_words(self):
            return self.words

    encoder = Told()
    words = full_fingerprint(encoder)
    assert (words["attention"], words["activation"], words["weights"]) == ("flash", "gelu", NOT_SHOWN)
    encoder.words = 5
    with pytest.raises(EncoderError, match="secret:make, network_words"):
        full_fingerprint(encoder)
