"""Random weights: refused where trained ones were meant, repeatable where they are the point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from clipeval.encoders.imports import import_models
from clipeval.encoders.options import LoadOptions
from clipeval.errors import EncoderError, NotAvailableError

RANDOM_INIT = "random init, seed 0"


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
