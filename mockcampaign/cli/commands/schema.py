"""`mockcampaign schema`: prints JSON Schemas and the reference of the scenario language."""

from __future__ import annotations

from collections.abc import Callable

import click

from mockcampaign.cli.parameters import Command, WordType
from mockcampaign.cli.terminal import standard_output


def _report() -> bytes:
    from mockcampaign.report.json_report import json_schema

    return json_schema()


def _events() -> bytes:
    import msgspec

    from mockcampaign.events import event_schema

    return msgspec.json.format(msgspec.json.encode(event_schema()), indent=2) + b"\n"


def _scenario() -> bytes:
    from mockcampaign.scenario.language.schema import json_schema

    return json_schema()


def _reference() -> bytes:
    from mockcampaign.scenario.language.reference import reference

    return reference().encode()


SCHEMAS: dict[str, Callable[[], bytes]] = {
    "report": _report,
    "events": _events,
    "scenario": _scenario,
    "reference": _reference,
}
"""Documents by name, each generated from the definitions that the program itself uses."""


@click.command(cls=Command)
@click.argument("name", type=WordType(list(SCHEMAS)))
def schema(name: str) -> int:
    """Print a JSON Schema, or the reference of the scenario language in Markdown."""
    with standard_output() as out:
        out.write(SCHEMAS[name]())
    return 0
