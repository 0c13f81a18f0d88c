"""JUnit XML: what every CI system shows as passed, failed or skipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from xml.etree import ElementTree

from clipeval.report.text import printable


@dataclass(frozen=True)
class JunitCase:
    """One line of a report.

    Attributes
    ----------
    group, name : str
        Where CI systems file it, and under which name.
    outcome : {"passed", "failed", "skipped"}
    summary : str
        One line that says why; not shown for what passed.
    text : str
        The whole message.
    properties : mapping of str to str
        Evidence, for machines.
    """

    group: str
    name: str
    outcome: Literal["passed", "failed", "skipped"]
    summary: str = ""
    text: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


def junit_xml(case: JunitCase) -> str:
    """Write a report of one case.

    Parameters
    ----------
    case : JunitCase

    Returns
    -------
    str
        Well-formed XML, whatever the texts hold; control characters are spelt out, which XML cannot hold.

    Examples
    --------
    >>> print(junit_xml(JunitCase("swap", "a", "skipped", "cannot tell")).splitlines()[4].strip())
    <skipped message="cannot tell" />
    """
    suites = ElementTree.Element("testsuites")
    counts = {
        "tests": "1",
        "failures": str(int(case.outcome == "failed")),
        "errors": "0",
        "skipped": str(int(case.outcome == "skipped")),
    }
    suite = ElementTree.SubElement(suites, "testsuite", {"name": "clipeval", **counts})
    test = ElementTree.SubElement(
        suite, "testcase", {"classname": printable(case.group), "name": printable(case.name)}
    )
    if case.properties:
        properties = ElementTree.SubElement(test, "properties")
        for name, value in case.properties.items():
            words = {"name": printable(name), "value": printable(value)}
            ElementTree.SubElement(properties, "property", words)
    text = "\n".join(printable(line) for line in case.text.splitlines())
    if case.outcome == "passed":
        ElementTree.SubElement(test, "system-out").text = text
    else:
        tag = "failure" if case.outcome == "failed" else "skipped"
        ElementTree.SubElement(test, tag, {"message": printable(case.summary)}).text = text
    ElementTree.indent(suites)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"
    )
