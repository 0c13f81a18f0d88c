"""Pre-CLIP: an image network and a sentence encoder that never met, joined by a projection.

One that is fixed is applied here; one that is learned from pairs is in `clipeval.encoders.learned`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from clipeval.core.bridges.fit import KINDS as LEARNED
from clipeval.core.projection import project, projection_matrix
from clipeval.core.random_projection import Matrix
from clipeval.encoders.base import Encoder, Fingerprint, Rows, SizedImageTower, SizedTextTower
from clipeval.encoders.image_towers import LAYERS
from clipeval.encoders.learned_spec import OPTIONS as LEARNED_OPTIONS
from clipeval.encoders.learned_spec import check_learned, is_learned, join_learned
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.spec import ModelSpec
from clipeval.encoders.towers import Towers, load_towers, tower_words
from clipeval.errors import InvalidInputError, SpecError

OPTIONS = (
    "projection",
    "seed",
    "rng",
    "project",
    "layer",
    *("image_tensor", "image_ids", "text_tensor", "text_ids"),  # of frozen towers
    *LEARNED_OPTIONS,
)
KINDS = ("gaussian", "sign", "identity", "truncation")


@dataclass(frozen=True, eq=False)
class PreClip(Towers):
    """Two towers and a projection of one of them to the width of the other.

    Parameters
    ----------
    name, image, text
        As in `Towers`.
    kind : str
        ``gaussian``, ``sign``, ``identity`` or ``truncation``; see `clipeval.core.projection`.
    seed : int
        For the seeded kinds.
    rng : {"clipeval", "numpy-legacy"}
        Stream of the Gaussian.
    side : {"image", "text"}
        The tower that is projected.
    """

    kind: str
    seed: int
    rng: Literal["clipeval", "numpy-legacy"]
    side: Literal["image", "text"]

    @property
    def fingerprint(self) -> Fingerprint:
        """Both towers and the projection, in words."""
        projection = f"{self.kind} on the {self.side} side"
        if self.kind in {"gaussian", "sign"}:
            projection += f", seed {self.seed}, stream {self.rng}"
        return {
            **tower_words(self.image, self.text),
            "projection": projection,
        }

    @cached_property
    def matrix(self) -> Matrix:
        """The projection, float64, shape ``(d_in, d_out)``."""
        widths = (self.image.width, self.text.width)
        d_in, d_out = widths if self.side == "image" else widths[::-1]
        return projection_matrix(self.kind, d_in, d_out, seed=self.seed, rng=self.rng)

    def bridge_images(self, rows: Rows) -> Rows:
        """Project image-tower rows where the image side is projected."""
        return project(rows, self.matrix) if self.side == "image" else rows

    def bridge_texts(self, rows: Rows) -> Rows:
        """Project text-tower rows where the text side is projected."""
        return project(rows, self.matrix) if self.side == "text" else rows


def load(spec: ModelSpec, options: LoadOptions) -> Encoder:
    """Load ``preclip:IMAGE+TEXT?projection=gaussian&seed=42&layer=penultimate&project=image&rng=clipeval``.

    Or ``preclip:IMAGE+TEXT?projection=ridge&fit=PATH``: see `clipeval.encoders.learned_spec`.

    Parameters
    ----------
    spec : ModelSpec
        Towers: `load_image_tower`, `load_text_tower`, or ``frozen:PATH`` on either side.
    options : LoadOptions
        Device, dtype, batch size, offline.

    Returns
    -------
    PreClip, UnlearnedPreClip or LearnedPreClip

    Raises
    ------
    SpecError
        Unknown towers or options, or widths that the projection cannot join.
    EncoderError
        The file of a learned bridge is broken, or belongs to other towers.
    NotAvailableError
        A tower's weights are neither on disk nor reachable.
    """
    check_options(spec)
    layer = spec.choice("layer", LAYERS, default="penultimate")
    image, text = load_towers(spec, options, layer=layer)
    return join(spec, image, text, offline=options.offline)


def check_options(spec: ModelSpec) -> None:
    """Refuse wrong options before anything is loaded.

    Raises
    ------
    SpecError
        An unknown option or value.
    """
    spec.only(OPTIONS)
    kind = spec.choice("projection", (*KINDS, *LEARNED), default="gaussian")
    if is_learned(spec):
        check_learned(spec)
        return
    for option in LEARNED_OPTIONS:
        if option in spec.options:
            raise SpecError(
                f"option '{option}' means nothing for projection={kind}, which learns nothing",
                where=str(spec),
                fix=f"leave it out, or write projection={', '.join(LEARNED[:-1])} or {LEARNED[-1]}",
            )
    spec.choice("project", ("image", "text"), default="image")
    spec.choice("rng", ("clipeval", "numpy-legacy"), default="clipeval")
    spec.integer("seed", default=42)


def join(spec: ModelSpec, image: SizedImageTower, text: SizedTextTower, *, offline: bool = False) -> Encoder:
    """Join two towers as the options of a spec say.

    Parameters
    ----------
    spec : ModelSpec
        Options ``projection``, ``seed``, ``rng`` and ``project``, or those of a learned bridge.
    image, text
        The towers.
    offline : bool
        Training pairs of a learned bridge may not be fetched through a network.

    Returns
    -------
    PreClip, UnlearnedPreClip or LearnedPreClip

    Raises
    ------
    SpecError
        Unknown options, or widths that the projection cannot join.
    """
    check_options(spec)
    if is_learned(spec):
        return join_learned(spec, Towers(str(spec), image, text), offline=offline)
    encoder = PreClip(
        str(spec),
        image,
        text,
        kind=spec.choice("projection", KINDS, default="gaussian"),
        seed=spec.integer("seed", default=42),
        rng=spec.choice("rng", ("clipeval", "numpy-legacy"), default="clipeval"),  # type: ignore[arg-type]
        side=spec.choice("project", ("image", "text"), default="image"),  # type: ignore[arg-type]
    )
    try:
        encoder.matrix  # noqa: B018  (widths are refused now, not after an hour of encoding)
    except InvalidInputError as error:
        raise SpecError(error.what, where=str(spec), fix=error.fix) from None
    return encoder
