"""Where a model runs and in which arithmetic: the words of the options, checked and in torch's terms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clipeval.encoders.imports import import_models
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.spec import PLACEMENT, ModelSpec
from clipeval.errors import NotAvailableError, SpecError, near

DTYPES = ("float32", "float64", "float16", "bfloat16")
LAYOUTS = ("channels-first", "channels-last")


def check_options(options: LoadOptions, *, where: str) -> None:
    """Check what can be checked before torch is imported or anything is downloaded.

    Raises
    ------
    SpecError
        An unknown dtype or layout, or a batch size below 1.
    """
    if options.batch_size < 1:
        raise SpecError(f"the batch size is {options.batch_size}", where=where, fix="at least 1")
    if options.dtype not in DTYPES:
        raise SpecError(f"unknown dtype '{options.dtype}'", where=where, fix=near(options.dtype, DTYPES))
    if options.layout not in LAYOUTS:
        raise SpecError(f"unknown layout '{options.layout}'", where=where, fix=near(options.layout, LAYOUTS))


def placed(spec: ModelSpec, options: LoadOptions) -> tuple[ModelSpec, LoadOptions]:
    """Read ``?dtype=``, ``?device=`` and ``?layout=`` out of a model spec, for every family alike.

    Parameters
    ----------
    spec : ModelSpec
        As parsed.
    options : LoadOptions
        What holds for all models; the spec's own word goes before it.

    Returns
    -------
    spec : ModelSpec
        Without these options (of ``python:`` with them: the user's factory places its model itself).
    options : LoadOptions
        With them.

    Raises
    ------
    SpecError
        An unknown dtype or layout, or stored rows, which nothing computes.

    Examples
    --------
    >>> from clipeval.encoders.spec import parse_spec
    >>> spec, options = placed(parse_spec("hf:openai/clip?dtype=bfloat16"), LoadOptions())
    >>> options.dtype, options.device, str(spec)
    ('bfloat16', 'cpu', 'hf:openai/clip?dtype=bfloat16')
    """
    said = {name: spec.options[name] for name in PLACEMENT if name in spec.options}
    if not said or spec.family == "python":
        return spec, options
    if spec.plays_back:
        raise SpecError(
            f"option '{next(iter(said))}' means nothing for frozen rows: they are played back, not computed",
            where=str(spec),
            fix="leave it out; a file holds the rows of one dtype and one device",
        )
    options = replace(
        options,
        dtype=said.get("dtype", options.dtype),
        device=said.get("device", options.device),
        layout=said.get("layout", options.layout),
    )
    check_options(options, where=str(spec))
    return spec.without(*said), options


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


def laid_out(network: Any, options: LoadOptions) -> Any:
    """Lay the weights of an image network out in memory as the options say; others are left as they are."""
    if options.layout == "channels-first":
        return network
    return network.to(memory_format=import_models("torch").channels_last)


def layout_words(options: LoadOptions) -> dict[str, str]:
    """Describe the layout for the fingerprint of an image tower; nothing where it is the usual one.

    Examples
    --------
    >>> layout_words(LoadOptions()), layout_words(LoadOptions(layout="channels-last"))
    ({}, {'memory layout': 'channels last'})
    """
    return {"memory layout": "channels last"} if options.layout == "channels-last" else {}


def placement_words(options: LoadOptions) -> dict[str, str]:
    """Describe where, in which arithmetic and with how much company an input runs, for the fingerprint.

    The batch size is among them because the last bits of a row depend on the batch it was computed in.
    """
    device = options.device
    if device.startswith("cuda"):
        place(options, where=f"device {device}")  # before torch is asked for the name of what is not here
        device += f" ({import_models('torch').cuda.get_device_name(device)})"
    return {"device": device, "dtype": options.dtype, "batch size": str(options.batch_size)}
