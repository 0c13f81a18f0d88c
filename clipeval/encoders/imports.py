"""Libraries of the ``models`` extra: imported late, asked for early, with their versions."""

from __future__ import annotations

import importlib
import importlib.util
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from clipeval.errors import MissingExtraError


def import_models(module: str, *, package: str | None = None) -> Any:
    """Import a library of the ``models`` extra.

    Parameters
    ----------
    module : str
        What is imported.
    package : str, optional
        Its distribution, where the names differ.

    Returns
    -------
    module

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and module.split(".")[0] != error.name.split(".")[0]:
            raise  # installed, but broken: the user needs the whole story
        raise MissingExtraError(package or module, extra="models") from None


def require_installed(*modules: str) -> None:
    """Check that libraries of the ``models`` extra are there without the seconds that importing them costs.

    Parameters
    ----------
    *modules : str
        Names to import; the distribution has the same name with hyphens.

    Raises
    ------
    MissingExtraError
        The first that is not installed.

    Examples
    --------
    >>> require_installed("numpy")
    """
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(module.replace("_", "-"), extra="models")


def versions(*packages: str) -> dict[str, str]:
    """Give the versions of the installed distributions among those named.

    Examples
    --------
    >>> sorted(versions("numpy", "no-such-package"))
    ['numpy']
    """
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
