"""What all tests of a run came to, as the same result, and so the same reports, that the command line gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from mockcampaign.judging.verdict import ScenarioResult, run_result

OPTIONS = ("--mockcampaign-html", "--mockcampaign-report-json")

_RESULTS = pytest.StashKey[list[ScenarioResult]]()
_WORKER_OUTPUT = "mockcampaign_results"


def wanted(config: pytest.Config) -> bool:
    """Whether anybody wants the result of the run."""
    return any(config.getoption(option) for option in OPTIONS)


def add(config: pytest.Config, *results: ScenarioResult) -> None:
    """Keep what a test came to, if it is wanted."""
    if wanted(config):
        config.stash.setdefault(_RESULTS, []).extend(results)


def hand_over(config: pytest.Config) -> None:
    """In a worker of pytest-xdist: give the results to the process that reports."""
    output: dict[str, Any] = config.workeroutput  # type: ignore[attr-defined]
    output[_WORKER_OUTPUT] = msgspec.json.encode(config.stash.get(_RESULTS, []))


def take_over(config: pytest.Config, worker_output: dict[str, Any]) -> None:
    """There: keep what a worker gives."""
    if _WORKER_OUTPUT in worker_output:
        add(config, *msgspec.json.decode(worker_output[_WORKER_OUTPUT], type=list[ScenarioResult]))


def write(config: pytest.Config) -> list[str]:
    """Write the files that are wanted; lines that say where they are."""
    results = config.stash.get(_RESULTS, [])
    if not results:
        return ["no test has used a campaign, so nothing was written"]
    result = run_result(sorted(results, key=lambda result: result.name))
    lines = []
    for option in OPTIONS:
        path = config.getoption(option)
        if path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_bytes(_encoded(option, result))
            lines.append(f"{option.removeprefix('--mockcampaign-')} report: {path}")
    return lines


def _encoded(option: str, result: Any) -> bytes:
    # Imported late: the page brings a template engine.
    if option == "--mockcampaign-html":
        from mockcampaign.report.html import to_html

        return to_html(result)
    from mockcampaign.report.json_report import to_json

    return to_json(result)
