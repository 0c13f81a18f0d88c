from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from clipeval.report.html.page import Page, Section
from clipeval.report.html.render import page_html

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "{{7*7}}{% raw %}",
    "\u2028\u202eabc",
    "\" onload='x'",
]


class Elements(HTMLParser):
    """Every element with its attributes, and what stands in scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": []}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag in self.inside and dict(attrs).get("type") != "application/json":
            self.inside[tag].append("")

    def handle_data(self, data: str) -> None:
        tag, attributes = self.found[-1] if self.found else ("", {})
        if tag in self.inside and attributes.get("type") != "application/json" and self.inside[tag]:
            self.inside[tag][-1] += data if not self.inside[tag][-1] else ""


def hostile_page() -> Page:
    rows = {"chip": "", "counts": [], "tables": [], "notes": HOSTILE, "sentences": HOSTILE}
    return Page(
        HOSTILE[0], HOSTILE[4], HOSTILE, [Section("answer", HOSTILE[1], "tables", rows)], {"data": HOSTILE}
    )


def parsed(text: str) -> Elements:
    parser = Elements()
    parser.feed(text)
    return parser


def test_the_policy_names_the_hash_of_every_script_and_style_and_allows_nothing_else() -> None:
    elements = parsed(page_html(hostile_page()))
    policy = next(
        attributes["content"] or ""
        for tag, attributes in elements.found
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy
    assert "http" not in policy
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    texts = [*elements.inside["script"], *elements.inside["style"]]
    assert {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts} == allowed


def test_no_text_of_strangers_makes_an_element_an_attribute_or_a_line() -> None:
    text = page_html(hostile_page())
    elements = parsed(text)
    assert not [tag for tag, _ in elements.found if tag == "img"]
    for _, attributes in elements.found:
        assert not [name for name in attributes if name.startswith("on")]
        assert "style" not in attributes
    assert "{{7*7}}" in text
    assert "49" not in re.sub(r"<(script|style)>.*?</\1>", "", text, flags=re.DOTALL)
    assert "\u2028" not in text
    assert "\u202e" not in text


def test_data_for_scripts_come_back_as_they_were_and_cannot_end_their_element() -> None:
    text = page_html(hostile_page())
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    assert json.loads(found[1]) == HOSTILE
    assert "<" not in found[1]


def test_a_page_without_data_has_one_script_only() -> None:
    assert page_html(Page("a", "b", (), ())).count("<script>") == 1


def test_a_value_that_a_template_lacks_is_an_error() -> None:
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError):
        page_html(Page("a", "b", (), [Section("answer", "Answer", "tables", {})]))
