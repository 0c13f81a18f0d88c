"""What a preset says, checked when it is read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clipeval.encoders.load import check_family
from clipeval.errors import ClipevalError, near

KINDS = frozenset(
    {
        "bars",
        "comparison",
        "densities",
        "gallery",
        "heatmap",
        "matrix",
        "results",
        "retrieval",
        "similarities",
        "training",
    }
)
OF_ONE_MODEL = frozenset({"gallery", "heatmap", "matrix", "results", "similarities"})
WHOLE, COMPARISON = "all", "comparison"
_NAME = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_FILE = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*\.(?:csv|json|png|txt)")


@dataclass(frozen=True)
class StudyModel:
    """One model of a study.

    Parameters
    ----------
    key : str
        Its step, its folder, the beginning of its files.
    label : str
        For tables and charts.
    twin : str
        Model spec whose weights are ordinary packages; takes the model's part where weights are absent.
    spec : str
        Model spec, the version of the weights named; empty for a model that has to be trained.
    train : mapping of str to str
        Options of ``clipeval train`` that make it.
    twin_train : mapping of str to str
        In place of `twin`: towers and numbers for ``clipeval train`` that make the twin, in seconds.
    """

    key: str
    label: str
    twin: str = ""
    spec: str = ""
    train: Mapping[str, str] = field(default_factory=dict)
    twin_train: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """One published number.

    Parameters
    ----------
    model : str
        Key of the model.
    measure : str
        See `clipeval.studies.measures.measured`.
    low, high : float
        What was published; equal unless it was a range.
    tolerance : float
        How far off still counts as the same on the study's own data, with other software.
    key : bool
        Stands in the table of all studies.
    """

    model: str
    measure: str
    low: float
    high: float
    tolerance: float
    key: bool = False


@dataclass(frozen=True)
class Artefact:
    """One file that the study wrote.

    Parameters
    ----------
    file : str
        Its name.
    kind : str
        What is in it.
    model : str
        Key of the model it is about; empty where it is about all.
    """

    file: str
    kind: str
    model: str = ""


@dataclass(frozen=True)
class Preset:
    """A study.

    Parameters
    ----------
    name, number, title, data, note : str
        ``number`` is S1 to S5; ``data`` says in words what it was run on.
    pictures : int or None
        How many there were, where that is known to the last one.
    categories : frozenset of str
        Theirs.
    models : tuple of StudyModel
    figures : tuple of Figure
    artefacts : tuple of Artefact
    claims : tuple of str
        Patterns of the ids of claims that speak about it.
    queries : tuple of str
        Texts for which pictures are looked for.
    top : int
        How many pictures a query gets.
    """

    name: str
    number: str
    title: str
    data: str
    models: tuple[StudyModel, ...]
    figures: tuple[Figure, ...]
    artefacts: tuple[Artefact, ...]
    claims: tuple[str, ...] = ()
    pictures: int | None = None
    categories: frozenset[str] = frozenset()
    queries: tuple[str, ...] = ()
    top: int = 5
    note: str = ""

    @property
    def steps(self) -> tuple[str, ...]:
        """All that can be asked for: the whole, each model, each half of it, the comparison."""
        halves = (step for model in self.models for step in _halves(model.key))
        return (WHOLE, *(model.key for model in self.models), COMPARISON, *halves)

    def check_step(self, step: str) -> None:
        """Refuse a step that the study does not have.

        Raises
        ------
        ClipevalError
            Near matches named.
        """
        if step not in self.steps:
            raise ClipevalError(
                f"study '{self.name}' has no step '{step}'", where="--step", fix=near(step, self.steps)
            )


def _halves(key: str) -> tuple[str, str]:
    return f"{key}-images", f"{key}-texts"


def read_preset(text: str, *, name: str) -> Preset:
    """Read a preset and check that it holds together.

    Parameters
    ----------
    text : str
        TOML.
    name : str
        Of the study, and of the file in errors.

    Returns
    -------
    Preset

    Raises
    ------
    ClipevalError
        Unknown or missing keys, a model spec of no family, a figure or file about no model, a repeated or
        unsafe file name.

    Examples
    --------
    >>> read_preset('number = "S9"', name="mine")
    Traceback (most recent call last):
    clipeval.errors.ClipevalError: the preset lacks 'title', 'data'
      where: mine.toml
    """
    where = f"{name}.toml"
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ClipevalError(f"this is not TOML: {error}", where=where) from error
    models = _tables(StudyModel, found.pop("models", []), where=f"{where}, models")
    figures = _tables(_figure, found.pop("figures", []), where=f"{where}, figures", like=Figure)
    artefacts = _tables(Artefact, found.pop("artefacts", []), where=f"{where}, artefacts")
    fields = ("number", "title", "data", "claims", "pictures", "categories", "queries", "top", "note")
    _check_keys(found, fields, needed=("number", "title", "data"), where=where)
    plain: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in found.items()
    }
    plain["categories"] = frozenset(plain.get("categories", ()))
    preset = Preset(name=name, models=models, figures=figures, artefacts=artefacts, **plain)
    _check(preset, where=where)
    return preset


def _figure(*, published: float | list[float], **rest: Any) -> Figure:
    low, high = published if isinstance(published, list) else (published, published)
    return Figure(low=float(low), high=float(high), **rest)


def _tables(make: Any, rows: list[dict[str, Any]], *, where: str, like: Any = None) -> tuple[Any, ...]:
    known = list((like or make).__dataclass_fields__)
    if like is Figure:
        known = [*(name for name in known if name not in {"low", "high"}), "published"]
    needed = {
        StudyModel: ("key", "label"),
        Figure: ("model", "measure", "published", "tolerance"),
        Artefact: ("file", "kind"),
    }[like or make]
    made = []
    for number, row in enumerate(rows):
        _check_keys(row, known, needed=needed, where=f"{where}, entry {number}")
        made.append(make(**row))
    return tuple(made)


def _check_keys(
    row: Mapping[str, Any], known: list[str] | tuple[str, ...], *, needed: tuple[str, ...], where: str
) -> None:
    for key in row:
        if key not in known:
            raise ClipevalError(f"unknown key '{key}'", where=where, fix=near(key, known))
    missing = [key for key in needed if key not in row]
    if missing:
        raise ClipevalError("the preset lacks " + ", ".join(f"'{key}'" for key in missing), where=where)


def _check(preset: Preset, *, where: str) -> None:
    keys = [model.key for model in preset.models]
    if not keys or len(set(keys)) < len(keys) or not all(map(_NAME.fullmatch, keys)):
        raise ClipevalError("each model needs a key of its own, in small letters", where=where)
    for model in preset.models:
        if bool(model.spec) == bool(model.train):
            raise ClipevalError(f"the model '{model.key}' needs either 'spec' or 'train'", where=where)
        if bool(model.twin) == bool(model.twin_train):
            raise ClipevalError(f"the model '{model.key}' needs either 'twin' or 'twin_train'", where=where)
        for spec in filter(None, (model.spec, model.twin)):
            check_family(spec)
    abouts: tuple[Figure | Artefact, ...] = (*preset.figures, *preset.artefacts)
    for about in abouts:
        if about.model not in keys and (isinstance(about, Figure) or about.model):
            raise ClipevalError(
                f"there is no model '{about.model}'", where=where, fix=near(about.model, keys)
            )
    names = [artefact.file for artefact in preset.artefacts]
    for artefact in preset.artefacts:
        if artefact.kind not in KINDS:
            raise ClipevalError(
                f"unknown kind '{artefact.kind}'", where=where, fix=near(artefact.kind, KINDS)
            )
        if (artefact.kind in OF_ONE_MODEL) != bool(artefact.model):
            raise ClipevalError(f"'{artefact.file}' is about one model, or about all?", where=where)
        if not _FILE.fullmatch(artefact.file) or names.count(artefact.file) > 1:
            raise ClipevalError(f"'{artefact.file}' cannot be a file's name here", where=where)
