"""Several image towers as one: their unit rows side by side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL.Image import Image

from clipeval.core.similarity import unit_rows
from clipeval.encoders.base import Fingerprint, Rows, SizedImageTower

# a plus sign inside the path of a file joins nothing
_JOINT = re.compile(r"\+(?=frozen:|(?:efficientnet|resnet)[\w.-]*(?:\+|$))")


def split_joined(name: str) -> tuple[str, ...]:
    """Split ``A+B`` into the names of image towers.

    Examples
    --------
    >>> split_joined("frozen:rows+more.npz?tensor=val+efficientnet-lite2"), split_joined("resnet50")
    (('frozen:rows+more.npz?tensor=val', 'efficientnet-lite2'), ('resnet50',))
    """
    return tuple(_JOINT.split(name))


@dataclass(frozen=True, eq=False)
class JoinedTower:
    """Image towers whose rows are brought to length 1 and set side by side.

    `clipeval.evaluation.embed` embeds by each of them alone, so stored rows and networks can be joined.

    Attributes
    ----------
    parts : tuple of SizedImageTower
        Two or more.
    """

    parts: tuple[SizedImageTower, ...]

    @property
    def fingerprint(self) -> Fingerprint:
        """The words of every part, its number before them."""
        return {
            f"{number}: {key}": value
            for number, part in enumerate(self.parts, start=1)
            for key, value in part.fingerprint.items()
        }

    @property
    def width(self) -> int:
        """Columns of all parts together."""
        return sum(part.width for part in self.parts)

    def encode_images(self, pictures: Sequence[Image]) -> Rows:
        """Encode decoded RGB pictures by every part, shape ``(n, d)``.

        Raises
        ------
        EncoderError
            A part is stored rows, which encode nothing new.
        """
        return side_by_side([part.encode_images(pictures) for part in self.parts])


def side_by_side(parts: Sequence[Rows]) -> Rows:
    """Join the rows of several towers: each counts alike, whatever the length of its rows.

    Examples
    --------
    >>> side_by_side([np.array([[3.0, 4.0]]), np.array([[0.0, 9.0]])]).round(1).tolist()
    [[0.6000000238418579, 0.800000011920929, 0.0, 1.0]]
    """
    return np.concatenate([np.asarray(unit_rows(rows), dtype=np.float32) for rows in parts], axis=1)
