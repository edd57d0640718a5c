"""Commands for GitHub Actions: annotations at lines of a scenario, and protection against commands in other text."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import WORST, RunResult, ScenarioResult, rank, violates
from mockcampaign.report.scenario_text import brief, seen
from mockcampaign.text import printable

ANNOTATIONS_MAX = 10
"""How many annotations of each kind GitHub shows for a step (GitHub's documentation of workflow commands)."""


def annotation_lines(result: RunResult, locate: Callable[[str], str]) -> Iterator[str]:
    """Yield workflow commands, one a line. `locate` makes a path of the run relative to the repository."""
    left = {"error": ANNOTATIONS_MAX, "warning": ANNOTATIONS_MAX}
    if result.trouble is not None:
        left["error"] -= 1
        yield f"::error title=mockcampaign::{_data(result.trouble)}"
    # Only the first ones are shown.
    found = sorted(_worth_it(result), key=_rank)
    for kind, scenario, finding in found:
        if left[kind]:
            left[kind] -= 1
            yield _command(kind, scenario, finding, locate)


def _rank(found: tuple[str, ScenarioResult, Finding | None]) -> int:
    _, scenario, finding = found
    return WORST.index("could-not-tell") if finding is None else rank(finding, strict=scenario.strict)


def stop_commands(token: str) -> tuple[str, str]:
    """Return two lines between which GitHub obeys no command, because text of a consumer may look like one."""
    return f"::stop-commands::{token}", f"::{token}::"


def _worth_it(result: RunResult) -> Iterator[tuple[str, ScenarioResult, Finding | None]]:
    for scenario in result.scenarios:
        for finding in [*scenario.expectations, *scenario.rules]:
            if violates(finding, scenario) or finding.outcome == "could-not-tell":
                yield "error", scenario, finding
            elif finding.outcome == "warn" or finding.known:
                yield "warning", scenario, finding
        if scenario.trouble is not None:
            yield "error", scenario, None


def _command(kind: str, scenario: ScenarioResult, finding: Finding | None, locate: Callable[[str], str]) -> str:
    path, line, column = scenario.file, "1", "1"
    if finding is None:
        title, message = scenario.name, f"inconclusive: {scenario.trouble}"
    else:
        title = f"{scenario.name}: {finding.title}"
        message = f"expected {finding.expected}, actual {brief(seen(finding))}\n{finding.fix or finding.requirement}"
        if finding.place is not None:
            path, line, column = finding.place.rsplit(":", 2)
    where = {"file": locate(path), "line": line, "col": column} if path else {}
    properties = {**where, "title": title}
    written = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{kind} {written}::{_data(message)}"


def _data(text: str) -> str:
    """Escape a message, which may have several lines; other control characters are spelled out."""
    lines = [printable(line) for line in text.split("\n")]
    return "%0A".join(line.replace("%", "%25") for line in lines)


def _property(text: str) -> str:
    return printable(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
