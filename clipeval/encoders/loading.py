"""What every family of encoders on torch shares: imports, placement, digests, refusals."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from clipeval.encoders.base import Rows, as_rows
from clipeval.encoders.options import LoadOptions
from clipeval.errors import EncoderError, MissingExtraError, NotAvailableError, SpecError, near

T = TypeVar("T")

DTYPES = ("float32", "float64", "float16", "bfloat16")
RANDOM_INIT = "random init, seed 0"
WEIGHT_ENDINGS = (".safetensors", ".bin", ".pt", ".pth")


def import_models(module: str, *, package: str | None = None) -> Any:
    """Import a library of the ``models`` extra.

    Parameters
    ----------
    module : str
        What is imported.
    package : str, optional
        Its distribution, where the names differ.

    Returns
    -------
    module

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and module.split(".")[0] != error.name.split(".")[0]:
            raise  # installed, but broken: the user needs the whole story
        raise MissingExtraError(package or module, extra="models") from None


def require_installed(*modules: str) -> None:
    """Check that libraries of the ``models`` extra are there without the seconds that importing them costs.

    Parameters
    ----------
    *modules : str
        Names to import; the distribution has the same name with hyphens.

    Raises
    ------
    MissingExtraError
        The first that is not installed.

    Examples
    --------
    >>> require_installed("numpy")
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(module.replace("_", "-"), extra="models")


def versions(*packages: str) -> dict[str, str]:
    """Give the versions of the installed distributions among those named.

    Examples
    --------
    >>> sorted(versions("numpy", "no-such-package"))
    ['numpy']
    """
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def check_options(options: LoadOptions, *, where: str) -> None:
    """Check what can be checked before torch is imported or anything is downloaded.

    Raises
    ------
    SpecError
        An unknown dtype, or a batch size below 1.
    """
    if options.batch_size < 1:
        raise SpecError(f"the batch size is {options.batch_size}", where=where, fix="at least 1")
    if options.dtype not in DTYPES:
        raise SpecError(f"unknown dtype '{options.dtype}'", where=where, fix=near(options.dtype, DTYPES))


def place(options: LoadOptions, *, where: str) -> tuple[Any, Any]:
    """Turn the words of the options into torch's device and dtype.

    Parameters
    ----------
    options : LoadOptions
        Checked, then ``device`` and ``dtype`` are read.
    where : str
        The model spec, for errors.

    Returns
    -------
    tuple of torch.device and torch.dtype

    Raises
    ------
    SpecError
        An unknown dtype or device, or a batch size below 1.
    NotAvailableError
        The device is not in this machine.
    """
    check_options(options, where=where)
    torch = import_models("torch")
    try:
        device = torch.device(options.device)
    except RuntimeError:
        raise SpecError(
            f"unknown device '{options.device}'", where=where, fix="cpu, cuda, cuda:1, mps ..."
        ) from None
    here = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not here.get(device.type, True):
        raise NotAvailableError(f"the device '{options.device}' is not here", where=where, fix="use cpu")
    return device, getattr(torch, options.dtype)


def check_placement(options: LoadOptions, *, where: str) -> None:
    """Check options when a model is named, before it is built; torch is imported for a GPU only.

    Raises
    ------
    SpecError
        An unknown dtype or device, or a batch size below 1.
    NotAvailableError
        The device is not in this machine.
    """
    if options.device == "cpu":
        check_options(options, where=where)
    else:
        place(options, where=where)


def placement_words(options: LoadOptions) -> dict[str, str]:
    """Describe where and in which arithmetic the model runs, for the fingerprint."""
    device = options.device
    if device.startswith("cuda"):
        place(options, where=f"device {device}")  # before torch is asked for the name of what is not here
        device += f" ({import_models('torch').cuda.get_device_name(device)})"
    return {"device": device, "dtype": options.dtype}


def batches(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut a sequence into runs of at most ``size``.

    Examples
    --------
    >>> list(batches("abcde", 2))
    ['ab', 'cd', 'e']
    """
    for start in range(0, len(values), size):
        yield values[start : start + size]


def stack(parts: Iterable[Rows], *, width: int) -> Rows:
    """Join the rows of batches; no batches give shape ``(0, width)``."""
    rows = list(parts)
    return np.concatenate(rows) if rows else np.empty((0, width), dtype=np.float32)


def pooled(output: object, *, expected: int, where: str) -> Rows:
    """Take the embedding out of what a model returned.

    Parameters
    ----------
    output : torch.Tensor or an object with ``pooler_output``
        transformers 4 returns the first, transformers 5 the second. Never ``output[0]``: in
        transformers 5 that is the token sequence.
    expected : int
        Number of inputs.
    where : str
        Named in errors.

    Returns
    -------
    ndarray of float32, shape (n, d)

    Raises
    ------
    EncoderError
        Anything else, by the name of its type; or not two-dimensional, not finite, not ``expected`` rows.
    """
    torch = import_models("torch")
    tensor = output if isinstance(output, torch.Tensor) else getattr(output, "pooler_output", None)
    if not isinstance(tensor, torch.Tensor):
        raise EncoderError(
            f"the model returned a {type(output).__name__} without a pooled embedding",
            where=where,
            fix="this architecture or version of the library is not supported: name them in an issue",
        )
    return as_rows(tensor.detach().float().cpu().numpy(), expected=expected, where=where)


def digest(files: Iterable[Path], *, root: Path | None = None) -> str:
    """Hash files: one by its plain SHA-256, several by the SHA-256 of their sorted list.

    Parameters
    ----------
    files : iterable of Path
        What to hash.
    root : Path, optional
        Names in the list are relative to it; the file name alone otherwise.

    Returns
    -------
    str
        Hexadecimal, or ``"none"`` without files.
    """
    lines = []
    for path in files:
        with path.open("rb") as stream:
            sha = hashlib.file_digest(stream, "sha256").hexdigest()
        lines.append((path.relative_to(root).as_posix() if root else path.name, sha))
    if len(lines) <= 1:
        return lines[0][1] if lines else "none"
    text = "".join(f"{sha}  {name}\n" for name, sha in sorted(lines))
    return hashlib.sha256(text.encode()).hexdigest()


def weight_files(folder: Path, *, deep: bool = False) -> list[Path]:
    """List the weight files of a folder; pickles are left out where safetensors lie beside them."""
    files = sorted(p for p in (folder.rglob("*") if deep else folder.iterdir()) if p.suffix in WEIGHT_ENDINGS)
    safe = {p.parent for p in files if p.suffix == ".safetensors"}
    kept = [p for p in files if p.suffix == ".safetensors" or p.parent not in safe]
    return [p for p in kept if p.is_file() and p.name not in {"training_args.bin", "optimizer.pt"}]


def refuse_random_init(options: LoadOptions, *, where: str, looked: str) -> None:
    """Refuse a model without trained weights, unless the user gave the explicit word.

    Raises
    ------
    NotAvailableError
        ``allow_random_init`` is not set.
    """
    if not options.allow_random_init:
        raise NotAvailableError(
            "there are no weights: the model would be evaluated with random numbers",
            where=f"{where}, {looked}",
            fix="put the weights there, or say allow_random_init if random weights are the point",
        )


def refuse_missing(missing: Iterable[str], *, where: str) -> None:
    """Refuse a checkpoint that leaves parameters at random values.

    Parameters
    ----------
    missing : iterable of str
        Parameter names that the checkpoint lacks; ``position_ids`` buffers are computed, not trained.
    where : str
        The model spec.

    Raises
    ------
    EncoderError
        Names the first and says how many.
    """
    names = sorted(name for name in missing if not name.endswith("position_ids"))
    if names:
        raise EncoderError(
            f"the weights lack {len(names)} of the model's parameters, the first is '{names[0]}':"
            " they would stay random",
            where=where,
            fix="use the complete checkpoint, and the configuration it was trained with",
        )


@contextmanager
def seeded() -> Iterator[None]:
    """Build random weights the same way each time, leaving the user's random state alone."""
    torch = import_models("torch")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' progress bars and load reports off the terminal; refusals are ours to print."""
    talk = import_models("transformers").utils.logging
    bars, level = talk.is_progress_bar_enabled(), talk.get_verbosity()
    # open_clip logs through the root logger, which installs a handler for good when it has none
    root, disabled = logging.getLogger(), logging.root.manager.disable
    handlers = list(root.handlers)
    talk.disable_progress_bar()
    talk.set_verbosity_error()
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
        talk.set_verbosity(level)
        if bars:
            talk.enable_progress_bar()
