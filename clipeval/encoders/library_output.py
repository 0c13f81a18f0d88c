"""What the model libraries print while they load, kept off the terminal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from clipeval.encoders.imports import import_models


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' progress bars and load reports off the terminal; refusals are ours to print."""
    talk = import_models("transformers").utils.logging
    bars, level = talk.is_progress_bar_enabled(), talk.get_verbosity()
    # open_clip logs through the root logger, which installs a handler for good when it has none
    root, disabled = logging.getLogger(), logging.root.manager.disable
    handlers = list(root.handlers)
    talk.disable_progress_bar()
    talk.set_verbosity_error()
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
        talk.set_verbosity(level)
        if bars:
            talk.enable_progress_bar()
