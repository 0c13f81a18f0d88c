"""The engine that a command was told to use; only one that is asked for is imported."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import typer

from clipeval.errors import MissingExtraError
from clipeval.messages import say

if TYPE_CHECKING:
    from clipeval.cluster import RayEngine


@contextmanager
def engine_for(
    name: str, *, address: str | None, workers: int | None, cpus: int, gpus: float, quiet: bool = False
) -> Iterator[Callable[[], RayEngine | None]]:
    """Get ready for a cluster, which is connected or started when it is asked for.

    Starting takes many seconds, and what is wrong with options, data or a model is known before.

    Parameters
    ----------
    name : {"local", "ray"}
    address, workers, cpus, gpus
        See `clipeval.cluster.ClusterSettings`.
    quiet : bool
        Tell nothing of shards.

    Yields
    ------
    callable
        Gives the engine, to be called once; it gives None for this machine alone.

    Raises
    ------
    typer.BadParameter
        Options of a cluster without one.
    InvalidInputError, NotAvailableError
        They name no cluster that could be there; see `clipeval.cluster.address.check_address`.
    """
    if name == "local":
        if address is not None or workers is not None or cpus != 1 or gpus:
            raise typer.BadParameter(
                "--address, --workers, --worker-cpus and --worker-gpus are of a cluster: add --engine ray"
            )
        yield lambda: None
        return
    from clipeval.cluster import ClusterSettings, RayEngine, connected
    from clipeval.cluster.address import check_address

    settings = ClusterSettings(address, workers, cpus, gpus)
    if importlib.util.find_spec("ray") is None:
        raise MissingExtraError("ray[data]", extra="ray")
    if address is not None:
        check_address(address)

    with ExitStack() as held:

        def opened() -> RayEngine:
            held.enter_context(connected(settings))
            return RayEngine(settings, log=None if quiet else say)

        yield opened
