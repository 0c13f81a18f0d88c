"""Which open_clip model a spec means, decided and checked before anything is loaded or downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clipeval.encoders.imports import import_models
from clipeval.encoders.spec import ModelSpec
from clipeval.errors import EncoderError, NotAvailableError, SpecError, near


@dataclass(frozen=True)
class Choice:
    """An architecture and where its weights come from.

    Parameters
    ----------
    kind : str
        ``tag``, ``file``, ``folder``, ``hub`` or ``none`` (no weights named).
    model : str
        What ``open_clip.create_model`` takes.
    source : str
        The tag, file, folder or repository.
    """

    kind: str
    model: str
    source: str

    @property
    def label(self) -> str:
        """Short name without the user's folders."""
        if self.kind == "folder":
            return f"local-dir:{Path(self.source).resolve().name}"
        tail = {"tag": self.source, "file": Path(self.source).name}.get(self.kind, "")
        return f"{self.model}/{tail}" if tail else self.model


def choose(spec: ModelSpec) -> Choice:
    """Read the name of an ``open_clip`` spec.

    Parameters
    ----------
    spec : ModelSpec
        ``NAME``, ``NAME/TAG``, ``NAME/FILE?activation=...``, ``local-dir:FOLDER`` or
        ``hf-hub:ORG/REPOSITORY``.

    Returns
    -------
    Choice

    Raises
    ------
    SpecError
        An unknown name or tag, a revision or an activation where it has no meaning.
    NotAvailableError
        The folder or file does not exist.
    EncoderError
        The activation of the architecture is not the one the weights were trained with.
    """
    where = str(spec)
    stated = spec.options.get("activation")
    if spec.name.startswith("hf-hub:"):
        _no(stated, "an activation", where=where)
        return Choice("hub", spec.name, spec.name.removeprefix("hf-hub:"))
    if spec.revision:
        raise SpecError(
            "only hf-hub: repositories have revisions", where=where, fix=f"leave out '@{spec.revision}'"
        )
    if spec.name.startswith("local-dir:"):
        _no(stated, "an activation", where=where)
        folder = Path(spec.name.removeprefix("local-dir:")).expanduser()
        if not folder.is_dir():
            raise NotAvailableError(f"there is no folder '{folder}'", where=where, fix="check the path")
        return Choice("folder", f"local-dir:{folder}", str(folder))
    library = import_models("open_clip", package="open_clip_torch")
    model, slash, rest = spec.name.partition("/")
    if model not in library.list_models():
        raise SpecError(f"open_clip has no model '{model}'", where=where, fix=_near_models(model))
    if not slash:
        return Choice("none", model, "")
    tags = library.list_pretrained_tags_by_model(model)
    if library.is_pretrained_cfg(model, rest):
        _no(stated, "an activation (the tag knows it)", where=where)
        _same_activation(
            model,
            trained=_word(library.get_pretrained_cfg(model, rest)),
            weights=f"the tag '{rest}'",
            where=where,
        )
        return Choice("tag", model, rest)
    path = Path(rest).expanduser()
    if path.is_file():
        if stated is None:
            raise EncoderError(
                "a weight file does not say with which activation it was trained, and a wrong one is silent",
                where=where,
                fix="add ?activation=quickgelu (OpenAI, MetaCLIP 1, DFN) or ?activation=gelu (most others)",
            )
        trained = spec.choice("activation", ["gelu", "quickgelu"], default="gelu")
        _same_activation(model, trained=trained, weights=f"the file '{path.name}'", where=where)
        return Choice("file", model, str(path))
    if rest.startswith((".", "/", "~")) or path.suffix in {".pt", ".pth", ".bin", ".safetensors", ".npz"}:
        raise NotAvailableError(f"there is no weight file '{rest}'", where=where, fix="check the path")
    raise SpecError(f"'{model}' has no pretrained tag '{rest}'", where=where, fix=near(rest, tags))


def _same_activation(model: str, *, trained: str, weights: str, where: str) -> None:
    """Refuse GELU run on QuickGELU weights and the reverse (ImageNet 62.9 becomes 60.2, silently)."""
    library = import_models("open_clip")
    runs = _word(library.get_model_config(model))
    if runs == trained:
        return
    twin = f"{model}-quickgelu" if trained == "quickgelu" else model.removesuffix("-quickgelu")
    known = twin in library.list_models() and _word(library.get_model_config(twin)) == trained
    raise EncoderError(
        f"the model '{model}' runs {runs}, but {weights} was trained with {trained}",
        where=where,
        fix=f"use open_clip:{twin}/..." if known else f"use an architecture with {trained}",
    )


def _word(config: dict[str, object]) -> str:
    return "quickgelu" if config.get("quick_gelu") else "gelu"


def _near_models(model: str) -> str:
    known = import_models("open_clip").list_models()
    advice = near(model, known)
    return "see open_clip.list_models()" if advice.startswith("known") else advice


def _no(value: object, what: str, *, where: str) -> None:
    if value is not None:
        raise SpecError(f"{what} has no place here", where=where, fix="leave the option out")
