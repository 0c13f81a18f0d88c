"""What runs in the processes of a cluster: pictures are decoded in one stage, encoded in the next."""

from __future__ import annotations

import os
import pickle
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from PIL import Image

from clipeval.data.pictures import read_picture
from clipeval.encoders.base import Fingerprint, Rows
from clipeval.errors import ClipevalError, EncoderError

Row: TypeAlias = dict[str, Any]
"""A batch on its way: ``number``, ``ids``, ``content`` (pickled), ``failure`` (pickled, or empty), where it
was handled and for how many seconds of each stage."""

Side: TypeAlias = Literal["images", "texts"]


@dataclass(frozen=True)
class TowerRecipe:
    """How another process makes the tower that this one has.

    Attributes
    ----------
    spec : str
        The model spec.
    options : mapping
        For `clipeval.encoders.load.load_encoder`.
    side : {"images", "texts"}
    fingerprint : mapping of str to str
        Of the tower here: another one elsewhere is an error.
    part : int or None
        Of joined towers.
    folder : str
        In which the spec was written: its relative paths begin there.
    """

    spec: str
    options: Mapping[str, Any]
    side: Side
    fingerprint: Fingerprint
    part: int | None = None
    folder: str = field(default_factory=os.getcwd)

    def made(self) -> Any:
        """Load the tower.

        Raises
        ------
        ClipevalError
            The model is not there, or it is another one than the driver's.
        """
        from clipeval.encoders.load import load_encoder

        if os.path.isdir(self.folder):  # noqa: PTH112
            os.chdir(self.folder)
        encoder = load_encoder(self.spec, **self.options)
        tower: Any = encoder.image_tower if self.side == "images" else encoder.text_tower
        if self.part is not None:
            tower = tower.parts[self.part]
        here = {str(key): str(value) for key, value in tower.fingerprint.items()}
        there = {str(key): str(value) for key, value in self.fingerprint.items()}
        wrong = [key for key in sorted({*here, *there}) if here.get(key) != there.get(key)]
        if wrong:
            key = wrong[0]
            raise EncoderError(
                f"the model is another one on a worker: '{key}' is '{here.get(key)}' there, "
                f"'{there.get(key)}' where the command runs",
                where=f"{self.spec}, machine {socket.gethostname()}",
                fix="give all machines the same packages, weights and devices",
            )
        return tower


def decoded(row: Row) -> Row:
    """Read and decode the pictures of a batch.

    Parameters
    ----------
    row : Row
        ``content``: a sequence of `clipeval.evaluation.elsewhere.NamedPicture`.

    Returns
    -------
    Row
        ``content``: arrays of uint8, shape ``(h, w, 3)``.
    """

    def work(pictures: Sequence[Any]) -> list[Any]:
        arrays = []
        for picture in pictures:
            row["item"] = picture.item  # at work when something breaks
            arrays.append(np.asarray(read_picture(picture.source, sha256=picture.sha256)))
        row["item"] = ""  # what breaks from here on is the whole batch's
        return arrays

    return _handled(row, "decode_s", work)


class Encoding:
    """An actor that holds a tower; it is loaded for the first batch.

    Parameters
    ----------
    recipe : TowerRecipe
    """

    def __init__(self, recipe: TowerRecipe) -> None:
        self._recipe = recipe
        self._tower: Any = None

    def __call__(self, row: Row) -> Row:
        """Encode a batch.

        Parameters
        ----------
        row : Row
            ``content``: texts, or what `decoded` gives.

        Returns
        -------
        Row
            ``content``: float32 rows.
        """
        if self._tower is not None or row["failure"]:
            return _handled(row, "forward_s", self._rows)
        # a network is built when its first batch comes: that batch's time says nothing of the others
        return _handled(row, "loading_s", self._first)

    def _first(self, inputs: Sequence[Any]) -> Rows:
        self._tower = self._recipe.made()
        return self._rows(inputs)

    def _rows(self, inputs: Sequence[Any]) -> Rows:
        if self._recipe.side == "texts":
            texts: Rows = self._tower.encode_texts(inputs)
            return texts
        from clipeval.evaluation.overlap import encoded_in_order

        with closing(encoded_in_order(self._tower, [inputs], Image.fromarray)) as rows:
            found = next(rows)
        assert found is not None  # noqa: S101  (a batch was given)
        return found


def _handled(row: Row, clock: str, work: Callable[[Any], Any]) -> Row:
    if row["failure"]:
        return row
    began = time.perf_counter()
    try:
        made = pickle.dumps(work(pickle.loads(row["content"])), protocol=5)  # noqa: S301  (made by the driver)
        failure = b""
    except Exception as error:  # it is raised by the driver, where somebody reads it
        made, failure = b"", _packed(error, row)
    row = {**row, "content": made, "failure": failure, "machine": socket.gethostname()}
    return {**row, clock: time.perf_counter() - began}


def _packed(error: Exception, row: Row) -> bytes:
    """Pickle an error so that it can be raised elsewhere; what cannot travel is told in words."""
    try:
        packed = pickle.dumps(error)
        pickle.loads(packed)  # noqa: S301  (some errors break only here)
        return packed
    except Exception:
        told: ClipevalError = EncoderError(
            f"{type(error).__name__}: {error}",
            where=f"batch {row['number']}, from item '{row['ids'][0]}' on",
        )
        return pickle.dumps(told)
