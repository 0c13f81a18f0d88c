"""From a model spec to an encoder."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint

from clipeval.encoders.base import Encoder
from clipeval.encoders.options import LoadOptions, RowCache
from clipeval.encoders.placement import placed
from clipeval.encoders.spec import parse_spec
from clipeval.errors import SpecError, near

FAMILIES = {
    "conse": "conse",
    "dual": "dual",
    "frozen": "frozen",
    "hf": "hf",
    "open_clip": "open_clip",
    "preclip": "preclip",
    "python": "user",
    "st": "st",
}


def load_encoder(
    spec: str,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    batch_size: int = 32,
    offline: bool = False,
    allow_random_init: bool = False,
    cache: RowCache | None = None,
) -> Encoder:
    """Load an encoder by its model spec.

    Parameters
    ----------
    spec : str
        ``family:name[@revision][?option=value&...]``; the options ``dtype`` and ``device`` go before those
        below, for this model alone; ``layout`` is said only there. The families are ``hf``, ``open_clip``,
        ``st``, ``preclip``, ``conse``, ``dual``, ``frozen``, ``python`` and those of installed
        packages (entry-point group ``clipeval.encoders``).
    device : str
        ``cpu``, ``cuda``, ``mps`` ...
    dtype : str
        Arithmetic of the forward pass.
    batch_size : int
        Inputs in one forward pass.
    offline : bool
        Open no socket at all.
    allow_random_init : bool
        Build a model without trained weights. Its scores mean nothing; its speed and shape do.
    cache : RowCache, optional
        Where a bridge keeps what it embeds itself (class names).

    Returns
    -------
    Encoder

    Raises
    ------
    SpecError
        The spec cannot be understood (near matches named).
    NotAvailableError
        Weights or packages are not here and cannot be had; the text says how to get them.

    Examples
    --------
    >>> load_encoder("hff:openai/clip-vit-base-patch32")
    Traceback (most recent call last):
    clipeval.errors.SpecError: unknown family 'hff'
      where: hff:openai/clip-vit-base-patch32
      to do: did you mean 'hf'?
    """
    parsed = parse_spec(spec)
    if batch_size < 1:
        raise SpecError(f"the batch size is {batch_size}", where=spec, fix="at least 1")
    parsed, options = placed(
        parsed, LoadOptions(device, dtype, batch_size, offline, allow_random_init, cache)
    )
    if parsed.family in FAMILIES:
        module = import_module(f"clipeval.encoders.{FAMILIES[parsed.family]}")
        own: Encoder = module.load(parsed, options)
        return own
    found: Encoder = _foreign(parsed.family, spec).load()(parsed, options)
    return found


def check_family(spec: str) -> None:
    """Say whether a model spec can be parsed and its family and dtype are known, loading nothing.

    Parameters
    ----------
    spec : str
        A model spec.

    Raises
    ------
    SpecError
        It cannot be parsed, the family or dtype is unknown (near matches named), or stored rows are asked
        for in a dtype or on a device.

    Examples
    --------
    >>> check_family("frozen:rows.npz")
    """
    parsed = parse_spec(spec)
    if parsed.family not in FAMILIES:
        _foreign(parsed.family, spec)
    placed(parsed, LoadOptions())


def _foreign(family: str, spec: str) -> EntryPoint:
    from clipeval.encoders.user import entry_point_families

    foreign = entry_point_families()
    if family not in foreign:
        raise SpecError(f"unknown family '{family}'", where=spec, fix=near(family, [*FAMILIES, *foreign]))
    return foreign[family]
