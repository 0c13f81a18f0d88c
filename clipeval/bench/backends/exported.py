"""A network exported once with torch.export, for batches of any size and texts of any length."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any, Protocol

from clipeval.bench.backends import cannot_run
from clipeval.bench.backends.tensors import Inputs, dressed, exportable, inputs_of
from clipeval.bench.seam import Call, Seam
from clipeval.encoders.imports import import_models
from clipeval.encoders.library_output import quiet


class Session(Protocol):
    """A network that another library runs."""

    def __call__(self, arrays: Sequence[Any]) -> Any:
        """From float32 or integer arrays to one float32 array of rows."""
        ...


def exported_runner(
    name: str, seam: Seam, before: Call, build: Callable[[Any, Inputs], Session], *, dtype: str
) -> Call:
    """Make a call that exports the network at its first input and lets another library run it.

    Parameters
    ----------
    name : str
        Of the library, for errors.
    seam : Seam
        Of the tower.
    before : callable
        torch's own forward pass.
    build : callable
        From an exported program and the inputs it was exported with to a session.
    dtype : str
        Anything but float32 is left to the library: it is handed float32 weights.

    Returns
    -------
    callable
        Called as the tower calls its network.
    """
    sessions: dict[tuple[str, ...], Session] = {}

    def call(*arguments: Any, **words: Any) -> object:
        inputs = inputs_of(seam, arguments, words)
        if inputs.names not in sessions:
            try:
                with quiet(), redirect_stdout(StringIO()), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    if dtype != "float32":
                        widen(seam.network)
                    sessions[inputs.names] = build(export(seam, before, inputs), inputs)
            except Exception as error:  # exporters fail in many ways, each with classes of its own
                raise cannot_run(name, seam, error) from error
        arrays = [tensor.contiguous().numpy() for tensor in inputs.tensors]
        try:
            rows = sessions[inputs.names](arrays)
        except Exception as error:  # see above
            raise cannot_run(name, seam, error) from error
        return dressed(seam, inputs, rows)

    return call


def widen(network: Any) -> None:
    """Make the parameters float32, which loses nothing; the library rounds them again."""
    with import_models("torch").inference_mode(False):
        network.float()


def export(seam: Seam, before: Call, inputs: Inputs) -> Any:
    """Export with a free batch size and, for tokens, a free length.

    A batch of one is doubled first: torch.export would take its size for a constant.
    """
    torch = import_models("torch")
    free = torch.export.Dim.AUTO
    with torch.inference_mode(False), torch.no_grad():
        examples = tuple(
            torch.cat([tensor, tensor]) if len(tensor) == 1 else tensor.clone() for tensor in inputs.tensors
        )
        shapes = tuple(
            {0: free, 1: free} if tensor.ndim == 2 and not tensor.is_floating_point() else {0: free}
            for tensor in examples
        )
        return torch.export.export(exportable(seam, before, inputs), examples, dynamic_shapes=(shapes,))
