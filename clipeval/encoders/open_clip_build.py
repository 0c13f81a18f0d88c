"""Builds an open_clip model from weights that are here, or that may be fetched."""

from __future__ import annotations

import json
import urllib.parse
from pathlib import Path
from typing import Any

from clipeval.encoders.hub import check_reachable, hugging_face, no_hub
from clipeval.encoders.imports import import_models
from clipeval.encoders.library_output import quiet
from clipeval.encoders.open_clip_names import Choice
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.random_init import refuse_random_init, seeded
from clipeval.encoders.weight_files import weight_files
from clipeval.errors import ClipevalError, EncoderError, NotAvailableError

PRECISIONS = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}


def build(choice: Choice, *, options: LoadOptions, where: str) -> tuple[Any, Any, Any, list[Path]]:
    """Build model, transform and tokenizer, and list the weight files that were read.

    Parameters
    ----------
    choice : Choice
        Not of the kind ``hub``: a repository is fetched first and then a folder.
    options : LoadOptions
        Device, dtype, network and the word on random weights.
    where : str
        The model spec, for errors.

    Returns
    -------
    model, transform, tokenizer
        open_clip's own.
    files : list of Path
        Empty for random weights.

    Raises
    ------
    NotAvailableError
        No weights and no consent to random ones, or files that are neither here nor to be had.
    EncoderError
        A folder without a usable ``open_clip_config.json``, or files that open_clip cannot load.
    """
    library = import_models("open_clip")
    pretrained: str | None = None
    files: list[Path] = []
    if choice.kind == "tag":
        files = [_tag_file(choice, options=options, where=where)]
        pretrained = choice.source
    elif choice.kind == "file":
        files, pretrained = [Path(choice.source)], choice.source
    elif choice.kind == "folder":
        _check_config(Path(choice.source), where=where)
        files = weight_files(Path(choice.source))
    if not files:
        refuse_random_init(options, where=where, looked="looked for a tag, a file or weights in the folder")

    def make() -> tuple[Any, Any, Any]:
        with quiet(), seeded():
            model, _, transform = library.create_model_and_transforms(
                choice.model,
                pretrained=pretrained,
                precision=PRECISIONS[options.dtype],
                device=options.device,
                pretrained_text=False,
            )
            return model, transform, library.get_tokenizer(choice.model)

    try:
        with no_hub():
            return (*make(), files)
    except ClipevalError:
        raise
    except Exception as error:
        hub = hugging_face()
        if not _is_hub_miss(error):
            raise _broken(error, where=where) from error
        fix = f"on a connected machine load '{choice.label}' once with open_clip and copy its cache here"
        what = "the tokenizer or the text tower's configuration"
        if options.offline or hub.constants.HF_HUB_OFFLINE:
            raise NotAvailableError(
                f"{what} of '{choice.label}' is not here, and this run is offline", where=where, fix=fix
            ) from None
        check_reachable(
            hub.constants.ENDPOINT, what=f"{what} of '{choice.label}' is not here and", where=where, fix=fix
        )
    try:
        return (*make(), files)
    except Exception as error:
        raise _broken(error, where=where) from error


def _tag_file(choice: Choice, *, options: LoadOptions, where: str) -> Path:
    """Find the weight file of a tag: first here, then, if allowed, on the network."""
    library, hub = import_models("open_clip"), hugging_face()
    tag = library.get_pretrained_cfg(choice.model, choice.source)
    url = tag.get("url", "") if not tag.get("hf_hub") else hub.constants.ENDPOINT
    fix = (
        f"on a connected machine run python -c \"import open_clip; open_clip.create_model('{choice.model}',"
        f" pretrained='{choice.source}')\" and copy its cache here, or give open_clip:local-dir:FOLDER"
    )
    if tag.get("hf_hub"):
        with no_hub():
            try:
                return Path(library.download_pretrained(tag))
            except (OSError, RuntimeError):
                pass
    else:
        cached = Path("~/.cache/clip").expanduser() / Path(urllib.parse.urlsplit(url).path).name
        if cached.is_file():
            return Path(library.download_pretrained(tag))  # checks the hash, opens no socket for a good file
    what = f"the weights of '{choice.label}'"
    if options.offline or hub.constants.HF_HUB_OFFLINE:
        raise NotAvailableError(f"{what} are not in the cache, and this run is offline", where=where, fix=fix)
    check_reachable(url, what=f"{what} are not in the cache and", where=where, fix=fix)
    try:
        return Path(library.download_pretrained(tag))
    except Exception as error:
        raise NotAvailableError(
            f"downloading {what} failed: {type(error).__name__}: {_first_line(error)}", where=where, fix=fix
        ) from error


def _check_config(folder: Path, *, where: str) -> None:
    path = folder / "open_clip_config.json"
    if not path.is_file():
        raise EncoderError(
            "the folder has no open_clip_config.json",
            where=f"{where}, in '{folder.name}'",
            fix="write one with model_cfg and preprocess_cfg, or name the architecture: open_clip:NAME/FILE",
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        towers = config["model_cfg"]["vision_cfg"], config["model_cfg"]["text_cfg"]
    except (ValueError, TypeError, KeyError) as error:
        raise EncoderError(
            f"cannot read open_clip_config.json: {type(error).__name__} {error}",
            where=where,
            fix="it needs model_cfg with vision_cfg and text_cfg",
        ) from None
    if not all(isinstance(tower, dict) for tower in towers):
        raise EncoderError("vision_cfg and text_cfg must be objects", where=f"{where}, open_clip_config.json")


def _is_hub_miss(error: BaseException | None) -> bool:
    """Say whether something on the way to this error wanted the hub."""
    while error is not None:
        text = f"{type(error).__name__} {error}".lower()
        if any(
            sign in text
            for sign in ("offlinemode", "offline mode", "localentrynotfound", "hf.co", "huggingface.co")
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


def _broken(error: Exception, *, where: str) -> EncoderError:
    return EncoderError(
        f"open_clip cannot load the model: {type(error).__name__}: {_first_line(error)}",
        where=where,
        fix="check that configuration and weights belong together",
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:300]
