"""Probe reports kept on disk: one small JSON file for each fingerprint."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

from clipeval._version import __version__
from clipeval.encoders.base import Fingerprint
from clipeval.probes.report import ProbeReport
from clipeval.whole_file import replace_whole


class ProbeStore:
    """A folder of probe reports, in the folder of the embeddings.

    A key covers the model spec, the whole fingerprint and clipeval's version (other probes come with another
    version). An encoder of the user's own (``python:``) is kept only if its fingerprint names its weights:
    its code alone says nothing about them. Files are written to a temporary name and renamed; one that cannot
    be read counts as absent.

    Parameters
    ----------
    folder : Path
        Made on first use.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, model: str, fingerprint: Fingerprint) -> Path:
        text = json.dumps([__version__, model, sorted(fingerprint.items())])
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()}.json"

    def get(self, model: str, fingerprint: Fingerprint) -> ProbeReport | None:
        """Look a report up; None if absent, not whole, or nobody could tell when it is out of date."""
        if not _known(model, fingerprint):
            return None
        try:
            text = self._path(model, fingerprint).read_text(encoding="utf-8")
            return replace(ProbeReport.of(json.loads(text)), cached=True)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, report: ProbeReport, fingerprint: Fingerprint) -> None:
        """Keep a report; a folder that cannot be written to is not an error."""
        if not _known(report.model, fingerprint):
            return
        path = self._path(report.model, fingerprint)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_whole(path, [json.dumps(report.document()).encode()])
        except OSError:
            return


def _known(model: str, fingerprint: Fingerprint) -> bool:
    if not fingerprint or "unfingerprinted" in fingerprint.values():
        return False
    return not model.startswith("python:") or any(
        key.rpartition(" ")[2] == "weights" and value for key, value in fingerprint.items()
    )


def default_store() -> ProbeStore:
    """Give the user's store: in ``$CLIPEVAL_CACHE`` or the platform's folder for caches, with the embeddings.

    Examples
    --------
    >>> default_store().folder.name
    'probes'
    """
    from platformdirs import user_cache_dir

    root = Path(os.environ.get("CLIPEVAL_CACHE") or user_cache_dir("clipeval", appauthor=False))
    return ProbeStore(root / "embeddings" / "probes")
