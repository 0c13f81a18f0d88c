"""Texts that an evaluation did not hold, encoded by the model that it evaluated."""

from __future__ import annotations

from collections.abc import Sequence

from clipeval.data.dataset import Dataset, Item
from clipeval.encoders.base import Fingerprint, Playback, Rows
from clipeval.encoders.load import load_encoder
from clipeval.encoders.random_init import RANDOM_INIT
from clipeval.encoders.spec import parse_spec
from clipeval.errors import EncoderError, NotAvailableError, SpecError
from clipeval.evaluation import Evaluation, default_cache
from clipeval.evaluation.embed import embed_texts
from clipeval.evaluation.learning import learned

FROZEN = "frozen embeddings hold no encoder for other texts"


def encode_other_texts(evaluation: Evaluation, texts: Sequence[str]) -> Rows | str:
    """Encode texts as the evaluation's model does, offline and through the cache, or say why not.

    Parameters
    ----------
    evaluation : Evaluation
        Its model is loaded again by its spec, with the device, dtype and batch size of its fingerprint.
    texts : sequence of str
        At least one.

    Returns
    -------
    ndarray of float32, shape (n, d), or str
        The rows in the order of the texts; or the reason: frozen embeddings, weights that are not here, a
        model that the spec does not give again (another fingerprint).

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> encode_other_texts(evaluation_of_rows([[1, 0]], [[1, 0]], model="frozen:rows.npy"), ["a cat"])
    'frozen embeddings hold no encoder for other texts'
    """
    try:
        if parse_spec(evaluation.model).family == "frozen":
            return FROZEN
        words = evaluation.fingerprint
        loaded = load_encoder(
            evaluation.model,
            device=_said(words, "device", "cpu").split()[0],
            dtype=_said(words, "dtype", "float32"),
            batch_size=int(_said(words, "batch size", "32")),
            offline=True,
            # whoever evaluated such a network gave the word for it then
            allow_random_init=_said(words, "weights", "") == RANDOM_INIT,
            cache=default_cache(),
        )
        if isinstance(loaded.text_tower, Playback):
            return FROZEN
        encoder = learned(loaded, cache=default_cache())
        other = _difference(words, encoder.fingerprint)
        if other and not evaluation.precomputed:
            return f"loaded again by its spec it is another model: {other}"
        asked = Dataset("other texts", (Item("texts", tuple(texts)),))
        return embed_texts(encoder, asked, cache=default_cache()).rows
    except (NotAvailableError, SpecError, EncoderError) as error:
        return str(error)


def _said(words: Fingerprint, key: str, default: str) -> str:
    """Read a word of a fingerprint, of the text tower where two towers have their own."""
    return words.get(key, words.get(f"text: {key}", default))


def _difference(before: Fingerprint, now: Fingerprint) -> str:
    for key in (*before, *now):
        if before.get(key) != now.get(key):
            was, is_now = (words.get(key, "nothing said")[:80] for words in (before, now))
            return f"{key} was {was}, is {is_now}"
    return ""
