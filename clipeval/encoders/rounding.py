"""How far arithmetic alone may move an embedding: one table for probes and baselines."""

from __future__ import annotations

from clipeval.encoders.base import Fingerprint

TOLERANCE = {"float64": 1e-9, "float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}
"""Relative distance that the company in a batch may move a row on a CPU: some hundred units in the last place
for the wide types, whose kernels differ by batch size, some ten for the 16-bit ones."""

ACCELERATOR = 20.0
"""How much more on an accelerator in float32: cuDNN convolves in TF32 (10 bits) unless told otherwise."""


def tolerance(fingerprint: Fingerprint) -> float:
    """Give the relative distance that a batch's company may move a row.

    Parameters
    ----------
    fingerprint : mapping
        Of a tower; its ``dtype`` and ``device`` are read (float32 on a CPU where it says nothing).

    Returns
    -------
    float

    Examples
    --------
    >>> tolerance({"dtype": "float32", "device": "cpu"}), tolerance({"dtype": "bfloat16"})
    (0.0001, 0.05)
    """
    dtype = fingerprint.get("dtype", "float32")
    wide = dtype == "float32" and fingerprint.get("device", "cpu") != "cpu"
    return TOLERANCE.get(dtype, TOLERANCE["float32"]) * (ACCELERATOR if wide else 1.0)
