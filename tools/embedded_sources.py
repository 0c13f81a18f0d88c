"""Find a source picture in the package that carries it, and read its author and licence there."""

from __future__ import annotations

import html
import importlib.util
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from qt_resource import rcc_files

FREE = {
    "CC0-1.0": "CC0-1.0",
    "CC0": "CC0-1.0",
    "Public Domain": "public domain",
    "http://web.resource.org/cc/PublicDomain": "public domain",
}


@dataclass(frozen=True)
class Found:
    """One source picture and what its own package says about it."""

    content: bytes
    package: str
    source_file: str
    author: str
    licence: str
    evidence_file: str
    evidence: str
    url: str | None


def find_source(origin: str, source: str, debian_root: Path) -> Found:
    """Look up the `origin` and `source` of an entry in ``embedded_pictures.toml``; stop if it is not free."""
    if origin == "skimage":
        return _skimage(source)
    if origin == "gcompris":
        return _gcompris(source, debian_root)
    if origin == "openclipart":
        return _openclipart(source, debian_root)
    raise SystemExit(f"{source}: unknown origin '{origin}'")


def _free(licence: str, source: str) -> str:
    if licence not in FREE:
        raise SystemExit(f"{source}: the licence is '{licence}', not CC0 or public domain")
    return FREE[licence]


def _match(pattern: str, text: str, what: str) -> re.Match[str]:
    found = re.search(pattern, text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise SystemExit(f"{what}: no licence statement of the expected form")
    return found


def _skimage(source: str) -> Found:
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise SystemExit("scikit-image is not installed")
    data = Path(spec.origin).parent / "data"
    name = source.split(".")[0]
    loaders = (data / "_fetchers.py").read_text(encoding="utf-8")
    text = _match(rf'^def {name}\(\):\n    """(.*?)"""', loaders, source).group(1)
    note = _match(r"(No copyright restrictions\.\s+(CC0) by the photographer \((.*?)\)\.)", text, source)
    return Found(
        content=(data / source).read_bytes(),
        package="scikit-image 0.26.0",
        source_file=f"skimage/data/{source}",
        author=note.group(3),
        licence=_free(note.group(2), source),
        evidence_file=f"skimage/data/_fetchers.py, {name}()",
        evidence=" ".join(note.group(1).split()),
        url=None,
    )


@cache
def _archive(path: Path) -> dict[str, bytes]:
    return dict(rcc_files(path))


def _gcompris(source: str, debian_root: Path) -> Found:
    archive, _, inside = source.partition(":")
    rcc = f"usr/share/gcompris-qt/rcc/{archive}"
    files = _archive(debian_root / rcc)
    path = f"/gcompris/src/activities/{inside}"
    folder, _, name = path.rpartition("/")
    stanzas = files[f"{folder}/README"].decode("utf-8").replace("\r", "").split("\n\n")
    naming = [
        stanza for stanza in stanzas if re.search(rf"^(Files: *)?{re.escape(name)}$", stanza, re.MULTILINE)
    ]
    if len(naming) != 1:
        raise SystemExit(f"{source}: {len(naming)} entries of the README name it, not one")
    fields = dict(re.findall(r"^(Copyright|License|Source): *(.+?) *$", naming[0], re.MULTILINE))
    return Found(
        content=files[path],
        package="gcompris-qt-data 3.1-2 (Debian)",
        source_file=f"/{rcc}, member {inside}",
        author=fields["Copyright"],
        licence=_free(fields["License"], source),
        evidence_file=f"/{rcc}, member {inside.rpartition('/')[0]}/README",
        evidence="; ".join(line.strip() for line in naming[0].strip().splitlines()),
        url=fields["Source"],
    )


def _openclipart(source: str, debian_root: Path) -> Found:
    share = "usr/share/openclipart"
    svg = (debian_root / share / "svg" / f"{source}.svg").read_text(encoding="utf-8")
    work = _match(r"<cc:Work.*?</cc:Work>", svg, source).group(0)
    creator = _match(r"<dc:creator>.*?<dc:title>(.*?)</dc:title>", work, source).group(1)
    line, licence = _match(r'(<cc:license rdf:resource="(.*?)"/>)', work, source).groups()
    return Found(
        content=(debian_root / share / "png" / f"{source}.png").read_bytes(),
        package="openclipart-png 1:0.18+dfsg-19 (Debian)",
        source_file=f"/{share}/png/{source}.png",
        author=html.unescape(creator),
        licence=_free(licence, source),
        evidence_file=f"/{share}/svg/{source}.svg (openclipart-svg, same version)",
        evidence=f"`{line}`",
        url=None,
    )
