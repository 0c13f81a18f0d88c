"""What models are called in a page: a letter, and a name without the user's folders."""

from __future__ import annotations

from string import ascii_uppercase

from clipeval.compare.job import Comparison
from clipeval.report.names import display_names
from clipeval.report.text import printable


def page_names(job: Comparison, *, show_paths: bool = False) -> dict[str, str]:
    """Name every model of a comparison.

    Parameters
    ----------
    job : Comparison
        What ran and what did not.
    show_paths : bool
        Give specs as they were written.

    Returns
    -------
    dict of str to str
        By spec.
    """
    specs = [result.spec for result in job.models]
    if show_paths:
        return {spec: printable(spec) for spec in specs}
    return display_names(specs)


def letter(at: int) -> str:
    """Give the letter that stands for a model, as in the tables of the terminal.

    Examples
    --------
    >>> letter(0), letter(26)
    ('A', 'AA')
    """
    high, low = divmod(at, len(ascii_uppercase))
    return (ascii_uppercase[high - 1] if high else "") + ascii_uppercase[low]
