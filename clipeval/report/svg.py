"""Matplotlib's SVG, made fit for a page: themed by CSS variables, its own ids, words for screen readers."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from clipeval.report.style import GRID, INK, PALETTE, PAPER
from clipeval.report.text import printable

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
HREF = f"{{{XLINK}}}href"

HOVER = "hover: "
"""An id that begins so is the text that a pointer over the mark shows."""

FONT = "'DejaVu Sans', Verdana, 'Segoe UI', Helvetica, Arial, sans-serif"
"""Matplotlib measured the text in the first; the others are no wider."""

VARIABLES = {
    "#000000": "--ink",
    INK.lower(): "--ink",
    GRID.lower(): "--line",
    PAPER.lower(): "--paper",
    **{colour.lower(): f"--series-{at}" for at, colour in enumerate(PALETTE, 1)},
}
"""The CSS variable of each colour that a chart is drawn with."""


def of_a_page(drawing: bytes, *, name: str, title: str, alt: str) -> str:
    """Turn an SVG file of matplotlib's into an element of a page.

    Parameters
    ----------
    drawing : bytes
        What matplotlib wrote, its text as text.
    name : str
        Begins every id.
    title, alt : str
        The drawing's name and its description, read out instead of it.

    Returns
    -------
    str
        ``<svg>``: without metadata and style sheet, numbers to the hundredth of a point.

    Examples
    --------
    >>> plain = b'<svg xmlns="http://www.w3.org/2000/svg"><g id="a"><path style="fill: #0072b2"/></g></svg>'
    >>> print(of_a_page(plain, name="rates", title="Rates", alt="A is < B").partition("</title>")[2])
    <desc id="rates-desc">A is &lt; B</desc><g><path style="fill: var(--series-1, #0072b2)" /></g></svg>
    """
    for prefix, address in (("", SVG), ("xlink", XLINK)):
        ElementTree.register_namespace(prefix, address)
    root = ElementTree.fromstring(drawing)  # noqa: S314 matplotlib wrote it just now
    _drop(root, "metadata", "style")
    needed = set(re.findall(r"#([\w.-]+)[)\"]", drawing.decode()))
    for node in root.iter():
        _name(node, name, needed)
        _style(node, name)
    root.attrib |= {
        "class": "chart",
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-desc",
        "font-family": FONT,
        # instead of the style sheet, which would hold for the whole page
        "stroke-linejoin": "round",
        "stroke-linecap": "butt",
        # matplotlib does not write black, which is the default
        "style": "fill: var(--ink, #000000)",
    }
    for at, (kind, words) in enumerate((("title", title), ("desc", alt))):
        node = ElementTree.Element(f"{{{SVG}}}{kind}", {"id": f"{name}-{kind}"})
        node.text = printable(words)
        root.insert(at, node)
    return ElementTree.tostring(root, encoding="unicode")


def _drop(root: ElementTree.Element, *kinds: str) -> None:
    """Take out elements of these kinds, and the white space between elements."""
    for parent in list(root.iter()):
        if not (parent.text or "").strip():
            parent.text = None
        for child in list(parent):
            child.tail = None
            if child.tag in {f"{{{SVG}}}{kind}" for kind in kinds}:
                parent.remove(child)


def _name(node: ElementTree.Element, name: str, needed: set[str]) -> None:
    given = node.attrib.pop("id", "")
    if given.startswith(HOVER):
        title = ElementTree.Element(f"{{{SVG}}}title")
        title.text = given.removeprefix(HOVER)
        node.insert(0, title)
    elif given in needed:
        node.set("id", f"{name}-{given}")
    if HREF in node.attrib:
        node.set(HREF, node.attrib[HREF].replace("#", f"#{name}-", 1))


def _style(node: ElementTree.Element, name: str) -> None:
    for key in ("d", "x", "y", "transform", "points"):
        if key in node.attrib:
            short = re.sub(r"\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", node.attrib[key])
            node.set(key, " ".join(short.split()))
    if node.get("transform", "").startswith("rotate(-0 "):
        del node.attrib["transform"]
    if "clip-path" in node.attrib:
        node.set("clip-path", node.attrib["clip-path"].replace("url(#", f"url(#{name}-"))
    if "style" in node.attrib:
        kept = (_declaration(one.strip()) for one in node.attrib["style"].split(";"))
        node.set("style", "; ".join(one for one in kept if one).replace("url(#", f"url(#{name}-"))


def _declaration(one: str) -> str:
    """Colours become variables; of the font, which is the root's, size, weight and slope remain."""
    key, _, value = one.partition(": ")
    if key == "font-family":
        return ""
    if key == "font":  # older versions of matplotlib write all in one
        before, size = re.match(r"(.*?)([\d.]+px)", value).groups()  # type: ignore[union-attr]
        slope = re.search("italic|oblique", before)
        weight = re.search(r"bold|\d+", before)
        parts = [f"font-style: {slope[0]}" if slope else "", f"font-weight: {weight[0]}" if weight else ""]
        return "; ".join(part for part in (*parts, f"font-size: {size}") if part)
    return re.sub(r"#[0-9a-f]{6}\b", _variable, one)


def _variable(found: re.Match[str]) -> str:
    variable = VARIABLES.get(found[0])
    return f"var({variable}, {found[0]})" if variable else found[0]
