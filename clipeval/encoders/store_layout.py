"""How a file of a store is laid out: safetensors, the same bytes for the same content."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_ALIGNED = 64


@dataclass(frozen=True)
class Tensor:
    """An array as it lies in a file.

    Attributes
    ----------
    dtype : {"F32", "U8"}
    shape : sequence of int
    data : bytes
        Little-endian.
    """

    dtype: str
    shape: Sequence[int]
    data: bytes


def text_tensor(value: object) -> Tensor:
    """Write something as JSON, one spelling for one content, and take its bytes as a tensor."""
    # ASCII, so that half a surrogate pair (a file name that is not UTF-8) survives
    data = json.dumps(value, separators=(",", ":")).encode("ascii")
    return Tensor("U8", [len(data)], data)


def laid_out(tensors: Mapping[str, Tensor], *, metadata: Mapping[str, str]) -> list[bytes]:
    """Lay tensors out as a safetensors file.

    The library's own writer may order and pad as its version likes; a store's files must not depend on that.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        They lie in the file in this order.
    metadata : mapping of str to str

    Returns
    -------
    list of bytes
        The header and each tensor, to be written one after the other.

    Examples
    --------
    >>> from safetensors.numpy import load
    >>> parts = laid_out({"ids": text_tensor(["a"]), "more": Tensor("U8", [1, 2], b"xy")}, metadata={})
    >>> {name: array.tobytes() for name, array in sorted(load(b"".join(parts)).items())}
    {'ids': b'["a"]', 'more': b'xy'}
    """
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    start = 0
    for name, tensor in tensors.items():
        end = start + len(tensor.data)
        header[name] = {"data_offsets": [start, end], "dtype": tensor.dtype, "shape": list(tensor.shape)}
        start = end
    text = json.dumps(header, separators=(",", ":"), sort_keys=True).encode("ascii")
    text += b" " * (-(len(text) + 8) % _ALIGNED)
    return [len(text).to_bytes(8, "little") + text, *(tensor.data for tensor in tensors.values())]
