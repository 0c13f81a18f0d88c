"""Which command wrote a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipeval.errors import ClipevalError

COMPARISON, CLAIMS, SWAP, BENCH, TRAINING = "comparison", "claims", "swap", "bench", "training"

KEYS = {
    COMPARISON: {"dataset", "models", "comparisons"},
    CLAIMS: {"cases", "counts", "models", "outside"},
    SWAP: {"verdict", "old", "new", "flips", "metrics", "guards"},
    BENCH: {"kind", "machine", "measurements", "roof"},
    TRAINING: {"history", "best", "settings", "towers"},
}
"""What only the document of one command has; each has a schema beside the code that writes it."""

FILES = ("comparison.json", "claims.json", "swap.json", "training.json")
"""In a folder, the first of these."""


@dataclass(frozen=True)
class Recognised:
    """A document and what it is.

    Attributes
    ----------
    path : Path
        Of the file.
    kind : str
        A key of `KEYS`.
    document : mapping
        Its content.
    """

    path: Path
    kind: str
    document: Mapping[str, Any]


def recognised(path: Path) -> Recognised:
    """Read a document that clipeval wrote.

    Parameters
    ----------
    path : Path
        A JSON file, or a folder that holds one.

    Returns
    -------
    Recognised

    Raises
    ------
    ClipevalError
        Absent, broken or of something else.
    """
    file = path
    if path.is_dir():
        found = [path / name for name in FILES if (path / name).is_file()]
        if not found:
            raise ClipevalError(
                f"the folder holds none of {', '.join(FILES)}",
                where=str(path),
                fix="name a folder that 'clipeval compare --out', 'check --report', 'swap --report' or "
                "'train --out' wrote",
            )
        file = found[0]
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise _unreadable(f"cannot be read: {error.strerror or error}", file) from error
    except (ValueError, RecursionError) as error:
        raise _unreadable("is not JSON", file) from error
    for kind, keys in KEYS.items():
        if isinstance(document, dict) and keys <= set(document):
            return Recognised(file, kind, document)
    raise _unreadable("is no document that makes a page", file)


def _unreadable(what: str, path: Path) -> ClipevalError:
    return ClipevalError(
        f"the file {what}",
        where=str(path),
        fix="give what compare, check, swap, baseline check, bench or train wrote as JSON",
    )
