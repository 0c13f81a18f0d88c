"""A job killed at any moment goes on without encoding twice, and ends byte for byte as one never stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="SIGKILL and fork are POSIX's")


@pytest.fixture(
    scope="module",
    params=[(what, point) for what in ("fill", "append") for point in ("encode", "rename", "write", "time")],
    ids=" ".join,
)
def jobs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Jobs killed at each batch, before and after each rename, in the midst of each write, at any time."""
    script = Path(__file__).with_name("killed_jobs.py")
    what, point = request.param
    folder = tmp_path_factory.mktemp(point)
    command = [sys.executable, str(script), str(folder), what, point]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    first, *others = map(json.loads, run.stdout.splitlines())
    return {"what": what, "point": point, "jobs": others, **first}


def test_jobs_were_really_killed_at_every_event(jobs) -> None:
    assert jobs["inputs"] == {"fill": 400, "append": 370}[jobs["what"]]
    if jobs["point"] == "time":
        assert len(jobs["jobs"]) == 6
        assert sum(one["killed"] for one in jobs["jobs"]) >= 1
    else:
        number = jobs["events"]
        assert [one["killed"] for one in jobs["jobs"][: number + 1]] == [*[1] * number, 0]
        assert len(jobs["jobs"]) == number + 5


def test_the_files_are_those_of_a_job_that_was_never_stopped(jobs) -> None:
    assert [one["kills"] for one in jobs["jobs"] if not one["same_bytes"]] == []


def test_nothing_of_a_finished_shard_is_encoded_again(jobs) -> None:
    assert [(one["kills"], one["again"]) for one in jobs["jobs"] if one["again"]] == []


def test_what_a_killed_job_left_is_not_read_as_whole_and_a_finished_store_reads_as_before(jobs) -> None:
    assert [one["kills"] for one in jobs["jobs"] if one["reads_wrong"]] == []
