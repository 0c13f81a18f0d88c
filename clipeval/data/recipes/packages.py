"""Packages: fetched by the tool that everyone gets them with, unpacked without running anything in them."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clipeval.errors import NotAvailableError


@dataclass(frozen=True)
class Manager:
    """What fetches a package.

    Attributes
    ----------
    command : tuple of str
        The package's name is put behind it.
    ending : str
        Of the file that comes.
    """

    command: tuple[str, ...]
    ending: str


APT = Manager(("apt-get", "download", "-qq"), ".deb")
NPM = Manager(("npm", "pack", "--silent", "--ignore-scripts"), ".tgz")


def fetch(package: str, manager: Manager, folder: Path) -> Path:
    """Fetch a package into a folder.

    Parameters
    ----------
    package : str
        Its name; behind npm with a version.
    manager : Manager
    folder : Path
        An empty one.

    Returns
    -------
    Path
        Of its file.

    Raises
    ------
    NotAvailableError
        The tool is absent or cannot get it; the text says how to get it elsewhere.
    """
    tool = manager.command[0]
    by_hand = f"on another machine: {' '.join(manager.command)} {package}; then --package FILE"
    if shutil.which(tool) is None:
        raise NotAvailableError(f"there is no {tool} on this machine", where=package, fix=by_hand)
    run = _run([*manager.command, package], folder)
    found = sorted(folder.glob(f"*{manager.ending}"))
    if run.returncode or not found:
        raise NotAvailableError(f"{tool} could not fetch it: {_last(run)}", where=package, fix=by_hand)
    return found[0]


def unpack(file: Path, target: Path, manager: Manager) -> None:
    """Unpack a package.

    Parameters
    ----------
    file : Path
        The package's.
    target : Path
        Made.
    manager : Manager

    Raises
    ------
    NotAvailableError
        There is no such file, it is no package, or the tool is absent.
    """
    if not file.is_file():
        raise NotAvailableError("there is no such file", where=str(file), fix=f"name the {manager.ending}")
    if manager is NPM:
        try:
            with tarfile.open(file) as archive:
                archive.extractall(target, filter="data")
        except (tarfile.TarError, OSError, EOFError) as error:
            raise _no_package(file, str(error)) from error
        return
    tool = shutil.which("dpkg-deb")
    if tool is None:
        raise NotAvailableError(
            "there is no dpkg-deb on this machine", where=file.name, fix="install the package 'dpkg'"
        )
    run = _run([tool, "-x", str(file), str(target)], None)
    if run.returncode:
        raise _no_package(file, _last(run))


def _no_package(file: Path, why: str) -> NotAvailableError:
    return NotAvailableError(f"the package cannot be unpacked: {why}", where=file.name)


def _run(command: Sequence[str], folder: Path | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603


def _last(run: subprocess.CompletedProcess[str]) -> str:
    return (run.stderr.strip().splitlines() or ["no reason given"])[-1]
