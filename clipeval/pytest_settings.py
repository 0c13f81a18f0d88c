"""The plugin's settings, and the command that repeats a test with them."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

MEETING_PLACE = pytest.StashKey[Path]()
SPECIFICATION = "clipeval.claims"
EMBEDDED = "embedded"
MARGIN = "0.02"
ANSWERED = pytest.StashKey[tuple[str, str, str]]()
"""Verdict of what a test compared with a baseline, or "not_run" where it wrote one, a line about it, and the
answer as Markdown, empty where it wrote one."""
WRONG = "clipeval_wrong"
"""Under this key a worker of pytest-xdist tells the controller what ends the session."""


def ini_name(name: str) -> str:
    """Give the name of a setting in the ini file.

    Examples
    --------
    >>> ini_name("no-probe")
    'clipeval_no_probe'
    """
    return "clipeval_" + name.replace("-", "_")


def several(config: pytest.Config, name: str) -> tuple[str, ...]:
    """Read a setting that may be given several times; options replace the ini file's."""
    given = config.getoption(f"--clipeval-{name}") or config.getini(ini_name(name))
    return tuple(str(value) for value in given)


def text(config: pytest.Config, name: str) -> str:
    """Read a setting with one value."""
    return str(config.getoption(f"--clipeval-{name}") or config.getini(ini_name(name)))


def switched(config: pytest.Config, name: str) -> bool:
    """Read a setting that is on or off."""
    return bool(config.getoption(f"--clipeval-{name}") or config.getini(ini_name(name)))


def number(config: pytest.Config, name: str) -> float:
    """Read a setting that is a number.

    Raises
    ------
    pytest.UsageError
        It is not one.
    """
    given = text(config, name)
    try:
        return float(given)
    except ValueError:
        raise pytest.UsageError(f"--clipeval-{name}: '{given}' is not a number") from None


def meeting_place(config: pytest.Config) -> Path:
    """Give the folder where the workers of this session meet, made on first use."""
    if MEETING_PLACE not in config.stash:
        config.stash[MEETING_PLACE] = Path(tempfile.mkdtemp(prefix="clipeval-"))
    return config.stash[MEETING_PLACE]


def leave_meeting_place(config: pytest.Config) -> None:
    """Remove that folder, if this process made it."""
    if MEETING_PLACE in config.stash:
        shutil.rmtree(config.stash[MEETING_PLACE], ignore_errors=True)


def worker_meeting_place(config: pytest.Config) -> Path | None:
    """Give the folder where the workers meet; None where there is one process, or a worker is elsewhere."""
    named = getattr(config, "workerinput", {}).get("clipeval_shared")
    return Path(named) if named and Path(named).is_dir() else None


def repeat_command(item: pytest.Item, claim_id: str) -> str:
    """Give the command that judges a claim again, with the same models and data.

    Parameters
    ----------
    item : pytest.Item
        The test.
    claim_id : str
        What it judged.

    Returns
    -------
    str
        Quoted for a shell.
    """
    from clipeval.report.claims_text import shell

    config = item.config
    module = getattr(getattr(item, "module", None), "__name__", "")
    if module.startswith(f"{SPECIFICATION}."):
        words = ["pytest", "--pyargs", SPECIFICATION, f"--clipeval-claims={claim_id}"]
    else:
        path = os.path.relpath(item.path, config.invocation_params.dir)
        words = ["pytest", path + item.nodeid[len(item.nodeid.partition("::")[0]) :]]
    # with a space pytest would take a value that is a path for a place to look for the ini file; what the
    # ini file says is repeated, for whoever runs this elsewhere
    words += [f"--clipeval-{name}={value}" for name in ("model", "role") for value in several(config, name)]
    return shell(*words, *_shared_words(config))


def baseline_command(config: pytest.Config, path: Path, model: str) -> str:
    """Give the command that compares with a baseline again.

    Parameters
    ----------
    config : pytest.Config
        Whose settings count.
    path : Path
        The baseline.
    model : str
        A model spec; empty for the baseline's own.

    Returns
    -------
    str
        Quoted for a shell.
    """
    from clipeval.report.claims_text import shell

    words = ["pytest", f"--clipeval-baseline={os.path.relpath(path, config.invocation_params.dir)}"]
    words += [f"--clipeval-model={model}"] if model else []
    if text(config, "margin") != MARGIN:
        words.append(f"--clipeval-margin={text(config, 'margin')}")
    return shell(*words, *_shared_words(config))


def _shared_words(config: pytest.Config) -> list[str]:
    from clipeval.data.address import shown

    data = shown(text(config, "data"))
    words = [f"--clipeval-data={data}"] if data not in ("", EMBEDDED) else []
    return words + [
        f"--clipeval-{name}" for name in ("strict", "offline", "no-probe") if switched(config, name)
    ]
