"""ConSE: a bridge that needs no pairs, because the image network's classes have names.

Norouzi et al. 2014 (arXiv 1312.5650): a picture's embedding is the mean of the class-name embeddings,
weighted by the class probabilities.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
from dataclasses import dataclass

import numpy as np

from clipeval.encoders.base import Fingerprint, Rows, SizedTextTower
from clipeval.encoders.imports import import_models, require_installed
from clipeval.encoders.options import LoadOptions, RowCache
from clipeval.encoders.spec import ModelSpec
from clipeval.encoders.towers import Towers, load_towers, tower_words
from clipeval.errors import SpecError

OPTIONS = ("centre", "top", "template")
TEMPLATES = {"photo": "a photo of a {}", "name": "{}"}


@dataclass(frozen=True, eq=False)
class Conse(Towers):
    """Class probabilities times class-name embeddings.

    Parameters
    ----------
    name, image, text
        As in `Towers`. The image tower gives the 1000 logits of ImageNet's classes; the text tower embeds
        captions and class names alike.
    class_rows : ndarray of float32, shape (1000, d)
        Embeddings of the class names.
    centre : bool
        Take the mean class name off both sides. It depends on no evaluated item.
    top : int
        Classes that take part: the T most probable (1000 for all).
    template : str
        What the class names were put into before they were embedded.
    names_sha256 : str
        Of the class names: another version of open_clip may name a class otherwise.
    """

    class_rows: Rows
    centre: bool
    top: int
    template: str
    names_sha256: str

    @property
    def fingerprint(self) -> Fingerprint:
        """Both towers, the classes and how they are mixed, in words."""
        return {
            **tower_words(self.image, self.text),
            "bridge": f"ConSE, {self.top} most probable classes, "
            + ("mean class name taken off" if self.centre else "not centred"),
            "class names": f"open_clip's 1000 names of ImageNet classes in '{self.template}'",
            "class names sha256": self.names_sha256,
        }

    def bridge_images(self, rows: Rows) -> Rows:
        """Turn logits ``(n, 1000)`` into mixtures of class-name embeddings ``(n, d)``."""
        logits = rows.astype(np.float64)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        if self.top < weights.shape[1]:
            border = np.partition(weights, -self.top, axis=1)[:, [-self.top]]
            weights = np.where(weights >= border, weights, 0.0)
        weights /= weights.sum(axis=1, keepdims=True)
        names = self.class_rows.astype(np.float64)
        if self.centre:
            names = names - names.mean(axis=0)
        return np.asarray(weights @ names, dtype=np.float32)

    def bridge_texts(self, rows: Rows) -> Rows:
        """Take the mean class name off the captions' embeddings where centring is on."""
        if not self.centre:
            return rows
        mean = self.class_rows.astype(np.float64).mean(axis=0)
        return np.asarray(rows.astype(np.float64) - mean, dtype=np.float32)


def load(spec: ModelSpec, options: LoadOptions) -> Conse:
    """Load ``conse:IMAGE+TEXT?centre=true&top=1000&template=photo``.

    Parameters
    ----------
    spec : ModelSpec
        The image tower is one of the ImageNet classifiers of `load_image_tower`.
    options : LoadOptions
        Device, dtype, batch size, offline.

    Returns
    -------
    Conse

    Raises
    ------
    SpecError
        Unknown towers or options, or a tower without class names.
    NotAvailableError
        A tower's weights are neither on disk nor reachable.
    """
    spec.only(OPTIONS)
    top = spec.integer("top", default=1000)
    if not 1 <= top <= 1000:
        raise SpecError(f"option 'top' is {top}", where=str(spec), fix="from 1 to 1000 classes")
    template = TEMPLATES[spec.choice("template", TEMPLATES, default="photo")]
    centre = spec.flag("centre", default=True)
    image, text = load_towers(spec, options, layer="logits", frozen=False)
    names = class_names()
    rows = _class_rows(text, tuple(template.format(name) for name in names), options.cache)
    sha256 = hashlib.sha256("\n".join(names).encode()).hexdigest()
    return Conse(str(spec), image, text, rows, centre, top, template, sha256)


def class_names() -> tuple[str, ...]:
    """Read open_clip's names of ImageNet's 1000 classes.

    Only the file that holds them is executed: importing open_clip would import torch.

    Raises
    ------
    MissingExtraError
        open_clip is not installed.
    """
    require_installed("open_clip")
    package = importlib.util.find_spec("open_clip")
    folders = (package.submodule_search_locations if package else None) or []
    found = importlib.machinery.PathFinder.find_spec("zero_shot_metadata", folders)
    if found is None or found.loader is None:
        names = import_models("open_clip", package="open_clip_torch").IMAGENET_CLASSNAMES
    else:
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)
        names = module.IMAGENET_CLASSNAMES
    return tuple(names)


def _class_rows(text: SizedTextTower, names: tuple[str, ...], cache: RowCache | None) -> Rows:
    contents = [hashlib.sha256(name.encode()).hexdigest() for name in names]
    rows = cache.get(text.fingerprint, "text", contents) if cache else None
    if rows is None:
        rows = text.encode_texts(names)
        if cache:
            cache.put(text.fingerprint, "text", contents, rows)
    return rows
