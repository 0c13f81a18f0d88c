"""``pytest --clipeval-baseline FILE``: one test for each baseline and each model that shall follow."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from clipeval import pytest_settings as settings

if TYPE_CHECKING:
    from clipeval.baseline.result import SwapResult
    from clipeval.baseline.snapshot import Snapshot
    from clipeval.data.dataset import Dataset

DATASETS = pytest.StashKey[dict[tuple[str, bool], "Dataset"]]()
"""Those that baselines were compared on, by name, and whether their pictures are needed."""


class BaselineFile(pytest.File):
    """A baseline file that was named on the command line or in the ini file."""

    def collect(self) -> Iterable[BaselineItem]:
        """Give one test for each model; without ``--clipeval-model``, one for the baseline's own."""
        for model in settings.several(self.config, "model") or ("",):
            name = f"baseline[{model}]" if model else "baseline"
            yield BaselineItem.from_parent(self, name=name, model=model)


class BaselineItem(pytest.Item):
    """Compare a model with a baseline; write the baseline where there is none.

    Parameters
    ----------
    model : str
        A model spec; empty for the baseline's own.
    """

    def __init__(self, *, model: str, **given: Any) -> None:
        super().__init__(**given)
        self._model = model

    def runtest(self) -> None:
        """Pass if the answers hold, fail if they are refuted or cannot be compared, else skip."""
        __tracebackhide__ = True
        from clipeval.errors import ClipevalError, NotAvailableError

        wrong = absent = ""
        try:
            self._run()
        except NotAvailableError as error:
            absent = f"not_run: {error}"
        except ClipevalError as error:
            wrong = str(error)
        if absent and not settings.switched(self.config, "strict"):
            pytest.skip(absent)
        if absent or wrong:
            pytest.fail(absent or wrong, pytrace=False)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Name the test by its file."""
        return self.path, None, self.nodeid

    def _run(self) -> None:
        from clipeval.baseline.file import load_baseline
        from clipeval.errors import BaselineError

        if not self.path.exists():
            self._write_first()
            return
        try:
            old = load_baseline(self.path)
        except BaselineError as error:
            if not (self._model and settings.switched(self.config, "update")):
                raise
            self._replace_unreadable(error)
            return
        new = self._measured(
            self._model or old.model, data=settings.text(self.config, "data") or self._data_of(old)
        )
        result = self._compared(old, new)
        if settings.switched(self.config, "update"):
            self._write_again(old, new, result)
        else:
            self._judge(result, notes=(*old.notes, *new.notes))

    def _write_first(self) -> None:
        from clipeval.baseline.file import save_baseline

        if not self._model:
            pytest.fail(
                f"there is no {self.path}\n  to do: name the model to write it: --clipeval-model=SPEC",
                pytrace=False,
            )
        new = self._measured(self._model, data=settings.text(self.config, "data") or settings.EMBEDDED)
        save_baseline(self.path, new, embeddings=False)
        self.stash[settings.ANSWERED] = (
            "not_run",
            f"{self.path.name}: written now: review and commit it",
            "",
        )
        pytest.fail(
            f"there was no baseline: wrote {self.path} ({len(new.items)} items)\n"
            "  to do: review and commit it; the next run compares with it",
            pytrace=False,
        )

    def _write_again(self, old: Snapshot, new: Snapshot, result: SwapResult) -> None:
        from clipeval.baseline.file import save_baseline

        save_baseline(self.path, new, embeddings=old.images is not None, replace=True)
        self.stash[settings.ANSWERED] = (
            "not_run",
            f"{self.path.name}: written anew; against the old one: {result.verdict.value}: {result.reason}",
            "",
        )

    def _replace_unreadable(self, error: Exception) -> None:
        from clipeval.baseline.file import save_baseline

        new = self._measured(self._model, data=settings.text(self.config, "data") or settings.EMBEDDED)
        save_baseline(self.path, new, replace=True)
        why = str(error).splitlines()[0]
        said = f"{self.path.name}: written anew; the old one could not be read: {why}"
        self.stash[settings.ANSWERED] = ("not_run", said, "")

    def _judge(self, result: SwapResult, *, notes: tuple[str, ...]) -> None:
        from clipeval.core.verdict import Verdict
        from clipeval.report.swap_junit import swap_properties
        from clipeval.report.swap_markdown import swap_markdown
        from clipeval.report.swap_text import swap_message
        from clipeval.report.text import printable

        said = f"{self.path.name}: {printable(result.reason)}"
        self.stash[settings.ANSWERED] = (result.verdict.value, said, swap_markdown(result))
        self.user_properties.extend(swap_properties(result).items())
        if result.verdict is Verdict.HOLDS:
            return
        message = "\n".join([swap_message(result), *(f"note: {printable(note)}" for note in notes)])
        command = settings.baseline_command(self.config, self.path, self._model)
        if result.verdict is Verdict.NOT_RUN:
            # skipped, it would stay silent for ever
            message += f"\n  to do: if that is meant, write it again: {command} --clipeval-update"
        if result.verdict is not Verdict.UNDECIDED or settings.switched(self.config, "strict"):
            pytest.fail(f"{message}\n  to see it again\n    {command}", pytrace=False)
        pytest.skip(f"{result.verdict.value}: {printable(result.reason)}")

    def _data_of(self, old: Snapshot) -> str:
        from clipeval.baseline.data_path import data_as_found

        return data_as_found(old.data, file=self.path)

    def _measured(self, model: str, *, data: str) -> Snapshot:
        from clipeval.baseline.measure import measure
        from clipeval.data.load import load_dataset
        from clipeval.encoders.spec import parse_spec
        from clipeval.evaluation import default_cache

        known = self.config.stash.setdefault(DATASETS, {})
        key = (data, parse_spec(model).needs_pictures)
        if key not in known:
            offline = settings.switched(self.config, "offline")
            known[key] = load_dataset(data, require_pictures=key[1], offline=offline)
        return measure(
            model,
            known[key],
            data=data,
            offline=settings.switched(self.config, "offline"),
            probing=not settings.switched(self.config, "no-probe"),
            cache=default_cache(),
        )

    def _compared(self, old: Snapshot, new: Snapshot) -> SwapResult:
        from clipeval.baseline.compare import compare_snapshots

        return compare_snapshots(old, new, margin=settings.number(self.config, "margin"))


def baseline_items(session: pytest.Session) -> list[pytest.Item]:
    """Make the tests of all named baselines.

    Raises
    ------
    pytest.UsageError
        A baseline is to be written, and several models are named; the margin is no number from 0 to 1.
    """
    config = session.config
    models = settings.several(config, "model")
    if not 0 <= settings.number(config, "margin") <= 1:
        given = settings.text(config, "margin")
        raise pytest.UsageError(f"--clipeval-margin: {given} is not a loss of hit@1 and MRR, from 0 to 1")
    # what an ini file names lies where it says, whatever folder pytest was started in
    typed = config.getoption("--clipeval-baseline")
    beside = config.inipath.parent if config.inipath and not typed else config.invocation_params.dir
    items: list[pytest.Item] = []
    for file in dict.fromkeys(settings.several(config, "baseline")):
        path = Path(beside, file).absolute()
        if len(models) > 1 and (settings.switched(config, "update") or not path.exists()):
            raise pytest.UsageError(f"{file}: {len(models)} models are named, and a baseline holds one")
        items += BaselineFile.from_parent(session, path=path).collect()
    return items
