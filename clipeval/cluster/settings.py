"""What a user says about a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clipeval.counted import count
from clipeval.errors import InvalidInputError


@dataclass(frozen=True)
class Room:
    """What a machine of the cluster has.

    Attributes
    ----------
    cpus, gpus : float
    """

    cpus: float
    gpus: float = 0.0


def cores(machines: Sequence[Room]) -> int:
    """Count the whole cores of all machines together."""
    return int(sum(one.cpus for one in machines))


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
            raise InvalidInputError(
                f"{self.workers} workers encode nothing", where="--workers", fix="at least 1"
            )
        if self.cpus < 1:
            raise InvalidInputError(
                f"a worker with {self.cpus} cores cannot run", where="--worker-cpus", fix="at least 1"
            )
        if not self.gpus >= 0 or (self.gpus > 1 and not float(self.gpus).is_integer()):
            raise InvalidInputError(
                f"a worker cannot have {self.gpus} GPUs",
                where="--worker-gpus",
                fix="a part of one (0.5), or a whole number",
            )

    def workers_on(self, machines: Sequence[Room], *, decoding: bool) -> int:
        """Choose how many workers a cluster has room for.

        Parameters
        ----------
        machines : sequence of Room
            A worker is on one of them, whole.
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
        >>> ClusterSettings().workers_on([Room(8)], decoding=True)
        4
        >>> ClusterSettings(gpus=0.5).workers_on([Room(16, 1), Room(16, 1)], decoding=True)
        4
        >>> ClusterSettings(workers=2).workers_on([Room(2)], decoding=True)
        Traceback (most recent call last):
        clipeval.errors.InvalidInputError: the cluster has 2 cores, and 2 workers of 1 leave none for decoding
          where: --workers, --worker-cpus
          to do: fewer workers, or more machines
        """
        beside = 1 if decoding else 0
        cpus, gpus = sum(one.cpus for one in machines), sum(one.gpus for one in machines)
        fit = sum(self._on(one) for one in machines)
        beside_each = cpus // (self.cpus + beside) if not self.gpus else (cpus - beside) // self.cpus
        chosen = self.workers or max(1, min(fit, int(beside_each)))
        several = count(chosen, "worker")
        if chosen * self.cpus + beside > cpus:
            raise InvalidInputError(
                f"the cluster has {cpus:g} cores, and {several} of {self.cpus} leave none for decoding"
                if decoding
                else f"the cluster has {cpus:g} cores, too few for {several} of {self.cpus}",
                where="--workers, --worker-cpus",
                fix="fewer workers, or more machines",
            )
        if chosen * self.gpus > gpus:
            raise InvalidInputError(
                f"the cluster has {gpus:g} GPUs, too few for {several} of {self.gpus:g}",
                where="--workers, --worker-gpus",
                fix="fewer workers, or a smaller part of a GPU for each",
            )
        if chosen > fit:
            each = count(self.cpus, "core")
            if self.gpus:
                part = f"{self.gpus:g} of a GPU" if self.gpus < 1 else count(int(self.gpus), "GPU")
                each += f" and {part}"
            raise InvalidInputError(
                f"the machines have room for {count(fit, 'worker')} of {each}, not for {chosen}: "
                "a worker is on one machine, whole",
                where="--workers, --worker-cpus, --worker-gpus",
                fix="smaller workers, or fewer",
            )
        return chosen

    def _on(self, machine: Room) -> int:
        fit = int(machine.cpus // self.cpus)
        # a tenth is in one ten times, whatever the last bit of a float says
        return min(fit, int(machine.gpus / self.gpus + 1e-6)) if self.gpus else fit
