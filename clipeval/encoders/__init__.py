"""Encoders: one file for each family; heavy libraries are imported inside the functions that use them."""

from __future__ import annotations

from clipeval.encoders.base import Encoder, JointEncoder
from clipeval.encoders.load import load_encoder
from clipeval.encoders.options import LoadOptions
from clipeval.encoders.spec import ModelSpec, parse_spec

__all__ = ["Encoder", "JointEncoder", "LoadOptions", "ModelSpec", "load_encoder", "parse_spec"]
