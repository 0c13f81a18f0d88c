"""Text towers against their libraries used by hand, on the real MiniLM and on broken folders."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from clipeval.encoders.options import LoadOptions
from clipeval.encoders.text_towers import load_text_tower
from clipeval.errors import EncoderError, NotAvailableError, SpecError

torch = pytest.importorskip("torch", reason="needs clipeval[models]")
transformers = pytest.importorskip("transformers", reason="needs clipeval[models]")
library = pytest.importorskip("sentence_transformers", reason="needs clipeval[models]")
pytestmark = pytest.mark.usefixtures("no_sockets")

LONG = " ".join(["a dog and a cat on the beach"] * 100)


def tower_of(name, **options):
    return load_text_tower(str(name), LoadOptions(**options), where="preclip:x+text")


@pytest.fixture(scope="module")
def bert(minilm_folder):
    return tower_of(f"bert:{minilm_folder}")


@pytest.fixture(scope="module")
def tiny_bert(tmp_path_factory):
    """A BERT of one layer that reads 16 positions, whose tokenizer knows no limit."""
    folder = tmp_path_factory.mktemp("tiny-bert")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        transformers.BertModel(
            transformers.BertConfig(
                vocab_size=8,
                hidden_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=16,
                max_position_embeddings=16,
            ),
            add_pooling_layer=False,
        ).save_pretrained(folder)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "rain", "sun", "dog"]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@pytest.fixture
def tiny_sentence(tiny_bert, tmp_path):
    """The same as a folder that sentence-transformers saved, with mean pooling."""
    folder = tmp_path / "tiny-sentence"
    shutil.copytree(tiny_bert, folder)
    (folder / "1_Pooling").mkdir()
    words = {
        "word_embedding_dimension": 16,
        "pooling_mode_mean_tokens": True,
        "pooling_mode_cls_token": False,
    }
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(words))
    modules = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling")]
    (folder / "modules.json").write_text(
        json.dumps(
            [
                {"idx": int(n), "name": n, "path": path, "type": f"sentence_transformers.models.{kind}"}
                for n, path, kind in modules
            ]
        )
    )
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 16}))
    return folder


# --- versions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bert:bert-base-uncased", "distiluse-base-multilingual-cased"])
def test_the_revision_of_a_spec_is_the_text_towers(name) -> None:
    from clipeval.encoders.load import load_encoder

    spec = f"preclip:efficientnet-lite0+{name}@86b5e09?projection=gaussian"
    with pytest.raises(NotAvailableError, match=r"at revision '86b5e09' is not here") as caught:
        load_encoder(spec, offline=True)
    assert "--revision 86b5e09" in caught.value.fix


def test_a_local_folder_has_no_revision(tiny_bert) -> None:
    with pytest.raises(SpecError, match="a local folder has no revisions"):
        load_text_tower(f"bert:{tiny_bert}", LoadOptions(), revision="main", where="preclip:x+text")


# --- equal to the libraries ----------------------------------------------------------------------------


def test_minilm_equals_sentence_transformers_used_by_hand(minilm, minilm_folder, captions):
    model = library.SentenceTransformer(str(minilm_folder), device="cpu", local_files_only=True)
    texts = [*captions, LONG]
    assert np.abs(minilm.encode_texts(texts) - model.encode(texts)).max() == 0
    assert minilm.width == 384


def slow_mean_pooling(folder, text):
    """One text at a time, without padding: the mean of all tokens' last hidden states."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    ids = tokenizer(text, truncation=True, max_length=512)["input_ids"]
    with torch.no_grad():
        hidden = model(torch.tensor([ids])).last_hidden_state[0]
    total = np.zeros(hidden.shape[1])
    for token in hidden:
        total += token.numpy().astype(np.float64)
    return total / len(ids)


def test_bert_mean_pooling_equals_a_slow_loop_over_single_texts(bert, minilm_folder, captions):
    texts = [*captions, LONG]
    slow = np.stack([slow_mean_pooling(minilm_folder, text) for text in texts])
    # measured 1.0e-6: padding and float32 sums
    np.testing.assert_allclose(bert.encode_texts(texts), slow, atol=5e-6)
    assert bert.width == 384


def test_minilm_is_its_mean_pooling_normalised(bert, minilm, captions):
    rows = bert.encode_texts(captions)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(minilm.encode_texts(captions), rows, atol=1e-6)  # measured 1.5e-8


def test_the_class_token_alone_would_be_another_row(bert, minilm_folder, captions):
    tokenizer = transformers.AutoTokenizer.from_pretrained(minilm_folder)
    with torch.no_grad():
        hidden = bert.model(**tokenizer(captions, padding=True, return_tensors="pt")).last_hidden_state
    assert np.abs(hidden[:, 0].numpy() - bert.encode_texts(captions)).max() > 0.05


@pytest.mark.parametrize("name", ["minilm", "bert"])
def test_a_batch_of_one_equals_a_batch_of_all(name, request, captions):
    tower = request.getfixturevalue(name)
    alone = np.concatenate([tower.encode_texts([text]) for text in captions])
    np.testing.assert_allclose(alone, tower.encode_texts(captions), atol=5e-6)  # measured 1.2e-6
    assert tower.encode_texts([]).shape == (0, 384)
    assert not any(module.training for module in tower.model.modules())


def test_captions_that_look_like_addresses_or_files_are_encoded_as_texts(
    minilm, bert, pictures, tmp_path, monkeypatch, no_sockets
):
    pictures[0].save(tmp_path / "dog.jpg")
    monkeypatch.chdir(tmp_path)
    texts = [
        "dog.jpg",
        "https://example.invalid/dog.jpg",
        "data:image/png;base64,AA",
        str(tmp_path / "dog.jpg"),
    ]
    rows = bert.encode_texts(texts)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(minilm.encode_texts(texts), rows, atol=1e-6)
    assert no_sockets == []


# --- lengths and padding -------------------------------------------------------------------------------


def test_a_text_longer_than_the_model_is_cut_also_where_the_tokenizer_knows_no_limit(tiny_bert):
    tower = tower_of(f"bert:{tiny_bert}")
    rows = tower.encode_texts(["rain " * 14, "rain " * 500])
    assert np.abs(rows[0] - rows[1]).max() < 1e-6
    assert tower.fingerprint["text length"] == "16 tokens"


def test_a_tokenizer_without_padding_is_given_one(tmp_path, tiny_bert):
    folder = tmp_path / "no-padding"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        config = transformers.GPT2Config(
            vocab_size=8, n_embd=16, n_layer=1, n_head=2, n_positions=16, bos_token_id=3, eos_token_id=3
        )
        transformers.GPT2Model(config).save_pretrained(folder)
    tokenizers = pytest.importorskip("tokenizers")
    inner = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({"rain": 5, "sun": 6, "<unk>": 1, "<end>": 3}, unk_token="<unk>")  # noqa: S106
    )
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<end>").save_pretrained(folder)  # noqa: S106
    tower = tower_of(f"bert:{folder}")
    together = tower.encode_texts(["rain", "sun sun rain"])
    alone = np.concatenate([tower.encode_texts([text]) for text in ("rain", "sun sun rain")])
    np.testing.assert_allclose(together, alone, atol=1e-6)


# --- fingerprint ---------------------------------------------------------------------------------------


def test_the_fingerprint_says_weights_configuration_and_length(minilm, bert):
    from clipeval.encoders.text_towers import MINILM_WEIGHTS

    for tower in (minilm, bert):
        words = tower.fingerprint
        assert words["weights"] == MINILM_WEIGHTS.sha256
        assert {"tokenizer", "configuration", "torch", "transformers", "device", "dtype"} <= set(words)
    assert bert.fingerprint["text length"] == "512 tokens"


def test_no_folder_of_the_users_machine_is_in_the_fingerprint(tiny_bert, tiny_sentence):
    for name in (f"bert:{tiny_bert}", tiny_sentence):
        words = json.dumps(dict(tower_of(name).fingerprint))
        assert str(tiny_bert.parent) not in words
        assert str(tiny_sentence.parent) not in words


def test_another_pooling_or_vocabulary_is_another_fingerprint(tiny_sentence):
    texts = ["rain sun", "dog"]
    before = tower_of(tiny_sentence)
    rows = before.encode_texts(texts)
    pooling = tiny_sentence / "1_Pooling" / "config.json"
    words = json.loads(pooling.read_text())
    pooling.write_text(
        json.dumps({**words, "pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True})
    )
    after = tower_of(tiny_sentence)
    assert np.abs(rows - after.encode_texts(texts)).max() > 1e-3
    assert dict(before.fingerprint) != dict(after.fingerprint)


# --- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "bert:"])
def test_a_folder_that_holds_no_model_is_refused_clearly(prefix, tmp_path, tiny_sentence):
    (tmp_path / "empty").mkdir()
    with pytest.raises(EncoderError) as caught:
        tower_of(f"{prefix}{tmp_path / 'empty'}")
    assert "preclip:x+text" in str(caught.value)
    (tiny_sentence / "model.safetensors").unlink()
    with pytest.raises(NotAvailableError, match="no weights"):
        tower_of(f"{prefix}{tiny_sentence}", allow_random_init=True)


@pytest.mark.parametrize("prefix", ["", "bert:"])
def test_a_broken_weight_file_is_refused_clearly(prefix, tiny_sentence):
    file = tiny_sentence / "model.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(EncoderError, match="cannot load") as caught:
        tower_of(f"{prefix}{tiny_sentence}").encode_texts(["rain"])
    assert "preclip:x+text" in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "bert:"])
def test_a_checkpoint_that_lacks_parameters_is_refused_by_name(prefix, tiny_sentence):
    from safetensors.torch import load_file, save_file

    tensors = load_file(tiny_sentence / "model.safetensors")
    del tensors["encoder.layer.0.attention.self.query.weight"]
    save_file(tensors, tiny_sentence / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EncoderError, match=r"lack 1 of.*query\.weight"):
        tower_of(f"{prefix}{tiny_sentence}").encode_texts(["rain"])


def test_a_plain_language_model_needs_the_word_bert(tiny_bert):
    with pytest.raises(EncoderError, match=r"no modules\.json") as caught:
        tower_of(tiny_bert)
    assert "bert:" in caught.value.fix
    assert tower_of(f"bert:{tiny_bert}").width == 16


@pytest.mark.parametrize("name", ["all-MiniLM-L12-v2", "bert:bert-base-uncased"])
def test_weights_that_are_not_here_are_not_available_without_a_socket(
    name, tmp_path, monkeypatch, no_sockets
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(NotAvailableError, match="is not here"):
        tower_of(name, offline=True)
    assert no_sockets == []


def test_a_folder_that_does_not_exist_is_named():
    with pytest.raises(NotAvailableError, match=r"no folder './absent'"):
        tower_of("./absent")
