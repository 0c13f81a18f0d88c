"""What a page consists of: sections, each a template with its values, and data for its scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Section:
    """One part of a page.

    Attributes
    ----------
    id : str
        Unique in the page: what a link to it names.
    title : str
        Its heading, and its word in the navigation.
    template : str
        The stem of a file in ``templates/``.
    values : mapping
        What the template shows; text is escaped by the template engine.
    chapter : bool
        Whether the navigation names it.
    """

    id: str
    title: str
    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    chapter: bool = True


@dataclass(frozen=True)
class Page:
    """A whole page.

    Attributes
    ----------
    title : str
        Of the window and the first heading.
    kind : str
        What was run, in a word or two: stands over the title.
    facts : sequence of str
        One line under the title: how many pictures, captions, which version.
    sections : sequence of Section
        In order; the first answers the question.
    data : mapping of str to JSON
        For the scripts, by the id of their ``<script type="application/json">``.
    """

    title: str
    kind: str
    facts: Sequence[str]
    sections: Sequence[Section]
    data: Mapping[str, Any] = field(default_factory=dict)
