"""Which words of two fingerprints differ, in the order in which they explain other embeddings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FieldChange:
    """One word of the fingerprint that differs.

    Attributes
    ----------
    name : str
        Its key.
    label : str
        The key in words.
    old, new : str
        ``not recorded`` where one side lacks it.
    matters : bool
        It can change an embedding.
    """

    name: str
    label: str
    old: str
    new: str
    matters: bool = True
