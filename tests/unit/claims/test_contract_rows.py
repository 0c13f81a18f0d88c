"""Every check's documentation names a row of the contract, and every row is somebody's."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re

import pytest

from clipeval.claims import checks
from clipeval.claims.claim import Check
from clipeval.core.contract import CONTRACT

FACTORIES = {
    name: factory
    for module in pkgutil.iter_modules(checks.__path__)
    for name, factory in inspect.getmembers(
        importlib.import_module(f"{checks.__name__}.{module.name}"), inspect.isfunction
    )
    if not name.startswith("_") and inspect.get_annotations(factory, eval_str=True).get("return") == Check
}


def rows_named(factory) -> set[str]:
    documentation = inspect.getdoc(factory) or ""
    return {
        name
        for words in re.findall(r"Rows? ((?:\"[\w-]+\"(?:, | or | and )?)+)", documentation)
        for name in re.findall(r"\"([\w-]+)\"", words)
    }


@pytest.mark.parametrize("name", sorted(FACTORIES))
def test_a_check_names_rows_that_exist(name) -> None:
    named = rows_named(FACTORIES[name])
    assert named
    assert named <= set(CONTRACT)


def test_every_row_is_followed_by_a_check_or_printed() -> None:
    followed = set().union(*map(rows_named, FACTORIES.values()))
    assert set(CONTRACT) - followed == {"rate"}
