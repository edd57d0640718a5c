"""SARIF 2.1.0: violations for services that show them at lines of files, such as GitHub's code scanning.

What a baseline accepts is suppressed, what is inconclusive is an open result, and trouble of the run is a notification.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import msgspec

from mockcampaign import __version__, json_text
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult, ScenarioResult, is_strict, is_violation, rank
from mockcampaign.report.advice import explaining
from mockcampaign.report.scenario_text import brief, seen
from mockcampaign.text import printable

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_Level = Literal["error", "warning", "none"]


class _Object(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An object of SARIF, without the properties that have their default."""


class _Message(_Object, frozen=True, kw_only=True):
    text: str


class _Configuration(_Object, frozen=True, kw_only=True):
    level: _Level


class _Rule(_Object, frozen=True, kw_only=True):
    id: str
    short_description: _Message
    full_description: _Message
    help: _Message | None = None
    default_configuration: _Configuration


class _Driver(_Object, frozen=True, kw_only=True):
    name: str
    version: str
    rules: list[_Rule]


class _Tool(_Object, frozen=True, kw_only=True):
    driver: _Driver


class _Artifact(_Object, frozen=True, kw_only=True):
    uri: str


class _Region(_Object, frozen=True, kw_only=True):
    start_line: int
    start_column: int


class _Physical(_Object, frozen=True, kw_only=True):
    artifact_location: _Artifact
    region: _Region


class _Logical(_Object, frozen=True, kw_only=True):
    fully_qualified_name: str


class _Location(_Object, frozen=True, kw_only=True):
    physical_location: _Physical | None = None
    logical_locations: list[_Logical]


class _Suppression(_Object, frozen=True, kw_only=True):
    kind: Literal["external"]
    justification: str


class _SarifResult(_Object, frozen=True, kw_only=True):
    rule_id: str
    rule_index: int
    kind: Literal["fail", "open"]
    level: _Level
    message: _Message
    locations: list[_Location]
    partial_fingerprints: dict[str, str]
    suppressions: list[_Suppression] = []


class _Notification(_Object, frozen=True, kw_only=True):
    level: _Level
    message: _Message


class _Invocation(_Object, frozen=True, kw_only=True):
    execution_successful: bool
    tool_execution_notifications: list[_Notification] = []


class _Run(_Object, frozen=True, kw_only=True):
    tool: _Tool
    invocations: list[_Invocation]
    results: list[_SarifResult]
    column_kind: Literal["unicodeCodePoints"]


class _Log(_Object, frozen=True, kw_only=True):
    schema: str = msgspec.field(name="$schema")
    version: str
    runs: list[_Run]


class _Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One finding that a service shows, and where it belongs."""

    finding: Finding
    scenario: str | None
    file: str
    target: str
    strict: bool


def to_sarif(result: RunResult) -> bytes:
    """Return the document: a result for each violation, and for each rule or expectation that is inconclusive."""
    shown = [one for one in _findings(result) if one.finding.outcome in ("fail", "warn", "could-not-tell")]
    shown.sort(key=lambda one: rank(one.finding, strict=one.strict))
    rules = {one.finding.id: _rule(one.finding) for one in shown}
    indexes = {name: index for index, name in enumerate(rules)}
    troubles = [f"{scenario.name}: {scenario.trouble}" for scenario in result.scenarios if scenario.trouble is not None]
    if result.trouble is not None:
        troubles.append(result.trouble)
    run = _Run(
        tool=_Tool(driver=_Driver(name="mockcampaign", version=__version__, rules=list(rules.values()))),
        invocations=[
            _Invocation(
                execution_successful=not troubles,
                tool_execution_notifications=[
                    _Notification(level="error", message=_Message(text=printable(why))) for why in troubles
                ],
            )
        ],
        results=[_result(one, indexes[one.finding.id]) for one in shown],
        column_kind="unicodeCodePoints",
    )
    encoded = msgspec.json.encode(_Log(schema=SCHEMA, version="2.1.0", runs=[run]))
    return msgspec.json.format(json_text.without_lone_surrogates(encoded), indent=2) + b"\n"


def _findings(result: RunResult) -> Iterator[_Shown]:
    """Yield every finding once. The rules of a check belong to no scenario."""
    if result.headline is not None:
        strict = is_strict(result)
        for finding in result.rules:
            yield _Shown(finding=finding, scenario=None, file="", target=result.target, strict=strict)
        return
    for scenario in result.scenarios:
        yield from (_of_scenario(scenario, finding) for finding in (*scenario.expectations, *scenario.rules))


def _of_scenario(scenario: ScenarioResult, finding: Finding) -> _Shown:
    return _Shown(
        finding=finding,
        scenario=scenario.name,
        file=scenario.file,
        target=scenario.target,
        strict=scenario.strict,
    )


def _rule(finding: Finding) -> _Rule:
    # The title of an expectation contains what one step expects, and others may expect something else.
    title = finding.title if finding.place is None else finding.id
    return _Rule(
        id=finding.id,
        short_description=_Message(text=title),
        full_description=_Message(text=finding.requirement),
        help=_help(finding),
        default_configuration=_Configuration(level="error" if finding.level == "must" else "warning"),
    )


def _help(finding: Finding) -> _Message | None:
    """Return how to fix a violation, and the command that explains the rule: its page has no address."""
    command = explaining([finding])
    parts = (finding.fix, None if command is None else f"`{command}` explains the rule.")
    return _Message(text="\n".join(filter(None, parts))) if any(parts) else None


def _result(shown: _Shown, rule_index: int) -> _SarifResult:
    finding = shown.finding
    known = _Suppression(kind="external", justification="A baseline or the test itself accepts it.")
    is_open = finding.outcome == "could-not-tell"
    is_error = finding.outcome == "fail" or is_violation(finding, strict=shown.strict)
    actual = f"expected {finding.expected}, actual {brief(seen(finding))}"
    return _SarifResult(
        rule_id=finding.id,
        rule_index=rule_index,
        kind="open" if is_open else "fail",
        level="none" if is_open else "error" if is_error else "warning",
        message=_Message(text=f"{finding.title}: {actual}\n{finding.fix or finding.requirement}"),
        locations=[_location(shown)],
        partial_fingerprints={
            "violation/v1": ": ".join(part for part in (shown.scenario, finding.id, finding.identity) if part)
        },
        suppressions=[known] if finding.known else [],
    )


def _location(shown: _Shown) -> _Location:
    """Return the line of the scenario, or the beginning of its file, and the consumer."""
    logical = [_Logical(fully_qualified_name=shown.target if shown.scenario is None else shown.scenario)]
    path, line, column = shown.file, "1", "1"
    if shown.finding.place is not None:
        path, line, column = shown.finding.place.rsplit(":", 2)
    if not path:
        return _Location(logical_locations=logical)
    region = _Region(start_line=int(line), start_column=int(column))
    artifact = _Artifact(uri=_uri(path))
    return _Location(physical_location=_Physical(artifact_location=artifact, region=region), logical_locations=logical)


def _uri(path: str) -> str:
    """Return a path as a URI; a relative path stays relative to the folder in which the command ran."""
    named = Path(path)
    # A name of a file need not be text.
    return named.as_uri() if named.is_absolute() else quote(named.as_posix().encode(errors="surrogateescape"))
