"""What a user says about a cluster is checked before anything waits for room that will never be there."""

from __future__ import annotations

import sys

import pytest

from clipeval.cluster import ClusterSettings
from clipeval.cluster.session import ray_library
from clipeval.errors import InvalidInputError, MissingExtraError


def test_without_ray_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'clipeval\[ray\]'"):
        ray_library()


@pytest.mark.parametrize(
    ("settings", "there", "workers"),
    [
        ({}, {"cpus": 2, "gpus": 0}, 1),
        ({}, {"cpus": 64, "gpus": 0}, 32),
        ({"cpus": 4}, {"cpus": 64, "gpus": 0}, 12),
        ({"gpus": 1}, {"cpus": 64, "gpus": 4}, 4),
        ({"gpus": 0.5}, {"cpus": 64, "gpus": 4}, 8),
        ({"gpus": 1}, {"cpus": 3, "gpus": 4}, 2),
        ({"workers": 3}, {"cpus": 64, "gpus": 0}, 3),
    ],
)
def test_there_are_as_many_workers_as_there_is_room_for_beside_decoding(settings, there, workers) -> None:
    assert ClusterSettings(**settings).workers_on(**there, decoding=True) == workers


def test_captions_need_no_core_for_decoding() -> None:
    assert ClusterSettings().workers_on(cpus=1, gpus=0, decoding=False) == 1
    with pytest.raises(InvalidInputError, match="leave none for decoding"):
        ClusterSettings().workers_on(cpus=1, gpus=0, decoding=True)


def test_what_no_machine_has_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="0 GPUs, too few"):
        ClusterSettings(gpus=1).workers_on(cpus=8, gpus=0, decoding=True)
    with pytest.raises(InvalidInputError, match=r"cannot have 1\.5 GPUs"):
        ClusterSettings(gpus=1.5)
    with pytest.raises(InvalidInputError, match="0 workers"):
        ClusterSettings(workers=0)
    with pytest.raises(InvalidInputError, match="0 cores"):
        ClusterSettings(cpus=0)
