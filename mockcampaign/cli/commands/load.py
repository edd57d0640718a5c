"""`mockcampaign load`: sends a consumer events at a given rate, on the wall clock."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from mockcampaign import __version__
from mockcampaign.cli import playing
from mockcampaign.cli.ci import shielded
from mockcampaign.cli.options import (
    SEED,
    credential_options,
    route_options,
    shared_options,
    wait_option,
)
from mockcampaign.cli.parameters import NEW_FILE, Command, DurationType, Number, WholeNumber, WordType
from mockcampaign.cli.playing import run_async, written
from mockcampaign.cli.progress import Counting
from mockcampaign.cli.terminal import INTERRUPTED, interrupted, print_lines, use_color
from mockcampaign.durations import format_duration, parse_duration
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.policy import DEFAULT_CLIENT_ID, INT64_MAX, MINUTE, SECOND
from mockcampaign.text import counted
from mockcampaign.transport.address import check_resolved, routes_to

if TYPE_CHECKING:
    from mockcampaign.load_test.arrivals import Load
    from mockcampaign.load_test.load_result import LoadSample, StepResult
    from mockcampaign.model import Authentication

RATE_MAX = 1_000_000


class _Written(NamedTuple):
    """A span of the load in milliseconds, and as it was written."""

    start: int
    end: int
    text: str


class _Span(click.ParamType[_Written]):
    """A span of the load, such as `60s..90s`."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> _Written:
        if isinstance(value, _Written):
            return value
        start, dots, end = value.partition("..")
        try:
            if dots:
                return _Written(parse_duration(start), parse_duration(end), value)
        except InvalidInputError as error:
            self.fail(str(error), param, ctx)
        return self.fail(f"{value!r} is not a span, allowed: START..END such as 60s..90s", param, ctx)


@click.command(cls=Command)
@click.argument("url")
@click.option(
    "--events-per-second", "rate", type=WholeNumber(1, RATE_MAX), required=True, help="Rate at which events occur."
)
@click.option("--for", "duration", type=DurationType(), default=MINUTE, help="Duration of the load.  [default: 1m]")
@click.option("--webhooks", type=WholeNumber(1, 1_000), default=1, show_default=True, help="Number of webhooks.")
@click.option(
    "--type",
    "types",
    multiple=True,
    type=WordType(list(EventType)),
    metavar="TYPE",
    help="Type of the events (repeatable: of the webhooks in turn).  [default: open]",
)
@click.option("--client-id", type=WholeNumber(1, INT64_MAX), default=DEFAULT_CLIENT_ID, help="Id of the first client.")
@click.option(
    "--outage",
    "outages",
    multiple=True,
    type=_Span(),
    metavar="START..END",
    help="Let nothing reach the consumer for a span of the load, such as 60s..90s (repeatable).",
)
@click.option(
    "--steps",
    type=WholeNumber(1, 100),
    default=1,
    show_default=True,
    help="Raise the rate in so many equal steps, each for the whole duration, until the consumer does not keep up.",
)
@click.option(
    "--drain", type=DurationType(), default=30 * SECOND, help="Wait so long for the last backlog.  [default: 30s]"
)
@click.option(
    "--pending-max",
    type=WholeNumber(1_000, 100_000_000),
    default=2_000_000,
    show_default=True,
    help="End the load when more events are pending, each of which takes about 400 bytes of memory.",
)
@click.option(
    "--late-max",
    type=Number(0, 100),
    default=0.1,
    show_default=True,
    help="Percentage of batches that may start more than 5 ms late. Above it, the result is inconclusive; so are fewer "
    "than 5 late batches if they are most of all.",
)
@click.option(
    "--allow-target",
    multiple=True,
    metavar="HOST|NETWORK",
    help="Send to this host or network too. Loopback and private addresses are allowed.",
)
@credential_options("LOAD")
@wait_option
@click.option("--seed", type=SEED, help="Generate the same events with the same seed.")
@shared_options("--ca", "--insecure")
@route_options
@click.option("--report-json", type=NEW_FILE, help="Write the complete result to this file as JSON.")
@click.option("--html", type=NEW_FILE, help="Write an HTML page with plots to this file.")
@click.option("-q", "--quiet", is_flag=True, help="Print only the verdict.")
@click.option("--no-color", is_flag=True, help="Print plain text, even on a terminal.")
def load(
    url: str,
    rate: int,
    duration: int,
    webhooks: int,
    types: tuple[str, ...],
    client_id: int,
    outages: tuple[_Written, ...],
    steps: int,
    drain: int,
    pending_max: int,
    late_max: float,
    allow_target: tuple[str, ...],
    authentication: Authentication,
    wait_for_consumer: int,
    seed: int | None,
    ca_file: Path | None,
    insecure: bool,
    host_header: str | None,
    resolve: tuple[str, ...],
    report_json: Path | None,
    html: Path | None,
    quiet: bool,
    no_color: bool,
) -> int:
    """Let events occur at a rate, whatever the consumer does, and say whether it keeps up.

    Time is wall time. Batches, retries and expiry are those of every other command.
    """
    from mockcampaign.load_test.load_page import load_page
    from mockcampaign.load_test.load_result import load_exit_status, load_json, load_result
    from mockcampaign.load_test.load_run import LoadSettings, rates_of_steps, run_load
    from mockcampaign.load_test.load_text import load_lines, step_lines
    from mockcampaign.masking import shown_url
    from mockcampaign.transport.targets import AllowedTargets
    from mockcampaign.transport.wire import WireTransport

    of_types = tuple(dict.fromkeys(map(EventType, types))) or (EventType.OPEN,)
    _check_last_client(client_id, webhooks, of_types)
    targets = AllowedTargets(allow_target, local=True)
    targets.check(url)
    routes = routes_to([url], host_header, resolve)
    check_resolved(routes, [url])
    loads = [_load(one, duration, webhooks, sorted(outages), pending_max) for one in rates_of_steps(rate, steps)]
    settings = LoadSettings(
        url=url,
        types=of_types,
        authentication=authentication,
        client_id=client_id,
        seed=secrets.randbits(31) if seed is None else seed,
        drain=drain,
        late_percent_max=late_max,
    )
    results: list[StepResult] = []
    color = use_color(no_color)

    def done(step: StepResult) -> None:
        results.append(step)
        if not quiet:
            print_lines(step_lines(step), color)

    async def run_all(show: _Show) -> None:
        await playing.wait_for_consumer(url, wait_for_consumer, routes)
        transport = WireTransport(ca_file=ca_file, verify=not insecure, targets=targets, routes=routes)
        try:
            await run_load(loads, transport, settings, done, show.sample)
        finally:
            await transport.aclose()

    status: int | None = None
    try:
        with shielded(), contextlib.ExitStack() as stack:
            show = _Show(stack)
            run_async(lambda: run_all(show))
    except (KeyboardInterrupt, asyncio.CancelledError):
        status = interrupted()
    if not results:
        return INTERRUPTED
    versions = {"mockcampaign": __version__, "python": platform.python_version()}
    result = load_result(shown_url(url), settings.seed, versions, results)
    for option, path, encode in (("--report-json", report_json, load_json), ("--html", html, load_page)):
        if path is not None:
            written(option, path, encode(result))
    print_lines(load_lines(result), color)
    return load_exit_status(result) if status is None else status


def _check_last_client(client_id: int, webhooks: int, types: Sequence[EventType]) -> None:
    """Raise `InvalidInputError` if the last client of so many webhooks cannot have its id."""
    from mockcampaign.load_test.live_sender import client_of

    others = client_of(webhooks - 1, client_id, types) - client_id
    if client_id + others > INT64_MAX:
        raise InvalidInputError(
            f"--client-id {client_id} with {counted(others + 1, 'client')} for --webhooks {webhooks}, "
            f"allowed: 1 to {INT64_MAX - others}"
        )


def _load(rate: int, duration: int, webhooks: int, outages: Sequence[_Written], pending_max: int) -> Load:
    from mockcampaign.load_test.arrivals import Load, PlannedOutage, WrongOutageError

    try:
        load = Load(
            events_per_second=rate,
            milliseconds=duration,
            webhooks=webhooks,
            outages=tuple(PlannedOutage(one.start, one.end) for one in outages),
            pending_max=pending_max,
        )
    except WrongOutageError as error:
        raise InvalidInputError(f"--outage {outages[error.index].text} {error.why}") from None
    if not load.events:
        raise InvalidInputError(
            f"--for {format_duration(duration)}: no event occurs at {rate} events/s, allowed: a longer duration"
        )
    return load


class _Show:
    """Shows the progress of a load on a terminal."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._counting = Counting("events", stack) if sys.stderr.isatty() else None

    def sample(self, load: Load, sample: LoadSample) -> None:
        """Show a sample."""
        if self._counting is not None:
            self._counting.show_later(
                f"{format_duration(sample.at // SECOND * SECOND)} of {format_duration(load.milliseconds)} at "
                f"{load.events_per_second:,} events/s: {sample.accepted:,} accepted, {sample.pending:,} pending"
            )
