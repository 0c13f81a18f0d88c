"""The folder of a trained dual encoder: a description in JSON, weights in safetensors, nothing that runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval.encoders.head_ensemble import Heads, heads_from
from clipeval.encoders.learned import TrainingRates
from clipeval.encoders.seen import SeenPairs
from clipeval.encoders.weight_files import digest
from clipeval.errors import EncoderError, InvalidInputError, NotAvailableError

SCHEMA = "clipeval-dual/2"
DESCRIPTION = "dual.json"
WEIGHTS = "weights.safetensors"
TOKENIZER = "tokenizer"
SIDES = ("image", "text")


@dataclass(frozen=True, eq=False)
class DualFolder:
    """What a folder holds.

    Attributes
    ----------
    path : Path
    words : mapping
        The description.
    sha256 : str
        Of the weight file, as it is now and as the description says.
    where : str
        The model spec, for errors.
    """

    path: Path
    words: Mapping[str, Any]
    sha256: str
    where: str

    def side(self, side: str) -> Mapping[str, Any]:
        """Give the description of one side: ``kind`` is ``kept`` or ``network``."""
        found: Mapping[str, Any] = self.words[side]
        return found

    @contextmanager
    def described(self, side: str) -> Iterator[None]:
        """Run a block that looks up the description of a side.

        Raises
        ------
        EncoderError
            The description lacks what the block looks up.
        """
        try:
            yield
        except KeyError as error:
            raise EncoderError(
                f"{DESCRIPTION} does not tell {error} of the {side} tower",
                where=self.where,
                fix="copy the whole folder again, or train it again",
            ) from error

    def head(self, side: str) -> Heads:
        """Read one side's head, or several.

        Raises
        ------
        EncoderError
            It is incomplete, or holds values that are not finite.
        """
        try:
            return heads_from(self.tensors(f"{side}.head"), side)
        except InvalidInputError as error:
            raise EncoderError(error.what, where=self.where, fix=error.fix) from error

    def seen(self) -> tuple[SeenPairs, TrainingRates]:
        """Read what it was trained on, and how well it retrieves that.

        Raises
        ------
        EncoderError
            The description or the arrays do not say it.
        """
        try:
            seen = SeenPairs.from_file(self.words["seen"], self.tensors("seen_"))
            return seen, TrainingRates.from_plain(self.words["training"])
        except (KeyError, TypeError, ValueError) as error:
            raise EncoderError(
                f"{DESCRIPTION} does not say what it was trained on: {type(error).__name__}: {error}",
                where=self.where,
                fix="copy the whole folder again, or train it again",
            ) from error

    def tensors(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Read the arrays whose names begin so."""
        from safetensors import safe_open

        with safe_open(self.path / WEIGHTS, framework="np") as stream:
            names = [name for name in stream.keys() if name.startswith(prefix)]  # noqa: SIM118
            return {name: np.asarray(stream.get_tensor(name)) for name in names}


def read_dual(path: Path, *, where: str) -> DualFolder:
    """Read the description of a trained dual encoder and check its weights.

    Parameters
    ----------
    path : Path
        What ``clipeval train --out`` named.
    where : str
        The model spec, for errors.

    Returns
    -------
    DualFolder

    Raises
    ------
    NotAvailableError
        There is no such folder, or its run is not finished.
    EncoderError
        The description is damaged or of another version, or the weights are not those it names.
    """
    if not path.is_dir():
        raise NotAvailableError(
            f"there is no folder '{path.name}'", where=where, fix="name a folder that 'clipeval train' wrote"
        )
    if not (path / DESCRIPTION).is_file():
        begun = (path / "checkpoint.safetensors").is_file()
        raise NotAvailableError(
            "the training run is not finished" if begun else f"the folder has no {DESCRIPTION}",
            where=where,
            fix="finish it with the same command and --resume"
            if begun
            else "run 'clipeval train --out' there",
        )
    try:
        words = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise EncoderError(f"{DESCRIPTION} cannot be read: {error}", where=where) from error
    schema = words.get("schema") if isinstance(words, dict) else None
    if schema != SCHEMA:
        raise EncoderError(
            f"{DESCRIPTION} is of the kind {schema!r}, not {SCHEMA!r}",
            where=where,
            fix="train it again with this version of clipeval",
        )
    for side in SIDES:
        if not isinstance(words.get(side), dict) or words[side].get("kind") not in {"kept", "network"}:
            raise EncoderError(f"{DESCRIPTION} does not describe the {side} tower", where=where)
    if not (path / WEIGHTS).is_file():
        raise EncoderError(f"the folder has no {WEIGHTS}", where=where, fix="copy the whole folder")
    sha256 = digest([path / WEIGHTS])
    if sha256 != words.get("weights"):
        raise EncoderError(
            f"{WEIGHTS} is not the file that {DESCRIPTION} names: sha256 {sha256[:12]}..., "
            f"expected {str(words.get('weights'))[:12]}...",
            where=where,
            fix="copy the whole folder again",
        )
    return DualFolder(path, words, sha256, where)
