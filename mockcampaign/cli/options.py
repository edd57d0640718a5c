"""Options and types of options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mockcampaign.durations import parse_duration
from mockcampaign.errors import InvalidInputError

EXISTING_FILE: Any = click.Path(path_type=Path, dir_okay=False, exists=True)
NEW_FILE: Any = click.Path(path_type=Path, dir_okay=False)
SEED = click.IntRange(0, 2**63 - 1)


class DurationType(click.ParamType[int]):
    """A duration such as `30s`, in milliseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_duration(value)
        except InvalidInputError as error:
            self.fail(str(error), param, ctx)


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What all commands that end in a verdict have."""
    for option in (
        click.option("--no-color", is_flag=True, help="Plain text, also on a terminal."),
        click.option("-q", "--quiet", is_flag=True, help="Only verdicts, and what is wrong."),
        click.option("-v", "--verbose", is_flag=True, help="Whole timelines, and what is right."),
        click.option("--report-json", type=NEW_FILE, help="Write the report here."),
        click.option("--seed", type=SEED, help="Makes the events repeatable."),
    ):
        command = option(command)
    return command
