"""Two independently trained towers, named as ``IMAGE+TEXT``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clipeval.encoders.base import (
    Encoder,
    Fingerprint,
    ImageTower,
    SizedImageTower,
    SizedTextTower,
    TextTower,
)
from clipeval.encoders.frozen import FrozenTower, Modality, load_frozen_tower
from clipeval.encoders.image_towers import load_image_tower
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.spec import ModelSpec
from clipeval.encoders.text_towers import MINILM, MINILM_WORDS, load_text_tower
from clipeval.errors import SpecError

FROZEN = "frozen:"


@dataclass(frozen=True, eq=False)
class Towers(Encoder):
    """Two towers side by side, whose rows are left as they are.

    Parameters
    ----------
    name : str
        The model spec.
    image, text
        The two towers.
    """

    name: str
    image: SizedImageTower
    text: SizedTextTower

    @property
    def image_tower(self) -> SizedImageTower:
        """What encodes pictures before the bridge."""
        return self.image

    @property
    def text_tower(self) -> SizedTextTower:
        """What encodes texts before the bridge."""
        return self.text

    @property
    def fingerprint(self) -> Fingerprint:
        """Both towers, in words."""
        return tower_words(self.image, self.text)


def split_towers(spec: ModelSpec) -> tuple[str, str]:
    """Split ``IMAGE+TEXT`` into the two towers' names.

    Parameters
    ----------
    spec : ModelSpec
        Its name holds at least one plus sign; a plus sign inside a path is allowed where the text tower
        has none, or says ``frozen:`` itself.

    Returns
    -------
    image, text : str

    Raises
    ------
    SpecError
        One of the two is missing.

    Examples
    --------
    >>> from clipeval.encoders.spec import parse_spec
    >>> split_towers(parse_spec("preclip:resnet50+all-MiniLM-L6-v2"))
    ('resnet50', 'all-MiniLM-L6-v2')
    >>> split_towers(parse_spec("preclip:resnet50+frozen:a+b.npz"))
    ('resnet50', 'frozen:a+b.npz')
    """
    head, mark, tail = spec.name.partition("+" + FROZEN)
    image, text = (head, FROZEN + tail) if mark else spec.name.rpartition("+")[::2]
    if not image or not text:
        raise SpecError(
            f"'{spec.name}' does not name two towers",
            where=str(spec),
            fix=f"write {spec.family}:IMAGE+TEXT, for example "
            f"{spec.family}:efficientnet-lite0+all-MiniLM-L6-v2",
        )
    return image, text


def check_tower_options(spec: ModelSpec) -> None:
    """Refuse what a spec says about a tower that cannot heed it.

    Parameters
    ----------
    spec : ModelSpec
        Its name is ``IMAGE+TEXT``.

    Raises
    ------
    SpecError
        A revision of a packaged text tower; ``image_tensor`` or the like for a tower that is not frozen;
        ``layer`` for one that is.

    Examples
    --------
    >>> from clipeval.encoders.spec import parse_spec
    >>> check_tower_options(parse_spec("preclip:resnet50+frozen:rows.npz?text_tensor=minilm"))
    """
    image, text = split_towers(spec)
    where = str(spec)
    if spec.revision and text in (MINILM, MINILM_WORDS):
        raise SpecError(
            f"'{text}' is a package and has no revisions", where=where, fix=f"leave out '@{spec.revision}'"
        )
    for side, name in (("image", image), ("text", text)):
        for option in (f"{side}_tensor", f"{side}_ids"):
            if option in spec.options and not name.startswith(FROZEN):
                raise SpecError(
                    f"option '{option}' is for a frozen tower, and the {side} tower is '{name}'",
                    where=where,
                    fix=f"leave it out, or write {FROZEN}PATH",
                )
    if "layer" in spec.options and image.startswith(FROZEN):
        raise SpecError("option 'layer' means nothing for frozen rows", where=where, fix="leave it out")


def load_towers(
    spec: ModelSpec, options: LoadOptions, *, layer: str, frozen: bool = True
) -> tuple[SizedImageTower, SizedTextTower]:
    """Load both towers of a Pre-CLIP spec.

    Parameters
    ----------
    spec : ModelSpec
        Its name is ``IMAGE+TEXT``, its revision the text tower's (image towers name the version of their
        weights behind a dot); either may be ``frozen:PATH``, with the options ``image_tensor``,
        ``image_ids``, ``text_tensor`` and ``text_ids`` (see `load_frozen_tower`).
    options : LoadOptions
        Device, dtype, batch size, offline.
    layer : {"penultimate", "logits"}
        Where the image network is cut.
    frozen : bool
        Whether frozen embeddings may stand for a tower.

    Returns
    -------
    image, text
        Two towers with ``fingerprint`` and ``width``.

    Raises
    ------
    SpecError
        Unknown towers, or options that do not fit them.
    NotAvailableError
        Weights neither on disk nor reachable.
    """
    check_tower_options(spec)
    image, text = split_towers(spec)
    where = str(spec)
    if not frozen and (image.startswith(FROZEN) or text.startswith(FROZEN)):
        raise SpecError(
            f"frozen embeddings cannot stand for a tower of {spec.family}:",
            where=where,
            fix="name a network; preclip: takes frozen towers",
        )
    image_tower: SizedImageTower = (
        _frozen(image, spec, modality="images")
        if image.startswith(FROZEN)
        else load_image_tower(image, options, layer=layer, where=where)
    )
    text_tower: SizedTextTower = (
        _frozen(text, spec, modality="texts")
        if text.startswith(FROZEN)
        else load_text_tower(text, options, revision=spec.revision, where=where)
    )
    return image_tower, text_tower


def tower_words(image: ImageTower, text: TextTower) -> dict[str, str]:
    """Give the fingerprints of two towers as one, the part of an encoder over them.

    Parameters
    ----------
    image, text
        The towers.

    Returns
    -------
    dict of str to str
        Every word of both, its key behind ``image:`` or ``text:``.
    """
    return {
        **{f"image: {key}": value for key, value in image.fingerprint.items()},
        **{f"text: {key}": value for key, value in text.fingerprint.items()},
    }


def _frozen(name: str, spec: ModelSpec, *, modality: Modality) -> FrozenTower:
    side = modality.removesuffix("s")
    return load_frozen_tower(
        Path(name.removeprefix(FROZEN)).expanduser(),
        modality=modality,
        tensor=spec.options.get(f"{side}_tensor"),
        ids=spec.options.get(f"{side}_ids"),
    )
