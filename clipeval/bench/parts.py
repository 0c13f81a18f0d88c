"""An encoder as pieces of work, so that each step can be timed by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from PIL.Image import Image

from clipeval.bench.halves import Half, take_apart_images, take_apart_texts
from clipeval.bench.seam import Call
from clipeval.data.pictures import decode_picture
from clipeval.encoders.base import Encoder, Rows
from clipeval.evaluation.overlap import encoded_in_order

PARTS = (
    "decode",
    "preprocess",
    "tokenise",
    "forward image",
    "forward text",
    "end to end image",
    "end to end text",
    "end to end image, overlapped",
)
GROUPS = {
    "decode": ("decode",),
    "preprocess": ("preprocess", "tokenise"),
    "forward": ("forward image", "forward text"),
    "end-to-end": ("end to end image", "end to end text", "end to end image, overlapped"),
}
"""What ``--part`` takes, and which parts that are."""

BATCHES = 4
"""Batches of one overlapped call: while one is in the network, the next are prepared."""


@dataclass(frozen=True)
class Part:
    """A piece of work that can be timed.

    Attributes
    ----------
    name : str
        One of `PARTS`.
    call : callable
        Does it once, on ``items`` inputs.
    items : int
        Pictures or texts.
    counted : callable or None
        The same forward pass by torch's own operations, which can be counted whatever runs in ``call``.
    """

    name: str
    call: Callable[[], object]
    items: int
    counted: Callable[[], object] | None = None


def parts_of(
    encoder: Encoder,
    encoded: Sequence[bytes],
    texts: Sequence[str],
    *,
    wanted: Sequence[str] = PARTS,
    plain: dict[str, Call] | None = None,
) -> tuple[list[Part], list[str]]:
    """Make the parts of an encoder that can be timed on one batch.

    Parameters
    ----------
    encoder : Encoder
        Loaded with the batch size of the inputs.
    encoded : sequence of bytes
        The files of the pictures of one batch.
    texts : sequence of str
        As many as a batch holds.
    wanted : sequence of str
        Of `PARTS`.
    plain : dict of str to callable, optional
        torch's own forward pass of a side where a backend stands in its place.

    Returns
    -------
    parts : list of Part
        In the order of `PARTS`.
    missing : list of str
        Wanted parts that this encoder does not allow, with the reason.
    """
    found: dict[str, Callable[[], object]] = {
        "decode": lambda: [_decoded(file) for file in encoded],
        # one step after the other
        "end to end image": lambda: encoder.encode_images([_decoded(file) for file in encoded]),
        "end to end text": lambda: encoder.encode_texts(texts),
        "end to end image, overlapped": lambda: _overlapped(encoder, encoded),
    }
    missing: list[str] = []
    counted: dict[str, Callable[[], object]] = {}
    # a batch repeats few pictures: each is decoded once, however large the batch
    needed = dict.fromkeys(encoded) if _any(wanted, "preprocess", "forward image") else ()
    kept = {file: _decoded(file) for file in needed}
    sides: list[tuple[str, str, Half | None, Sequence[Any]]] = [
        ("image", "preprocess", take_apart_images(encoder.image_tower), [kept.get(file) for file in encoded]),
        ("text", "tokenise", take_apart_texts(encoder.text_tower), texts),
    ]
    for side, step, half, inputs in sides:
        forward = f"forward {side}"
        if half is None:
            able = "cannot be taken apart"
            missing += [f"{name}: this {side} tower {able}" for name in (step, forward) if name in wanted]
            continue
        if not _any(wanted, step, forward):
            continue
        found[step] = partial(half.prepare, inputs)
        if forward in wanted:
            ready = half.move(half.prepare(inputs))
            found[forward] = partial(half.forward, ready)
            counted[forward] = partial(half.forward, ready, (plain or {}).get(side))
    return [
        Part(
            name,
            found[name],
            len(encoded) * (BATCHES if name.endswith("overlapped") else 1),
            counted.get(name),
        )
        for name in PARTS
        if name in wanted and name in found
    ], missing


def _any(wanted: Sequence[str], *names: str) -> bool:
    return any(name in wanted for name in names)


def _overlapped(encoder: Encoder, encoded: Sequence[bytes]) -> Rows:
    """Encode several batches as `clipeval compare` does: files are decoded while the network is busy."""
    found = encoded_in_order(encoder.image_tower, [encoded] * BATCHES, _decoded)
    return np.concatenate([encoder.bridge_images(rows) for rows in found if rows is not None])


def _decoded(file: bytes) -> Image:
    return decode_picture(file, where="a picture of the benchmark")
