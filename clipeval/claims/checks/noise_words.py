"""Words without meaning behind a caption leave the retrieval usable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from clipeval.claims.checks.non_inferior import non_inferior
from clipeval.claims.checks.other_texts import encode_other_texts
from clipeval.claims.checks.same_queries import check_same_queries
from clipeval.claims.claim import Check, Finding, WithoutP
from clipeval.core.ranking import rank_retrieval
from clipeval.core.verdict import Verdict
from clipeval.data.dataset import Dataset
from clipeval.evaluation import Evaluation

NOISE = (
    "dnaksjd xysopendasdas",
    "qwvrtplk zzmbefg",
    "hrufnex obliktar",
    "wgtypss lomdraq",
    "vexxun tirbalop",
)


def survives_noise(*, k: int = 5, margin: float = 0.2) -> Check:
    """Make a check of one evaluation: with noise words behind every caption, t2i hit_rate@k loses little.

    The captions are encoded anew, offline and through the cache.

    Parameters
    ----------
    k : int
        Length of the lists.
    margin : float
        Largest loss that still counts as usable.

    Returns
    -------
    Check
        Row "non-inferiority" of the contract; ``not_run`` where the encoder cannot encode (frozen embeddings,
        weights that are not here).

    Examples
    --------
    >>> from clipeval.claims.from_rows import evaluation_of_rows
    >>> survives_noise()([evaluation_of_rows([[1, 0]], [[1, 0]], model="frozen:rows.npy")]).verdict.value
    'not_run'
    """

    def check(evaluations: Sequence[Evaluation]) -> Finding:
        check_same_queries(evaluations, expected=1)
        (clean,) = evaluations
        if clean.dataset.n_images <= k:
            return Finding(
                Verdict.NOT_RUN,
                f"hit_rate@{k} of {clean.model} with noise words",
                reason=f"hit_rate@{k} needs more than {k} pictures, and there are {clean.dataset.n_images}",
            )
        noisy = _noisy_rows(clean)
        if isinstance(noisy, str):
            return Finding(Verdict.NOT_RUN, f"{clean.model} cannot encode noisy captions", reason=noisy)
        return non_inferior(f"hit_rate@{k}", "t2i", margin=margin)([noisy, clean])

    return WithoutP(check)


def with_noise(dataset: Dataset) -> Dataset:
    """Append noise words to every caption.

    Examples
    --------
    >>> from clipeval.data.dataset import Item
    >>> with_noise(Dataset("one", (Item("a", ("mouth open",)),))).captions
    ('mouth open dnaksjd xysopendasdas',)
    """
    items, number = [], 0
    for item in dataset.items:
        captions = []
        for caption in item.captions:
            captions.append(f"{caption} {NOISE[number % len(NOISE)]}")
            number += 1
        items.append(replace(item, captions=tuple(captions)))
    return Dataset(f"{dataset.name} with noise words", tuple(items))


def _noisy_rows(clean: Evaluation) -> Evaluation | str:
    """Evaluate the same pictures against noisy captions, or say why not."""
    texts = encode_other_texts(clean, with_noise(clean.dataset).captions)
    if isinstance(texts, str):
        return texts
    ranks = rank_retrieval(clean.images, texts, clean.dataset.image_of_caption, ties=clean.ranks.t2i.ties)
    return replace(clean, model=f"{clean.model} with noise words", texts=texts, ranks=ranks)
