"""Two benchmarks, of two machines or two days: what can be compared, and what is not alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clipeval.bench.machine import differences
from clipeval.bench.ratio import separate_ratio
from clipeval.core.intervals import Interval
from clipeval.errors import InvalidInputError

DRIFTS = frozenset({"device", "batch size"})
"""Words of a fingerprint that may differ: the first is the point of comparing machines, the second is how a
model was loaded, and what was timed says its own."""


BUSY = 0.5
"""Runnable processes over the minute before, above which a machine was not idle."""


@dataclass(frozen=True)
class Pair:
    """One measurement that both benchmarks have.

    Attributes
    ----------
    model, part : str
    batch_size : int
    ratio : float
        Seconds of the first over seconds of the second.
    interval : Interval
    unsound : str
        Why one of the two speeds does not count; empty where both answers are right.
    noisy : str
        How much a call differs from itself, on each side where that is too much; empty where on none.
    """

    model: str
    part: str
    batch_size: int
    ratio: float
    interval: Interval
    unsound: str
    noisy: str = ""


@dataclass(frozen=True)
class Compared:
    """What two benchmarks have in common.

    Attributes
    ----------
    pairs : tuple of Pair
    unlike : tuple of str
        What was not alike: ``what: first, second``.
    alone : int
        Measurements that only one of the two has.
    random : frozenset of str
        Models among them whose weights are random.
    """

    pairs: tuple[Pair, ...]
    unlike: tuple[str, ...]
    alone: int
    random: frozenset[str] = frozenset()


def compare_documents(first: Mapping[str, Any], second: Mapping[str, Any]) -> Compared:
    """Compare two benchmarks measurement by measurement.

    Parameters
    ----------
    first, second : mapping
        From `read_document`.

    Returns
    -------
    Compared

    Raises
    ------
    InvalidInputError
        Nothing in common (backends are part of a model's label), or a model of one name that is another
        model: other weights, dtype or preprocessing.
    """
    both = {_key(one): one for one in first["measurements"]}
    other = {_key(one): one for one in second["measurements"]}
    common = [key for key in both if key in other]
    if not common:
        raise InvalidInputError(
            "the two benchmarks have no measurement in common: "
            + "; ".join(f"{side} {_timed(one)}" for side, one in (("first", first), ("second", second))),
            fix="time the same model, backend, part and batch size on both sides",
        )
    models = [{one["label"]: one for one in document["models"]} for document in (first, second)]
    for name in dict.fromkeys(key[0] for key in common):
        words = [
            {key: word for key, word in model[name]["fingerprint"].items() if not _may_differ(key)}
            for model in models
        ]
        another = differences(*words)
        if another:
            raise InvalidInputError(
                f"'{name}' is not the same model on both sides: {'; '.join(another)[:400]}",
                fix="compare like with like: time both in one run as two models",
            )
    unlike = differences(first["machine"], second["machine"])
    unlike += [
        line
        for key in ("device", "seconds")
        for line in differences({key: str(first["settings"][key])}, {key: str(second["settings"][key])})
    ]
    unlike += [
        f"load: {name} began with {one['runnable_processes'][0]:g} runnable processes: others were at work"
        for name, one in (("first", first), ("second", second))
        if one["runnable_processes"] and one["runnable_processes"][0] > BUSY
    ]
    unlike += [f"partial: {name}" for name, one in (("first", first), ("second", second)) if one["partial"]]
    pairs = []
    for key in common:
        ratio, interval = separate_ratio(both[key]["seconds"], other[key]["seconds"])
        unsound = "; ".join(
            reason
            for side, model in zip(("first", "second"), models, strict=True)
            # decoding comes before the model and cannot make its answers wrong
            if key[1] != "decode" and (reason := _unsound(model[key[0]], key[2], side))
        )
        noisy = ", ".join(
            f"{side} ± {one[key]['against_itself']['half_width']:.1%}"
            for side, one in (("first", both), ("second", other))
            if one[key]["against_itself"]["too_noisy"]
        )
        pairs.append(Pair(*key, ratio, interval, unsound, noisy))
    random = frozenset(name for model in models for name in model if model[name]["random_init"])
    return Compared(tuple(pairs), tuple(unlike), len(both) + len(other) - 2 * len(common), random)


def _key(one: Mapping[str, Any]) -> tuple[str, str, int]:
    return one["model"], one["part"], one["batch_size"]


def _timed(document: Mapping[str, Any]) -> str:
    labels = dict.fromkeys(one["model"] for one in document["measurements"])
    sizes = dict.fromkeys(str(one["batch_size"]) for one in document["measurements"])
    return f"{', '.join(labels) or 'nothing'}, batch {', '.join(sizes) or 'none'}"[:300]


def _may_differ(key: str) -> bool:
    """Libraries and places may differ between machines, and are listed; what a model is may not."""
    word = key.rpartition(": ")[2]
    return word in DRIFTS or word in _LIBRARIES


_LIBRARIES = frozenset(
    {
        *("torch", "torchvision", "transformers", "tokenizers", "open_clip_torch", "timm"),
        *("sentence-transformers", "pillow", "numpy", "efficientnet-lite-pytorch"),
    }
)


def _unsound(model: Mapping[str, Any], batch_size: int, side: str) -> str:
    found = model["quality"].get(str(batch_size))
    if found is None:
        return f"{side}: its answers were not checked"
    return "" if found["agrees"] else f"{side}: {found['reason']}"
