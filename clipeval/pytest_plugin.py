"""The pytest plugin: options that name models and data, fixtures that evaluate them."""

from __future__ import annotations
