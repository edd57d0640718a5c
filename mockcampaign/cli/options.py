"""Options and types of options that several commands have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
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


def wait_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """What all commands have that begin with a consumer that may not be there yet. The command gets milliseconds."""
    with_wait: Callable[..., Any] = click.option(
        "--wait-for-consumer", type=DurationType(), default=0, help="Let the consumer start first, such as 30s."
    )(command)
    return with_wait


def journal_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """What all commands have that send. The command gets a path, or None."""
    with_journal: Callable[..., Any] = click.option(
        "--journal", type=NEW_FILE, help="Write down here what happens, while it happens; `judge` reads it."
    )(command)
    return with_journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The files that the result of a run goes to; None: not asked for."""

    report_json: Path | None = None
    junit: Path | None = None
    html: Path | None = None

    def named(self) -> dict[str, Path]:
        """Path by option, of those that were asked for."""
        paths = {f"--{field.name.replace('_', '-')}": getattr(self, field.name) for field in fields(self)}
        return {option: path for option, path in paths.items() if path is not None}

    def check(self) -> None:
        """Raises `InvalidInputError` for a path that cannot be written to, while nothing was done in vain yet."""
        owners: dict[Path, str] = {}
        for option, path in self.named().items():
            if not path.parent.is_dir():
                raise InvalidInputError(f"{option} {path}: there is no folder {path.parent}, allowed: one that exists")
            other = owners.setdefault(path.resolve(), option)
            if other != option:
                raise InvalidInputError(f"{other} and {option} both name {path}, allowed: a file for each")


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What all commands that make events and end in a verdict have: `output_options`, and the seed."""
    with_seed: Callable[..., Any] = click.option("--seed", type=SEED, help="Makes the events repeatable.")(
        output_options(command)
    )
    return with_seed


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What all commands that end in a verdict have. The command gets the files as `outputs`."""

    @functools.wraps(command)
    def with_outputs(**arguments: Any) -> Any:
        outputs = Outputs(**{field.name: arguments.pop(field.name) for field in fields(Outputs)})
        outputs.check()
        return command(outputs=outputs, **arguments)

    decorated: Callable[..., Any] = with_outputs
    for option in (
        click.option("--no-color", is_flag=True, help="Plain text, also on a terminal."),
        click.option("-q", "--quiet", is_flag=True, help="Only verdicts, and what is wrong."),
        click.option("-v", "--verbose", is_flag=True, help="Whole timelines, and what is right."),
        click.option("--html", type=NEW_FILE, help="Write a page with plots and every attempt here."),
        click.option("--junit", type=NEW_FILE, help="Write JUnit XML here."),
        click.option("--report-json", type=NEW_FILE, help="Write the whole result as JSON here."),
    ):
        decorated = option(decorated)
    return decorated
