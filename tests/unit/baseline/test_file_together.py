"""Processes that save one baseline at once, and processes that are killed while they save."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from clipeval.baseline import whole_files
from clipeval.baseline.file import load_baseline, save_baseline
from clipeval.baseline.snapshot import Snapshot
from clipeval.errors import BaselineError

WRITER = """
import sys, time
from pathlib import Path
import numpy as np
from clipeval.baseline.file import save_baseline
from clipeval.baseline.snapshot import take_snapshot
from clipeval.claims.from_rows import evaluation_of_rows
from clipeval.errors import BaselineError

path, seed, times, replace = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "replace"
rows = np.random.default_rng(seed).normal(size=(2, 40, 8)).astype(np.float32)
kept = take_snapshot(evaluation_of_rows(rows[0], rows[1], model=f"model {seed}"), fingerprint={}, data="toy")
(path.parent.parent / f"ready {seed}").touch()
while not (path.parent.parent / "go").exists():
    time.sleep(0.001)
try:
    for _ in range(times):
        save_baseline(path, kept, embeddings=True, replace=replace)
    print("saved")
except BaselineError as error:
    print(error.what)
"""


@pytest.fixture(autouse=True)
def _locks_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPEVAL_CACHE", str(tmp_path / "cache"))


def _rows(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(2, 40, 8)).astype(np.float32)


def _start(path: Path, *, times: int, how: str) -> list[subprocess.Popen[str]]:
    path.parent.mkdir()
    children = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(seed), str(times), how],
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in (1, 2)
    ]
    while not all((path.parent.parent / f"ready {seed}").exists() for seed in (1, 2)):
        assert all(child.poll() is None for child in children)
        time.sleep(0.01)
    (path.parent.parent / "go").touch()
    return children


def _whole(path: Path) -> Snapshot:
    """Load, and see that file and embeddings are those of one writer."""
    found = load_baseline(path)
    assert found.notes == ()
    rows = _rows(int(found.model.removeprefix("model ")))
    np.testing.assert_array_equal(sorted(found.images.tolist()), sorted(rows[0].tolist()))
    np.testing.assert_array_equal(sorted(found.texts.tolist()), sorted(rows[1].tolist()))
    return found


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_two_processes_that_replace_a_baseline_again_and_again_leave_one_whole_one(tmp_path) -> None:
    path = tmp_path / "repository" / "clip.json"
    children = _start(path, times=25, how="replace")
    seen = 0
    while any(child.poll() is None for child in children):
        if path.exists():
            _whole(path)  # a reader never sees half of one, nor two mixed
            seen += 1
    assert [child.communicate()[0] for child in children] == ["saved\n"] * 2
    assert seen > 0
    _whole(path)
    names = _names(path.parent)
    assert len(names) == 2
    assert names[1] == "clip.json"
    assert names[0].endswith(".safetensors")


def test_of_two_processes_that_save_first_one_wins_and_the_other_is_told(tmp_path) -> None:
    path = tmp_path / "repository" / "clip.json"
    children = _start(path, times=1, how="first")
    said = [child.communicate()[0].strip() for child in children]
    assert sorted(said) == ["saved", "there is a file already"]
    assert _whole(path).model == f"model {said.index('saved') + 1}"
    assert len(_names(path.parent)) == 2


def test_who_waits_too_long_for_another_writer_is_told(tmp_path, snapshot, pairs, monkeypatch) -> None:
    monkeypatch.setattr(whole_files, "PATIENCE", 0.05)
    with whole_files.only_writer(tmp_path / "clip.json"):
        with pytest.raises(BaselineError, match="another process has been writing this baseline"):
            save_baseline(tmp_path / "clip.json", snapshot(*pairs(2)))
        save_baseline(tmp_path / "other.json", snapshot(*pairs(2)))  # another baseline is not held up


def _killed_at(step: int, act) -> int:
    """Run in a process that is killed when it is about to make its n-th step; give how it ended."""
    child = os.fork()
    if child == 0:
        taken = 0

        def counted(real):
            def call(*given, **named):
                nonlocal taken
                if taken == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                taken += 1
                return real(*given, **named)

            return call

        try:
            # every way in which the folder changes
            os.fsync = counted(os.fsync)
            for name in ("open", "replace", "unlink", "chmod"):
                setattr(Path, name, counted(getattr(Path, name)))
            act()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitpid(child, 0)[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a POSIX system")
def test_a_process_killed_at_any_step_leaves_the_old_baseline_or_the_new_one_whole(
    tmp_path, snapshot, pairs
) -> None:
    old = snapshot(*pairs(6, seed=1), model="old")
    new = snapshot(*pairs(6, seed=2), model="new")
    seen = set()
    for step in range(100):
        folder = tmp_path / f"repository {step}"
        path, _ = save_baseline(folder / "clip.json", old, embeddings=True)
        status = _killed_at(step, lambda path=path: save_baseline(path, new, embeddings=True, replace=True))
        found = load_baseline(path)
        expected = {"old": old, "new": new}[found.model]
        assert found.notes == ()
        np.testing.assert_array_equal(found.images, expected.images)
        np.testing.assert_array_equal(found.texts, expected.texts)
        if status == 0:
            break
        assert os.WIFSIGNALED(status), f"step {step} raised instead of being killed"
        seen.add((found.model, len(_names(folder))))
        # the next one clears up what the killed one left
        written = save_baseline(path, new, embeddings=True, replace=True)
        assert _names(folder) == sorted(place.name for place in written)
    assert status == 0
    assert ("old", 3) in seen, "never killed between the two renames"
    assert ("new", 3) in seen, "never killed between the second rename and the removal of the old rows"
