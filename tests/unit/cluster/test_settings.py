"""What a user says about a cluster is checked before anything waits for room that will never be there."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

from clipeval.cluster import ClusterSettings
from clipeval.cluster.session import ray_library, short_folder
from clipeval.cluster.settings import Room
from clipeval.errors import InvalidInputError, MissingExtraError


def test_without_ray_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'clipeval\[ray\]'"):
        ray_library()


@pytest.mark.skipif(os.name == "nt", reason="sockets of POSIX")
def test_sockets_of_a_cluster_have_short_names_whatever_the_folder_for_temporary_files(
    tmp_path, monkeypatch
) -> None:
    usual = tmp_path / ("long" * 20)
    usual.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(usual))
    folder = Path(short_folder())
    try:
        assert len(str(folder / "session_2026-11-28_22-35-54_987654_1234567/sockets/plasma_store.1")) <= 103
        assert folder.is_dir()
    finally:
        folder.rmdir()


@pytest.mark.parametrize(
    ("settings", "there", "workers"),
    [
        ({}, [Room(2)], 1),
        ({}, [Room(64)], 32),
        ({}, [Room(1), Room(1)], 1),
        ({"cpus": 4}, [Room(64)], 12),
        ({"cpus": 4}, [Room(6), Room(6)], 2),
        ({"gpus": 1}, [Room(64, 4)], 4),
        ({"gpus": 0.5}, [Room(64, 4)], 8),
        ({"gpus": 0.1}, [Room(64, 1)], 10),
        ({"gpus": 1}, [Room(3, 4)], 2),
        ({"gpus": 1}, [Room(64), Room(4, 2)], 2),
        ({"workers": 3}, [Room(64)], 3),
    ],
)
def test_there_are_as_many_workers_as_there_is_room_for_beside_decoding(settings, there, workers) -> None:
    assert ClusterSettings(**settings).workers_on(there, decoding=True) == workers


def test_captions_need_no_core_for_decoding() -> None:
    assert ClusterSettings().workers_on([Room(1)], decoding=False) == 1
    with pytest.raises(InvalidInputError, match="1 worker of 1 leave none for decoding"):
        ClusterSettings().workers_on([Room(1)], decoding=True)


@pytest.mark.parametrize(
    ("settings", "there", "words"),
    [
        ({"gpus": 1}, [Room(8)], "0 GPUs, too few"),
        ({"workers": 5}, [Room(2), Room(2)], "4 cores, and 5 workers of 1 leave none"),
        # together they have the cores and the GPUs; no machine has those of a worker
        ({"cpus": 3}, [Room(2), Room(2)], "room for 0 workers of 3 cores, not for 1"),
        ({"workers": 2, "cpus": 3}, [Room(5), Room(2)], "room for 1 worker of 3 cores, not for 2"),
        ({"gpus": 2}, [Room(8, 1), Room(8, 1)], "room for 0 workers of 1 core and 2 GPUs, not for 1"),
        ({"gpus": 1}, [Room(64), Room(0, 2)], "room for 0 workers"),
    ],
)
def test_workers_that_no_machine_can_hold_are_refused_not_waited_for(settings, there, words) -> None:
    with pytest.raises(InvalidInputError, match=words):
        ClusterSettings(**settings).workers_on(there, decoding=True)


def test_a_number_out_of_range_is_refused() -> None:
    for gpus in (-1, 1.5, float("inf"), float("nan")):
        with pytest.raises(InvalidInputError, match=f"cannot have {gpus} GPUs"):
            ClusterSettings(gpus=gpus)
    with pytest.raises(InvalidInputError, match="0 workers"):
        ClusterSettings(workers=0)
    with pytest.raises(InvalidInputError, match="0 cores"):
        ClusterSettings(cpus=0)
