"""The engine that a command was told to use; only one that is asked for is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import typer

from clipeval.errors import InvalidInputError, NotAvailableError
from clipeval.messages import say

if TYPE_CHECKING:
    from clipeval.cluster import RayEngine
    from clipeval.core.ranks import Ranks
    from clipeval.encoders.base import Encoder


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
        Gives the engine, the same each time; it gives None for this machine alone.

    Raises
    ------
    typer.BadParameter
        Options of a cluster without one.
    MissingExtraError
        Ray is not installed.
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
    from clipeval.cluster.session import check_installed

    settings = ClusterSettings(address, workers, cpus, gpus)
    check_installed()
    if address is not None:
        check_address(address)

    with ExitStack() as held:

        @cache
        def opened() -> RayEngine:
            held.enter_context(connected(settings))
            return RayEngine(settings, log=None if quiet else say)

        yield opened


class OpenedByAModel:
    """A `clipeval.evaluation.engine.Engine` whose cluster starts with the first model that is sound.

    Parameters
    ----------
    opened : callable
        See `engine_for`.
    """

    def __init__(self, opened: Callable[[], RayEngine | None]) -> None:
        self._opened = opened
        self.engine: RayEngine | None = None

    def spread(self, encoder: Encoder, *, spec: str, options: Mapping[str, Any]) -> Encoder:
        """See `clipeval.cluster.RayEngine`.

        Raises
        ------
        InvalidInputError
            There is no cluster: that is no reason for one model not to run and for others to go on.
        """
        try:
            self.engine = self._opened()
        except NotAvailableError as error:
            raise InvalidInputError(error.what, where=error.where, fix=error.fix) from error
        assert self.engine is not None  # noqa: S101  (asked for only with a cluster)
        return self.engine.spread(encoder, spec=spec, options=options)

    def rank(self, *rows: Any, **more: Any) -> Ranks:
        """See `clipeval.cluster.RayEngine`; a model is spread before it is ranked."""
        assert self.engine is not None  # noqa: S101
        return self.engine.rank(*rows, **more)
