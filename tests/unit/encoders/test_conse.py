"""ConSE against a slow loop over pictures and classes."""

from __future__ import annotations

import dataclasses
import hashlib
import math

import numpy as np
import pytest

from clipeval import load_encoder
from clipeval.encoders.conse import Conse, class_names
from clipeval.errors import SpecError
from clipeval.evaluation import evaluate

SPEC = "conse:efficientnet-lite0+all-MiniLM-L6-v2"


def slow_conse(logits, class_rows, *, top=None, centre=True):
    """Norouzi et al. 2014, equation 6, one picture and one class at a time."""
    names = [[float(x) for x in row] for row in class_rows]
    if centre:
        mean = [sum(column) / len(names) for column in zip(*names, strict=True)]
        names = [[x - m for x, m in zip(row, mean, strict=True)] for row in names]
    mixtures = []
    for row in logits:
        powers = [math.exp(float(x) - float(max(row))) for x in row]
        order = sorted(range(len(powers)), key=lambda c: -powers[c])[: top or len(powers)]
        total = sum(powers[c] for c in order)
        mixture = [0.0] * len(names[0])
        for c in order:
            for d, x in enumerate(names[c]):
                mixture[d] += powers[c] / total * x
        mixtures.append(mixture)
    return np.array(mixtures)


def small(*, top=12, centre=True, classes=12):
    rng = np.random.default_rng(5)
    rows = (rng.standard_normal((classes, 7)) + 1).astype(np.float32)
    return Conse("conse:a+b", None, None, rows, centre, top, "{}", "0" * 64)


@pytest.fixture
def logits():
    return (np.random.default_rng(6).standard_normal((9, 12)) * 4).astype(np.float32)


@pytest.mark.parametrize("centre", [True, False])
@pytest.mark.parametrize("top", [1, 3, 12])
def test_mixtures_equal_a_slow_loop(logits, top, centre):
    encoder = small(top=top, centre=centre)
    slow = slow_conse(logits, encoder.class_rows, top=top, centre=centre)
    np.testing.assert_allclose(encoder.bridge_images(logits), slow, atol=1e-6)


def test_with_one_class_a_picture_is_the_name_of_its_best_class(logits):
    encoder = small(top=1, centre=False)
    assert np.array_equal(encoder.bridge_images(logits), encoder.class_rows[logits.argmax(axis=1)])


@pytest.mark.parametrize("top", [1, 4, 12])
def test_probabilities_sum_to_one(logits, top):
    # where all names are the vector of ones, the mixture is the sum of the weights
    ones = dataclasses.replace(small(top=top, centre=False), class_rows=np.ones((12, 7), dtype=np.float32))
    np.testing.assert_allclose(ones.bridge_images(logits), 1.0, atol=1e-7)


def test_large_logits_do_not_overflow(logits):
    rows = small().bridge_images(logits * 1e4)
    assert np.array_equal(rows, small(top=1).bridge_images(logits))


def test_centring_takes_the_mean_class_name_off_both_sides(logits):
    centred, plain = small(), small(centre=False)
    mean = plain.class_rows.mean(axis=0)
    np.testing.assert_allclose(centred.bridge_images(logits), plain.bridge_images(logits) - mean, atol=1e-6)
    captions = np.random.default_rng(7).standard_normal((4, 7)).astype(np.float32)
    np.testing.assert_allclose(centred.bridge_texts(captions), captions - mean, atol=1e-6)
    assert plain.bridge_texts(captions) is captions
    # a picture of whom nothing is known (all classes alike) has nothing left
    assert np.abs(centred.bridge_images(np.zeros((1, 12), dtype=np.float32))).max() < 1e-6


def test_a_row_does_not_depend_on_the_other_items(logits):
    encoder = small(top=5)
    rows = encoder.bridge_images(logits)
    assert np.array_equal(rows[[4]], encoder.bridge_images(logits[[4]]))
    assert np.array_equal(rows[::-1], encoder.bridge_images(logits[::-1]))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?top=0", "from 1 to 1000"),
        ("?top=1001", "from 1 to 1000"),
        ("?top=ten", "whole number"),
        ("?centre=perhaps", "true or false"),
        ("?template=foto", "did you mean 'photo'"),
        ("?center=false", "did you mean 'centre'"),
        ("?seed=1", "unknown option 'seed'"),
        ("@main", "revision"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_loaded(query, words, monkeypatch):
    def loads(*_, **__):
        raise AssertionError("a tower was loaded")

    monkeypatch.setattr("clipeval.encoders.towers.load_image_tower", loads)
    with pytest.raises(SpecError, match=words):
        load_encoder(f"{SPEC}{query}")


@pytest.mark.parametrize("name", ["frozen:a.npz+all-MiniLM-L6-v2", "resnet50+frozen:a.npz"])
def test_frozen_towers_have_no_class_names_and_are_refused(name):
    with pytest.raises(SpecError, match="frozen"):
        load_encoder(f"conse:{name}")


# --- real weights --------------------------------------------------------------------------------------


@pytest.fixture
def real(conse):
    return conse


def test_real_mixtures_equal_the_slow_loop(real, lite0_rows, minilm):
    open_clip = pytest.importorskip("open_clip", reason="needs clipeval[models]")
    assert len(real.class_rows) == 1000
    first = minilm.encode_texts([f"a photo of a {open_clip.IMAGENET_CLASSNAMES[0]}"])
    np.testing.assert_allclose(real.class_rows[:1], first, atol=1e-6)
    logits = lite0_rows["logits"][:2]
    np.testing.assert_allclose(real.bridge_images(logits), slow_conse(logits, real.class_rows), atol=1e-6)


def test_conse_finds_the_right_caption_far_above_chance(real, embedded):
    evaluation = evaluate(real, embedded)
    # measured .60 and .55; chance is .05, and 6 or more hits of 20 have probability 3e-4 by chance
    assert evaluation.direction("i2t").hit_rate(1) >= 0.3
    assert evaluation.direction("t2i").hit_rate(1) >= 0.3


def test_the_fingerprint_says_how_classes_are_mixed(real):
    words = real.fingerprint
    assert words["bridge"] == "ConSE, 1000 most probable classes, mean class name taken off"
    assert words["class names"].endswith("'a photo of a {}'")
    assert words["image: layer"] == "logits"
    fewer = dataclasses.replace(real, top=5)
    plain = dataclasses.replace(real, centre=False)
    assert len({str(e.fingerprint) for e in (real, fewer, plain)}) == 3


def test_the_fingerprint_pins_the_class_names(real):
    open_clip = pytest.importorskip("open_clip", reason="needs clipeval[models]")
    assert class_names() == tuple(open_clip.IMAGENET_CLASSNAMES)
    names = "\n".join(open_clip.IMAGENET_CLASSNAMES)
    assert real.fingerprint["class names sha256"] == hashlib.sha256(names.encode()).hexdigest()


def test_class_names_are_embedded_once_and_then_come_from_the_cache(
    models_extra, real, tmp_path, monkeypatch
):
    from clipeval.encoders.text_towers import SentenceTower
    from clipeval.evaluation import EmbeddingCache

    cache = EmbeddingCache(tmp_path)
    cold = load_encoder(SPEC, offline=True, cache=cache)

    def encodes(*_):
        raise AssertionError("class names were encoded again")

    monkeypatch.setattr(SentenceTower, "encode_texts", encodes)
    warm = load_encoder(SPEC, offline=True, cache=cache)
    assert real.class_rows.tobytes() == cold.class_rows.tobytes() == warm.class_rows.tobytes()
