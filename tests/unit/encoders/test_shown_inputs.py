"""What towers show of their networks' inputs, against the libraries used by hand."""

from __future__ import annotations

import numpy as np
import pytest

from clipeval import load_encoder
from clipeval.encoders.base import Playback, ShowsPixels, ShowsTokens
from clipeval.encoders.hf_pictures import pixels_of

torch = pytest.importorskip("torch", reason="needs clipeval[models]")
transformers = pytest.importorskip("transformers", reason="needs clipeval[models]")
pytestmark = pytest.mark.usefixtures("no_sockets")


def caught(module, method, name):
    """Record what a network is really given."""
    seen = {}

    def hook(_module, given, named):
        values = [*given, *named.values()]
        seen[name] = next(v for v in values if torch.is_tensor(v) and v.ndim > 1).clone()

    handle = module.register_forward_pre_hook(hook, with_kwargs=True)
    method()
    handle.remove()
    return seen[name].float().numpy()


@pytest.mark.parametrize("backend", ["pil", "torchvision"])
@pytest.mark.parametrize("folder", ["clip_folder", "siglip_folder"])
def test_the_pixels_shown_are_those_that_the_network_gets(folder, backend, request, pictures):
    encoder = load_encoder(f"hf:{request.getfixturevalue(folder)}?processor={backend}")
    vision = encoder._model.vision_model.embeddings.patch_embedding
    for picture in pictures:
        given = caught(vision, lambda p=picture: encoder.encode_images([p]), "pixels")
        assert np.array_equal(encoder.prepared_pixels(picture), given[0])


@pytest.mark.parametrize(
    ("family", "folder"),
    [("hf", "clip_folder"), ("hf", "siglip_folder"), ("hf", "siglip2_folder"), ("st", "clip_folder")],
)
def test_the_tokens_shown_are_those_that_the_network_gets(family, folder, request, captions):
    encoder = load_encoder(f"{family}:{request.getfixturevalue(folder)}")
    model = encoder._model if family == "hf" else encoder._model[0].model
    words = model.text_model.embeddings.token_embedding
    for caption in (*captions, " ".join(captions * 40)):
        given = caught(words, lambda text=caption: encoder.encode_texts([text]), "tokens")
        assert encoder.kept_tokens(caption)[0] == given[0].astype(int).tolist()


def test_patches_of_flexible_resolution_are_put_together_again(siglip2_folder, pictures):
    encoder = load_encoder(f"hf:{siglip2_folder}")
    for picture in pictures:
        shown = encoder.prepared_pixels(picture)
        assert shown.shape[0] == 3
        assert (shown.shape[1] * shown.shape[2]) // 64 <= 16
        by_hand = np.asarray(picture.resize(shown.shape[:0:-1], 2), dtype=np.float32).transpose(2, 0, 1)
        np.testing.assert_allclose(shown, by_hand / 127.5 - 1, atol=1e-5)


def test_pixels_put_together_equal_a_slow_walk_over_the_patches():
    rng = np.random.default_rng(0)
    picture = rng.normal(size=(3, 6, 4)).astype(np.float32)
    patches = [
        picture[:, row : row + 2, column : column + 2].transpose(1, 2, 0).ravel()
        for row in range(0, 6, 2)
        for column in range(0, 4, 2)
    ]
    padded = np.stack([*patches, np.zeros(12, dtype=np.float32)])
    inputs = {"pixel_values": padded[None], "spatial_shapes": np.array([[3, 2]])}
    assert np.array_equal(pixels_of(inputs), picture)


def test_sentence_transformers_shows_the_pixels_of_its_own_processor(clip_folder, pictures):
    st = load_encoder(f"st:{clip_folder}")
    hf = load_encoder(f"hf:{clip_folder}?processor={st.fingerprint['image processor backend']}")
    for picture in pictures:
        np.testing.assert_allclose(st.prepared_pixels(picture), hf.prepared_pixels(picture), atol=1e-6)


def test_padding_to_the_batch_is_not_shown(clip_folder):
    encoder = load_encoder(f"hf:{clip_folder}")
    alone, end = encoder.kept_tokens("a dog")
    assert alone[-1] == end == 49407
    assert len(alone) == 4


def test_the_towers_of_a_bridge_show_pixels_and_tokens(models_extra, pictures):
    encoder = load_encoder("preclip:efficientnet-lite0+all-MiniLM-L6-v2", offline=True)
    assert isinstance(encoder.image_tower, ShowsPixels)
    assert isinstance(encoder.text_tower, ShowsTokens)
    shown = encoder.image_tower.prepared_pixels(pictures[0])
    scale = min(pictures[0].size) / 224
    resized = pictures[0].resize(tuple(int(side / scale) for side in pictures[0].size), 3)
    left, top = ((side - 224) // 2 for side in resized.size)
    by_hand = np.asarray(resized.crop((left, top, left + 224, top + 224)), np.float64).transpose(2, 0, 1)
    np.testing.assert_allclose(shown, (by_hand - 127) / 128, atol=1e-5)
    tokens, end = encoder.text_tower.kept_tokens("A dog")
    assert (tokens, end) == ([101, 1037, 3899, 102], None)
    assert len(encoder.text_tower.kept_tokens("dog " * 500)[0]) == 256


def test_a_mean_pooled_language_model_shows_its_tokens(minilm_folder):
    encoder = load_encoder(f"preclip:efficientnet-lite0+bert:{minilm_folder}", offline=True)
    assert encoder.text_tower.kept_tokens("A dog") == ([101, 1037, 3899, 102], None)
    assert encoder.text_tower.fingerprint["attention"] == "sdpa"
    assert encoder.text_tower.fingerprint["activation"] == "gelu"


def test_open_clip_shows_what_its_transform_and_tokenizer_give(models_extra, pictures):
    open_clip = pytest.importorskip("open_clip", reason="needs clipeval[models]")
    encoder = load_encoder("open_clip:ViT-B-32", allow_random_init=True, offline=True)
    transform = open_clip.image_transform(224, is_train=False)
    for picture in pictures:
        assert np.array_equal(encoder.prepared_pixels(picture), transform(picture).numpy())
    tokens, end = encoder.kept_tokens("A dog")
    assert tokens == open_clip.tokenize(["A dog"])[0].tolist()
    assert end in tokens
    assert encoder.fingerprint["attention"] == "torch.nn.MultiheadAttention"
    assert encoder.fingerprint["image processor backend"] == "pil"


def test_a_residual_network_shows_torchvisions_preset(models_extra, pictures, tmp_path, monkeypatch):
    models = pytest.importorskip("torchvision.models", reason="needs clipeval[models]")
    from clipeval.encoders import image_towers
    from clipeval.encoders.options import LoadOptions

    with torch.random.fork_rng(devices=[]):
        torch.save(models.resnet18().state_dict(), tmp_path / "resnet18.pth")
    monkeypatch.setattr(
        image_towers, "find_checkpoint", lambda *_, **__: (tmp_path / "resnet18.pth", "ab" * 32)
    )
    tower = image_towers.load_image_tower("resnet18", LoadOptions(offline=True), where="resnet18")
    preset = models.ResNet18_Weights.IMAGENET1K_V1.transforms()
    for picture in pictures:
        assert np.array_equal(tower.prepared_pixels(picture), preset(picture).numpy())
    from clipeval.encoders.running import network_words

    ran = network_words(tower.classifier.network)
    assert ran == {name: tower.fingerprint[name] for name in ran}


def test_frozen_rows_show_nothing(tmp_path):
    np.save(tmp_path / "rows.npy", np.eye(4, dtype=np.float32).reshape(2, 2, 4))
    encoder = load_encoder(f"frozen:{tmp_path}/rows.npy")
    assert isinstance(encoder, Playback)
    assert not isinstance(encoder, ShowsPixels)
    assert not isinstance(encoder, ShowsTokens)
