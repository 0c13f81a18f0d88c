"""The engine that a command was told to use; only one that is asked for is imported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from clipeval.messages import say

if TYPE_CHECKING:
    from clipeval.cluster import RayEngine


@contextmanager
def engine_for(
    name: str, *, address: str | None, workers: int | None, cpus: int, gpus: float, quiet: bool = False
) -> Iterator[RayEngine | None]:
    """Connect to the cluster for the time of a command.

    Parameters
    ----------
    name : {"local", "ray"}
    address, workers, cpus, gpus
        See `clipeval.cluster.ClusterSettings`.
    quiet : bool
        Tell nothing of shards.

    Yields
    ------
    RayEngine or None
        None for this machine alone.

    Raises
    ------
    typer.BadParameter
        Options of a cluster without one.
    """
    if name == "local":
        if address is not None or workers is not None or cpus != 1 or gpus:
            raise typer.BadParameter(
                "--address, --workers, --worker-cpus and --worker-gpus are of a cluster: add --engine ray"
            )
        yield None
        return
    from clipeval.cluster import ClusterSettings, RayEngine, connected

    settings = ClusterSettings(address, workers, cpus, gpus)
    with connected(settings):
        yield RayEngine(settings, log=None if quiet else say)
