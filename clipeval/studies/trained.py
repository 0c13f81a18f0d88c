"""Models of a study that are trained before they are scored: by the user, or, if they are twins, here."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from clipeval.data.content import dataset_hash
from clipeval.data.dataset import Dataset
from clipeval.encoders.dual_folder import read_dual
from clipeval.encoders.options import LoadOptions
from clipeval.errors import ClipevalError, InvalidInputError, NotAvailableError
from clipeval.evaluation import EmbeddingCache
from clipeval.studies.preset import StudyModel

TOWERS = ("image-tower", "text-tower")


def is_trained(model: StudyModel, *, twin: bool) -> bool:
    """Say whether a model, or its twin, is one that has to be trained."""
    return bool(model.twin_train if twin else model.train)


def spec_of(model: StudyModel, folder: Path, *, twin: bool) -> str:
    """Name a model, or its twin; what has to be trained is looked for in the study's folder."""
    named = model.twin if twin else model.spec
    return named or f"dual:{_place(model, folder)}"


def train_command(options: Mapping[str, str], **more: str) -> str:
    """Write the command that trains a model.

    Examples
    --------
    >>> train_command({"epochs": "5"}, data="my photos/")
    "clipeval train --epochs 5 --data 'my photos/'"
    """
    words = (word for name, value in {**options, **more}.items() for word in (f"--{name}", value))
    return shlex.join(["clipeval", "train", *words])


def _place(model: StudyModel, folder: Path) -> Path:
    return folder / model.key / "trained"


def require_trained(model: StudyModel, *, data: str, folder: Path) -> None:
    """Refuse a model of the study that nobody has trained yet.

    Raises
    ------
    NotAvailableError
        With the command that trains it.
    """
    place = _place(model, folder)
    if not model.train or place.is_dir():
        return
    command = train_command(model.train, data=data, out=str(place))
    raise NotAvailableError(
        "it has to be trained first", where=spec_of(model, folder, twin=False), fix=command
    )


def train_twin(
    model: StudyModel,
    dataset: Dataset,
    *,
    folder: Path,
    anew: bool,
    options: LoadOptions,
    cache: EmbeddingCache | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """Train a twin as the study trained its model; where it was trained on these data already, it is kept.

    Parameters
    ----------
    model : StudyModel
        With ``twin_train``.
    dataset : Dataset
        A part of it is held out.
    folder : Path
        Of the study; the twin takes its place there when it is whole.
    anew : bool
        Train it in any case.
    options : LoadOptions
        Device; offline.
    cache, progress
        See `clipeval.training.job.train`.

    Raises
    ------
    MissingExtraError
        torch is not installed.
    NotAvailableError
        The data are too few to hold a part of them out.
    """
    from clipeval.training.job import train
    from clipeval.training.settings import TrainingSettings

    place = _place(model, folder)
    if not anew and _trained_on(place) == dataset_hash(dataset, pictures=dataset.picture_hashes):
        return
    image, text = (model.twin_train[tower] for tower in TOWERS)
    numbers: dict[str, Any] = {
        option.replace("-", "_"): int(value)
        for option, value in model.twin_train.items()
        if option not in TOWERS
    }
    new = place.with_name(f"{place.name}.new")
    shutil.rmtree(new, ignore_errors=True)  # of a run that was killed
    try:
        train(
            dataset,
            image_tower=image,
            text_tower=text,
            out=new,
            settings=TrainingSettings(**numbers),
            options=options,
            cache=cache,
            progress=progress,
        )
    except InvalidInputError as error:
        raise NotAvailableError(
            f"the twin cannot be trained: {error.what}", where=error.where, fix="more data"
        ) from error
    shutil.rmtree(place, ignore_errors=True)
    new.rename(place)


def _trained_on(place: Path) -> str | None:
    """Give the hash of the data that a twin was trained on; None where there is no whole twin."""
    try:
        return str(read_dual(place, where=str(place)).words["data"]["sha256"])
    except (ClipevalError, KeyError, TypeError):
        return None
