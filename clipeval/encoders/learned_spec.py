"""``preclip:IMAGE+TEXT?projection=ridge&fit=PATH``: what a spec says about a bridge that is learned."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

from clipeval.core.bridges.fit import KINDS, PARAMETERS, Wish
from clipeval.encoders.base import Encoder
from clipeval.encoders.bridge_file import ENDING, read_bridge
from clipeval.encoders.learned import UnlearnedPreClip
from clipeval.encoders.spec import ModelSpec
from clipeval.encoders.towers import Towers
from clipeval.errors import SpecError

OPTIONS = ("fit", "part", "strength", "penalty", "dim", "top", "power")
_NUMBERS = ("strength", "penalty", "power", "dim", "top")
PARTS = ("all", "train", "test")


def is_learned(spec: ModelSpec) -> bool:
    """Say whether the bridge of a spec is learned from pairs.

    Examples
    --------
    >>> from clipeval.encoders.spec import parse_spec
    >>> is_learned(parse_spec("preclip:a+b?projection=ridge&fit=p")), is_learned(parse_spec("preclip:a+b"))
    (True, False)
    """
    return spec.family == "preclip" and spec.options.get("projection") in KINDS


def check_learned(spec: ModelSpec) -> Wish:
    """Read what is to be learned, and refuse what cannot be, before anything is loaded.

    Parameters
    ----------
    spec : ModelSpec
        Its projection is learned.

    Returns
    -------
    Wish

    Raises
    ------
    SpecError
        No pairs are named, a parameter belongs to another kind, or a value is no number.

    Examples
    --------
    >>> from clipeval.encoders.spec import parse_spec
    >>> check_learned(parse_spec("preclip:a+b?projection=ridge&fit=photos&strength=0.1")).strength
    0.1
    """
    kind = spec.options["projection"]
    if "fit" not in spec.options:
        raise SpecError(
            f"the projection '{kind}' is learned from pairs, and none are named",
            where=str(spec),
            fix="add fit=PATH: a dataset of training pairs, or a file that 'clipeval fit' wrote",
        )
    spec.choice("part", PARTS, default="all")
    side = spec.choice("project", ("image", "text"), default="image")
    for option in (*_NUMBERS, "project"):
        if option in spec.options and option not in PARAMETERS[kind]:
            known = ", ".join(PARAMETERS[kind]) or "none"
            raise SpecError(
                f"option '{option}' means nothing for projection={kind}",
                where=str(spec),
                fix=f"leave it out; its own are: {known}",
            )
    if "rng" in spec.options:
        raise SpecError("option 'rng' is for gaussian projections", where=str(spec), fix="leave it out")
    return Wish(
        kind,
        project=cast('Literal["image", "text"]', side),
        strength=_number(spec, "strength"),
        penalty=_number(spec, "penalty"),
        power=_number(spec, "power"),
        dim=_whole(spec, "dim"),
        top=_whole(spec, "top"),
        seed=spec.integer("seed", default=42),
    )


def join_learned(spec: ModelSpec, towers: Towers, *, offline: bool = False) -> Encoder:
    """Join two towers by a bridge that is learned: from a file where it was learned before, or later.

    Parameters
    ----------
    spec : ModelSpec
        Its projection is learned.
    towers : Towers
    offline : bool
        Training pairs may not be fetched through a network.

    Returns
    -------
    LearnedPreClip or UnlearnedPreClip

    Raises
    ------
    SpecError
        As `check_learned`; or a saved bridge is given parameters.
    EncoderError
        The file of a bridge is broken, or belongs to other towers.
    """
    wish, fit = check_learned(spec), spec.options["fit"]
    part = spec.options.get("part", "all")
    if not fit.endswith(ENDING):
        whole = fit if part == "all" else f"{fit}#{part}"
        return UnlearnedPreClip(towers.name, towers.image, towers.text, wish, whole, offline)
    for option in (*_NUMBERS, "part", "project", "seed"):
        if option in spec.options:
            raise SpecError(
                f"option '{option}' comes too late: {Path(fit).name} has learned already",
                where=str(spec),
                fix="leave it out, or name a dataset",
            )
    return read_bridge(Path(fit).expanduser(), towers, kind=wish.kind)


def _number(spec: ModelSpec, option: str) -> float | None:
    if option not in spec.options:
        return None
    try:
        return float(spec.options[option])
    except ValueError:
        raise SpecError(
            f"option '{option}' is '{spec.options[option]}'", where=str(spec), fix="write a number"
        ) from None


def _whole(spec: ModelSpec, option: str) -> int | None:
    return spec.integer(option, default=0) if option in spec.options else None
