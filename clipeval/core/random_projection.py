"""Seeded random bridges: the same bytes in every process, numpy version and machine (see `random_bits`)."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from clipeval.core.random_bits import random_bytes, standard_normal, uniform_words
from clipeval.errors import InvalidInputError, near

Matrix: TypeAlias = NDArray[np.float64]
Rng: TypeAlias = Literal["clipeval", "numpy-legacy"]


def gaussian_projection(d_in: int, d_out: int, *, seed: int, rng: Rng = "clipeval") -> Matrix:
    """Draw a Gaussian matrix with independent entries N(0, 1/d_in).

    Norms are kept on average up to a known factor, ``E‖xW‖² = (d_out / d_in) ‖x‖²``, and inner products
    likewise, ``E⟨xW, yW⟩ = (d_out / d_in) ⟨x, y⟩``; cosines do not see the factor.

    Parameters
    ----------
    d_in, d_out : int
        Widths, at least 1.
    seed : int
        Not negative; below 2**32 for ``rng="numpy-legacy"``.
    rng : {"clipeval", "numpy-legacy"}
        ``clipeval``: row i is made of SHAKE-256 words of the message
        ``"clipeval/projection/1;gaussian;SEED;D_IN;D_OUT;I"`` by `random_bits.standard_normal`, divided by
        ``sqrt(d_in)``; the same bytes everywhere. The shape is part of the message, so the same seed with
        another shape gives an unrelated matrix. ``numpy-legacy``: what ``numpy.random.seed(SEED)`` followed
        by ``numpy.random.normal(0, 1 / sqrt(d_in), (d_in, d_out))`` gives; numpy has frozen that stream, but
        its last bits rest on the C library's ``log``.

    Returns
    -------
    ndarray of float64, shape (d_in, d_out)

    Raises
    ------
    InvalidInputError
        A width below 1, a seed out of range, an unknown ``rng``.

    Examples
    --------
    >>> w = gaussian_projection(2048, 384, seed=42)
    >>> w.shape, round(float(w.std()) * 2048**0.5, 2)
    ((2048, 384), 1.0)
    """
    check_widths(d_in, d_out)
    _check_seed(seed)
    scale = math.sqrt(d_in)
    if rng == "numpy-legacy":
        if seed >= 2**32:
            raise InvalidInputError(f"numpy's legacy generator takes seeds below 2**32, not {seed}")
        legacy = np.random.RandomState(seed)  # numpy has frozen its stream
        return np.asarray(legacy.normal(0.0, 1.0 / scale, (d_in, d_out)), dtype=np.float64)
    if rng != "clipeval":
        raise InvalidInputError(f"unknown rng '{rng}'", fix=near(rng, get_args(Rng)))
    rows = [
        standard_normal(uniform_words(_message("gaussian", seed, d_in, d_out, row), d_out))
        for row in range(d_in)
    ]
    return np.stack(rows) / scale


def sign_projection(d_in: int, d_out: int, *, seed: int) -> Matrix:
    """Draw a matrix of independent fair signs ``±1/sqrt(d_out)``.

    Norms and inner products are kept on average: ``E‖xW‖² = ‖x‖²`` and ``E⟨xW, yW⟩ = ⟨x, y⟩``
    (D. Achlioptas 2003, "Database-friendly random projections", J. Comput. Syst. Sci. 66).

    Parameters
    ----------
    d_in, d_out : int
        Widths, at least 1.
    seed : int
        Not negative. Row i is made of the SHAKE-256 bits, lowest bit of each byte first, of the message
        ``"clipeval/projection/1;sign;SEED;D_IN;D_OUT;I"``; a 1 is negative. The same bytes everywhere;
        the same seed with another shape gives an unrelated matrix.

    Returns
    -------
    ndarray of float64, shape (d_in, d_out)

    Raises
    ------
    InvalidInputError
        A width below 1 or a negative seed.

    Examples
    --------
    >>> import numpy as np
    >>> np.unique(sign_projection(8, 4, seed=0)).tolist()
    [-0.5, 0.5]
    """
    check_widths(d_in, d_out)
    _check_seed(seed)
    stream = b"".join(
        random_bytes(_message("sign", seed, d_in, d_out, row), -(-d_out // 8)) for row in range(d_in)
    )
    packed = np.frombuffer(stream, dtype=np.uint8).reshape(d_in, -1)
    bits = np.unpackbits(packed, axis=1, count=d_out, bitorder="little")
    return np.where(bits == 1, -1.0, 1.0) / math.sqrt(d_out)


def check_widths(d_in: int, d_out: int) -> None:
    """Refuse widths that are not whole numbers of at least 1.

    Parameters
    ----------
    d_in, d_out : int

    Raises
    ------
    InvalidInputError
        Names the width.

    Examples
    --------
    >>> check_widths(3, 1)
    """
    for name, width in (("d_in", d_in), ("d_out", d_out)):
        if isinstance(width, bool) or not isinstance(width, int | np.integer) or width < 1:
            raise InvalidInputError(f"{name} must be a whole number of at least 1, not {width!r}")


def _message(kind: str, seed: int, d_in: int, d_out: int, row: int) -> str:
    return f"clipeval/projection/1;{kind};{int(seed)};{int(d_in)};{int(d_out)};{row}"


def _check_seed(seed: int) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InvalidInputError(f"seed must be a whole number of at least 0, not {seed!r}")
