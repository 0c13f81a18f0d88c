"""The small files beside the weights: a tokenizer's, and all others."""

from __future__ import annotations

from pathlib import Path

from clipeval.encoders.weight_files import digest

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)


def description_words(folder: Path) -> dict[str, str]:
    """Hash what configures a model: lengths, pooling, casing and vocabulary all stand in small files.

    Parameters
    ----------
    folder : Path
        Of a model that sentence-transformers or transformers saved; files below it count too.

    Returns
    -------
    dict of str to str
        ``tokenizer``: SHA-256 of the tokenizer's files; ``configuration``: of all other descriptions.
    """
    files = [path for ending in ("json", "txt", "model") for path in folder.rglob(f"*.{ending}")]
    own = {path for path in files if path.name in TOKENIZER_FILES}
    return {
        "tokenizer": digest(sorted(own), root=folder),
        "configuration": digest(sorted(set(files) - own), root=folder),
    }
