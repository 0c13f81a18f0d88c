"""Everything that can change an embedding, in words and hashes that are the same on every machine."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipeval._version import __version__
from clipeval.baseline.pixel_hash import pixel_hash
from clipeval.encoders.base import Encoder, ShowsNetwork, ShowsPixels, ShowsTokens
from clipeval.errors import ClipevalError, EncoderError
from clipeval.probes.inputs import SHORT, SHOUTED, grained, long_captions, noise

NOT_SHOWN = "not shown by this encoder"
PIXELS = "probe pixels"
TOKENS = "probe tokens"

CAPTIONS = (
    SHORT,
    SHOUTED["full"],
    "Crème brûlée, naïve façade; 東京の夜 и Москва",
    "a happy dog 🐕‍🦺 wins!",
    "isn't it 3.5 km/h -- (at  most)?",
    long_captions()[0],
)
"""Case, punctuation, accents, other scripts, an emoji of three code points, digits, two spaces, 200 words."""

COMMON = ("weights", "activation", "attention", "dtype", "device")
"""Words that every tower should have; where one is absent, the fingerprint says so."""


def full_fingerprint(encoder: Encoder) -> dict[str, str]:
    """Say everything that can change an embedding of an encoder.

    These are the encoder's own words (model, revision, SHA-256 of the weights, dtype, device, attention,
    activation, preprocessing, versions of its libraries ...) and what no word tells: a hash of two prepared
    pictures, made by code, one with a grain of one pixel and one that is higher than wide, so that size,
    crop, interpolation, antialiasing, mean and standard deviation each change it (see
    `clipeval.baseline.pixel_hash`); and a hash of the tokens of six captions, each alone, so that vocabulary,
    lower-casing and truncation change it and padding to a batch does not.

    Nothing in it depends on the process, the folder, the number of threads or the machine's name. The
    network may be loaded, because some libraries choose a kernel only then.

    Parameters
    ----------
    encoder : Encoder
        From `clipeval.load_encoder`, or your own.

    Returns
    -------
    dict of str to str
        Sorted by key. What concerns one of two towers has ``image: `` or ``text: `` before its name. What
        the encoder does not tell is there with the words "not shown by this encoder".

    Raises
    ------
    EncoderError
        The encoder shows pixels that are no finite ``(3, h, w)`` array, tokens that are no whole numbers, or
        its own code fails while it shows them.

    Examples
    --------
    >>> import numpy as np, pathlib, tempfile
    >>> from clipeval import load_encoder
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "rows.npy"
    >>> np.save(path, np.eye(2)[None].repeat(2, axis=0))
    >>> words = full_fingerprint(load_encoder(f"frozen:{path}"))
    >>> words["model"], words["probe pixels"]
    ('rows.npy', 'not shown by this encoder')
    """
    words = {str(key): str(value) for key, value in encoder.fingerprint.items()}
    towers = (("image: ", encoder.image_tower), ("text: ", encoder.text_tower))
    for prefix, tower in towers:
        own = "" if tower is encoder else prefix
        if isinstance(tower, ShowsNetwork):
            told = _asked(lambda of: dict(of.network_words()), tower, f"{encoder.name}, network_words")
            words |= {f"{own}{key}": str(value) for key, value in told.items()}
        expected = (*COMMON, "image processor backend") if prefix == "image: " else COMMON
        for key in expected:
            words.setdefault(f"{own}{key}", NOT_SHOWN)
    if not any(key.rpartition(": ")[2] == "model" for key in words):
        family, _, name = encoder.name.partition(":")
        words["model"] = f"{family}:{PurePath(name).name}"  # a folder of this machine is no part of a model
    return dict(
        sorted(
            {
                **words,
                PIXELS: _pixels(encoder),
                TOKENS: _tokens(encoder),
                "numpy": np.__version__,
                "python": platform.python_version(),
                "clipeval": __version__,
            }.items()
        )
    )


def _pixels(encoder: Encoder) -> str:
    tower = encoder.image_tower
    if not isinstance(tower, ShowsPixels):
        return NOT_SHOWN
    where = f"{encoder.name}, prepared_pixels"
    shown = [
        _checked(_asked(tower.prepared_pixels, picture, where), where) for picture in (grained(), noise())
    ]
    sizes = " and ".join(f"{pixels.shape[1]} x {pixels.shape[2]}" for pixels in shown)
    return f"{sizes}, sha256 {pixel_hash(shown)}"


def _checked(value: Any, where: str) -> NDArray[np.float32]:
    try:
        pixels = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise EncoderError(f"the pixels are no array: {error}", where=where) from error
    if pixels.ndim != 3 or pixels.shape[0] != 3 or not pixels.size or not np.isfinite(pixels).all():
        raise EncoderError(
            f"the pixels must be finite and of shape (3, h, w), these have shape {pixels.shape}",
            where=where,
            fix="return the pixels of the one picture, channels first",
        )
    return pixels


def _tokens(encoder: Encoder) -> str:
    tower = encoder.text_tower
    if not isinstance(tower, ShowsTokens):
        return NOT_SHOWN
    where = f"{encoder.name}, kept_tokens"
    lists: list[list[int]] = []
    for caption in CAPTIONS:
        answer = _asked(tower.kept_tokens, caption, where)
        try:
            kept, _ = answer
            lists.append([int(token) for token in kept])
        except (TypeError, ValueError) as error:
            raise EncoderError(
                f"the tokens of a text cannot be read: {error}",
                where=where,
                fix="return a list of whole numbers and the end-of-text token (or None)",
            ) from error
    digest = hashlib.sha256(json.dumps(lists).encode()).hexdigest()
    return f"{sum(map(len, lists))} tokens, sha256 {digest}"


def _asked(method: Callable[[Any], Any], given: object, where: str) -> Any:
    """Ask a tower, perhaps of the user's own code."""
    try:
        return method(given)
    except ClipevalError:
        raise
    except Exception as error:
        raise EncoderError(f"showing it failed: {type(error).__name__}: {error}", where=where) from error
