"""A comparison's cluster starts with the first model that is sound; without it there is no comparison."""

from __future__ import annotations

import pytest

from clipeval.cli_cluster import OpenedByAModel
from clipeval.compare.job import compare
from clipeval.errors import InvalidInputError, NotAvailableError


def refused() -> None:
    raise NotAvailableError("there is no Ray cluster at 'head:6379'", where="it refuses", fix="start it")


def test_a_cluster_that_is_not_there_ends_the_comparison_and_is_no_model_that_did_not_run(
    captioned, frozen
) -> None:
    data = captioned(3)
    spec = frozen(data)
    with pytest.raises(InvalidInputError, match="no Ray cluster at 'head:6379'") as ended:
        compare([spec], data, engine=OpenedByAModel(refused))
    assert (ended.value.where, ended.value.fix) == ("it refuses", "start it")


def test_models_that_are_not_there_start_no_cluster(captioned) -> None:
    job = compare(["frozen:nowhere.npz"], captioned(3), engine=OpenedByAModel(refused))
    assert job.models[0].status == "not_run"
    assert "nowhere.npz" in job.models[0].reason
