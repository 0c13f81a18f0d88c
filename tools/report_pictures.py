"""Photograph the pages of all commands: both themes, a phone, a print, for the README and to look at.

    python tools/report_pictures.py docs/images        the pictures of the README
    python tools/report_pictures.py /tmp/look --all    every view, to be looked at before a release

Needs the extra ``dev`` and a Chromium. Without torch the rows that came with clipeval stand in.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

MODELS = (
    "preclip:efficientnet-lite0+all-MiniLM-L6-v2?projection=gaussian&seed=42",
    "conse:efficientnet-lite0+all-MiniLM-L6-v2",
    "hf:openai/clip-vit-base-patch32",
)
SWAP = ("conse:efficientnet-lite0+all-MiniLM-L6-v2", "conse:efficientnet-lite0+all-MiniLM-L6-v2?top=5")
TRAIN = (
    "train --offline --image-tower efficientnet-lite0 --text-tower all-MiniLM-L6-v2 --data embedded "
    "--held-out 0.3 --batch-size 4 --epochs 8 --out trained"
)
MOST_BYTES = 300_000
README = ("light", "dark", "map", "items")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="every view, not only those of the README")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        pages = make_pages(Path(place), every=chosen.all)
        photograph(pages, chosen.folder, every=chosen.all)


def make_pages(place: Path, *, every: bool) -> dict[str, Path]:
    def run(command: str, *words: str) -> None:
        # a verdict has a status of its own; what is not there is missed below
        subprocess.run([sys.executable, "-m", "clipeval", *command.split(), *words], check=False, cwd=place)

    run("compare --offline --out results", *(word for model in MODELS for word in ("--model", model)))
    pages = {"comparison": "results/report.html"}
    if every:
        old, new = SWAP
        run("swap --offline --report swap", old, new)
        run("baseline save --offline --embeddings old.json --model", old)
        run("baseline check --offline old.json --report baseline --model", new)
        run("check --offline --report claims")
        run("bench --offline --seconds 0.2 --out bench.json", old)
        run(TRAIN)
        run("report results swap claims bench.json trained --out many.html")
        run("search --offline --out search.html", "flying in the sky")
        pages |= {name: f"{name}/report.html" for name in ("swap", "baseline", "claims")}
        pages |= {"training": "trained/report.html"}
        pages |= {name: f"{name}.html" for name in ("bench", "many", "search")}
    for page in pages.values():
        if not (place / page).is_file():
            raise SystemExit(f"no {page}: its command failed, see above")
    return {name: place / page for name, page in pages.items()}


def photograph(pages: dict[str, Path], folder: Path, *, every: bool) -> None:
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=FLAGS)
        comparison = pages["comparison"]
        views: dict[str, Any] = {
            "light": lambda: view(browser, comparison),
            "dark": lambda: view(browser, comparison, scheme="dark"),
            "map": lambda: part(browser, comparison, "#map"),
            "items": lambda: part(
                browser, comparison, "#items", place="#items?model=0&beside=1&show=gained", scheme="dark"
            ),
            "i2t": lambda: part(browser, comparison, "#items", place="#items?direction=i2t&model=0&beside=1"),
        }
        for name in views if every else README:
            save(views[name](), folder / f"report-{name}.png")
        for name, page in pages.items() if every else ():
            for scheme in ("light", "dark"):
                for kind, width in (("wide", 1280), ("phone", 390)):
                    content = view(browser, page, whole=True, scheme=scheme, width=width)
                    save(content, folder / f"{name}-{kind}-{scheme}.png")
            print_out(browser, page, folder / f"{name}-print.pdf")
        browser.close()


def opened(browser: Any, page: Path, place: str = "", *, width: int = 1280, scheme: str = "light") -> Any:
    tab = browser.new_page(viewport={"width": width, "height": 860}, color_scheme=scheme)
    tab.goto(f"{page.as_uri()}{place}")
    tab.wait_for_timeout(500)
    return tab


def view(browser: Any, page: Path, *, whole: bool = False, **how: Any) -> bytes:
    tab = opened(browser, page, **how)
    content: bytes = tab.screenshot(full_page=whole)
    tab.close()
    return content


def part(browser: Any, page: Path, selector: str, *, place: str = "", scheme: str = "light") -> bytes:
    """One section, 1,000 pixels of it at most; in the map the pointer stands on a cell."""
    tab = opened(browser, page, place, scheme=scheme)
    found = tab.locator(selector)
    found.scroll_into_view_if_needed()
    if selector == "#map":
        tab.locator("canvas").focus()
        for key in ("ArrowRight", *["ArrowDown"] * 11, *["ArrowRight"] * 10):
            tab.keyboard.press(key)
        tab.evaluate("document.activeElement.blur()")
        tab.wait_for_timeout(200)
    # the bar of sections would lie over the part
    tab.evaluate("document.querySelector('.bar').style.position = 'static'")
    tab.evaluate("window.scrollTo(0, 0)")
    box = found.bounding_box()
    height = min(1000, box["height"])
    clip = {"x": box["x"] - 24, "y": box["y"], "width": box["width"] + 48, "height": height}
    content: bytes = tab.screenshot(full_page=True, clip=clip)
    tab.close()
    return content


def print_out(browser: Any, page: Path, path: Path) -> None:
    tab = opened(browser, page)
    tab.pdf(path=path, format="A4")
    tab.close()
    if program := shutil.which("pdftoppm"):
        subprocess.run([program, "-r", "60", "-png", str(path), str(path.with_suffix(""))], check=True)


def save(content: bytes, path: Path) -> None:
    """Write it whole, or with fewer colours where it would be larger than a README should load."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    picture.save(path, optimize=True)
    if path.stat().st_size > MOST_BYTES:
        octree = Image.Quantize.FASTOCTREE
        picture.quantize(256, method=octree, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
