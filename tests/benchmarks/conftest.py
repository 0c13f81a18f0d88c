"""What pytest-benchmark records of the machine: the words of ``clipeval bench``, and the accelerator."""

from __future__ import annotations

from typing import Any

import pytest

from clipeval.bench.devices import devices_here
from clipeval.bench.machine import machine_words


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Add what a speed depends on; the plugin's own words know no accelerator and no thread setting."""
    here = devices_here()
    machine_info["clipeval"] = machine_words(next((name for name in here if name != "cpu"), "cpu"))
    machine_info["clipeval"]["devices"] = ", ".join(here)
    machine_info.pop("node", None)  # the host's name is nobody's business
