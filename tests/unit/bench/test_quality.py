"""The quality check with real weights: rounding to bfloat16 passes, what is broken on purpose does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clipeval import load_dataset, load_encoder
from clipeval.bench.quality import check_quality, judge_rows, reference_rows
from clipeval.encoders.base import Rows

SPEC = "preclip:efficientnet-lite0+all-MiniLM-L6-v2"
SIZE = 8


@pytest.fixture(scope="module")
def reference(models_extra: None) -> tuple[Rows, Rows]:
    return reference_rows(load_encoder(SPEC), load_dataset("embedded"))


def judged(encoder: Any, reference: tuple[Rows, Rows]) -> Any:
    return check_quality(encoder, load_dataset("embedded"), reference, dtype="bfloat16", batch_size=SIZE)


def test_a_sound_network_passes_in_bfloat16(reference: tuple[Rows, Rows]) -> None:
    found = judged(load_encoder(SPEC, dtype="bfloat16"), reference)
    assert found.agrees, found.reason
    assert 0.95 < found.least_cosine < 0.99  # so a limit of .99 would refuse it


def without_activation(network: Any) -> None:
    import torch

    network._blocks[8]._swish = torch.nn.Identity()


def with_weights_of_eight_bits(network: Any) -> None:
    import torch

    with torch.no_grad():
        for values in network.parameters():
            if values.ndim == 4:
                step = values.abs().max() / 128
                values.copy_((values / step).round() * step)


def with_twice_the_epsilon(network: Any) -> None:
    for module in network.modules():
        if hasattr(module, "running_var"):
            module.eps *= 2


def without_a_residual(network: Any) -> None:
    network._blocks[9].id_skip = False


@pytest.mark.parametrize(
    "spoil", [without_activation, with_weights_of_eight_bits, with_twice_the_epsilon, without_a_residual]
)
def test_a_network_that_is_broken_on_purpose_fails_in_bfloat16(
    spoil: Any, reference: tuple[Rows, Rows]
) -> None:
    encoder = load_encoder(SPEC, dtype="bfloat16")
    spoil(encoder.image_tower.classifier.network)
    found = judged(encoder, reference)
    assert "cosine" in found.reason, (
        f"least {found.least_cosine}, median {found.median_cosine}, {found.moved}"
    )


@pytest.mark.parametrize("side", [0, 1])
def test_rows_of_two_inputs_that_changed_places_fail(side: int, reference: tuple[Rows, Rows]) -> None:
    rows = [np.array(one) for one in reference]
    rows[side][[0, 7]] = rows[side][[7, 0]]
    found = judge_rows(
        (rows[0], rows[1]), reference, load_dataset("embedded"), dtype="bfloat16", trained=True
    )
    assert not found.agrees
