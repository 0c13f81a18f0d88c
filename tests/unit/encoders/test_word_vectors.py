"""The mean of word vectors beside a sentence's row, against a plain loop over the real MiniLM."""

from __future__ import annotations

import math

import numpy as np
import pytest

from clipeval.encoders.options import LoadOptions
from clipeval.encoders.text_towers import load_text_tower

torch = pytest.importorskip("torch", reason="needs clipeval[models]")
transformers = pytest.importorskip("transformers", reason="needs clipeval[models]")
pytest.importorskip("sentence_transformers", reason="needs clipeval[models]")
pytestmark = pytest.mark.usefixtures("no_sockets")

TEXTS = ["A dog runs on the beach.", "two zebras", "a b , .", ""]


def tower_of(name):
    return load_text_tower(name, LoadOptions(), where="preclip:x+text")


@pytest.fixture(scope="module")
def words():
    return tower_of("all-MiniLM-L6-v2.words")


def by_hand(folder, text):
    """One word after the other, its place counted in the vocabulary file."""
    lines = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    places = {}
    for line in lines:
        if len(line.removeprefix("##")) > 1 and not line.removeprefix("##").startswith("["):
            places[line] = len(places) + 1
    vectors = (
        transformers.AutoModel.from_pretrained(folder).embeddings.word_embeddings.weight.detach().numpy()
    )
    total = np.zeros(vectors.shape[1])
    for token in transformers.AutoTokenizer.from_pretrained(folder).tokenize(text):
        total += vectors[lines.index(token)] * (math.log(1 + places[token]) if token in places else 0)
    length = np.linalg.norm(total)
    return total / length if length else total


def test_the_second_half_is_the_weighted_mean_of_word_vectors(words, minilm_folder) -> None:
    rows = words.encode_texts(TEXTS)
    assert rows.shape == (len(TEXTS), words.width)
    for text, row in zip(TEXTS, rows[:, 384:], strict=True):
        np.testing.assert_allclose(row, by_hand(minilm_folder, text), atol=1e-6)


def test_the_first_half_is_the_sentence_encoders_row(words) -> None:
    np.testing.assert_allclose(
        words.encode_texts(TEXTS)[:, :384], tower_of("all-MiniLM-L6-v2").encode_texts(TEXTS), atol=1e-6
    )


def test_a_text_without_words_has_no_words_but_a_sentence(words) -> None:
    rows = words.encode_texts(["a , ."])
    assert not rows[0, 384:].any()
    assert rows[0, :384].any()


def test_order_is_lost_beside_the_sentence_and_kept_in_it(words) -> None:
    one, other = words.encode_texts(["dog bites man", "man bites dog"])
    np.testing.assert_allclose(one[384:], other[384:], atol=1e-6)
    assert not np.allclose(one[:384], other[:384], atol=0.01)


def test_no_text_is_no_row_and_the_fingerprint_tells_the_two_towers_apart(words) -> None:
    assert words.encode_texts([]).shape == (0, 768)
    plain = tower_of("all-MiniLM-L6-v2").fingerprint
    assert {**plain, "beside the sentence": words.fingerprint["beside the sentence"]} == dict(
        words.fingerprint
    )
