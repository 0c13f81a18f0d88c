"""Make the embedded dataset, ``clipeval/data/embedded/``, from pictures that other packages carry.

Packages to install first (the versions with which the files in the repository were made)::

    apt-get install openclipart-png=1:0.18+dfsg-19 openclipart-svg=1:0.18+dfsg-19 gcompris-qt-data=3.1-2
    pip install scikit-image==0.26.0 pillow==13.0.0

or unpack the three Debian packages with ``dpkg-deb -x PACKAGE.deb FOLDER`` and pass ``--debian-root FOLDER``
(some Debian images leave ``/usr/share/doc`` out; nothing there is needed). Then::

    python tools/make_embedded.py            # writes pictures, metadata.json, licences.json, LICENCES.md
    python tools/make_embedded.py --check    # writes nothing; exit status 1 if a file would change

The pictures are listed in ``embedded_pictures.toml`` beside this script. Nothing is random. Every source
picture is checked against its SHA-256, and its licence is read from the source package, never from the
list: a picture whose package does not say CC0 or public domain stops the run. Another JPEG library may
encode the same pixels to other bytes; ``--check`` then says by how many grey levels the picture differs.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from embedded_sources import Found, find_source
from PIL import Image, ImageChops, ImageStat
from PIL import __version__ as pillow_version

HERE = Path(__file__).parent
TARGET = HERE.parent / "clipeval" / "data" / "embedded"
LONG_SIDE = 400
PLAIN_SIDE = 320

HEAD = """\
# Licences of the embedded pictures

Every picture in this folder is in the public domain or dedicated to it with CC0 1.0
(<https://creativecommons.org/publicdomain/zero/1.0/>). The captions in `metadata.json` were written by the
clipeval contributors and are dedicated with CC0 1.0 too. The authors named here endorse nothing.

This file and `licences.json` are written by `tools/make_embedded.py`, which reads each licence from the
package that the picture was taken from. Pictures with more than 400 pixels on the long side were scaled
down to 400, all were encoded again, and drawings were put on a white square.

"""

NOTES = """
## Notes

* `gcompris-qt-data`: the program and most of its art are copyleft. The photographs used here are not: the
  `README` beside them, inside the same `.rcc` archive, gives author, source and licence of each file, and
  only files that it marks `CC0-1.0` were taken. Debian's own `copyright` file for this version still
  describes the pictures of earlier releases (`.jpg` and `.png`) and has no line for these `.webp` files,
  only its general one for the whole program; the README is the makers' own statement and the specific one.
* `openclipart`: the whole package is dedicated to the public domain
  (`/usr/share/doc/openclipart-png/copyright`: "creative commons Public Domain Dedication"); each drawing's
  SVG in `openclipart-svg` repeats it. The pixels are those of the rendering in `openclipart-png`.
* `scikit-image`: the notes in the documentation of each picture's loader, inside the wheel.
"""


def picture_bytes(picture: Image.Image, *, square: bool, suffix: str) -> bytes:
    """Flatten on white, shrink, encode; `square` centres a drawing so that a centre crop keeps it."""
    layer = picture.convert("RGBA")
    flat = Image.new("RGBA", layer.size, "white")
    flat.alpha_composite(layer)
    small = flat.convert("RGB")
    small.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    if square:
        side = max(small.size)
        canvas = Image.new("RGB", (side, side), "white")
        canvas.paste(small, ((side - small.width) // 2, (side - small.height) // 2))
        small = canvas
    encoded = io.BytesIO()
    if suffix == ".jpg":
        small.save(encoded, "JPEG", quality=85, optimize=True)
    else:
        small.save(encoded, "PNG", optimize=True)
    return encoded.getvalue()


def make_picture(entry: dict[str, Any], debian_root: Path) -> tuple[bytes, Found]:
    """Return the encoded picture and what its source says about it."""
    if entry["origin"] == "generated":
        plain = Image.new("RGB", (PLAIN_SIDE, PLAIN_SIDE), "#" + entry["source"])
        found = Found(
            content=b"",
            package="clipeval",
            source_file=f"tools/make_embedded.py, colour #{entry['source']}",
            author="the clipeval contributors",
            licence="CC0-1.0",
            evidence_file="LICENCES.md (this file)",
            evidence="One plain colour, generated; whatever right could exist in it is waived with CC0 1.0.",
            url=None,
        )
        return picture_bytes(plain, square=False, suffix=".png"), found
    found = find_source(entry["origin"], entry["source"], debian_root)
    digest = hashlib.sha256(found.content).hexdigest()
    if digest != entry["sha256"]:
        raise SystemExit(f"{entry['file']}: the source picture has changed, its SHA-256 is now {digest}")
    with Image.open(io.BytesIO(found.content)) as picture:
        picture.load()
        square = entry["origin"] == "openclipart"
        return picture_bytes(picture, square=square, suffix=Path(entry["file"]).suffix), found


def build(debian_root: Path) -> dict[str, bytes]:
    """Return every file of the dataset folder: relative path to content."""
    entries = tomllib.loads((HERE / "embedded_pictures.toml").read_text(encoding="utf-8"))["picture"]
    files: dict[str, bytes] = {}
    licences: list[dict[str, str | None]] = []
    rows = ["| file | title | source package: file in it | author | licence |", "|---|---|---|---|---|"]
    proofs = ["", "## Where each licence was found", ""]
    for entry in entries:
        content, found = make_picture(entry, debian_root)
        files[entry["file"]] = content
        licences.append(
            {
                "file": entry["file"],
                "title": entry["title"],
                "author": found.author,
                "licence": found.licence,
                "package": found.package,
                "source_file": found.source_file,
                "evidence_file": found.evidence_file,
                "evidence": found.evidence,
                "url": found.url,
                "sha256": hashlib.sha256(content).hexdigest(),
            }
        )
        rows.append(
            f"| `{entry['file']}` | {entry['title']} | {found.package}: `{found.source_file}` "
            f"| {found.author} | {found.licence} |"
        )
        proofs.append(f"* `{entry['file']}`: `{found.evidence_file}`\n  > {found.evidence}")
    metadata = [
        {"image": e["file"], "caption": e["caption"], "category": e["file"].split("/")[0]} for e in entries
    ]
    files["metadata.json"] = _json(metadata)
    files["licences.json"] = _json(licences)
    files["LICENCES.md"] = (HEAD + "\n".join(rows + proofs) + "\n" + NOTES).encode()
    return files


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def difference(name: str, wanted: bytes) -> str | None:
    """Say how the file in the repository differs from `wanted`; None when it does not."""
    path = TARGET / name
    if not path.exists():
        return f"{name}: missing"
    present = path.read_bytes()
    if present == wanted:
        return None
    if not name.endswith((".jpg", ".png")):
        return f"{name}: differs"
    with Image.open(io.BytesIO(present)) as old, Image.open(io.BytesIO(wanted)) as new:
        if old.size != new.size:
            return f"{name}: size {old.size}, would be {new.size}"
        mean = max(ImageStat.Stat(ImageChops.difference(old.convert("RGB"), new.convert("RGB"))).mean)
    return (
        f"{name}: other bytes; pixels differ by {mean:.3f} grey levels on average (Pillow {pillow_version})"
    )


def main() -> int:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare with the repository, write nothing")
    parser.add_argument("--debian-root", type=Path, default=Path("/"), help="where the Debian packages lie")
    options = parser.parse_args()
    files = build(options.debian_root)
    if options.check:
        problems = [text for name, wanted in files.items() if (text := difference(name, wanted))]
        print("\n".join(problems) or f"all {len(files)} files are what this script makes")
        return 1 if problems else 0
    for name, content in files.items():
        (TARGET / name).parent.mkdir(parents=True, exist_ok=True)
        (TARGET / name).write_bytes(content)
    print(f"wrote {len(files)} files, {sum(map(len, files.values())):,} bytes, to {TARGET}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
