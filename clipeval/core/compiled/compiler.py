"""numba behind one typed decorator, and whether it is worth its start."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, TypeVar

from clipeval.errors import MissingExtraError

Function = TypeVar("Function", bound=Callable[..., Any])

WORTH_PAIRS = 2**26
"""Pairs from which importing numba and loading the kernels (about a second) is made up for."""


def compiled(*, any_order: bool = False) -> Callable[[Function], Function]:
    """Compile a function of arrays and numbers; it runs without the interpreter's lock.

    numba keeps the machine code beside the source and renews it when that one file changes. So a compiled
    function calls and reads only what its own file defines, and after a change of the options below the
    ``.nbi`` and ``.nbc`` files must be deleted.

    Parameters
    ----------
    any_order : bool
        Let the compiler add in another order. Only for sums of small whole numbers, which are exact in any
        order; every other sum keeps the order that it is written in, and no product is fused with a sum.
    """
    import numba

    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    if any_order:
        options["fastmath"] = {"reassoc", "nsz"}

    def decorate(function: Function) -> Function:
        try:
            ready: Function = numba.njit(cache=True, **options)(function)
        except RuntimeError:  # no folder can be written to: compiled anew in every process
            ready = numba.njit(**options)(function)
        return ready

    return decorate


def use_compiled(wanted: bool | None, *, pairs: int) -> bool:
    """Decide whether compiled functions are used.

    Parameters
    ----------
    wanted : bool or None
        What the caller says; None leaves it to the size of the work.
    pairs : int
        To be scored.

    Raises
    ------
    MissingExtraError
        They are wanted and numba is not installed.
    """
    if wanted is None:
        return pairs >= WORTH_PAIRS and numba_starts()
    if wanted and find_spec("numba") is None:
        raise MissingExtraError("numba", extra="fast")
    return wanted


def numba_starts() -> bool:
    """Say whether numba is installed and can be imported: it refuses a numpy newer than itself.

    Examples
    --------
    >>> numba_starts() in (True, False)
    True
    """
    if find_spec("numba") is None:
        return False
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True
