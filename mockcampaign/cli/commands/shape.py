"""`mockcampaign shape`: says which field of captured events plays which role, as a file to correct."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mockcampaign.cli.parameters import EXISTING_FILE, NEW_FILE, Command, WordType
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.text import counted

if TYPE_CHECKING:
    pass


@click.command(cls=Command)
@click.argument("file", type=EXISTING_FILE)
@click.option(
    "--type",
    "type_name",
    type=WordType([kind.value for kind in EventType]),
    metavar="TYPE",
    help="Use this type, such as click, if the events do not say it, or are of several types.",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="FIELD",
    help="Show this field as it was captured, without pseudonyms. Repeat it for several.",
)
@click.option("--output", "-o", type=NEW_FILE, help="Write the shape to this file.  [default: standard output]")
@click.option("--force", is_flag=True, help="Overwrite a file that exists, with the corrections in it.")
def shape(file: Path, type_name: str | None, keep: tuple[str, ...], output: Path | None, force: bool) -> int:
    """Say which field of captured events plays which role, as YAML to correct.

    FILE contains an event, a list of events, or the body of a request, as JSON or JSON Lines; or it is a journal.

    \b
    mockcampaign shape captured.json --output shape.yaml
    """
    from mockcampaign.scenario.shape_file import shape_yaml
    from mockcampaign.shape.captured import shape_of_file

    if output is not None and not output.parent.is_dir():
        raise InvalidInputError(f"--output {output}: there is no folder {output.parent}, allowed: one that exists")
    if output is not None and output.exists() and not force:
        raise InvalidInputError(
            f"--output {output}: exists, and may contain corrections, allowed: another name, or --force"
        )
    event_type = None if type_name is None else EventType(type_name)
    found = shape_of_file(file, event_type=event_type, keep=keep)
    text = shape_yaml(found)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, "utf-8")
    events = f"{counted(len(found.examples), 'event')} of type {found.event_type}"
    advice = "write another role where one is wrong, and use the file with --shape"
    click.echo(f"{events} with {counted(len(found.fields), 'field')}: {advice}", err=True)
    return 0
