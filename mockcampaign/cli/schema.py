"""`mockcampaign schema`: the JSON Schemas of what is read and written."""

from __future__ import annotations

from collections.abc import Callable

import click


def _report() -> bytes:
    from mockcampaign.report.results import json_schema

    return json_schema()


SCHEMAS: dict[str, Callable[[], bytes]] = {
    "report": _report,
}
"""Each is made from the definitions that read or write the thing itself."""


@click.command()
@click.argument("name", type=click.Choice(list(SCHEMAS)))
def schema(name: str) -> int:
    """Print the JSON Schema of what NAME stands for."""
    click.echo(SCHEMAS[name](), nl=False)
    return 0
