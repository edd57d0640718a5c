"""The JSON report, and its published schema."""

from __future__ import annotations

import msgspec

from mockcampaign.judging.verdict import FORMAT, RunResult


def to_json(result: RunResult) -> bytes:
    """The JSON report."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"


def json_schema() -> bytes:
    """The JSON Schema of the JSON report."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"mockcampaign report {FORMAT}"}
    return msgspec.json.format(msgspec.json.encode({**schema, **msgspec.json.schema(RunResult)}), indent=2) + b"\n"
