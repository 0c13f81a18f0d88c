"""The loop: it learns, it goes on where it was to the bit, it keeps the best, it stops early."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs clipeval[models]")

from clipeval.errors import InvalidInputError  # noqa: E402
from clipeval.training.checkpoint import CheckpointError  # noqa: E402
from clipeval.training.fit import Kept, fit  # noqa: E402
from clipeval.training.settings import TrainingSettings  # noqa: E402

SETTINGS = TrainingSettings(
    dim=8, epochs=6, batch_size=7, dropout=0.3, learning_rate=0.01, tower_learning_rate=0.01
)


class Killed(BaseException):
    """What ends a run here in the place of a signal."""


def stop_after(step: int) -> Any:
    def progress(what: str, done: int, total: int) -> None:
        if done == step:
            raise Killed

    return progress


def bits(model: Any) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in model.modules.state_dict().items()}


def test_training_learns_the_pairs(small_model: Any, small_pairs: Any) -> None:
    settings = TrainingSettings(dim=8, epochs=60, batch_size=24, learning_rate=0.01, tower_learning_rate=0.01)
    place = fit(small_model(settings), small_pairs())
    assert place.history[0]["loss"] > 2.5
    assert place.history[-1]["loss"] < 0.2


@pytest.mark.parametrize(("parts", "ensemble"), [(1, 1), (3, 1), (2, 3)])
@pytest.mark.parametrize("step", [2, 8, 9, 17])
def test_a_run_that_goes_on_is_the_run_that_never_stopped_bit_for_bit(
    small_model: Any, small_pairs: Any, tmp_path: Path, step: int, parts: int, ensemble: int
) -> None:
    from dataclasses import replace

    settings, pairs = replace(SETTINGS, parts=parts, ensemble=ensemble), small_pairs(held=6)
    whole = small_model(settings)
    history = fit(whole, pairs).history
    path, identity = tmp_path / "checkpoint.safetensors", settings.document()
    with pytest.raises(Killed):
        fit(small_model(settings), pairs, kept=Kept(path, identity, every=2), progress=stop_after(step))
    torch.manual_seed(999)  # the process that goes on has another random state
    resumed = small_model(replace(settings, seed=settings.seed))
    again = fit(resumed, pairs, kept=Kept(path, identity, resume=True, every=2))
    assert bits(resumed) == bits(whole)
    assert again.history == history


def test_bfloat16_learns_and_goes_on_to_the_bit_with_weights_in_float32(
    small_model: Any, small_pairs: Any, tmp_path: Path
) -> None:
    from dataclasses import replace

    plain = replace(SETTINGS, epochs=30, dropout=0.0, batch_size=24)
    settings, pairs = replace(plain, precision="bfloat16"), small_pairs()
    whole, float32 = small_model(settings), small_model(plain)
    history = fit(whole, pairs).history
    fit(float32, pairs)
    assert history[0]["loss"] > 2.5
    assert history[-1]["loss"] < 0.5
    assert bits(whole) != bits(float32)
    assert {value.dtype for value in whole.modules.state_dict().values()} == {torch.float32}
    path, identity = tmp_path / "checkpoint.safetensors", settings.document()
    with pytest.raises(Killed):
        fit(small_model(settings), pairs, kept=Kept(path, identity, every=2), progress=stop_after(11))
    resumed = small_model(settings)
    again = fit(resumed, pairs, kept=Kept(path, identity, resume=True, every=2))
    assert bits(resumed) == bits(whole)
    assert again.history == history


def test_a_checkpoint_does_not_change_the_run(small_model: Any, small_pairs: Any, tmp_path: Path) -> None:
    plain, kept = small_model(SETTINGS), small_model(SETTINGS)
    fit(plain, small_pairs(held=6))
    fit(kept, small_pairs(held=6), kept=Kept(tmp_path / "c.safetensors", {}, every=1))
    assert bits(plain) == bits(kept)


def test_the_callers_random_numbers_go_on_as_if_nothing_had_been_trained(
    small_model: Any, small_pairs: Any
) -> None:
    torch.manual_seed(4)
    expected = torch.rand(3).tolist()
    torch.manual_seed(4)
    fit(small_model(SETTINGS), small_pairs())
    assert torch.rand(3).tolist() == expected


def test_the_best_epoch_on_what_is_held_out_is_kept(small_model: Any, small_pairs: Any) -> None:
    from clipeval.training.retrieval import retrieval

    model, pairs = small_model(SETTINGS), small_pairs(held=8)
    place = fit(model, pairs)
    found = retrieval(model, pairs.image_of_text, pairs.held_out)
    best = max(row["held_out_mrr"] for row in place.history)
    assert place.history[place.best]["held_out_mrr"] == best == found.document()["mrr"]


def test_patience_ends_a_run_that_no_longer_improves(small_model: Any, small_pairs: Any) -> None:
    from dataclasses import replace

    settings = replace(SETTINGS, epochs=40, learning_rate=0.0, tower_learning_rate=0.0, patience=3)
    assert len(fit(small_model(settings), small_pairs(held=8)).history) == 4


def test_the_scale_stays_below_a_hundred(small_model: Any, small_pairs: Any) -> None:
    settings = TrainingSettings(dim=8, epochs=30, batch_size=24, learning_rate=1.0, tower_learning_rate=0.0)
    assert all(1.0 <= row["scale"] <= 100.001 for row in fit(small_model(settings), small_pairs()).history)


def test_a_loss_that_is_no_number_ends_the_run_and_says_what_to_do(
    small_model: Any, small_pairs: Any
) -> None:
    model = small_model(SETTINGS)
    with torch.no_grad():
        model.modules["image"]["head"].weight.fill_(float("nan"))
    with pytest.raises(InvalidInputError, match=r"(?s)loss is nan in step 0.*smaller learning rate"):
        fit(model, small_pairs())


def test_another_run_cannot_go_on_from_a_checkpoint(
    small_model: Any, small_pairs: Any, tmp_path: Path
) -> None:
    path = tmp_path / "c.safetensors"
    fit(small_model(SETTINGS), small_pairs(), kept=Kept(path, {"settings": {"seed": 0, "dim": 8}}))
    other = Kept(path, {"settings": {"seed": 1, "dim": 8}}, resume=True)
    with pytest.raises(CheckpointError, match=r"settings: seed was 0 and is 1"):
        fit(small_model(SETTINGS), small_pairs(), kept=other)


def test_a_choice_that_an_older_version_did_not_know_and_nobody_made_is_no_other_run(
    small_model: Any, small_pairs: Any, tmp_path: Path
) -> None:
    path = tmp_path / "c.safetensors"
    fit(small_model(SETTINGS), small_pairs(), kept=Kept(path, {"settings": {"seed": 0}}))
    now = {"settings": {"seed": 0, "hidden_dropout": None}}
    again = fit(small_model(SETTINGS), small_pairs(), kept=Kept(path, now, resume=True))
    assert len(again.history) == SETTINGS.epochs
    other = Kept(path, {"settings": {"seed": 0, "hidden_dropout": 0.5}}, resume=True)
    with pytest.raises(CheckpointError, match=r"hidden_dropout was None and is 0\.5"):
        fit(small_model(SETTINGS), small_pairs(), kept=other)


@pytest.mark.parametrize("damage", ["absent", "truncated", "foreign", "tensor", "words"])
def test_a_damaged_checkpoint_is_an_error_that_names_it(
    small_model: Any, small_pairs: Any, tmp_path: Path, damage: str
) -> None:
    from safetensors import safe_open
    from safetensors.torch import save_file

    path = tmp_path / "c.safetensors"
    fit(small_model(SETTINGS), small_pairs(), kept=Kept(path, {}))
    if damage == "absent":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-40])
    elif damage == "foreign":
        save_file({"x": torch.zeros(2)}, path)
    else:
        with safe_open(path, framework="pt") as stream:
            words = json.loads(stream.metadata()["clipeval"])
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        if damage == "tensor":
            del tensors[min(tensors)], tensors[max(tensors)]
        else:
            del words["place"]
        save_file(tensors, path, metadata={"clipeval": json.dumps(words)})
    with pytest.raises(CheckpointError, match=r"c\.safetensors"):
        fit(small_model(SETTINGS), small_pairs(), kept=Kept(path, {}, resume=True))


def test_the_loss_of_an_ensemble_is_the_mean_of_its_heads_losses(small_model: Any) -> None:
    from clipeval.training.loss import info_nce

    model = small_model(TrainingSettings(dim=8, ensemble=3))
    labels = np.arange(5), np.arange(5)
    with torch.inference_mode():
        images, texts = (model.rows(side, np.arange(5)) for side in ("image", "text"))
        each = [
            info_nce(torch.nn.functional.normalize(x), torch.nn.functional.normalize(y), model.scale)
            for x, y in zip(images.chunk(3, dim=1), texts.chunk(3, dim=1), strict=True)
        ]
        whole = model.loss(images, texts, *labels)
    assert images.norm(dim=1).tolist() == pytest.approx([1.0] * 5)
    assert whole.item() == pytest.approx(np.mean([one.item() for one in each]), rel=1e-5)
