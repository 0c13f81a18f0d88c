"""A trained model on disk, as ``dual:PATH`` reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from clipeval._version import __version__
from clipeval.encoders.dual_folder import DESCRIPTION, SCHEMA, SIDES, WEIGHTS
from clipeval.encoders.head_ensemble import Heads
from clipeval.encoders.learned import TrainingRates
from clipeval.encoders.seen import SeenPairs
from clipeval.evaluation.store.files import write_whole


def write_dual(
    folder: Path,
    *,
    heads: Mapping[str, Heads],
    towers: Mapping[str, Any],
    descriptions: Mapping[str, Mapping[str, Any]],
    seen: SeenPairs,
    training: TrainingRates,
    more: Mapping[str, Any],
) -> None:
    """Write weights, then the description that names their hash: without it the folder is not finished.

    Parameters
    ----------
    folder : Path
        It exists.
    heads : mapping of str to Head or HeadEnsemble
        By side.
    towers : mapping of str to torch.nn.Module
        Trained networks, by side; a side that was kept has none.
    descriptions : mapping of str to mapping
        Of each side.
    seen : SeenPairs
        What it was trained on.
    training : TrainingRates
        How well it retrieves that.
    more : mapping
        What else is known: settings, data, temperature.
    """
    from safetensors.numpy import save

    tensors: dict[str, Any] = dict(seen.tensors())
    for side in SIDES:
        tensors |= heads[side].tensors(side)
    for side, module in towers.items():
        for name, value in module.state_dict().items():
            tensors[f"{side}.tower.{name}"] = np.array(value.detach().cpu().numpy(), order="C")
    sha256 = write_whole(folder / WEIGHTS, [save(dict(sorted(tensors.items())))])
    words = {
        "schema": SCHEMA,
        "clipeval": __version__,
        "weights": sha256,
        **{side: dict(descriptions[side]) for side in SIDES},
        "seen": seen.facts(),
        "training": asdict(training),
        **more,
    }
    text = json.dumps(words, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    write_whole(folder / DESCRIPTION, [text.encode(errors="backslashreplace")])
