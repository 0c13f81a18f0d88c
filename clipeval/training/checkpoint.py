"""A run on disk: all that is needed to go on as if it had never stopped, in one file, whole or not at all.

The state that is no array lies in the file's metadata as JSON, so weights, optimiser and place in the run can
never be of two different moments. Nothing in it is executed when it is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipeval.errors import ClipevalError, InvalidInputError
from clipeval.evaluation.store.files import write_whole
from clipeval.training.model import DualModel

SCHEMA = "clipeval-checkpoint/1"
MODEL, BEST, OPTIMISER = "model.", "best.", "optimiser."


class CheckpointError(ClipevalError):
    """A checkpoint that cannot be read, or belongs to another run."""


def write_checkpoint(
    path: Path,
    model: DualModel,
    optimiser: Any,
    *,
    best: Mapping[str, Any],
    identity: Mapping[str, Any],
    place: Mapping[str, Any],
) -> None:
    """Write a run's state.

    Parameters
    ----------
    path : Path
        Its folder exists.
    model : DualModel
    optimiser : torch.optim.Optimizer
    best : mapping of str to tensor
        The weights that retrieved best so far; empty where there are none.
    identity : mapping
        What the run is: settings, data, towers. It must be the same when the run goes on.
    place : mapping
        Where the run stands.
    """
    from safetensors.torch import save

    moments = optimiser.state_dict()["state"]
    tensors = {
        **{MODEL + name: value for name, value in model.modules.state_dict().items()},
        **{BEST + name: value for name, value in best.items()},
        **{
            f"{OPTIMISER}{number}.{name}": value
            for number, state in moments.items()
            for name, value in state.items()
        },
    }
    words = {"schema": SCHEMA, "identity": identity, "place": place}
    # copies: safetensors refuses tensors that share memory, as tied weights do
    kept = {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}
    write_whole(path, [save(kept, metadata={"clipeval": json.dumps(words, sort_keys=True)})])


def read_checkpoint(
    path: Path, model: DualModel, optimiser: Any, *, identity: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Put a model and its optimiser where a run stood.

    Parameters
    ----------
    path : Path
        Written by `write_checkpoint`.
    model, optimiser
        Of the same run; changed in place.
    identity : mapping
        What the run is.

    Returns
    -------
    place : dict
        Where the run stands.
    best : dict of str to tensor
        The weights that retrieved best so far.

    Raises
    ------
    CheckpointError
        No such file, a damaged one, or one of another run (what differs is named).
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise CheckpointError(
            "there is no checkpoint to go on from", where=str(path), fix="leave out --resume to begin a run"
        )
    try:
        with safe_open(path, framework="pt") as stream:
            words = json.loads((stream.metadata() or {}).get("clipeval", "null"))
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, OSError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(words, dict) or words.get("schema") != SCHEMA:
        raise _damaged(path, f"it is no {SCHEMA}")
    try:
        before, place = dict(words["identity"]), dict(words["place"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    _same(before, json.loads(json.dumps(identity)), path)
    try:
        model.modules.load_state_dict(_part(tensors, MODEL))
        moments: dict[int, dict[str, Any]] = {}
        for name, value in _part(tensors, OPTIMISER).items():
            number, _, what = name.partition(".")
            moments.setdefault(int(number), {})[what] = value
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": moments, "param_groups": groups})
    except (RuntimeError, KeyError, ValueError) as error:
        raise _damaged(path, " ".join(str(error).split())[:200]) from error
    return place, _part(tensors, BEST)


def _part(tensors: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _same(before: Mapping[str, Any], now: Mapping[str, Any], path: Path) -> None:
    for key in sorted({*before, *now}):
        if before.get(key) == now.get(key):
            continue
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            inner = next((k for k in sorted({*old, *new}) if old.get(k) != new.get(k)), None)
            if inner is None:  # a choice that is not made, and that an older version did not know
                continue
            key, old, new = f"{key}: {inner}", old.get(inner), new.get(inner)
        raise CheckpointError(
            f"the checkpoint is of another run: {key} was {old!r} and is {new!r}",
            where=str(path),
            fix="go on with what the run was begun with, or begin a new one in another folder",
        )


def _damaged(path: Path, detail: str) -> CheckpointError:
    return CheckpointError(
        f"the checkpoint cannot be read: {detail[:200]}", where=str(path), fix="remove it and begin anew"
    )


def check_finite(loss: float, *, step: int, rate: float) -> None:
    """Refuse to go on from a loss that is not a number.

    Raises
    ------
    InvalidInputError
        It is NaN or infinite.

    Examples
    --------
    >>> check_finite(4.1, step=0, rate=1e-3)
    """
    if not abs(loss) < float("inf"):
        raise InvalidInputError(
            f"the loss is {loss} in step {step}, at a learning rate of {rate:g}",
            fix="a smaller learning rate, a longer warm-up, or float32",
        )
