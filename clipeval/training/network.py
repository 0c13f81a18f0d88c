"""A network that is trained: built, filled with weights, partly frozen, and described for later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipeval.encoders.hub import find_folder, require_folder
from clipeval.encoders.imports import import_models
from clipeval.encoders.networks import POOLINGS, build_network, is_causal, read_tokenizer
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.pixel_plan import FILTERS, PixelPlan
from clipeval.encoders.random_init import refuse_random_init
from clipeval.encoders.text_towers import MINILM, MINILM_WEIGHTS
from clipeval.encoders.weight_files import weight_files
from clipeval.errors import EncoderError, NotAvailableError, SpecError
from clipeval.training.tower_names import TINY, TowerName
from clipeval.training.vocabulary import own_tokenizer

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
LONGEST = 64
"""Tokens of a caption, unless the network reads fewer."""


@dataclass(frozen=True, eq=False)
class Network:
    """One trained network.

    Attributes
    ----------
    module : torch.nn.Module
        Rows come from `clipeval.encoders.networks.image_rows` or ``text_rows``.
    words : dict
        What `clipeval.encoders.networks.build_network` builds it from, and how its inputs are prepared.
    tokenizer : object or None
        Of a text network.
    """

    module: Any
    words: dict[str, Any]
    tokenizer: Any = None

    def weights_sha256(self) -> str:
        """Hash the weights that it has now: two folders of one name and configuration may differ in them."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.module.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def image_network(name: TowerName, options: LoadOptions, *, seed: int) -> Network:
    """Make the image network that a name means.

    Parameters
    ----------
    name : TowerName
        Of the kind ``tiny``, ``hf``, ``torchvision`` or ``timm``.
    options : LoadOptions
        ``allow_random_init`` is the user's word for random weights.
    seed : int
        Of random weights.

    Returns
    -------
    Network

    Raises
    ------
    NotAvailableError
        Weights are not here, or random ones were not agreed to.
    EncoderError
        The network cannot be built.
    """
    where = f"--image-tower {name.text}"
    if name.kind == "tiny":
        words = {"library": "transformers", "config": dict(TINY[name.name])}
        plan = PixelPlan(64, 64)
        module = _random(words, options, seed=seed, where=where)
    elif name.kind == "hf":
        folder = _folder(name, options, where=where)
        words = {"library": "transformers", "config": _config(folder, where=where)}
        plan = _plan_of(folder)
        module = _random(words, options, seed=seed, where=where) if name.random else _saved(folder, where)
    else:
        network, _, version = name.name.partition(".")
        words = {"library": name.kind, "name": network if name.kind == "torchvision" else name.name}
        module, plan = _from_library(words, version, name, options, seed=seed, where=where)
    words |= {"kind": "network", "name": words.get("name", _shown(name)), "pixels": plan.document()}
    return Network(module, {**words, "width": _image_width(module, plan)})


def text_network(
    name: TowerName,
    options: LoadOptions,
    *,
    pooling: str | None,
    captions: Sequence[str],
    tokenizer_folder: Path | None,
    seed: int,
) -> Network:
    """Make the text network that a name means.

    Parameters
    ----------
    name : TowerName
        Of the kind ``tiny`` or ``hf``.
    options : LoadOptions
        See `image_network`.
    pooling : str or None
        One of `clipeval.encoders.networks.POOLINGS`; by default the last real token of a causal network and
        the mean of any other.
    captions : sequence of str
        That are trained on: a tiny network's vocabulary is made from them.
    tokenizer_folder : Path or None
        A tokenizer that the run has already.
    seed : int
        Of random weights.

    Returns
    -------
    Network

    Raises
    ------
    NotAvailableError, EncoderError
        As `image_network`.
    SpecError
        An unknown pooling.
    """
    where = f"--text-tower {name.text}"
    if pooling is not None and pooling not in POOLINGS:
        raise SpecError(f"unknown pooling '{pooling}'", where=where, fix=", ".join(POOLINGS))
    if name.kind == "tiny":
        refuse_random_init(options, where=where, looked="it is a configuration only")
        tokenizer = (
            read_tokenizer(tokenizer_folder, where=where) if tokenizer_folder else own_tokenizer(captions)
        )
        sized = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
        if TINY[name.name]["model_type"] == "gpt2":
            sized |= {"bos_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
        words: dict[str, Any] = {"library": "transformers", "config": {**TINY[name.name], **sized}}
        module = _random(words, options, seed=seed, where=where)
    else:
        folder = (
            MINILM_WEIGHTS.locate().parent if name.name == MINILM else _folder(name, options, where=where)
        )
        words = {"library": "transformers", "config": _config(folder, where=where)}
        tokenizer = read_tokenizer(tokenizer_folder or folder, where=where)
        module = _random(words, options, seed=seed, where=where) if name.random else _saved(folder, where)
    config = module.config
    said = (getattr(config, name, None) for name in ("max_position_embeddings", "n_positions"))
    reads = next((int(value) for value in said if value), LONGEST)
    words |= {
        "kind": "network",
        "name": _shown(name),
        "pooling": pooling or ("last" if is_causal(module) else "mean"),
        "causal": is_causal(module),
        "length": min(reads, LONGEST),
        "width": int(config.hidden_size),
    }
    return Network(module, words, tokenizer)


def freeze_blocks(module: Any, blocks: int, *, where: str) -> list[Any]:
    """Freeze what comes first in a network: its embeddings and so many blocks.

    Parameters
    ----------
    module : torch.nn.Module
    blocks : int
        At least 0: the embeddings alone.
    where : str
        For errors.

    Returns
    -------
    list of torch.nn.Module
        The frozen parts.

    Raises
    ------
    SpecError
        It has fewer blocks.
    """
    torch = import_models("torch")
    stacks = [
        (name, m) for name, m in module.named_modules() if isinstance(m, torch.nn.ModuleList) and len(m) > 1
    ]
    if stacks:
        prefix, stack = stacks[0]
    else:
        prefix, stack = "", [child for child in module.children() if any(True for _ in child.parameters())]
    if blocks >= len(stack):
        raise SpecError(
            f"the network has {len(stack)} blocks, {blocks} of them cannot be frozen",
            where=where,
            fix=f"up to {len(stack) - 1}, or without a number to freeze all of it",
        )
    frozen = [*stack[:blocks]]
    for name, child in module.named_children():
        if prefix.split(".")[0] == name or not prefix:
            break
        frozen.append(child)
    for part in frozen:
        part.requires_grad_(False)
    return frozen


def _shown(name: TowerName) -> str:
    """Name a network without the user's folders."""
    return f"hf:{Path(name.name).name}" if name.kind == "hf" else name.text


def _random(words: Mapping[str, Any], options: LoadOptions, *, seed: int, where: str) -> Any:
    torch = import_models("torch")
    refuse_random_init(options, where=where, looked="it is a configuration only")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_network(words, where=where).float()


def _folder(name: TowerName, options: LoadOptions, *, where: str) -> Path:
    found = find_folder(name.name, revision=name.revision, where=where) or require_folder(
        name.name,
        complete=lambda path: (path / "config.json").is_file() and (name.random or bool(weight_files(path))),
        where=where,
        family="hf",
        revision=name.revision,
        offline=options.offline,
    )
    return found.path


def _config(folder: Path, *, where: str) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncoderError(f"the folder has no usable config.json: {error}", where=where) from error
    own = ("architectures", "torch_dtype", "dtype", "transformers_version", "_name_or_path")
    return {key: value for key, value in config.items() if key not in own}


def _saved(folder: Path, where: str) -> Any:
    from clipeval.encoders.hub import no_hub
    from clipeval.encoders.language_models import load_network
    from clipeval.encoders.library_output import quiet

    if not weight_files(folder):
        raise NotAvailableError(
            "there are no weights: training would begin from random numbers",
            where=where,
            fix=f"put *.safetensors into the folder, or write random: before '{where.split()[-1]}'",
        )
    with no_hub(), quiet():
        module = load_network(folder, dtype=import_models("torch").float32, where=where)
    if getattr(module, "pooler", None) is not None and hasattr(module.pooler, "dense"):
        module.pooler = None  # no row of ours goes through it, and many checkpoints lack it
    return module


def _plan_of(folder: Path) -> PixelPlan:
    """Read the preprocessing that transformers saved beside the weights."""
    path = folder / "preprocessor_config.json"
    words = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    size = words.get("size", 224)
    size = size if isinstance(size, dict) else {"height": size, "width": size}
    resize = size.get("shortest_edge") or (size["height"], size["width"])
    crop = words.get("crop_size") if words.get("do_center_crop") else None
    crop = crop.get("height") if isinstance(crop, dict) else crop
    edge = resize if isinstance(resize, int) else resize[0]
    name = {2: "bilinear", 3: "bicubic"}.get(words.get("resample", 2), FILTERS[0])
    mean, sd = (tuple(words.get(key, [0.5] * 3)) for key in ("image_mean", "image_std"))
    return PixelPlan(resize, crop or edge, mean, sd, name)


def _from_library(
    words: dict[str, Any], version: str, name: TowerName, options: LoadOptions, *, seed: int, where: str
) -> tuple[Any, PixelPlan]:
    if name.kind == "timm":
        timm = import_models("timm")
        if name.random:
            module = _random(words, options, seed=seed, where=where)
        else:
            module = _timm_weights(timm, name.name, where=where)
        data = timm.data.resolve_model_data_config(module)
        edge = int(data["input_size"][1])
        resize = int(edge / data["crop_pct"])
        kind = data["interpolation"] if data["interpolation"] in FILTERS else "bicubic"
        return module, PixelPlan(resize, edge, tuple(data["mean"]), tuple(data["std"]), kind)
    models = import_models("torchvision.models", package="torchvision")
    if words["name"] not in models.list_models():
        from clipeval.errors import near

        raise SpecError(
            f"torchvision has no network '{words['name']}'",
            where=where,
            fix=near(words["name"], models.list_models()),
        )
    if name.random:
        return _random(words, options, seed=seed, where=where), PixelPlan(256, 224, *IMAGENET, "bilinear")
    return _torchvision_weights(words, version, options, where=where)


def _torchvision_weights(
    words: dict[str, Any], version: str, options: LoadOptions, *, where: str
) -> tuple[Any, PixelPlan]:
    from clipeval.encoders.checkpoints import find_checkpoint
    from clipeval.errors import near

    torch = import_models("torch")
    models = import_models("torchvision.models", package="torchvision")
    known = {str(member.name): member for member in models.get_model_weights(words["name"])}
    if version and version not in known:
        raise SpecError(f"{words['name']} has no weights '{version}'", where=where, fix=near(version, known))
    chosen = known[version or next(iter(known))]
    path, _ = find_checkpoint(chosen.url, options, what=f"the weight file of {words['name']}", where=where)
    full = models.get_model(words["name"], weights=None)
    full.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"), strict=True)
    module = build_network(words, where=where)
    kept = module.state_dict()
    module.load_state_dict({key: value for key, value in full.state_dict().items() if key in kept})
    preset = chosen.transforms()
    crop, resize = int(preset.crop_size[0]), int(preset.resize_size[0])
    filter_name = str(preset.interpolation.value)
    return module, PixelPlan(resize, crop, tuple(preset.mean), tuple(preset.std), filter_name)


def _timm_weights(timm: Any, name: str, *, where: str) -> Any:
    try:
        return timm.create_model(name, pretrained=True, num_classes=0)
    except Exception as error:  # its own and the hub's errors, of many kinds
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise NotAvailableError(
            f"timm cannot give the weights of '{name}': {type(error).__name__}: {first}",
            where=where,
            fix=f"download them on a connected machine, or write random:timm:{name}",
        ) from error


def _image_width(module: Any, plan: PixelPlan) -> int:
    from clipeval.encoders.networks import image_rows

    torch = import_models("torch")
    module.eval()
    with torch.inference_mode():
        return int(image_rows(module, torch.zeros(1, 3, plan.crop, plan.crop)).shape[1])
