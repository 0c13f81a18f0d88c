"""``python -m clipeval.data.recipes NAME FOLDER [--package FILE]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from clipeval.data.recipes.build import RECIPES, build
from clipeval.errors import ClipevalError


def main(arguments: list[str] | None = None) -> int:
    """Build a dataset; print what was made.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the process.

    Returns
    -------
    int
        0, or 3 where it could not be built.
    """
    parser = argparse.ArgumentParser(prog="python -m clipeval.data.recipes", description=__doc__)
    parser.add_argument("name", choices=sorted(RECIPES), help="which dataset")
    parser.add_argument("folder", type=Path, help="a new folder")
    parser.add_argument("--package", type=Path, help="the package's file, if it is here already")
    given = parser.parse_args(arguments)
    try:
        made = build(given.name, given.folder, package=given.package)
    except ClipevalError as error:
        sys.stderr.write(f"error: {error}\n")
        return 3
    except OSError as error:
        sys.stderr.write(
            f"error: cannot build the dataset: {error.strerror or error}\n"
            f"  where: {error.filename or given.folder}\n"
            "  to do: name a folder that may be written to, and a whole package\n"
        )
        return 3
    sys.stdout.write(
        f"{made.items:,} pictures in {made.categories} categories in {given.folder}; left out: {made.said}\n"
        f"licence: {RECIPES[given.name].licence} ({given.folder / 'LICENCES.md'})\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
