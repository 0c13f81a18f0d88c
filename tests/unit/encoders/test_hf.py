"""The hf family against transformers used by hand, on small models saved by the test."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from clipeval.encoders.batching import pooled
from clipeval.encoders.hf import load
from clipeval.encoders.hf_text import canonical_text
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.spec import parse_spec
from clipeval.errors import ClipevalError, EncoderError, NotAvailableError, SpecError

torch = pytest.importorskip("torch", reason="needs clipeval[models]")
transformers = pytest.importorskip("transformers", reason="needs clipeval[models]")
pytestmark = pytest.mark.usefixtures("no_sockets")

FAMILIES = ["clip_folder", "siglip_folder", "siglip2_folder"]


def encoder_of(folder, query="", **options):
    return load(parse_spec(f"hf:{folder}{query}"), LoadOptions(**options))


def by_hand(folder, pictures, texts, *, form, padding, length):
    """What a careful user of transformers writes."""
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer(
        [form(t) for t in texts], padding=padding, truncation=True, max_length=length, return_tensors="pt"
    )
    if padding == "max_length":
        tokens = {"input_ids": tokens["input_ids"]}
    with torch.no_grad():
        images = model.get_image_features(**processor(images=pictures, return_tensors="pt")).pooler_output
        rows = model.get_text_features(**tokens).pooler_output
    return images.numpy(), rows.numpy()


def as_siglip_was_trained(text):
    kept = "".join(c for c in text.lower() if c not in "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
    return " ".join(kept.split())


@pytest.mark.parametrize(
    ("family", "form", "padding", "length"),
    [
        ("clip_folder", str, True, 77),
        ("siglip_folder", as_siglip_was_trained, "max_length", 16),
        ("siglip2_folder", str.lower, "max_length", 16),
    ],
)
def test_rows_equal_transformers_used_by_hand(family, form, padding, length, request, pictures, captions):
    folder = request.getfixturevalue(family)
    images, texts = by_hand(folder, pictures, captions, form=form, padding=padding, length=length)
    encoder = encoder_of(folder)
    assert np.abs(encoder.encode_images(pictures) - images).max() == 0
    assert np.abs(encoder.encode_texts(captions) - texts).max() == 0
    assert len(np.unique(texts.round(6), axis=0)) == len(captions)  # the captions are told apart at all


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_of_one_equals_a_batch_of_all_although_the_model_was_saved_in_training_mode(
    family, request, pictures, captions
):
    folder = request.getfixturevalue(family)
    one, every = encoder_of(folder, batch_size=1), encoder_of(folder, batch_size=32)
    np.testing.assert_allclose(one.encode_images(pictures), every.encode_images(pictures), atol=1e-5)
    np.testing.assert_allclose(one.encode_texts(captions), every.encode_texts(captions), atol=1e-5)
    np.testing.assert_array_equal(every.encode_texts(captions), every.encode_texts(captions))


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_are_float32_and_nothing_gives_no_rows_of_the_same_width(family, request, pictures, captions):
    encoder = encoder_of(request.getfixturevalue(family))
    images, texts = encoder.encode_images(pictures), encoder.encode_texts(captions)
    assert images.dtype == texts.dtype == np.float32
    assert encoder.encode_images([]).shape == (0, images.shape[1])
    assert encoder.encode_texts([]).shape == (0, texts.shape[1])


def test_capitals_and_punctuation_do_not_change_a_siglip_row(siglip_folder):
    encoder = encoder_of(siglip_folder)
    rows = encoder.encode_texts(["A dog, running on the BEACH!", "a dog running  on the beach"])
    np.testing.assert_array_equal(rows[0], rows[1])


def test_capitals_alone_do_not_change_a_siglip2_row_and_punctuation_does(siglip2_folder):
    encoder = encoder_of(siglip2_folder)
    rows = encoder.encode_texts(["A dog, running!", "a dog, running!", "a dog running"])
    np.testing.assert_array_equal(rows[0], rows[1])
    assert np.abs(rows[1] - rows[2]).max() > 1e-4


def test_a_siglip2_with_fixed_resolution_is_known_by_its_gemma_tokenizer(siglip_folder, tmp_path):
    shutil.copytree(siglip_folder, tmp_path / "fixed")
    path = tmp_path / "fixed" / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "tokenizer_class": "GemmaTokenizer"}))
    assert encoder_of(tmp_path / "fixed").fingerprint["text form"] == "lower case"
    assert encoder_of(siglip_folder).fingerprint["text form"] == "lower case, no punctuation"


def test_the_text_form_can_be_chosen(siglip_folder):
    told = encoder_of(siglip_folder, "?canonical=none")
    rows = told.encode_texts(["A dog, running on the BEACH!", "a dog running on the beach"])
    assert np.abs(rows[0] - rows[1]).max() > 1e-4
    assert told.fingerprint["text form"] == "as given"


def test_siglip_rows_do_not_depend_on_the_longest_text_of_the_batch(siglip_folder):
    encoder = encoder_of(siglip_folder)
    alone = encoder.encode_texts(["rain"])
    with_long = encoder.encode_texts(["rain", "a small house at night " * 3])
    np.testing.assert_allclose(alone[0], with_long[0], atol=1e-6)


def test_a_caption_of_two_hundred_words_keeps_its_end_of_text_and_is_counted(clip_folder):
    encoder = encoder_of(clip_folder)
    words = [f"word{number}" for number in range(200)]
    rows = encoder.encode_texts([" ".join(words), "rain", " ".join(reversed(words))])
    assert encoder.truncated == 2
    tokenizer = transformers.AutoTokenizer.from_pretrained(clip_folder)
    first = tokenizer(" ".join(words))["input_ids"]
    model = transformers.AutoModel.from_pretrained(clip_folder, dtype=torch.float32).eval()
    cut = torch.tensor([[*first[:76], first[-1]]])
    assert cut[0, -1] == tokenizer.eos_token_id
    with torch.no_grad():
        expected = model.get_text_features(input_ids=cut).pooler_output.numpy()
    np.testing.assert_allclose(rows[0], expected[0], atol=1e-5)


def test_a_float16_checkpoint_is_evaluated_in_float32_unless_asked(clip_folder, tmp_path, pictures):
    shutil.copytree(clip_folder, tmp_path / "half")
    transformers.CLIPModel.from_pretrained(clip_folder, dtype=torch.float32).half().save_pretrained(
        tmp_path / "half"
    )
    encoder = encoder_of(tmp_path / "half")
    model = transformers.CLIPModel.from_pretrained(tmp_path / "half", dtype=torch.float32).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path / "half", backend="pil")
    with torch.no_grad():
        expected = model.get_image_features(**processor(images=pictures, return_tensors="pt")).pooler_output
    assert np.abs(encoder.encode_images(pictures) - expected.numpy()).max() == 0
    assert encoder.fingerprint["dtype"] == "float32"
    asked = encoder_of(tmp_path / "half", dtype="bfloat16")
    assert asked.fingerprint["dtype"] == "bfloat16"
    difference = np.abs(asked.encode_images(pictures) - expected.numpy()).max()
    assert 0 < difference < 0.1


def test_the_torchvision_processor_is_used_only_when_asked(clip_folder):
    pytest.importorskip("torchvision", reason="needs clipeval[models]")
    assert encoder_of(clip_folder).fingerprint["image processor backend"] == "pil"
    asked = encoder_of(clip_folder, "?processor=torchvision")
    assert asked.fingerprint["image processor backend"] == "torchvision"
    assert "torchvision" in asked.fingerprint


def test_antialiasing_can_be_switched_off_for_torchvision_only(clip_folder):
    from clipeval.probes.inputs import grained, scene

    pytest.importorskip("torchvision", reason="needs clipeval[models]")
    on, off, said = (
        encoder_of(clip_folder, f"?processor=torchvision{query}")
        for query in ("", "&antialias=false", "&antialias=true")
    )
    assert "antialiased" in on.fingerprint["resize"]
    assert "without antialias" in off.fingerprint["resize"]
    assert said.fingerprint == on.fingerprint
    large = [grained(), scene()]  # a smooth picture hardly shows it
    by_hand = transformers.CLIPImageProcessor.from_pretrained(clip_folder)
    original = by_hand.resize
    by_hand.resize = lambda **named: original(**named, antialias=False)
    expected = by_hand(images=large, return_tensors="pt")["pixel_values"].numpy()
    shown = np.stack([off.prepared_pixels(picture) for picture in large])
    assert np.array_equal(shown, expected)
    assert np.abs(shown - np.stack([on.prepared_pixels(picture) for picture in large])).max() > 0.1
    with pytest.raises(SpecError, match="Pillow cannot resize without antialiasing"):
        encoder_of(clip_folder, "?antialias=false")


def test_the_fingerprint_names_what_can_change_a_row(clip_folder):
    import hashlib

    said = encoder_of(clip_folder).fingerprint
    weights = (clip_folder / "model.safetensors").read_bytes()
    assert said["weights"] == hashlib.sha256(weights).hexdigest()
    assert said["mean"] == "0.48145466 0.4578275 0.40821073"
    assert said["resize"] == "shortest_edge 32, bicubic, antialiased"
    assert {"family", "model", "revision", "device", "dtype", "torch", "transformers", "tokenizer"} <= set(
        said
    )
    assert all(isinstance(word, str) for pair in said.items() for word in pair)
    assert str(clip_folder.parent) not in json.dumps(dict(said))


def test_a_folder_without_weights_is_refused_unless_random_weights_are_asked_for(
    clip_folder, tmp_path, pictures
):
    shutil.copytree(clip_folder, tmp_path / "bare", ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(NotAvailableError, match=r"no weights.*random"):
        encoder_of(tmp_path / "bare")
    before = torch.random.get_rng_state()
    first = encoder_of(tmp_path / "bare", allow_random_init=True)
    second = encoder_of(tmp_path / "bare", allow_random_init=True)
    assert torch.equal(before, torch.random.get_rng_state())
    assert first.fingerprint["weights"] == "random init, seed 0"
    np.testing.assert_array_equal(first.encode_images(pictures), second.encode_images(pictures))


def test_a_checkpoint_that_lacks_parameters_is_refused_by_the_first_ones_name(clip_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(clip_folder, tmp_path / "part")
    tensors = load_file(tmp_path / "part" / "model.safetensors")
    del tensors["visual_projection.weight"]
    save_file(tensors, tmp_path / "part" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EncoderError, match=r"lack 1 of.*visual_projection\.weight"):
        encoder_of(tmp_path / "part")
    with pytest.raises(EncoderError, match="lack"):
        encoder_of(tmp_path / "part", allow_random_init=True)


def test_a_pickle_that_runs_code_is_not_loaded(clip_folder, tmp_path):
    import os
    import pickle

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    shutil.copytree(clip_folder, tmp_path / "evil", ignore=shutil.ignore_patterns("*.safetensors"))
    (tmp_path / "evil" / "pytorch_model.bin").write_bytes(pickle.dumps({"logit_scale": Evil()}, protocol=2))
    with pytest.raises(EncoderError, match="cannot load the model"):
        encoder_of(tmp_path / "evil")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("config", "error", "words"),
    [
        ({"model_type": "bert"}, SpecError, "'bert' is not a dual encoder"),
        ({"model_type": "clip_vision_model"}, SpecError, "'clip_vision_model' is not"),
        ({}, EncoderError, "cannot read the configuration: KeyError"),
        ([], EncoderError, "cannot read the configuration: TypeError"),
    ],
)
def test_other_architectures_are_refused_by_name(config, error, words, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(error, match=words):
        encoder_of(tmp_path)


@pytest.mark.parametrize(
    ("absent", "words"),
    [
        ("config.json", "no config.json"),
        ("preprocessor_config.json", "cannot load the picture processor"),
        ("token*", "cannot load the tokenizer"),
    ],
)
def test_a_folder_that_lacks_a_part_says_which(absent, words, siglip_folder, tmp_path):
    shutil.copytree(siglip_folder, tmp_path / "part", ignore=shutil.ignore_patterns(absent))
    with pytest.raises(EncoderError, match=words):
        encoder_of(tmp_path / "part")


@pytest.mark.parametrize(
    ("query", "options", "words"),
    [
        ("?procesor=pil", {}, "did you mean 'processor'"),
        ("?processor=opencv", {}, "'processor' is 'opencv'"),
        ("", {"dtype": "float31"}, "did you mean 'float32'"),
        ("", {"device": "gpu"}, "unknown device 'gpu'"),
        ("", {"batch_size": 0}, "batch size is 0"),
        ("@main", {}, "no revisions"),
    ],
)
def test_wrong_options_are_refused_with_the_near_one(query, options, words, clip_folder):
    with pytest.raises(SpecError, match=words):
        encoder_of(clip_folder, query, **options)


def test_a_device_that_is_not_here_is_not_available(clip_folder):
    with pytest.raises(NotAvailableError, match="'cuda:99' is not here"):
        encoder_of(clip_folder, device="cuda:99")


def test_truncated_weights_are_a_clear_error(clip_folder, tmp_path):
    shutil.copytree(clip_folder, tmp_path / "cut")
    path = tmp_path / "cut" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(EncoderError, match="cannot load the model"):
        encoder_of(tmp_path / "cut")


def test_an_output_without_pooled_embedding_is_refused_by_the_name_of_its_type():
    class OddOutput:
        last_hidden_state = torch.zeros(2, 3, 4)

    with pytest.raises(EncoderError, match="a OddOutput without"):
        pooled(OddOutput(), expected=2, where="model")
    with pytest.raises(EncoderError, match="a tuple without"):
        pooled((torch.zeros(2, 4),), expected=2, where="model")


def test_a_token_sequence_is_refused_as_an_embedding():
    with pytest.raises(EncoderError, match=r"2 dimensions.*\(2, 3, 4\)"):
        pooled(torch.zeros(2, 3, 4), expected=2, where="model")


def test_transformers_4_and_5_outputs_give_the_same_rows():
    class Output5:
        pooler_output = torch.ones(2, 4)

    np.testing.assert_array_equal(
        pooled(torch.ones(2, 4), expected=2, where="m"), pooled(Output5(), expected=2, where="m")
    )


@pytest.mark.parametrize(
    "text", ["A dog, running!", "  two\t words ", "it's 3 o'clock", "Ünïcode — dash", "..."]
)
def test_the_canonical_form_equals_the_one_open_clip_took_from_big_vision(text):
    theirs = pytest.importorskip("open_clip.tokenizer", reason="needs clipeval[models]")
    assert canonical_text(text, form="full") == theirs.canonicalize_text(text)


def test_nothing_is_printed_while_loading(clip_folder, capfd):
    encoder_of(clip_folder)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_every_error_is_one_of_ours(tmp_path):
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ClipevalError):
        encoder_of(Path(tmp_path))


def test_channels_last_is_in_the_fingerprint(clip_folder, pictures):
    usual, last = (encoder_of(clip_folder, layout=word) for word in ("channels-first", "channels-last"))
    weight = last._model.vision_model.embeddings.patch_embedding.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert {**usual.fingerprint, "memory layout": "channels last"} == last.fingerprint
    np.testing.assert_allclose(
        last.encode_images(pictures), usual.encode_images(pictures), rtol=1e-3, atol=1e-5
    )
