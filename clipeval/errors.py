"""One exception tree: every error says what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class ClipevalError(Exception):
    """Base of all errors that clipeval raises on purpose.

    Parameters
    ----------
    what : str
        What is wrong, in one sentence.
    where : str, optional
        File, row, item id or option in which it was found.
    fix : str, optional
        What the user can do about it.

    Examples
    --------
    >>> print(ClipevalError("no captions", where="metadata.json, row 3", fix="write one"))
    no captions
      where: metadata.json, row 3
      to do: write one
    """

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.what = what
        self.where = where
        self.fix = fix
        lines = [what]
        if where:
            lines.append(f"  where: {where}")
        if fix:
            lines.append(f"  to do: {fix}")
        super().__init__("\n".join(lines))


class InvalidInputError(ClipevalError, ValueError):
    """Arrays or options that a function of ``core`` cannot accept."""


class WrongProductError(ClipevalError, ArithmeticError):
    """A library computed something that arithmetic does not allow: none of its results can be trusted."""


class DatasetError(ClipevalError):
    """A dataset that cannot be read as it stands."""


class PictureError(DatasetError):
    """A picture that cannot be decoded safely and completely."""


class BaselineError(ClipevalError):
    """A baseline file that cannot be written, read or trusted."""


class SpecError(ClipevalError):
    """A model spec that cannot be understood."""


class EncoderError(ClipevalError):
    """An encoder that broke its contract (wrong shape, not finite, wrong dtype)."""


class BatchTooLargeError(EncoderError):
    """A batch that does not fit into memory."""


class NotAvailableError(ClipevalError):
    """Something a run needs is not here: weights, a network, pictures.

    A job that meets it reports ``not_run`` with this text as the reason and goes on.
    """


class MissingExtraError(NotAvailableError):
    """An optional package is not installed.

    Parameters
    ----------
    package : str
        Distribution that could not be imported.
    extra : str
        The clipeval extra that brings it.
    """

    def __init__(self, package: str, *, extra: str) -> None:
        super().__init__(
            f"the package '{package}' is not installed",
            fix=f"pip install 'clipeval[{extra}]'",
        )
        self.package = package
        self.extra = extra


def near(word: str, known: Iterable[str]) -> str:
    """Say which known words are close to a wrong one.

    Parameters
    ----------
    word : str
        What the user wrote.
    known : iterable of str
        What would have been right.

    Returns
    -------
    str
        ``"did you mean 'x'?"`` or, with nothing near, the list of known words.

    Examples
    --------
    >>> near("captoin", ["caption", "category"])
    "did you mean 'caption'?"
    >>> near("zzz", ["b", "a"])
    'known: a, b'
    """
    names = sorted(set(known))
    matches = get_close_matches(word, names, n=2, cutoff=0.6)
    matches.sort(key=lambda match: not word.startswith(match))  # the right name with something after it
    if matches:
        return "did you mean " + " or ".join(f"'{m}'" for m in matches) + "?"
    return "known: " + ", ".join(names) if names else "nothing is known here"
