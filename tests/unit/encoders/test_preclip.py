"""Pre-CLIP: two towers and a projection, nothing else."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from clipeval import load_encoder
from clipeval.core.projection import projection_matrix
from clipeval.core.similarity import cosine_similarity
from clipeval.data import Dataset, load_dataset
from clipeval.encoders.preclip import join
from clipeval.encoders.spec import parse_spec
from clipeval.encoders.towers import split_towers
from clipeval.errors import NotAvailableError, SpecError
from clipeval.evaluation import evaluate

TOWERS = "efficientnet-lite0+all-MiniLM-L6-v2"


class Tower:
    """Rows that count up, of any width."""

    def __init__(self, width, name):
        self.width = width
        self.fingerprint = {"name": name, "width": str(width)}

    def _rows(self, inputs):
        rng = np.random.default_rng([len(str(value)) for value in inputs])
        return rng.standard_normal((len(inputs), self.width)).astype(np.float32)

    encode_images = encode_texts = _rows


def joined(query="", *, widths=(6, 4)):
    return join(parse_spec(f"preclip:a+b{query}"), Tower(widths[0], "a"), Tower(widths[1], "b"))


@pytest.fixture
def real(lite0, minilm):
    """Join the real towers, loaded once, as a spec says."""

    def make(query="", layer="penultimate"):
        return join(parse_spec(f"preclip:{TOWERS}{query}"), lite0[layer], minilm)

    return make


def test_rows_of_the_projected_side_are_rows_times_the_matrix():
    encoder = joined("?seed=3")
    rows = encoder.image.encode_images(["x", "y", "z"])
    w = projection_matrix("gaussian", 6, 4, seed=3)
    expected = (rows.astype(np.float64) @ w).astype(np.float32)
    assert np.array_equal(encoder.encode_images(["x", "y", "z"]), expected)
    slow = [[sum(float(x) * w[i, j] for i, x in enumerate(row)) for j in range(4)] for row in rows]
    np.testing.assert_allclose(encoder.bridge_images(rows), slow, rtol=1e-6)
    texts = encoder.text.encode_texts(["x"])
    assert np.array_equal(encoder.encode_texts(["x"]), texts)


def test_the_text_side_can_be_projected_instead():
    encoder = joined("?project=text&seed=3")
    rows = encoder.text.encode_texts(["x", "y"])
    w = projection_matrix("gaussian", 4, 6, seed=3)
    assert np.array_equal(encoder.encode_texts(["x", "y"]), (rows.astype(np.float64) @ w).astype(np.float32))
    assert np.array_equal(encoder.encode_images(["x"]), encoder.image.encode_images(["x"]))


def test_the_default_is_a_gaussian_of_seed_42_on_the_image_side():
    encoder = joined()
    assert np.array_equal(encoder.matrix, projection_matrix("gaussian", 6, 4, seed=42))
    assert encoder.fingerprint["projection"] == "gaussian on the image side, seed 42, stream clipeval"


def test_the_old_numpy_stream_can_be_asked_for():
    expected = np.random.RandomState(42).standard_normal((6, 4)) / np.sqrt(6)
    np.testing.assert_allclose(joined("?rng=numpy-legacy").matrix, expected, rtol=1e-12)


def test_seeds_and_kinds_differ_and_one_seed_repeats():
    queries = ["?seed=1", "?seed=2", "?projection=sign&seed=1", "?projection=truncation", "?rng=numpy-legacy"]
    encoders = [joined(query) for query in queries]
    matrices = {encoder.matrix.tobytes() for encoder in encoders}
    words = {encoder.fingerprint["projection"] for encoder in encoders}
    assert (len(matrices), len(words)) == (len(queries), len(queries))
    assert np.array_equal(joined("?seed=1").matrix, encoders[0].matrix)


@pytest.mark.parametrize(
    ("query", "widths", "words"),
    [
        ("?projection=identity", (6, 4), "width"),
        ("?projection=truncation", (4, 6), "truncation cannot make 6 coordinates of 4"),
        ("?projection=truncation&project=text", (6, 4), "truncation cannot make 6 coordinates of 4"),
        ("?projection=sign&rng=numpy-legacy", (6, 4), "gaussian"),
    ],
)
def test_widths_that_the_projection_cannot_join_are_refused_when_loading(query, widths, words):
    with pytest.raises(SpecError, match=words) as caught:
        joined(query, widths=widths)
    assert f"preclip:a+b{query}" in str(caught.value)


def test_identity_leaves_rows_of_equal_width_as_they_are():
    encoder = joined("?projection=identity", widths=(4, 4))
    assert np.array_equal(encoder.encode_images(["x"]), encoder.image.encode_images(["x"]))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?sede=1", "did you mean 'seed'"),
        ("?projection=gausian", "did you mean 'gaussian'"),
        ("?layer=logit", "did you mean 'logits'"),
        ("?project=images", "did you mean 'image'"),
        ("?rng=numpy", "rng"),
        ("?seed=x", "whole number"),
        ("?image_tensor=val", "'image_tensor'.*frozen"),
        ("?text_ids=a.json", "'text_ids'.*frozen"),
        ("@main", "revision"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_loaded(query, words, monkeypatch):
    def loads(*_, **__):
        raise AssertionError("a tower was loaded")

    monkeypatch.setattr("clipeval.encoders.towers.load_image_tower", loads)
    monkeypatch.setattr("clipeval.encoders.towers.load_text_tower", loads)
    with pytest.raises(SpecError, match=f"(?s){words}"):
        load_encoder(f"preclip:{TOWERS}{query}")


@pytest.mark.parametrize("name", ["resnet50", "+all-MiniLM-L6-v2", "resnet50+", "frozen:a.npz"])
def test_a_name_without_two_towers_is_refused(name):
    with pytest.raises(SpecError, match="does not name two towers"):
        load_encoder(f"preclip:{name}")


@pytest.mark.parametrize(
    ("name", "towers"),
    [
        ("resnet50+bert:bert-base-uncased", ("resnet50", "bert:bert-base-uncased")),
        ("frozen:/a+b/c.npz+all-MiniLM-L6-v2", ("frozen:/a+b/c.npz", "all-MiniLM-L6-v2")),
        ("frozen:/a+b.npz+frozen:/c+d.npz", ("frozen:/a+b.npz", "frozen:/c+d.npz")),
    ],
)
def test_two_towers_are_told_apart_also_with_plus_signs_in_paths(name, towers):
    assert split_towers(parse_spec(f"preclip:{name}")) == towers


# --- real towers ---------------------------------------------------------------------------------------


def test_the_loaded_encoder_is_the_two_towers_and_the_projection(real, lite0_rows, embedded_pictures):
    encoder = load_encoder(f"preclip:{TOWERS}?projection=gaussian&seed=42", offline=True)
    expected = lite0_rows["penultimate"].astype(np.float64) @ projection_matrix(
        "gaussian", 1280, 384, seed=42
    )
    rows = encoder.bridge_images(lite0_rows["penultimate"])
    assert np.abs(rows - expected.astype(np.float32)).max() == 0
    assert np.abs(encoder.encode_images(embedded_pictures[:2]) - expected[:2]).max() < 1e-4
    assert encoder.fingerprint == real("?projection=gaussian&seed=42").fingerprint
    words = encoder.fingerprint
    assert {"image: weights", "text: weights", "projection"} <= set(words)


def test_the_layer_decides_the_width_of_the_matrix(real):
    assert real("?layer=logits", layer="logits").matrix.shape == (1000, 384)
    assert real("?project=text").matrix.shape == (384, 1280)


def test_random_projections_differ_and_rank_at_random(real, embedded, lite0_rows, minilm):
    texts = minilm.encode_texts(embedded.captions)
    found = [
        cosine_similarity(real(f"?seed={seed}").bridge_images(lite0_rows["penultimate"]), texts)
        for seed in range(10)
    ]
    assert len({scores.tobytes() for scores in found}) == 10
    hits = sum(int((scores.argmax(axis=1) == np.arange(20)).sum()) for scores in found)
    # measured 18 of 200, at 1 in 20; hubs make the seeds vary more than a binomial would
    assert 1 <= hits <= 30


# --- frozen towers, real embeddings --------------------------------------------------------------------


def test_real_resnet50_features_stand_for_an_image_tower(reference_data, minilm):
    folder = reference_data / "flickr8k"
    whole = load_dataset(folder / "flickr8k-val-000.tar")
    part = Dataset("part", whole.items[100:130])
    encoder = load_encoder(
        f"preclip:frozen:{folder}/features-resnet50.safetensors+all-MiniLM-L6-v2"
        "?image_tensor=val&image_ids=features-ids.json",
        offline=True,
    )
    evaluation = evaluate(encoder, part)
    from safetensors.numpy import load_file

    features = load_file(folder / "features-resnet50.safetensors")["val"]
    ids = json.loads((folder / "features-ids.json").read_text())["val"]
    rows = np.stack([features[ids.index(item)] for item in part.ids]).astype(np.float64)
    expected = (rows @ projection_matrix("gaussian", 2048, 384, seed=42)).astype(np.float32)
    # measured 0; a sum of 2048 products may depend on how many rows are multiplied at once
    np.testing.assert_allclose(evaluation.images, expected, rtol=1e-6, atol=1e-6)
    assert evaluation.texts.shape == (150, 384)
    assert evaluation.encoded == len(set(part.captions))


def test_frozen_clip_pictures_and_minilm_over_a_random_projection_are_at_chance(
    reference_data, clip_pairs, models_extra
):
    file = reference_data / "clip-coco500" / "features_clip.npy"
    evaluation = evaluate(load_encoder(f"preclip:frozen:{file}+all-MiniLM-L6-v2", offline=True), clip_pairs)
    assert evaluation.direction("i2t").hit_rate(1) == pytest.approx(0.002, abs=1e-12)
    assert evaluation.direction("t2i").hit_rate(1) < 0.02


def test_two_frozen_towers_need_no_torch_and_identity_gives_the_joint_space_back(reference_data, clip_pairs):
    file = reference_data / "clip-coco500" / "features_clip.npy"
    encoder = load_encoder(f"preclip:frozen:{file}+frozen:{file}?projection=identity")
    evaluation = evaluate(encoder, clip_pairs)
    assert evaluation.direction("i2t").hit_rate(1) == pytest.approx(0.552, abs=1e-12)
    assert evaluation.direction("t2i").hit_rate(1) == pytest.approx(0.506, abs=1e-12)


def test_a_layer_means_nothing_for_a_frozen_tower_and_is_refused(tmp_path):
    np.save(tmp_path / "rows.npy", np.eye(4, dtype=np.float32))
    with pytest.raises(SpecError, match=r"'layer'.*frozen"):
        load_encoder(f"preclip:frozen:{tmp_path}/rows.npy+frozen:{tmp_path}/rows.npy?layer=logits")


def test_an_unavailable_tower_makes_the_encoder_unavailable(tmp_path, monkeypatch, models_extra, no_sockets):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(NotAvailableError, match="offline"):
        load_encoder("preclip:resnet50+all-MiniLM-L6-v2", offline=True)
    assert no_sockets == []
    shutil.rmtree(tmp_path)
