"""What goes into a network and comes out, as plain tensors in a fixed order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from clipeval.bench.seam import Call, Seam
from clipeval.encoders.imports import import_models


def shape_key(arguments: Sequence[Any], words: Mapping[str, Any]) -> tuple[object, ...]:
    """Say which shapes a call has, to tell new ones from known ones.

    Examples
    --------
    >>> import numpy as np
    >>> shape_key([np.zeros((2, 3))], {"mask": np.ones(4)})
    (('0', (2, 3)), ('mask', (4,)))
    """
    flat: list[tuple[str, Any]] = [*enumerated(arguments), *sorted(words.items())]
    return tuple((name, tuple(value.shape)) for name, value in flat if hasattr(value, "shape"))


def enumerated(arguments: Sequence[Any]) -> list[tuple[str, Any]]:
    """Name positional arguments; a mapping's own entries keep their names."""
    found: list[tuple[str, Any]] = []
    for at, value in enumerate(arguments):
        found += sorted(value.items()) if isinstance(value, Mapping) else [(str(at), value)]
    return found


@dataclass(frozen=True)
class Inputs:
    """The tensors of one call, and what else it was given.

    Attributes
    ----------
    names : tuple of str
    tensors : tuple of torch.Tensor
    constants : dict
        What is no tensor.
    """

    names: tuple[str, ...]
    tensors: tuple[Any, ...]
    constants: dict[str, Any]


def inputs_of(seam: Seam, arguments: Sequence[Any], words: Mapping[str, Any]) -> Inputs:
    """Take a call apart: integers stay as they are, other numbers become float32."""
    if seam.style == "words":
        given = dict(words)
    elif seam.style == "mapping":
        given = dict(arguments[0])
    else:
        given = {"input": arguments[0]}
    tensors = {name: value for name, value in sorted(given.items()) if hasattr(value, "is_floating_point")}
    return Inputs(
        tuple(tensors),
        tuple(value.float() if value.is_floating_point() else value for value in tensors.values()),
        {name: value for name, value in given.items() if name not in tensors},
    )


def exportable(seam: Seam, before: Call, inputs: Inputs) -> Any:
    """Wrap a network as a module from tensors to one tensor: its rows."""
    torch = import_models("torch")

    class Exportable(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.network = seam.network

        def forward(self, *tensors: Any) -> Any:
            given = {**dict(zip(inputs.names, tensors, strict=True)), **inputs.constants}
            output = seam.call(given["input"] if seam.style == "tensor" else given, before)
            return rows_in(seam, output)

    return Exportable().eval()


def rows_in(seam: Seam, output: Any) -> Any:
    """Take the rows out of what a network returned."""
    if seam.output is None or hasattr(output, "is_floating_point"):
        return output
    return output[seam.output] if isinstance(output, dict) else getattr(output, seam.output)


def dressed(seam: Seam, inputs: Inputs, rows: Any) -> object:
    """Put rows where the tower looks for them."""
    tensor = import_models("torch").from_numpy(rows)
    if seam.output is None:
        return tensor
    if seam.style == "mapping":
        given = dict(zip(inputs.names, inputs.tensors, strict=True))
        return {**given, **inputs.constants, seam.output: tensor}
    # what reads a network's answer takes a pooled tensor as it is
    return tensor if seam.output == "pooler_output" else SimpleNamespace(**{seam.output: tensor})
