"""Several heads of one tower, trained from different beginnings: their cosines are averaged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from clipeval.core.similarity import unit_rows
from clipeval.encoders.base import Rows
from clipeval.encoders.heads import Array, Head, head_from
from clipeval.errors import InvalidInputError


@dataclass(frozen=True, eq=False)
class HeadEnsemble:
    """Heads side by side: each gives a row of length 1, so the whole row's cosine is the mean of theirs.

    Attributes
    ----------
    members : tuple of Head
        Two or more, of one tower, into spaces of one width.

    Raises
    ------
    InvalidInputError
        Fewer than two, or widths that differ.

    Examples
    --------
    >>> one, two = (Head(np.zeros(2), np.ones(2), matrix, np.zeros(2)) for matrix in (np.eye(2), -np.eye(2)))
    >>> HeadEnsemble((one, two))([[3.0, 4.0]]).round(1).tolist()
    [[0.6000000238418579, 0.800000011920929, -0.6000000238418579, -0.800000011920929]]
    """

    members: tuple[Head, ...]

    def __post_init__(self) -> None:
        if len(self.members) < 2:
            raise InvalidInputError(f"{len(self.members)} heads are no ensemble", fix="two or more")
        shapes = {(head.width, head.dim) for head in self.members}
        if len(shapes) > 1:
            raise InvalidInputError(f"heads of one tower have different shapes: {sorted(shapes)}")

    @property
    def width(self) -> int:
        """The d of the rows that they take."""
        return self.members[0].width

    @property
    def dim(self) -> int:
        """Columns of all heads together."""
        return sum(head.dim for head in self.members)

    @property
    def words(self) -> str:
        """What they are, for a fingerprint."""
        return f"{len(self.members)} heads, cosines averaged, each {self.members[0].words}"

    def __call__(self, rows: ArrayLike) -> Rows:
        """Carry tower rows ``(n, d)`` into the common space ``(n, k)``; every head's part has length 1."""
        return np.concatenate([unit_rows(head(rows)) for head in self.members], axis=1)

    def tensors(self, side: str) -> dict[str, Array]:
        """Give what a file keeps, each name behind ``SIDE.head.``, ``SIDE.head2.`` and so on."""
        found: dict[str, Array] = {}
        for number, head in enumerate(self.members, start=1):
            found |= head.tensors(side, number=number)
        return found


Heads: TypeAlias = Head | HeadEnsemble


def one_or_more(members: Sequence[Head]) -> Heads:
    """Give a head alone as it is, and several as an ensemble."""
    return members[0] if len(members) == 1 else HeadEnsemble(tuple(members))


def heads_from(tensors: Mapping[str, Array], side: str) -> Heads:
    """Read the heads of one side out of the tensors of a file; see `HeadEnsemble.tensors`.

    Raises
    ------
    InvalidInputError
        Parts are missing, their shapes do not fit, or values are not finite.
    """
    numbers = {
        int(found[1] or 1)
        for name in tensors
        if (found := re.match(rf"{re.escape(side)}\.head(\d*)\.", name))
    }
    last = max(numbers, default=1)
    return one_or_more([head_from(tensors, side, number=number) for number in range(1, last + 1)])
