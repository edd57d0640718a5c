"""The result of a whole pytest run, in the same files that the command line writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from mockcampaign import wallclock
from mockcampaign.judging.verdict import ScenarioResult, run_result
from mockcampaign.report.formats import ReportFormat, Writing
from mockcampaign.whole_files import why_not, write_whole

_WORKER_OUTPUT = "mockcampaign_results"


class ResultFiles:
    """A pytest plugin that collects the result of every test and writes them to files at the end of the run."""

    def __init__(self, files: dict[ReportFormat, Path], *, full_journal: bool) -> None:
        self._files = files
        self._full_journal = full_journal
        self._results: list[ScenarioResult] = []

    def add(self, *results: ScenarioResult) -> None:
        """Add the results of a test."""
        self._results += results

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """In a worker of pytest-xdist, send the results to the process that writes the files."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[_WORKER_OUTPUT] = msgspec.json.encode(self._results)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """In the process that writes the files, add the results of a worker that has ended."""
        sent = getattr(node, "workeroutput", {}).get(_WORKER_OUTPUT)
        if sent is not None:
            self.add(*msgspec.json.decode(sent, type=list[ScenarioResult]))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the files and print where they are."""
        if not self._results:
            terminalreporter.write_line("mockcampaign: no test has used a campaign, so nothing was written")
            return
        result = run_result(sorted(self._results, key=lambda result: result.name))
        for report, path in self._files.items():
            where = f"mockcampaign: {report.name} report: {path}"
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, report.encode(result, Writing(wallclock.now(), self._full_journal)))
            except OSError as error:
                # The tests have passed or failed, whatever becomes of their report.
                where += f": cannot be written: {why_not(error)}"
            terminalreporter.write_line(where)


RESULT_FILES = pytest.StashKey[ResultFiles]()


def result_files(config: pytest.Config) -> ResultFiles | None:
    """Return the collector of results, or None if no option asks for a file."""
    return config.stash.get(RESULT_FILES, None)


def collect_results(config: pytest.Config, files: dict[ReportFormat, Path], *, full_journal: bool) -> None:
    """From now on, collect results for these files."""
    plugin = ResultFiles(files, full_journal=full_journal)
    config.stash[RESULT_FILES] = plugin
    config.pluginmanager.register(plugin, "mockcampaign-result-files")


def add_results(config: pytest.Config, *results: ScenarioResult) -> None:
    """Add the results of a test, if an option asks for a file."""
    if (files := result_files(config)) is not None:
        files.add(*results)
