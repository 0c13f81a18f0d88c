"""A batch in parts gives the gradients of the whole batch, dropout and all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs clipeval[models]")

from clipeval.errors import InvalidInputError  # noqa: E402
from clipeval.training.cached_gradients import backward  # noqa: E402
from clipeval.training.fit import fit  # noqa: E402
from clipeval.training.model import SIDES  # noqa: E402
from clipeval.training.order import step_seed  # noqa: E402
from clipeval.training.settings import TrainingSettings  # noqa: E402

BATCH = np.arange(24)


def gradients(model: Any, step: int = 5) -> tuple[float, dict[str, Any]]:
    model.train()
    loss = backward(model, (BATCH, BATCH), (BATCH, BATCH), step=step)
    return loss, {name: parameter.grad for name, parameter in model.modules.named_parameters()}


def assert_same_direction(found: Any, expected: Any, name: str) -> None:
    """Sums of float32 in another order: the error is small beside the gradient, not beside each entry."""
    assert float((found - expected).norm()) <= 1e-5 * float(expected.norm()), name


@pytest.mark.parametrize("loss", ["infonce", "siglip"])
@pytest.mark.parametrize("parts", [2, 5, 24])
def test_a_batch_in_parts_has_the_gradients_of_the_whole(small_model: Any, loss: Any, parts: int) -> None:
    whole = gradients(small_model(TrainingSettings(loss=loss, dim=8)))
    cut = gradients(small_model(TrainingSettings(loss=loss, dim=8, parts=parts)))
    assert cut[0] == pytest.approx(whole[0], rel=1e-6)
    for name, gradient in whole[1].items():
        assert_same_direction(cut[1][name], gradient, name)


def test_a_last_batch_with_fewer_pairs_than_parts_has_the_gradients_of_the_whole(small_model: Any) -> None:
    few = BATCH[:3]
    found = []
    for parts in (1, 8):
        model = small_model(TrainingSettings(dim=8, parts=parts))
        loss = backward(model, (few, few), (few, few), step=1)
        found.append((loss, {name: one.grad for name, one in model.modules.named_parameters()}))
    (loss, whole), (cut_loss, cut) = found
    assert cut_loss == pytest.approx(loss, rel=1e-6)
    for name, gradient in whole.items():
        assert_same_direction(cut[name], gradient, name)


def test_dropout_is_replayed_so_that_parts_have_the_gradients_of_one_graph(small_model: Any) -> None:
    settings = TrainingSettings(dim=8, dropout=0.5, parts=3)
    found = gradients(small_model(settings))
    model = small_model(settings)
    model.train()
    # the slow way: all parts in one graph, each with the masks of its seed
    rows = {
        side: torch.cat(
            [
                model.rows(side, cut, seed=step_seed(settings.seed, 5, 2 * part + at))
                for part, cut in enumerate(np.array_split(BATCH, 3))
            ]
        )
        for at, side in enumerate(SIDES)
    }
    model.loss(rows["image"], rows["text"], BATCH, BATCH).backward()
    for name, parameter in model.modules.named_parameters():
        assert_same_direction(found[1][name], parameter.grad, name)


def test_masks_differ_between_steps_parts_and_sides(small_model: Any) -> None:
    model = small_model(TrainingSettings(dim=8, dropout=0.5))
    model.train()
    seeds = [step_seed(0, step, part) for step in range(2) for part in range(2)]
    rows = [model.rows("image", BATCH, seed=seed).detach() for seed in seeds]
    assert all(not torch.equal(a, b) for at, a in enumerate(rows) for b in rows[:at])
    assert torch.equal(rows[0], model.rows("image", BATCH, seed=seeds[0]).detach())


def test_batch_norm_in_training_mode_refuses_parts(small_model: Any, small_pairs: Any) -> None:
    def tower() -> Any:
        return torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.BatchNorm1d(16))

    with pytest.raises(InvalidInputError, match=r"(?s)batch norm.*image\.tower\.1.*--accumulate"):
        fit(small_model(TrainingSettings(dim=8, parts=2), tower=tower), small_pairs())


def test_batch_norm_that_is_frozen_allows_parts(small_model: Any, small_pairs: Any) -> None:
    def tower() -> Any:
        return torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.BatchNorm1d(16))

    model = small_model(TrainingSettings(dim=8, parts=2, epochs=1, batch_size=12), tower=tower)
    for side in (model.image, model.text):
        object.__setattr__(side, "still", (side.modules["tower"],))
    before = {name: value.clone() for name, value in model.modules.named_buffers()}
    fit(model, small_pairs())
    assert all(torch.equal(value, before[name]) for name, value in model.modules.named_buffers())
