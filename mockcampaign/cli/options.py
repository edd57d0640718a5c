"""Options that several commands have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mockcampaign.cli.parameters import EXISTING_FILE, NEW_FILE, DurationType, WholeNumber
from mockcampaign.errors import InvalidInputError
from mockcampaign.policy import INT64_MAX
from mockcampaign.report.formats import FORMATS

SEED = WholeNumber(0, INT64_MAX)


def wait_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option of every command whose consumer may still be starting. The command gets milliseconds."""
    with_wait: Callable[..., Any] = click.option(
        "--wait-for-consumer",
        type=DurationType(),
        default=0,
        help="Wait up to this long for the consumer to start, such as 30s.",
    )(command)
    return with_wait


def journal_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option of every command that sends requests. The command gets a path, or None."""
    with_journal: Callable[..., Any] = click.option(
        "--journal", type=NEW_FILE, help="Write the journal to this file during the run; `judge` reads it."
    )(command)
    return with_journal


def tls_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command that can serve https. The command gets the options as `tls`."""

    @functools.wraps(command)
    def with_tls(**arguments: Any) -> Any:
        from mockcampaign.tls import TlsOptions

        tls = TlsOptions(**{name: arguments.pop(name) for name in TlsOptions.__struct_fields__})
        return command(tls=tls, **arguments)

    decorated: Callable[..., Any] = with_tls
    for option in (
        click.option("--tls-key", type=EXISTING_FILE, help="The certificate's key."),
        click.option("--tls-certificate", type=EXISTING_FILE, help="Serve https with this certificate chain."),
        click.option("--tls-ca-file", type=NEW_FILE, help="Write the CA that clients must trust here."),
        click.option("--tls", is_flag=True, help="Serve https, with a certificate made for all names."),
    ):
        decorated = option(decorated)
    return decorated


@dataclass(frozen=True, slots=True)
class Outputs:
    """The report files of a run, by the option that names each."""

    files: dict[str, Path]
    full_journal: bool = False
    """Whether the JSON report holds every attempt."""

    def check(self) -> None:
        """Raise `InvalidInputError` for a file that cannot be written, before the run starts."""
        owners: dict[Path, str] = {}
        for option, path in self.files.items():
            if not path.parent.is_dir():
                raise InvalidInputError(f"{option} {path}: there is no folder {path.parent}, allowed: one that exists")
            other = owners.setdefault(path.resolve(), option)
            if other != option:
                raise InvalidInputError(f"{other} and {option} both name {path}, allowed: a file for each")


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command that generates events and ends in a verdict."""
    with_seed: Callable[..., Any] = click.option(
        "--seed", type=SEED, help="Generate the same events with the same seed."
    )(output_options(command))
    return with_seed


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command that ends in a verdict. The command gets the files as `outputs`."""

    @functools.wraps(command)
    def with_outputs(**arguments: Any) -> Any:
        named = {f"--{one.option}": arguments.pop(one.option.replace("-", "_")) for one in FORMATS}
        files = {option: path for option, path in named.items() if path is not None}
        outputs = Outputs(files, full_journal=arguments.pop("full_journal"))
        outputs.check()
        return command(outputs=outputs, **arguments)

    decorated: Callable[..., Any] = with_outputs
    for option in (
        click.option("--no-color", is_flag=True, help="Print plain text, even on a terminal."),
        click.option("-q", "--quiet", is_flag=True, help="Print only verdicts and what is wrong."),
        click.option("-v", "--verbose", is_flag=True, help="Print whole timelines, and what is right as well."),
        click.option("--full-journal", is_flag=True, help="Include every attempt in the JSON report."),
        *(click.option(f"--{one.option}", type=NEW_FILE, help=one.help) for one in reversed(FORMATS)),
    ):
        decorated = option(decorated)
    return decorated
