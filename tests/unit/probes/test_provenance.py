"""Fingerprints held against what was published."""

from __future__ import annotations

import pytest

from clipeval.probes.provenance import activation, input_size, normalisation, preprocessing, trained_weights
from clipeval.probes.published import WEIGHTS, published_size, trained_activation

OPENAI = {"mean": "0.48145466 0.4578275 0.40821073", "sd": "0.26862954 0.26130258 0.27577711"}
IMAGENET = {"mean": "0.485 0.456 0.406", "sd": "0.229 0.224 0.225"}
HALF = {"mean": "0.5 0.5 0.5", "standard deviation": "0.5 0.5 0.5"}


@pytest.mark.parametrize(
    ("model", "weights", "running", "severity"),
    [
        ("openai/clip-vit-base-patch32", "", "quickgelu", "ok"),
        ("openai/clip-vit-base-patch32", "", "gelu", "error"),
        ("ViT-B-32/laion2b_s34b_b79k", "", "quickgelu", "error"),
        ("ViT-B-32/laion2b_s34b_b79k", "", "gelu", "ok"),
        ("mine.pt", "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af", "gelu", "error"),
        ("mine.pt", "d867053b" + 56 * "0", "quickgelu", "ok"),
        ("mine.pt", 64 * "0", "gelu", "not_applicable"),
        ("openai/clip-vit-base-patch32", "", "", "not_applicable"),
    ],
)
def test_the_activation_is_held_against_hash_or_name_of_the_weights(
    model, weights, running, severity
) -> None:
    seen = frozenset(running.split())
    assert activation({"model": model, "weights": weights}, seen).severity == severity


def test_the_fingerprints_word_counts_where_the_network_cannot_be_seen() -> None:
    words = {"model": "ViT-B-32-quickgelu/openai", "activation": "quickgelu"}
    assert activation(words, frozenset()).severity == "ok"


def test_the_table_of_weights_equals_open_clips_own() -> None:
    pytest.importorskip("open_clip", reason="needs clipeval[models]")
    from open_clip.pretrained import _PRETRAINED

    theirs = {}
    for tags in _PRETRAINED.values():
        for tag in tags.values():
            url = tag.get("url", "")
            if "openaipublic" in url:
                theirs[url.split("/")[-2]] = bool(tag.get("quick_gelu"))
            elif "mlfoundations" in url:
                theirs[url.rpartition("-")[2].partition(".")[0]] = bool(tag.get("quick_gelu"))
    assert {start: word == "quickgelu" for start, (_, word) in WEIGHTS.items()} == theirs


@pytest.mark.parametrize(
    ("model", "words", "severity"),
    [
        ("openai/clip-vit-base-patch32", OPENAI, "ok"),
        ("openai/clip-vit-base-patch32", HALF, "error"),
        ("openai/clip-vit-base-patch32", IMAGENET, "error"),
        ("google/siglip2-base-patch16-224", IMAGENET, "error"),
        ("google/siglip2-base-patch16-224", HALF, "ok"),
        ("google/siglip2-base-patch16-224", OPENAI, "error"),
        ("google/siglip2-base-patch16-224", {"mean": "no", "standard deviation": "no"}, "error"),
        ("google/siglip-base-patch16-224", {"mean": "0.4 0.4 0.4", "sd": "0.5 0.5 0.5"}, "warning"),
        ("google/siglip-base-patch16-384", {**HALF, "resize": "height 224 width 224"}, "warning"),
        ("google/siglip-base-patch16-384", {**HALF, "resize": "height 384 width 384"}, "ok"),
        ("google/siglip-base-patch16-224", {}, "not_applicable"),
        ("my/model", OPENAI, "not_applicable"),
    ],
)
def test_mean_sd_and_size_are_held_against_the_published_family(model, words, severity) -> None:
    assert preprocessing({"model": model, **words}, "hf:x").severity == severity


@pytest.mark.parametrize(
    ("tag", "words", "severity"),
    [
        ("ViT-B-32/laion2b_s34b_b79k", OPENAI, "ok"),
        ("ViT-B-32/laion2b_s34b_b79k", IMAGENET, "error"),
        ("ViT-B-32/laion2b_s34b_b79k", HALF, "error"),
        ("ViT-L-14/laion2b_s32b_b82k", HALF, "ok"),  # the one LAION model that was trained so
        ("ViT-L-14/laion2b_s32b_b82k", OPENAI, "error"),
        ("ViT-B-32/no-such-tag", HALF, "not_applicable"),
    ],
)
def test_tags_of_open_clip_are_held_against_open_clips_own_table(tag, words, severity) -> None:
    pytest.importorskip("open_clip", reason="needs clipeval[models]")
    found = preprocessing({"family": "open_clip", "model": tag, **words}, f"open_clip:{tag}")
    assert found.severity == severity


def test_an_architecture_tells_the_family_where_the_folders_name_does_not() -> None:
    words = {"model": "folder", "architecture": "siglip", **OPENAI}
    assert preprocessing(words, "hf:folder").severity == "error"


def test_random_weights_are_reported_and_silence_is_not_called_trained() -> None:
    assert trained_weights({"weights": "random init, seed 0"}).severity == "warning"
    assert trained_weights({"weights": "ab" * 32}).severity == "ok"
    assert trained_weights({"weights": "unfingerprinted"}).severity == "not_applicable"
    assert trained_weights({}).severity == "not_applicable"


def test_a_fingerprint_without_a_word_on_weights_is_not_called_trained() -> None:
    for silent in ({"model": "my network", "version": "1"}, {"weights": "none"}, {"weights": ""}):
        found = trained_weights(silent)
        assert found.severity == "not_applicable"
        assert "says nothing about its weights" in found.what
    assert trained_weights({"text: weights": "ab" * 32, "bridge": "gaussian"}).severity == "ok"
    assert trained_weights({"image: file": "x", "text: weights": "random init"}).severity == "warning"


def test_a_fingerprint_that_says_nothing_gives_nothing() -> None:
    assert normalisation({"mean": "0.5", "sd": "0.5"}) is None
    assert normalisation({}) is None
    assert input_size({}) is None
    assert published_size("mine") is None
    assert trained_activation("mine", "none") is None
