"""What a user says about a cluster."""

from __future__ import annotations

from dataclasses import dataclass

from clipeval.errors import InvalidInputError


@dataclass(frozen=True)
class ClusterSettings:
    """Where the cluster is, and what a worker that holds the model takes of it.

    Attributes
    ----------
    address : str or None
        Of a running cluster (``auto``, ``HOST:PORT``); None starts one on this machine for the time of the
        job.
    workers : int or None
        Processes that hold the model; None for as many as leave a core for decoding beside each of them, or
        as there are GPUs for.
    cpus : int
        Cores of a worker, and threads of its network: what moves last bits on a processor.
    gpus : float
        Of a worker; 0.5 lets two share one.

    Raises
    ------
    InvalidInputError
        A number is out of range.
    """

    address: str | None = None
    workers: int | None = None
    cpus: int = 1
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise InvalidInputError(f"{self.workers} workers encode nothing", fix="at least 1")
        if self.cpus < 1:
            raise InvalidInputError(f"a worker with {self.cpus} cores cannot run", fix="at least 1")
        if self.gpus < 0 or (self.gpus > 1 and self.gpus != int(self.gpus)):
            raise InvalidInputError(
                f"a worker cannot have {self.gpus} GPUs", fix="a part of one (0.5), or a whole number"
            )

    def workers_on(self, *, cpus: float, gpus: float, decoding: bool) -> int:
        """Choose how many workers a cluster has room for.

        Parameters
        ----------
        cpus, gpus : float
            Of the whole cluster.
        decoding : bool
            Whether pictures are decoded beside the workers, which takes a core at least.

        Returns
        -------
        int

        Raises
        ------
        InvalidInputError
            There is no room: Ray would wait for it forever.

        Examples
        --------
        >>> ClusterSettings().workers_on(cpus=8, gpus=0, decoding=True)
        4
        >>> ClusterSettings(gpus=0.5).workers_on(cpus=32, gpus=2, decoding=True)
        4
        >>> ClusterSettings(workers=2).workers_on(cpus=2, gpus=0, decoding=True)
        Traceback (most recent call last):
        clipeval.errors.InvalidInputError: the cluster has 2 cores, and 2 workers of 1 leave none for decoding
          to do: fewer workers, or more machines
        """
        beside = 1 if decoding else 0
        room = int(cpus // (self.cpus + beside))
        if self.gpus:
            room = min(int(gpus / self.gpus), int((cpus - beside) // self.cpus))
        chosen = self.workers or max(1, room)
        if chosen * self.cpus + beside > cpus:
            raise InvalidInputError(
                f"the cluster has {cpus:g} cores, and {chosen} workers of {self.cpus} leave none for decoding"
                if decoding
                else f"the cluster has {cpus:g} cores, too few for {chosen} workers of {self.cpus}",
                fix="fewer workers, or more machines",
            )
        if chosen * self.gpus > gpus:
            raise InvalidInputError(
                f"the cluster has {gpus:g} GPUs, too few for {chosen} workers of {self.gpus:g}",
                fix="fewer workers, or a smaller part of a GPU for each",
            )
        return chosen
