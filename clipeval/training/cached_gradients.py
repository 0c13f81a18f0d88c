"""A batch too large for memory, contrasted whole: gradients are cached at the embeddings.

Gao et al. 2021, "Scaling deep contrastive learning batch size under memory limited setup" (GradCache), arXiv
2101.06983. Plain gradient accumulation would contrast each part with itself only, a smaller and easier
question. Here all parts are embedded without a graph, the loss of the whole batch gives a gradient for every
embedding, and each part is embedded again, with a graph, to carry its gradients on to the parameters.
Dropout is replayed: a part is embedded twice with the same masks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from clipeval.errors import InvalidInputError
from clipeval.training.model import SIDES, DualModel, Integers, SideName
from clipeval.training.order import step_seed


def check_parts(model: DualModel) -> None:
    """Refuse parts where a row depends on the others of its batch.

    Parameters
    ----------
    model : DualModel
        In the mode in which it is trained.

    Raises
    ------
    InvalidInputError
        More than one part and a batch norm in training mode: its statistics would be those of a part, not of
        the batch, and would move twice a step.
    """
    if model.settings.parts == 1:
        return
    model.train()
    for name, module in model.modules.named_modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.training:
            raise InvalidInputError(
                "a batch cannot be cut into parts: batch norm would take its statistics from a part",
                where=name,
                fix="no --accumulate, or a tower without batch norm (a ViT), or --freeze image",
            )


def backward(
    model: DualModel, pairs: tuple[Integers, Integers], labels: tuple[Integers, Integers], *, step: int
) -> float:
    """Add the gradients of one batch to the parameters.

    Parameters
    ----------
    model : DualModel
    pairs : tuple of two ndarray of int, shape (n,)
        Numbers of the pictures and of their captions.
    labels : tuple of two ndarray of int, shape (n,)
        See `clipeval.training.loss.same_pairs`.
    step : int
        Decides the dropout masks.

    Returns
    -------
    float
        The loss.
    """
    n_parts = min(model.settings.parts, len(pairs[0]))  # the last batch may have fewer pairs than parts
    cuts = {side: np.array_split(numbers, n_parts) for side, numbers in zip(SIDES, pairs, strict=True)}

    def embedded(side: SideName, part: int) -> Any:
        seed = step_seed(model.settings.seed, step, 2 * part + SIDES.index(side))
        return model.rows(side, cuts[side][part], seed=seed)

    if n_parts == 1:
        loss = model.loss(embedded("image", 0), embedded("text", 0), *labels)
        loss.backward()
        return float(loss.detach())
    parts = range(n_parts)
    with torch.no_grad():
        rows = {side: torch.cat([embedded(side, part) for part in parts]) for side in SIDES}
    leaves = {side: rows[side].requires_grad_() for side in SIDES}
    loss = model.loss(leaves["image"], leaves["text"], *labels)
    loss.backward()  # to the embeddings, and to the temperature
    for side in SIDES:
        gradients = leaves[side].grad.split([len(cut) for cut in cuts[side]])
        for part in parts:
            again = embedded(side, part)
            if again.requires_grad:
                (again * gradients[part]).sum().backward()
    return float(loss.detach())
