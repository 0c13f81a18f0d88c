"""Model specs: ``family:name[@revision][?option=value&...]``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from urllib.parse import parse_qsl, quote, urlencode

from clipeval.errors import SpecError, near

WITHOUT_REVISION = ("dual", "frozen", "python")
"""Families whose names are paths or code: an '@' is part of the name."""

PLACEMENT = ("dtype", "device", "layout")
"""Options of every family that runs a network: `clipeval.encoders.placement.placed` reads them for all."""


@dataclass(frozen=True)
class ModelSpec:
    """A parsed model spec.

    Parameters
    ----------
    family : str
        ``hf``, ``open_clip``, ``st``, ``preclip``, ``conse``, ``frozen``, ``python`` ...
    name : str
        Model name or path.
    revision : str, optional
        Commit or tag on the hub; ``frozen:`` and ``python:`` have none.
    options : mapping of str to str
        What stood behind the question mark.
    typed : mapping of str to str, optional
        What the user wrote there, where some of it was read already; see `without`.
    """

    family: str
    name: str
    revision: str | None = None
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    typed: Mapping[str, str] | None = None

    def __str__(self) -> str:
        text = f"{self.family}:{self.name}"
        if self.revision:
            text += f"@{self.revision}"
        written = self.options if self.typed is None else self.typed
        if written:
            # '+' is a literal plus sign in a spec, so a space cannot be written as one
            text += "?" + urlencode(written, safe="/:+@,", quote_via=quote)
        return text

    @property
    def needs_pictures(self) -> bool:
        """Whether pictures are encoded, rather than their frozen embeddings played back."""
        if self.family == "dual":
            return not self.options.get("image", "").startswith("frozen:")
        return self.family != "frozen" and not self.name.startswith("frozen:")

    @property
    def plays_back(self) -> bool:
        """Whether nothing is computed: all rows are stored ones, also behind a projection."""
        both = self.name.startswith("frozen:") and "+frozen:" in self.name
        return self.family == "frozen" or both

    def without(self, *names: str) -> ModelSpec:
        """Take options out that were read already; as a text the spec stays what the user wrote.

        Examples
        --------
        >>> spec = parse_spec("hf:openai/clip?dtype=bfloat16&processor=pil").without("dtype")
        >>> dict(spec.options), str(spec)
        ({'processor': 'pil'}, 'hf:openai/clip?dtype=bfloat16&processor=pil')
        """
        rest = {option: value for option, value in self.options.items() if option not in names}
        written = self.options if self.typed is None else self.typed
        return replace(self, options=MappingProxyType(rest), typed=written)

    def only(self, allowed: Iterable[str]) -> None:
        """Refuse options that this family does not know.

        Raises
        ------
        SpecError
            Names the unknown option and the nearest known one.
        """
        known = set(allowed)
        for option in self.options:
            if option not in known:
                placed = () if self.plays_back or self.family == "python" else PLACEMENT
                raise SpecError(
                    f"unknown option '{option}'", where=str(self), fix=near(option, {*known, *placed})
                )

    def flag(self, option: str, *, default: bool = False) -> bool:
        """Read a yes/no option (``1/0``, ``true/false``, ``yes/no``).

        Raises
        ------
        SpecError
            Any other value.
        """
        value = self.options.get(option)
        if value is None:
            return default
        if value.lower() in {"1", "true", "yes"}:
            return True
        if value.lower() in {"0", "false", "no"}:
            return False
        raise SpecError(f"option '{option}' is '{value}'", where=str(self), fix="write true or false")

    def integer(self, option: str, *, default: int) -> int:
        """Read a whole-number option.

        Raises
        ------
        SpecError
            The value is not a whole number.
        """
        value = self.options.get(option, str(default))
        try:
            return int(value)
        except ValueError:
            raise SpecError(
                f"option '{option}' is '{value}'", where=str(self), fix="write a whole number"
            ) from None

    def choice(self, option: str, allowed: Iterable[str], *, default: str) -> str:
        """Read an option with a fixed set of values.

        Raises
        ------
        SpecError
            The value is not one of them.
        """
        value = self.options.get(option, default)
        known = list(allowed)
        if value not in known:
            raise SpecError(f"option '{option}' is '{value}'", where=str(self), fix=near(value, known))
        return value


def parse_spec(text: str) -> ModelSpec:
    """Parse a model spec.

    Parameters
    ----------
    text : str
        ``family:name[@revision][?option=value&...]``; ``+`` is a literal plus sign.

    Returns
    -------
    ModelSpec

    Raises
    ------
    SpecError
        No family, no name, or an option without a value.

    Examples
    --------
    >>> spec = parse_spec("preclip:resnet50+all-MiniLM-L6-v2?projection=gaussian&seed=42")
    >>> spec.family, spec.name, spec.options["seed"]
    ('preclip', 'resnet50+all-MiniLM-L6-v2', '42')
    >>> parse_spec("hf:openai/clip-vit-base-patch32@main").revision
    'main'
    >>> parse_spec("frozen:rows@2.npy").name
    'rows@2.npy'
    """
    family, colon, rest = text.partition(":")
    if not colon or not family or not rest:
        raise SpecError(
            f"'{text}' is not a model spec",
            fix="write family:name, for example hf:openai/clip-vit-base-patch32",
        )
    name, question, query = rest.partition("?")
    # a slash behind the '@' means that the '@' belongs to a path, not to a revision
    has_revisions = family not in WITHOUT_REVISION and "frozen:" not in name
    at = "@" if has_revisions and "@" in name and "/" not in name.rpartition("@")[2] else ""
    name, _, revision = name.rpartition("@") if at else (name, "", "")
    if not name:
        raise SpecError("the model spec has no name", where=text, fix=f"write {family}:NAME")
    if at and not revision:
        raise SpecError("the revision after '@' is empty", where=text, fix="write a commit, a tag or no '@'")
    options: dict[str, str] = {}
    if question:
        try:
            pairs = parse_qsl(query.replace("+", "%2B"), keep_blank_values=True, strict_parsing=True)
        except ValueError:
            raise SpecError(
                f"cannot read the options '{query}'", where=text, fix="write ?option=value&option=value"
            ) from None
        for option, value in pairs:
            if option in options:
                raise SpecError(f"option '{option}' is given twice", where=text, fix="give it once")
            if not value:
                raise SpecError(f"option '{option}' has no value", where=text, fix=f"write {option}=VALUE")
            options[option] = value
    return ModelSpec(family, name, revision or None, MappingProxyType(options))
