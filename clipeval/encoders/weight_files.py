"""Weight files in a folder, and the digests by which they are known."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

WEIGHT_ENDINGS = (".safetensors", ".bin", ".pt", ".pth")


def digest(files: Iterable[Path], *, root: Path | None = None) -> str:
    """Hash files: one by its plain SHA-256, several by the SHA-256 of their sorted list.

    Parameters
    ----------
    files : iterable of Path
        What to hash.
    root : Path, optional
        Names in the list are relative to it; the file name alone otherwise.

    Returns
    -------
    str
        Hexadecimal, or ``"none"`` without files.
    """
    lines = []
    for path in files:
        with path.open("rb") as stream:
            sha = hashlib.file_digest(stream, "sha256").hexdigest()
        lines.append((path.relative_to(root).as_posix() if root else path.name, sha))
    if len(lines) <= 1:
        return lines[0][1] if lines else "none"
    text = "".join(f"{sha}  {name}\n" for name, sha in sorted(lines))
    return hashlib.sha256(text.encode()).hexdigest()


def weight_files(folder: Path, *, deep: bool = False) -> list[Path]:
    """List the weight files of a folder; pickles are left out where safetensors lie beside them."""
    files = sorted(p for p in (folder.rglob("*") if deep else folder.iterdir()) if p.suffix in WEIGHT_ENDINGS)
    safe = {p.parent for p in files if p.suffix == ".safetensors"}
    kept = [p for p in files if p.suffix == ".safetensors" or p.parent not in safe]
    return [p for p in kept if p.is_file() and p.name not in {"training_args.bin", "optimizer.pt"}]
