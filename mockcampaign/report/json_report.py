"""The JSON report, and its published schema."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import msgspec

from mockcampaign import json_text
from mockcampaign.errors import InvalidInputError
from mockcampaign.judging.verdict import FORMAT, Evidence, RunResult, ScenarioResult
from mockcampaign.text import printable, short
from mockcampaign.whole_files import read_whole

EVIDENCE_MAX = 20
"""How many entries of the journal a report without journals keeps for each violation."""


def to_json(result: RunResult, *, full_journal: bool = False) -> bytes:
    """Return the JSON report, with the journals only if `full_journal` asks for them."""
    if not full_journal:
        result = msgspec.structs.replace(result, scenarios=list(map(_without_journal, result.scenarios)))
    # Not as they were sent: readers of the report may be as strict as msgspec.
    encoded = json_text.without_lone_surrogates(msgspec.json.encode(result))
    return msgspec.json.format(encoded, indent=2) + b"\n"


def read_report(path: Path) -> RunResult:
    """Return the result in a file that `to_json` made. Raise `InvalidInputError` if it is none."""
    try:
        result = msgspec.json.decode(read_whole(path), type=RunResult)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        why = short(printable(str(error)), 200)
        raise InvalidInputError(f"{path}: no report: {why}, allowed: a file that --report-json wrote") from None
    if result.format != FORMAT:
        raise InvalidInputError(f"{path}: a report of format {result.format}, allowed: format {FORMAT}")
    return result


def _without_journal(scenario: ScenarioResult) -> ScenarioResult:
    if not scenario.journal:
        return scenario
    wrong = [one for one in (*scenario.rules, *scenario.expectations) if one.outcome in ("fail", "warn")]
    positions = sorted({position for one in wrong for position in one.evidence[:EVIDENCE_MAX]})
    evidence = tuple(Evidence(position=position, entry=scenario.journal[position]) for position in positions)
    return msgspec.structs.replace(scenario, journal=[], evidence=evidence)


def json_schema() -> bytes:
    """Return the JSON Schema of the JSON report."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"mockcampaign report {FORMAT}"}
    described = _dedented({**schema, **msgspec.json.schema(RunResult)})
    return msgspec.json.format(msgspec.json.encode(described), indent=2) + b"\n"


def _dedented(schema: Any) -> Any:
    """Return a schema whose descriptions have no indentation; Python keeps that of a docstring before 3.13."""
    match schema:
        case dict():
            return {
                name: inspect.cleandoc(value) if name == "description" and isinstance(value, str) else _dedented(value)
                for name, value in schema.items()
            }
        case list():
            return [_dedented(value) for value in schema]
        case _:
            return schema
