"""The torch networks inside an encoder, as far as they can be reached through its attributes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from clipeval.encoders.base import Fingerprint
from clipeval.encoders.running import ACTIVATIONS
from clipeval.probes.report import ProbeFinding

DEPTH = 4
"""Attributes of attributes that are followed: encoder, tower, classifier, network."""

MOST = 500
"""Objects looked at before the search ends; an encoder with more hides its network well."""

UNREACHABLE = "no torch network can be reached in this encoder"


def reach_networks(encoder: object) -> tuple[Any, ...]:
    """Find the torch modules that an encoder holds; imports nothing.

    Parameters
    ----------
    encoder : object
        Its attributes, theirs, and so on are looked at, also in lists, tuples and dicts.

    Returns
    -------
    tuple of torch.nn.Module
        Outermost modules that hold parameters or buffers (torchvision's picture transforms are modules too);
        empty where torch was never imported.

    Examples
    --------
    >>> reach_networks(object())
    ()
    """
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "nn"):
        return ()
    found: list[Any] = []
    seen: set[int] = set()
    waiting: list[tuple[object, int]] = [(encoder, 0)]
    while waiting and len(seen) < MOST:
        value, depth = waiting.pop(0)
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, torch.nn.Module):
            if any(True for _ in value.parameters()) or any(True for _ in value.buffers()):
                found.append(value)
        elif depth < DEPTH:
            waiting += [(part, depth + 1) for part in _parts(value)]
    return tuple(found)


def _parts(value: object) -> Iterator[object]:
    if isinstance(value, (str, bytes, int, float, type)) or value is None:
        return
    if isinstance(value, dict):
        yield from list(value.values())[:MOST]
    elif isinstance(value, (list, tuple)):
        yield from value[:MOST]
    elif hasattr(value, "__dict__") and not type(value).__module__.startswith(("PIL", "numpy")):
        yield from vars(value).values()


def evaluation_mode(networks: Iterable[Any]) -> ProbeFinding:
    """Judge whether every submodule is in evaluation mode."""
    name, networks = "evaluation mode", tuple(networks)
    if not networks:
        return ProbeFinding(name, "not_applicable", UNREACHABLE)
    modules = [(path, module) for network in networks for path, module in network.named_modules()]
    training = [f"{path or 'the whole network'} ({type(m).__name__})" for path, m in modules if m.training]
    if not training:
        return ProbeFinding(name, "ok", f"all {len(modules)} submodules are in evaluation mode")
    what = f"{len(training)} of {len(modules)} submodules are in train mode, the first is {training[0]}"
    return ProbeFinding(name, "error", what, "call .eval() on the model behind its loading")


def arithmetic(networks: Iterable[Any], fingerprint: Fingerprint) -> ProbeFinding:
    """Judge whether the parameters have the precision that the fingerprint says.

    transformers 5 loads a float16 checkpoint in float16 (``dtype="auto"``), silently.
    """
    name, networks = "dtype", tuple(networks)
    if not networks:
        return ProbeFinding(name, "not_applicable", UNREACHABLE)
    held = {
        str(value.dtype).removeprefix("torch.")
        for network in networks
        for value in network.parameters()
        if value.is_floating_point()
    }
    said = {value for key, value in fingerprint.items() if key.rpartition(" ")[2] == "dtype"}
    half = sorted(held & {"float16", "bfloat16"})
    words = ", ".join(sorted(held)) or "no floating-point numbers"
    if not half or set(half) <= said:
        return ProbeFinding(name, "ok", f"the parameters are {words}")
    if said:
        what = f"the parameters are {words}, and the fingerprint says {', '.join(sorted(said))}"
        return ProbeFinding(name, "error", what, "load with dtype=torch.float32, or say the true dtype")
    what = f"the parameters are {words}, and nothing says so: published scores are those of float32"
    fix = "load with dtype=torch.float32, or put 'dtype' in the fingerprint"
    return ProbeFinding(name, "warning", what, fix)


def activations(networks: Iterable[Any]) -> frozenset[str]:
    """Name the activations that networks run, whatever their configuration is called."""
    names = {type(module).__name__ for network in networks for module in network.modules()}
    return frozenset(ACTIVATIONS[name] for name in names & set(ACTIVATIONS))
