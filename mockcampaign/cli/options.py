"""Options that several commands have."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mockcampaign.cli.credentials import credentials
from mockcampaign.cli.parameters import (
    EXISTING_FILE,
    NEW_FILE,
    SECRET_FILE,
    DurationType,
    Names,
    WholeNumber,
    WordType,
    check_outputs,
)
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.policy import CHECKED_CLIENT_ID_MAX, INT64_MAX
from mockcampaign.report.formats import FORMATS
from mockcampaign.transport.address import check_host_header, parse_resolve

if TYPE_CHECKING:
    from mockcampaign.shape.shape import Shape

SEED = WholeNumber(0, INT64_MAX)


_EVENT_TYPES = WordType([kind.value for kind in EventType])

_SHARED: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "--type": click.option(
        "--type",
        "event_type",
        type=_EVENT_TYPES,
        help="Event type of the webhook under test.  [default: open, or that of the captured events]",
    ),
    "--like": click.option(
        "--like",
        type=EXISTING_FILE,
        multiple=True,
        help="Send events like the captured ones in this file. `check` and `soak` take several, one for each type.",
    ),
    "--shape": click.option(
        "--shape", "shape_file", type=EXISTING_FILE, help="Roles of fields, as `mockcampaign shape` writes them."
    ),
    "--keep": click.option(
        "--keep", multiple=True, metavar="FIELD", help="Send this captured field without pseudonyms."
    ),
    "--probe": click.option(
        "--probe", "probe_url", metavar="URL", help="URL that returns the events the consumer has stored."
    ),
    "--probe-command": click.option(
        "--probe-command", metavar="COMMAND", help="Command that prints the stored events as JSON (no shell)."
    ),
    "--probe-events": click.option(
        "--probe-events",
        metavar="JMESPATH",
        help="Path to the list of events in the response.  [default: @]",
    ),
    "--probe-count": click.option(
        "--probe-count", metavar="JMESPATH", help="Path to their number, for a probe that reports no events."
    ),
    "--probe-fields": click.option(
        "--probe-fields", type=Names(), metavar="FIELD,…", help="Fields the probe reports.  [default: all]"
    ),
    "--timeout": click.option(
        "--timeout", type=DurationType(least=1), default="10s", show_default=True, help="Time-out of the sender."
    ),
    "--settle": click.option(
        "--settle",
        type=DurationType(),
        default="0s",
        show_default=True,
        help="How long stored events may lag behind the response, such as 5s.",
    ),
    "--client-id": click.option(
        "--client-id", type=WholeNumber(1, CHECKED_CLIENT_ID_MAX), help="The clientId of the events."
    ),
    "--baseline": click.option(
        "--baseline", type=EXISTING_FILE, help="Accept the violations in this file of `baseline write`, and no others."
    ),
    "--ca": click.option("--ca", "ca_file", type=EXISTING_FILE, help="Trust the CA in this file as well."),
    "--insecure": click.option("--insecure", is_flag=True, help="Accept any certificate."),
}
"""Options that mean the same to every command that examines a consumer."""


def shared_options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds these options of the table, in this order."""

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(names):
            command = _SHARED[name](command)
        return command

    return decorated


def check_effects(given: Iterable[tuple[str, object, Mapping[str, object]]]) -> None:
    """Raise `InvalidInputError` for an option with a value that has no effect without one of the others."""
    for option, value, others in given:
        if value and not any(others.values()):
            raise InvalidInputError(f"{option} has no effect alone, allowed: {option} with {' or '.join(others)}")


def captured_shapes(
    like: Sequence[Path], shape_file: Path | None, event_type: str | None, keep: Collection[str]
) -> tuple[Shape, ...]:
    """Return the shape of the events under test, and then those of other types. Say which values are kept."""
    from mockcampaign.scenario.check_shapes import shapes_of_files

    found = shapes_of_files(like, shape_file, None if event_type is None else EventType(event_type), keep)
    for field in keep:
        click.echo(f"mockcampaign: --keep {field}: its captured values are sent and reported as they are", err=True)
    return found


class _CheckedText(click.ParamType[str]):
    """Text that a function of ours accepts."""

    def __init__(self, name: str, check: Callable[[str], object]) -> None:
        self.name = name
        self._check = check

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            self._check(value)
        except InvalidInputError as error:
            self.fail(str(error), param, ctx)
        return str(value)


def route_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for a consumer that is not at its final address yet. The command gets `host_header`, `resolve`.

    `routes_to` makes one value of them.
    """
    decorated = click.option(
        "--resolve",
        metavar="NAME:PORT:ADDRESS",
        multiple=True,
        type=_CheckedText("resolve", parse_resolve),
        help="Connect to this IP address for the name and port of a URL (repeatable).",
    )(command)
    with_routes: Callable[..., Any] = click.option(
        "--host-header",
        metavar="NAME[:PORT]",
        type=_CheckedText("host header", check_host_header),
        help="Send this Host header to the consumer, whatever its URL says.",
    )(decorated)
    return with_routes


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


def clock_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option of every command that may lead the consumer's clock. The command gets a path as `clock_file`."""
    with_clock: Callable[..., Any] = click.option(
        "--clock",
        "clock_file",
        type=NEW_FILE,
        help="Let the consumer follow virtual time: the file of `mockcampaign clock run`.",
    )(command)
    return with_clock


def tls_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command that can serve https. The command gets the options as `tls`."""

    @functools.wraps(command)
    def with_tls(**arguments: Any) -> Any:
        from mockcampaign.serving.tls import TlsOptions

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


def credential_options(
    variables: str, *, prefix: str = "", parameter: str = "authentication", then: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds the options for credentials. The command gets them as `parameter`.

    Names of environment variables begin with `variables`, those of options with `prefix`. `then` says when the
    credentials are valid. Files and variables come first: every user of a machine can
    read the arguments of its commands.
    """

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_credentials(**arguments: Any) -> Any:
            names = ("basic_auth", "key_auth", "basic_auth_file", "key_auth_file")
            given = {name: arguments.pop(f"{prefix.replace('-', '_')}{name}") for name in names}
            return command(**{parameter: credentials(**given, prefix=prefix)}, **arguments)

        with_options: Callable[..., Any] = with_credentials
        for option, form, what in (
            ("key-auth", "NAME:VALUE", f"Header and value that the consumer demands{then}"),
            ("basic-auth", "USER:PASSWORD", f"Basic credentials that the consumer demands{then}"),
        ):
            variable = f"{variables}_{option.upper().replace('-', '_')}"
            option = f"{prefix}{option}"
            for decorate in (
                click.option(
                    f"--{option}", metavar=form, envvar=variable, help=f"{what}. Other users can see arguments."
                ),
                click.option(
                    f"--{option}-file",
                    type=SECRET_FILE,
                    help=f"{what}: a file with {form}; or set {variable}.",
                ),
            ):
                with_options = decorate(with_options)
        return with_options

    return decorated


@dataclass(frozen=True, slots=True)
class Outputs:
    """The report files of a run, by the option that names each."""

    files: dict[str, Path]
    full_journal: bool = False
    """Whether the JSON report holds every attempt."""

    def check_inputs(self, read: Iterable[Path]) -> None:
        """Raise `InvalidInputError` if a report would overwrite a file that the run reads."""
        check_outputs(list(self.files.items()), read)


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
