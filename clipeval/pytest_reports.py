"""What remains of a pytest session: a summary on the terminal, files, the summary of a CI job."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from clipeval import pytest_settings as settings
from clipeval.pytest_judge import JUDGED
from clipeval.pytest_settings import ANSWERED

if TYPE_CHECKING:
    from clipeval.claims.results import FamilyResult


def attach(item: pytest.Item, report: pytest.TestReport) -> None:
    """Put what a test judged into its report, as text: a report goes from worker to controller."""
    if JUDGED in item.stash:
        from clipeval.claims.results import plain

        judged = item.stash[JUDGED]
        report.__dict__["clipeval"] = json.dumps([plain(result) for result in judged])
    if ANSWERED in item.stash:
        answered = item.stash[ANSWERED]
        report.__dict__["clipeval_baseline"] = list(answered)


class Reports:
    """Collects what tests judged, from this process or from all workers.

    Parameters
    ----------
    config : pytest.Config
        Its folder for reports is made at once: better now than after a long run.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._texts: list[str] = []
        self._baselines: list[tuple[str, str, str]] = []
        self._wrong = ""
        self._strict = settings.switched(config, "strict")
        named = settings.text(config, "report")
        self._folder = Path(named) if named else None
        if self._folder:
            from clipeval.errors import ClipevalError
            from clipeval.report.taken import check_free

            try:
                check_free(self._folder, "claims.json")
                self._folder.mkdir(parents=True, exist_ok=True)
            except ClipevalError as error:
                raise pytest.UsageError(f"--clipeval-report: {error}") from error
            except OSError as error:
                raise pytest.UsageError(f"--clipeval-report {named}: {error.strerror}") from error

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test judged."""
        found = getattr(report, "clipeval", None)
        if found:
            self._texts.append(found)
        answered = getattr(report, "clipeval_baseline", None)
        if answered:
            self._baselines.append((answered[0], answered[1], answered[2]))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear what a worker of pytest-xdist found wrong."""
        self._wrong = self._wrong or getattr(node, "workeroutput", {}).get(settings.WRONG, "")

    def pytest_sessionfinish(self) -> None:
        """Write the files that were asked for."""
        if self._wrong:
            pytest.exit(self._wrong, returncode=pytest.ExitCode.USAGE_ERROR)
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        answers = [text for *_, text in self._baselines if text]
        if not (self._texts and (self._folder or summary)) and not (answers and summary):
            return
        from clipeval.errors import ClipevalError
        from clipeval.report.claims_markdown import claims_markdown, write_claims
        from clipeval.report.markdown import append_step_summary

        try:
            if self._folder and self._texts:
                write_claims(self._folder, self._results(), strict=self._strict)
            if summary and self._texts:
                append_step_summary(summary, claims_markdown(self._results()))
            if summary and answers:
                append_step_summary(summary, "\n".join(answers))
        except ClipevalError as error:
            pytest.exit(str(error), returncode=pytest.ExitCode.INTERNAL_ERROR)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table of claims and models, and a line for each baseline."""
        if self._baselines:
            self._print_baselines(terminalreporter)
        if not self._texts:
            return
        from clipeval.claims.results import left_out, merged
        from clipeval.report.claims_table import claims_table
        from clipeval.report.claims_text import COLOURS, counts_line, model_notes, outside_notes

        writer = terminalreporter.config.get_terminal_writer()

        def paint(word: str, text: str) -> str:
            return writer.markup(text, **{COLOURS[word]: True})

        results = self._results()
        _, models, cases = merged(results)
        outside = left_out(results)
        terminalreporter.section("clipeval claims")
        for line in claims_table(cases, width=writer.fullwidth, paint=paint):
            terminalreporter.write_line(line)
        terminalreporter.write_line("")
        for note in [*outside_notes(outside), *model_notes(models)]:
            terminalreporter.write_line(note)
        terminalreporter.write_line(counts_line(cases, outside))
        if self._folder:
            terminalreporter.write_line(f"claims.json, claims.md and report.html in {self._folder}")

    def _print_baselines(self, terminalreporter: pytest.TerminalReporter) -> None:
        from clipeval.report.claims_text import COLOURS

        writer = terminalreporter.config.get_terminal_writer()
        terminalreporter.section("clipeval baselines")
        for word, text, _ in self._baselines:
            terminalreporter.write_line(f"{writer.markup(word, **{COLOURS[word]: True})}  {text}")

    def _results(self) -> list[FamilyResult]:
        from clipeval.claims.results import from_plain

        return [from_plain(data) for text in self._texts for data in json.loads(text)]
