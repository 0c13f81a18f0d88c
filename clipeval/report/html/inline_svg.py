"""A chart's drawing as part of a page whose policy allows no style but its own sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from markupsafe import Markup

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"


def inline_svg(drawing: str, before: str = "") -> Markup:
    """Turn the style attributes of an SVG element into attributes of their own, which no policy forbids.

    Parameters
    ----------
    drawing : str
        From `clipeval.report.chart.svg`.
    before : str
        Put before every id, so that two charts of one name can be in one page.

    Returns
    -------
    Markup
        To be put into a page as it stands.

    Examples
    --------
    >>> plain = '<svg xmlns="http://www.w3.org/2000/svg"><path id="a" style="fill: var(--ink, #000)" /></svg>'
    >>> print(inline_svg(plain, "r1-"))
    <svg xmlns="http://www.w3.org/2000/svg"><path id="r1-a" fill="var(--ink, #000)" /></svg>
    """
    from markupsafe import Markup

    for prefix, address in (("", SVG), ("xlink", XLINK)):
        ElementTree.register_namespace(prefix, address)
    root = ElementTree.fromstring(drawing)  # noqa: S314 we wrote it
    for node in root.iter():
        for declaration in node.attrib.pop("style", "").split(";"):
            name, _, value = declaration.partition(":")
            if value:
                node.set(name.strip(), value.strip())
        if before:
            _rename(node, before)
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704 every text is escaped by the serialiser


def _rename(node: ElementTree.Element, before: str) -> None:
    for name, value in list(node.attrib.items()):
        if name == "id":
            node.set(name, before + value)
        elif name == "aria-labelledby":
            node.set(name, " ".join(before + word for word in value.split()))
        elif value.startswith("#"):
            node.set(name, f"#{before}{value[1:]}" if name.endswith("href") else value)
        else:
            node.set(name, value.replace("url(#", f"url(#{before}"))
