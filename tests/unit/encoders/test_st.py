"""The st family against sentence-transformers used by hand."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from clipeval.encoders.options import LoadOptions
from clipeval.encoders.spec import parse_spec
from clipeval.encoders.st import load
from clipeval.errors import EncoderError, NotAvailableError, SpecError

torch = pytest.importorskip("torch", reason="needs clipeval[models]")
library = pytest.importorskip("sentence_transformers", reason="needs clipeval[models]")
pytestmark = pytest.mark.usefixtures("no_sockets")


def encoder_of(folder, query="", **options):
    return load(parse_spec(f"st:{folder}{query}"), LoadOptions(**options))


@pytest.fixture(scope="module")
def st_folder(clip_folder, tmp_path_factory):
    """What sentence-transformers itself saves around the small CLIP."""
    folder = tmp_path_factory.mktemp("tiny-st")
    library.SentenceTransformer(str(clip_folder), device="cpu", local_files_only=True).save(str(folder))
    return folder


@pytest.mark.parametrize("family", ["clip_folder", "st_folder"])
def test_rows_equal_sentence_transformers_used_by_hand(family, request, pictures, captions):
    folder = request.getfixturevalue(family)
    model = library.SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    encoder = encoder_of(folder)
    assert np.abs(encoder.encode_images(pictures) - model.encode(pictures)).max() == 0
    assert np.abs(encoder.encode_texts(captions) - model.encode(captions)).max() == 0


def test_rows_equal_those_of_the_hf_family_on_the_same_folder(clip_folder, pictures, captions):
    from clipeval.encoders.hf import load as load_hf

    other = load_hf(parse_spec(f"hf:{clip_folder}?processor=torchvision"), LoadOptions())
    encoder = encoder_of(clip_folder)
    np.testing.assert_allclose(encoder.encode_images(pictures), other.encode_images(pictures), atol=1e-5)
    np.testing.assert_allclose(encoder.encode_texts(captions), other.encode_texts(captions), atol=1e-5)


def test_a_batch_of_one_equals_a_batch_of_all(st_folder, pictures, captions):
    one, every = encoder_of(st_folder, batch_size=1), encoder_of(st_folder)
    np.testing.assert_allclose(one.encode_images(pictures), every.encode_images(pictures), atol=1e-5)
    np.testing.assert_allclose(one.encode_texts(captions), every.encode_texts(captions), atol=1e-5)


def test_captions_that_look_like_addresses_or_files_are_encoded_as_texts(
    st_folder, pictures, tmp_path, monkeypatch, no_sockets
):
    pictures[0].save(tmp_path / "dog.jpg")
    monkeypatch.chdir(tmp_path)
    texts = [
        "dog.jpg",
        "https://example.invalid/dog.jpg",
        "data:image/png;base64,AAAA",
        str(tmp_path / "dog.jpg"),
    ]
    rows = encoder_of(st_folder).encode_texts(texts)
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(st_folder)
    model = transformers.AutoModel.from_pretrained(st_folder, dtype=torch.float32).eval()
    with torch.no_grad():
        tokens = tokenizer(texts, padding=True, truncation=True, max_length=77, return_tensors="pt")
        expected = model.get_text_features(**tokens).pooler_output.numpy()
    np.testing.assert_allclose(rows, expected, atol=1e-5)
    naive = library.SentenceTransformer(str(st_folder), device="cpu").encode(["dog.jpg"])
    assert np.abs(naive - expected[0]).max() > 1e-2, "sentence-transformers no longer opens captions"
    assert no_sockets == []


def test_a_text_model_is_refused_with_the_way_to_use_it(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "rain"]))
    transformers.BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    with pytest.raises(EncoderError, match="encodes text, not image") as caught:
        encoder_of(tmp_path)
    assert "preclip" in str(caught.value)


def test_a_folder_without_weights_is_refused(st_folder, tmp_path):
    shutil.copytree(st_folder, tmp_path / "bare", ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(NotAvailableError, match="no weights"):
        encoder_of(tmp_path / "bare", allow_random_init=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(EncoderError, match=r"neither modules\.json nor config\.json"):
        encoder_of(tmp_path / "empty")


def test_a_checkpoint_that_lacks_parameters_is_refused_by_name(st_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(st_folder, tmp_path / "part")
    tensors = load_file(tmp_path / "part" / "model.safetensors")
    del tensors["text_projection.weight"]
    save_file(tensors, tmp_path / "part" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EncoderError, match=r"lack 1 of.*text_projection\.weight"):
        encoder_of(tmp_path / "part")


def test_the_fingerprint_says_modules_preprocessing_and_weights(st_folder):
    said = encoder_of(st_folder).fingerprint
    assert said["modules"] == "Transformer"
    assert said["text length"] == "77 tokens"
    assert said["mean"] == "0.48145466 0.4578275 0.40821073"
    assert {"family", "model", "weights", "device", "dtype", "torch", "sentence-transformers"} <= set(said)
    assert all(isinstance(word, str) for pair in said.items() for word in pair)
    assert str(st_folder.parent) not in json.dumps(dict(said))


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("./absent", NotAvailableError, "no folder"),
        ("clip-ViT-B-32?pooling=mean", SpecError, "unknown option"),
    ],
)
def test_wrong_names_and_options_are_refused(spec, error, words):
    with pytest.raises(error, match=words):
        encoder_of(spec)


def test_a_bare_name_is_looked_for_under_sentence_transformers(tmp_path, monkeypatch, no_sockets):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(NotAvailableError, match="'sentence-transformers/clip-ViT-B-32' is not here"):
        encoder_of("clip-ViT-B-32", offline=True)
    assert no_sockets == []


def cut_by_hand(model, texts):
    """Tokenise each text as the model does, and alone without a limit; a shorter row was cut."""
    tokenizer = getattr(model.tokenizer, "tokenizer", model.tokenizer)
    kept = [len(model.preprocess([{"text": text}])["input_ids"][0]) for text in texts]
    whole = [len(tokenizer(text, truncation=False, verbose=False)["input_ids"]) for text in texts]
    return sum(short < long for short, long in zip(kept, whole, strict=True))


@pytest.fixture(scope="module")
def clip_module_folder(clip_folder, tmp_path_factory):
    """The same small CLIP in the module that the published clip-ViT-* models of sentence-transformers use."""
    models = pytest.importorskip("sentence_transformers.models")
    folder = tmp_path_factory.mktemp("tiny-st-clip")
    library.SentenceTransformer(modules=[models.CLIPModel(str(clip_folder))], device="cpu").save(str(folder))
    return folder


@pytest.mark.parametrize("family", ["clip_folder", "st_folder", "clip_module_folder"])
def test_texts_that_are_longer_than_the_model_reads_are_counted(family, request):
    folder = request.getfixturevalue(family)
    model = library.SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    encoder = encoder_of(folder)
    assert encoder.truncated == 0
    texts = ["a dog", "rain " * 300, "cat " * 40, "c " * 75, "c " * 76, "c " * 77, ""]
    encoder.encode_texts(texts)
    by_hand = cut_by_hand(model, texts)
    assert 1 <= by_hand < len(texts)
    assert encoder.truncated == by_hand
    encoder.encode_texts(texts)
    assert encoder.truncated == 2 * by_hand


def test_cut_texts_of_the_real_minilm_are_counted_with_its_special_tokens(minilm_folder):
    from clipeval.encoders.st import _tokens_cut

    model = library.SentenceTransformer(str(minilm_folder), device="cpu", local_files_only=True)
    limit = model.max_seq_length
    texts = ["dog " * (limit - 2), "dog " * (limit - 1), "dog"]  # [CLS] and [SEP] are two of its tokens
    assert _tokens_cut(model, texts) == cut_by_hand(model, texts) == 1
