"""Texts that an evaluation did not hold, encoded by the model that it evaluated."""

from __future__ import annotations

from collections.abc import Sequence

from clipeval.data.dataset import Dataset, Item
from clipeval.encoders.base import Playback, Rows
from clipeval.encoders.load import load_encoder
from clipeval.encoders.spec import parse_spec
from clipeval.errors import EncoderError, NotAvailableError, SpecError
from clipeval.evaluation import Evaluation, default_cache
from clipeval.evaluation.embed import embed_texts

FROZEN = "frozen embeddings hold no encoder for other texts"


def encode_other_texts(evaluation: Evaluation, texts: Sequence[str]) -> Rows | str:
    """Encode texts as the evaluation's model does, offline and through the cache, or say why not.

    Parameters
    ----------
    evaluation : Evaluation
        Its model is loaded again by its spec.
    texts : sequence of str
        At least one.

    Returns
    -------
    ndarray of float32, shape (n, d), or str
        The rows in the order of the texts; or the reason: frozen embeddings, weights that are not here.

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> encode_other_texts(evaluation_of_rows([[1, 0]], [[1, 0]], model="frozen:rows.npy"), ["a cat"])
    'frozen embeddings hold no encoder for other texts'
    """
    try:
        if parse_spec(evaluation.model).family == "frozen":
            return FROZEN
        encoder = load_encoder(evaluation.model, offline=True, cache=default_cache())
        if isinstance(encoder.text_tower, Playback):
            return FROZEN
        asked = Dataset("other texts", (Item("texts", tuple(texts)),))
        return embed_texts(encoder, asked, cache=default_cache()).rows
    except (NotAvailableError, SpecError, EncoderError) as error:
        return str(error)
