"""Where no bar can be drawn, a long job says in plain lines how far it is: seldom, and when a stage ends."""

from __future__ import annotations

import pytest

from clipeval import progress
from clipeval.progress import encoding_progress


def test_without_a_terminal_each_stage_is_told_when_it_is_done(capsys) -> None:
    with encoding_progress(lines=True) as report:
        for done in range(1, 4):
            report("python:mine:one", "ranking", done, 3)
        report("python:mine:one", "scoring", 0, 1)  # one step is no progress
        report("python:mine:one", "scoring", 1, 1)
    assert capsys.readouterr().err == "python mine:one: ranking 3 of 3\n"


def test_and_now_and_then_meanwhile(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with encoding_progress(lines=True) as report:
        for done in range(100, 2501, 100):
            now[0] += 1
            report("python:m:one", "pictures", done, 10_000)
    assert capsys.readouterr().err.splitlines() == [
        "python m:one: pictures 1,000 of 10,000",
        "python m:one: pictures 2,000 of 10,000",
    ]


@pytest.mark.parametrize("asked", [{}, {"lines": True, "quiet": True}])
def test_nothing_is_told_unasked_nor_beside_a_document(capsys, asked) -> None:
    with encoding_progress(**asked) as report:
        report("python:m:one", "pictures", 3, 3)
    assert capsys.readouterr().err == ""
