"""A sentence encoder's row, and beside it what its words alone say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clipeval.encoders.base import Fingerprint, Rows, as_rows
from clipeval.encoders.batching import stack
from clipeval.encoders.joined_towers import side_by_side
from clipeval.encoders.text_towers import SentenceTower

WORDS = "mean of its word vectors, each times ln(1 + place in the vocabulary)"


@dataclass(frozen=True, eq=False)
class WordsToo:
    """The unit row of a sentence encoder, and the unit mean of the word vectors that it starts from.

    A sentence encoder is trained to bring paraphrases together, so its row blurs which things a caption
    names; the mean of word vectors keeps them, and loses their order. Heads and bridges over both retrieve
    more. A vocabulary is sorted by how frequent words are, so a word's place in it stands for its frequency
    and rare words weigh more (as in model2vec; compare Arora et al. 2017, "A simple but tough-to-beat
    baseline for sentence embeddings"). Special tokens, punctuation and single letters weigh nothing.

    Parameters
    ----------
    sentence : SentenceTower
        A BERT with a WordPiece vocabulary.
    """

    sentence: SentenceTower

    @property
    def fingerprint(self) -> Fingerprint:
        """The words of the sentence encoder, and what stands beside its row."""
        return {**self.sentence.fingerprint, "beside the sentence": WORDS}

    @property
    def width(self) -> int:
        """The d of its rows: twice that of the sentence encoder."""
        return 2 * self.sentence.width

    def encode_texts(self, texts: Sequence[str]) -> Rows:
        """Encode texts to float32 rows, shape ``(n, d)``; a text without a word has zeros for its words.

        Raises
        ------
        EncoderError
            The model gave NaN or infinity.
        """
        if not len(texts):
            return stack([], width=self.width)
        model = self.sentence.model
        tokens = model.tokenizer(list(texts), truncation=True, max_length=model.max_seq_length)["input_ids"]
        # sums, for side_by_side brings them to length 1
        words = np.stack([self._vectors[numbers].sum(axis=0) for numbers in tokens])
        return side_by_side(
            [
                self.sentence.encode_texts(texts),
                as_rows(words, expected=len(texts), where=self.sentence.where),
            ]
        )

    def kept_tokens(self, text: str) -> tuple[list[int], int | None]:
        """Give the tokens of a text that reach the network."""
        return self.sentence.kept_tokens(text)

    def network_words(self) -> Fingerprint:
        """Give activation and attention; builds the model, which says them only then."""
        return self.sentence.network_words()

    @cached_property
    def _vectors(self) -> NDArray[np.float32]:
        """One weighted vector for each token of the vocabulary."""
        layer = self.sentence.model[0].auto_model.get_input_embeddings()
        vectors = np.asarray(layer.weight.detach().float().cpu().numpy(), dtype=np.float32)
        return vectors * word_weights(self.sentence.model.tokenizer.get_vocab(), n=len(vectors))[:, None]


def word_weights(vocabulary: Mapping[str, int], *, n: int) -> NDArray[np.float32]:
    """Weigh the tokens of a vocabulary that is sorted by frequency.

    Parameters
    ----------
    vocabulary : mapping of str to int
        Number of each token.
    n : int
        How many numbers there are.

    Returns
    -------
    ndarray of float32, shape (n,)
        ln(1 + place among the words); 0 for what is no word: special tokens, punctuation, single letters.

    Examples
    --------
    >>> word_weights({"[CLS]": 0, "a": 1, ".": 2, "the": 3, "zebra": 4, "##s": 5}, n=6).round(2).tolist()
    [0.0, 0.0, 0.0, 0.6899999976158142, 1.100000023841858, 0.0]
    """
    weights = np.zeros(n, dtype=np.float32)
    place = 0
    for token, number in sorted(vocabulary.items(), key=lambda entry: entry[1]):
        word = token.removeprefix("##")
        if len(word) > 1 and word[0] != "[":
            place += 1
            weights[number] = np.log1p(place)
    return weights
