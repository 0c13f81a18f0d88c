"""Devices to time on: what must be waited for before a clock is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from clipeval.encoders.options import LoadOptions
from clipeval.encoders.placement import place
from clipeval.errors import NotAvailableError, SpecError


class Device(Protocol):
    """Something that does work; an accelerator may still be at it when the call that asked for it returns."""

    @property
    def name(self) -> str:
        """Name for reports: ``cpu``, ``cuda:0`` ..."""
        ...

    def synchronise(self) -> None:
        """Return when all work that was asked for is done."""
        ...


@dataclass(frozen=True)
class Cpu:
    """The processor: what returns is done.

    Examples
    --------
    >>> Cpu().synchronise()
    """

    name: str = "cpu"

    def synchronise(self) -> None:
        """Return at once."""


@dataclass(frozen=True)
class Accelerator:
    """A device that torch drives asynchronously.

    Parameters
    ----------
    name : str
        ``cuda``, ``cuda:1``, ``mps`` ...
    runtime : module
        ``torch.cuda`` or the like.
    """

    name: str
    runtime: Any

    def synchronise(self) -> None:
        """Wait for every kernel that was launched."""
        if self.name.startswith("mps"):
            self.runtime.synchronize()
        else:
            self.runtime.synchronize(self.name)


def device_named(name: str) -> Device:
    """Find a device of this machine.

    Parameters
    ----------
    name : str
        ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

    Returns
    -------
    Device

    Raises
    ------
    SpecError
        No such word; the devices of this machine are listed.
    NotAvailableError
        The device is not in this machine; those that are are listed.

    Examples
    --------
    >>> device_named("cpu").name
    'cpu'
    """
    if name == "cpu":
        return Cpu()
    here = f"here: {', '.join(devices_here())}"
    try:
        device, _ = place(LoadOptions(device=name), where="--device")
    except SpecError as error:
        raise SpecError(error.what, where=error.where, fix=here) from None
    except NotAvailableError as error:
        raise NotAvailableError(error.what, where=error.where, fix=here) from None
    if device.type == "cpu":
        return Cpu()
    import torch

    runtime = getattr(torch, device.type, None)
    if not hasattr(runtime, "synchronize"):
        raise SpecError(f"the device '{name}' cannot be waited for, so not timed", where="--device", fix=here)
    return Accelerator(name, runtime)


def devices_here() -> tuple[str, ...]:
    """List the devices of this machine that can be timed.

    Examples
    --------
    >>> devices_here()[0]
    'cpu'
    """
    try:
        import torch
    except ModuleNotFoundError:
        return ("cpu",)
    found = ["cpu", *(f"cuda:{at}" for at in range(torch.cuda.device_count()))]
    return (*found, "mps") if torch.backends.mps.is_available() else tuple(found)
