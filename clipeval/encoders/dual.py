"""Family ``dual``: dual encoders that ``clipeval train`` made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipeval.encoders.base import Fingerprint, Rows
from clipeval.encoders.dual_folder import TOKENIZER, DualFolder, read_dual
from clipeval.encoders.frozen import Modality, load_frozen_tower
from clipeval.encoders.head_ensemble import Heads
from clipeval.encoders.image_towers import Classifier, ClassifierTower, load_image_tower
from clipeval.encoders.imports import import_models, require_installed, versions
from clipeval.encoders.joined_towers import JoinedTower, split_joined
from clipeval.encoders.learned import LearnedTowers
from clipeval.encoders.network_text import NetworkTextTower
from clipeval.encoders.networks import build_network, image_rows, read_tokenizer
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.pixel_plan import PixelPlan
from clipeval.encoders.placement import check_placement, laid_out, layout_words, place, placement_words
from clipeval.encoders.random_init import seeded
from clipeval.encoders.spec import ModelSpec
from clipeval.encoders.text_towers import load_text_tower
from clipeval.encoders.towers import FROZEN, tower_words
from clipeval.encoders.weight_files import digest
from clipeval.errors import EncoderError, SpecError

OPTIONS = ("image", "text", "image_tensor", "image_ids", "text_tensor", "text_ids")


@dataclass(frozen=True, eq=False)
class DualEncoder(LearnedTowers):
    """Two towers, each with a head into the common space.

    Parameters
    ----------
    name, seen, training
        As in `LearnedTowers`.
    image, text
        The towers: kept as they were, or trained.
    image_head, text_head : Head or HeadEnsemble
    words : mapping
        Of the training run, for the fingerprint.
    """

    image_head: Heads
    text_head: Heads
    words: Fingerprint

    def __post_init__(self) -> None:
        for side, tower, head in (
            ("image", self.image, self.image_head),
            ("text", self.text, self.text_head),
        ):
            if tower.width != head.width:
                raise EncoderError(
                    f"the {side} tower gives {tower.width} columns, and the head was trained on {head.width}",
                    where=self.name,
                    fix="use the tower that it was trained with",
                )

    @property
    def fingerprint(self) -> Fingerprint:
        """Both towers, both heads and the hash of all that was trained, in words."""
        return {
            **tower_words(self.image, self.text),
            "image head": self.image_head.words,
            "text head": self.text_head.words,
            **self.words,
        }

    @property
    def learned_words(self) -> str:
        """The training run, in words."""
        return self.words["training"]

    @property
    def joint(self) -> str:
        """What an error calls it."""
        return "model"

    @property
    def way_out(self) -> str:
        """How to train on a part of a dataset."""
        return "train on PATH#train"

    def bridge_images(self, rows: Rows) -> Rows:
        """Carry image-tower rows into the common space."""
        return self.image_head(rows)

    def bridge_texts(self, rows: Rows) -> Rows:
        """Carry text-tower rows into the common space."""
        return self.text_head(rows)


def load(spec: ModelSpec, options: LoadOptions) -> DualEncoder:
    """Load ``dual:PATH``.

    Parameters
    ----------
    spec : ModelSpec
        ``dual:PATH?image=frozen:OTHER&image_tensor=val``: a tower that stayed frozen may be replaced by the
        stored rows of other items (or the network that made them), with the options of a frozen tower.
    options : LoadOptions
        Device, dtype, batch size, offline.

    Returns
    -------
    DualEncoder

    Raises
    ------
    SpecError
        Unknown options, or a replacement for a tower that was trained.
    NotAvailableError
        There is no such folder, its run is not finished, or a tower's weights are not to be had.
    EncoderError
        The folder is damaged, or a tower is not the one it was trained with.
    """
    spec.only(OPTIONS)
    where = str(spec)
    folder = read_dual(Path(spec.name).expanduser(), where=where)
    towers: dict[str, Any] = {}
    for side in ("image", "text"):
        words = folder.side(side)
        if words["kind"] == "kept":
            with folder.described(side):
                towers[side] = _kept(side, words, spec, options)
            continue
        for option in (side, f"{side}_tensor", f"{side}_ids"):
            if option in spec.options:
                raise SpecError(
                    f"option '{option}' is for a frozen tower, and the {side} tower was trained",
                    where=where,
                    fix="leave it out",
                )
        build = _image_network if side == "image" else _text_network
        with folder.described(side):
            towers[side] = build(folder, words, options)
    return DualEncoder(
        where,
        towers["image"],
        towers["text"],
        *folder.seen(),
        folder.head("image"),
        folder.head("text"),
        {"weights": folder.sha256, "training": str(folder.words.get("summary", ""))},
    )


def _kept(side: str, words: Mapping[str, Any], spec: ModelSpec, options: LoadOptions) -> Any:
    trained: list[Mapping[str, Any]] = list(words.get("parts", [words]))
    names = [str(one["name"]) for one in trained]
    if side in spec.options:
        names = list(split_joined(spec.options[side]))
    if len(names) != len(trained):
        raise SpecError(
            f"the {side} side was trained on {len(trained)} towers, and {len(names)} are named",
            where=str(spec),
            fix="name as many, with a plus sign between them",
        )
    stored = any(name.startswith(FROZEN) for name in names)
    towers = []
    for name, was in zip(names, trained, strict=True):
        given = {what: spec.options.get(f"{side}_{what}") for what in ("tensor", "ids")}
        if name.startswith(FROZEN):
            given = {what: value or was.get(what) for what, value in given.items()}
        elif stored:  # the options are for the other tower
            given = dict.fromkeys(given)
        tower = kept_tower(side, name, options, **given, where=str(spec))
        _require_same(side, name, was, tower, named=side in spec.options, where=str(spec))
        towers.append(tower)
    return towers[0] if len(towers) == 1 else JoinedTower(tuple(towers))


def _require_same(
    side: str, name: str, was: Mapping[str, Any], tower: Any, *, named: bool, where: str
) -> None:
    """Refuse another tower than the head was trained on, whatever its name, where one can be told.

    Stored rows that a spec names are rows of other items: which network made them the file does not say. The
    same holds for a network in the place of stored rows.
    """
    stored, was_stored = name.startswith(FROZEN), str(was["name"]).startswith(FROZEN)
    comparable = not named if stored else not was_stored
    if not comparable or was.get("weights") == tower.fingerprint.get("weights"):
        return
    what = "rows" if stored else "weights"
    instead = "" if name == was["name"] else f", which was '{was['name']}'"
    raise EncoderError(
        f"the {side} tower '{name}' has other {what} than when the head was trained{instead}",
        where=where,
        fix=f"use the {what} it was trained with, or train it again"
        + (f"; rows of other items: ?{side}=frozen:OTHER" if stored else ""),
    )


def kept_tower(
    side: str, name: str, options: LoadOptions, *, tensor: str | None, ids: str | None, where: str
) -> Any:
    """Load a tower that training leaves as it is.

    Parameters
    ----------
    side : {"image", "text"}
    name : str
        ``frozen:PATH``, or a name of `load_image_tower` or `load_text_tower`.
    options : LoadOptions
    tensor, ids : str or None
        Of frozen rows; see `load_frozen_tower`.
    where : str
        The model spec, for errors.

    Returns
    -------
    SizedImageTower or SizedTextTower

    Raises
    ------
    SpecError
        An unknown tower, or options of frozen rows for another.
    NotAvailableError
        Weights or rows are not here.
    """
    if name.startswith(FROZEN):
        modality: Modality = "images" if side == "image" else "texts"
        path = Path(name.removeprefix(FROZEN)).expanduser()
        return load_frozen_tower(path, modality=modality, tensor=tensor, ids=ids)
    if tensor or ids:
        raise SpecError(
            f"option '{side}_{'tensor' if tensor else 'ids'}' is for a frozen tower, and the {side} tower is "
            f"'{name}'",
            where=where,
            fix=f"leave it out, or write {FROZEN}PATH",
        )
    if side == "image":
        return load_image_tower(name, options, where=where)
    return load_text_tower(name, options, where=where)


def _trained(folder: DualFolder, side: str, words: Mapping[str, Any], options: LoadOptions) -> Any:
    """Build a network and fill it with the trained weights."""
    torch = import_models("torch")
    device, dtype = place(options, where=folder.where)
    with seeded():
        network = build_network(words, where=folder.where)
    prefix = f"{side}.tower."
    state = {
        name.removeprefix(prefix): torch.from_numpy(value.copy())
        for name, value in folder.tensors(prefix).items()
    }
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise EncoderError(
            f"the weights do not fit the {side} network: {str(error).splitlines()[-1].strip()[:300]}",
            where=folder.where,
            fix="use the library version that it was trained with, or train it again",
        ) from error
    return laid_out(network.eval().to(device=device, dtype=dtype), options)


def _image_network(folder: DualFolder, words: Mapping[str, Any], options: LoadOptions) -> ClassifierTower:
    require_installed("torch", "torchvision")
    check_placement(options, where=folder.where)
    plan = PixelPlan.of(words["pixels"])

    def build() -> Classifier:
        network = _trained(folder, "image", words, options)
        return Classifier(network, plan.preprocess(), lambda pixels: image_rows(network, pixels))

    fingerprint = {
        "model": f"{words['name']}, trained by clipeval",
        "weights": folder.sha256,
        "image processor backend": "pil",
        "picture transform": plan.words,
        **versions("torch", "torchvision", "pillow", *_library(words)),
        **placement_words(options),
        **layout_words(options),
    }
    return ClassifierTower(folder.where, build, options, fingerprint, int(words["width"]))


def _text_network(folder: DualFolder, words: Mapping[str, Any], options: LoadOptions) -> NetworkTextTower:
    require_installed("torch", "transformers")
    check_placement(options, where=folder.where)
    files = sorted(path for path in (folder.path / TOKENIZER).glob("*") if path.is_file())
    fingerprint = {
        "model": f"{words['name']}, trained by clipeval",
        "weights": folder.sha256,
        "pooling": str(words["pooling"]),
        "tokenizer": digest(files, root=folder.path),
        "text length": f"{words['length']} tokens, longer ones cut",
        **versions("torch", "tokenizers", *_library(words)),
        **placement_words(options),
    }
    return NetworkTextTower(
        folder.where,
        lambda: (
            _trained(folder, "text", words, options),
            read_tokenizer(folder.path / TOKENIZER, where=folder.where),
        ),
        str(words["pooling"]),
        int(words["length"]),
        options,
        fingerprint,
        int(words["width"]),
    )


def _library(words: Mapping[str, Any]) -> list[str]:
    library = str(words["library"])
    return [] if library == "torchvision" else [library]
