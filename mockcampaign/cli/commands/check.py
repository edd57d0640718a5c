"""`mockcampaign check`: the compliance catalogue against a consumer."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mockcampaign.cli import playing
from mockcampaign.cli.ci import shielded
from mockcampaign.cli.credentials import credentials
from mockcampaign.cli.options import Outputs, common_options, journal_option, wait_option
from mockcampaign.cli.parameters import EXISTING_FILE, FOLDER, Command, DurationType, WholeNumber, WordType
from mockcampaign.cli.playing import reported, run_async, wire
from mockcampaign.cli.progress import Counting
from mockcampaign.cli.terminal import (
    COULD_NOT_TELL,
    INTERRUPTED,
    columns,
    complain,
    interrupted,
    print_lines,
    use_color,
)
from mockcampaign.durations import format_duration
from mockcampaign.errors import CouldNotTellError, InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.text import counted

if TYPE_CHECKING:
    from mockcampaign.judging.verdict import RunResult


class _Names(click.ParamType[tuple[str, ...]]):
    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        return value if isinstance(value, tuple) else tuple(name.strip() for name in value.split(",") if name.strip())


@click.command(cls=Command)
@click.argument("url")
@click.option(
    "--type",
    "event_type",
    type=WordType([kind.value for kind in EventType]),
    default="open",
    help="Send events of this type.  [default: open]",
)
@click.option("--basic-auth", metavar="USER:PASSWORD", envvar="CHECK_BASIC_AUTH", help="The right credentials.")
@click.option("--key-auth", metavar="NAME:VALUE", envvar="CHECK_KEY_AUTH", help="The same as a header of its own.")
@click.option("--probe", "probe_url", metavar="URL", help="Where the consumer tells what it has processed.")
@click.option("--probe-command", metavar="COMMAND", help="A command that prints the same as JSON; no shell.")
@click.option("--probe-events", metavar="JMESPATH", help="Leads to the list of events; @ without it.")
@click.option("--probe-count", metavar="JMESPATH", help="Leads to their number, where it tells no more than that.")
@click.option("--probe-state", "state_url", metavar="URL", help="Where it tells its newest event by mail or recipient.")
@click.option("--probe-states", "states", metavar="JMESPATH", default="@", help="Leads to these; @ without it.")
@click.option("--probe-fields", type=_Names(), metavar="FIELD,…", help="The fields that the account keeps; all.")
@click.option("--rules", type=_Names(), default=(), metavar="ID,…", help="Only these rules or families.")
@click.option("--skip", type=_Names(), default=(), metavar="ID,…", help="Not these rules or families.")
@click.option("--examples", type=WholeNumber(1, 10_000), default=20, show_default=True, help="Per generated rule.")
@click.option("--events", type=WholeNumber(1), metavar="N", help="How many events it makes at most.")
@click.option("--timeout", type=DurationType(), default="10s", show_default=True, help="The sender's time-out.")
@click.option("--settle", type=DurationType(), default="0s", help="How long the account may lag behind, such as 5s.")
@click.option("--budget", type=DurationType(), default="2m", show_default=True, help="How long all may take.")
@click.option("--client-id", type=WholeNumber(1, 2**53), help="The clientId of the events.")
@wait_option
@click.option("--strict", is_flag=True, help="Hazards fail it; must-rules that were not exercised are status 3.")
@click.option("--explain", is_flag=True, help="Whole timelines, and how to see a violation again.")
@click.option("--scenarios", type=FOLDER, help="Write a scenario file for each violation into this folder.")
@click.option("--baseline", type=EXISTING_FILE, help="Accept what an earlier --report-json found, and nothing else.")
@click.option("--full-fidelity", is_flag=True, help="Really send every attempt of long spans of equal failures.")
@click.option("--sweep", "swept", is_flag=True, help="Examine again, with other values, what rests on assumptions.")
@click.option("--restart-cmd", "restart_command", metavar="COMMAND", help="Kills the consumer and starts it again.")
@journal_option
@click.option("--ca", "ca_file", type=EXISTING_FILE, help="Trust this CA too.")
@click.option("--insecure", is_flag=True, help="Accept any certificate.")
@common_options
def check(
    url: str,
    event_type: str,
    basic_auth: str | None,
    key_auth: str | None,
    probe_url: str | None,
    probe_command: str | None,
    probe_events: str | None,
    probe_count: str | None,
    state_url: str | None,
    states: str,
    probe_fields: tuple[str, ...] | None,
    wait_for_consumer: int,
    explain: bool,
    scenarios: Path | None,
    baseline: Path | None,
    swept: bool,
    journal: Path | None,
    ca_file: Path | None,
    insecure: bool,
    seed: int | None,
    outputs: Outputs,
    verbose: bool,
    quiet: bool,
    no_color: bool,
    **options: Any,
) -> int:
    """Examine the consumer at URL, rule by rule (`mockcampaign rules` lists them)."""
    from mockcampaign import wallclock
    from mockcampaign.check.baseline import read_baseline
    from mockcampaign.check.bench.event_budget import EventBudget
    from mockcampaign.check.end_state import UrlState
    from mockcampaign.check.examiner import Examination, Examiner
    from mockcampaign.check.result import check_result
    from mockcampaign.check.settings import CLIENT_IDS, MAILING_IDS, Settings
    from mockcampaign.check.shrink import nothing_written
    from mockcampaign.check.store_probe import CommandProbe, StoreProbe, UrlProbe
    from mockcampaign.check.sweep import Swept, sweep
    from mockcampaign.engine.journal_file import Heading
    from mockcampaign.events.fields import FIELDS
    from mockcampaign.judging.consumer_store import Probe, check_jmespath
    from mockcampaign.judging.verdict import exit_status
    from mockcampaign.report.check_text import check_lines, headline_lines
    from mockcampaign.transport import Transport
    from mockcampaign.transport.address import parse_address

    parse_address(url)
    if probe_url is not None:
        parse_address(probe_url)
        if probe_command is not None:
            raise InvalidInputError("allowed: one of --probe and --probe-command, found both")
    if probe_events is not None and probe_count is not None:
        raise InvalidInputError("allowed: one of --probe-events and --probe-count, found both")
    if state_url is not None:
        parse_address(state_url)
    for expression in (probe_events, probe_count, states):
        if expression is not None:
            check_jmespath(expression)
    unknown = sorted(set(probe_fields or ()) - set(FIELDS))
    if unknown:
        raise InvalidInputError(f"--probe-fields: {unknown[0]!r} is unknown, allowed: {', '.join(FIELDS)}")
    known = () if baseline is None else read_baseline(baseline)
    if any(one.found is None for one in known):
        click.echo(
            f"mockcampaign: --baseline {baseline}: of an earlier version, so that all violations of its rules are "
            "accepted, also new ones: write it anew with --report-json",
            err=True,
        )
    settings = Settings(
        seed=secrets.randbits(31) if seed is None else seed,
        now=wallclock.now() // 1_000 * 1_000,
        event_type=EventType(event_type),
        authentication=credentials(basic_auth, key_auth),
        probe_fields=probe_fields or tuple(FIELDS),
        known=known,
        ca_file=ca_file,
        **options,
    )
    if scenarios is not None:
        _make_folder(scenarios)
    color = use_color(no_color)
    examiner: Examiner | None = None
    came_to: Swept | None = None

    def account(transport: Transport) -> StoreProbe | None:
        events = None if probe_count is not None else probe_events or "@"
        if probe_url is not None:
            return UrlProbe(Probe(url=probe_url, events=events, count=probe_count), transport, timeout=settings.timeout)
        if probe_command is not None:
            return CommandProbe(probe_command, events=events, count=probe_count, timeout=settings.timeout)
        return None

    stack = contextlib.ExitStack()
    counting = Counting("rules", stack) if sys.stderr.isatty() else None
    writer = stack.enter_context(playing.journal_file(journal))

    def write(examination: Examination, name: str) -> None:
        if writer is not None and examination.entries:
            writer.write(examination.entries, Heading(name=name, target=url, strict=settings.strict))

    def told(examination: Examination) -> None:
        write(examination, examination.rule.id)
        if counting is not None and examiner is not None:
            over, rules = len(examiner.examinations), examiner.rules
            following = rules[over].id if over < len(rules) else "the end"
            counting.show_later(f"{over}/{len(rules)} rules, now {following}")

    def swept_so_far(so_far: Swept) -> None:
        nonlocal came_to
        came_to = so_far
        if counting is not None:
            over = so_far.variations
            counting.show_later(f"sweep: {over}/{over + so_far.missed} other assumptions")

    def end_state(transport: Transport) -> UrlState | None:
        return None if state_url is None else UrlState(state_url, transport, states=states, timeout=settings.timeout)

    async def examine() -> None:
        nonlocal examiner, came_to
        await playing.wait_for_consumer(url, wait_for_consumer)
        async with wire(ca_file, not insecure) as transport:
            source, state = account(transport), end_state(transport)
            allowance = EventBudget(settings.events_max(swept=swept))
            examiner = Examiner(
                url,
                transport=transport,
                settings=settings,
                source=source,
                state=state,
                allowance=allowance,
                told=told,
            )
            if not quiet:
                bounds = f"at most {format_duration(settings.budget)} and {counted(allowance.most, 'event')}"
                ids = f"clients from {CLIENT_IDS.start} and mailings from {MAILING_IDS.start} on"
                click.echo(f"{counted(len(examiner.rules), 'rule')}, {bounds}, of {ids}\n")
            await examiner.run()
            if swept:
                came_to = await sweep(
                    examiner,
                    url,
                    transport=transport,
                    settings=settings,
                    source=source,
                    state=state,
                    told=swept_so_far,
                )
                for examination in examiner.examinations:
                    for assumed, part in examination.varied:
                        write(part, f"{examination.rule.id}, {assumed}")

    status: int | None = None
    try:
        with stack, nothing_written():
            run_async(examine)
    except (KeyboardInterrupt, asyncio.CancelledError):
        status = interrupted()
    except CouldNotTellError as error:
        if examiner is None or not examiner.examinations:
            if "the certificate" in str(error):
                mend = "--ca FILE trusts a CA of your own, and --insecure examines all else and names that hazard"
                raise CouldNotTellError(f"{error}; {mend}") from None
            raise
        status = complain(error, COULD_NOT_TELL)
    if examiner is None or not examiner.examinations:
        return INTERRUPTED
    examiner.not_reached()
    result = check_result(examiner.examinations, url, settings, came_to)
    with shielded():
        lines = check_lines(result, verbosity=verbose - quiet, explain=explain, width=columns(), folder=scenarios)
        print_lines(lines, color)
    print_lines(headline_lines(result, examiner.milliseconds), color)
    reported(result, outputs)
    if scenarios is not None:
        _write_scenarios(result, scenarios)
    return exit_status(result) if status is None else status


def _make_folder(folder: Path) -> None:
    """Raises `InvalidInputError` where there cannot be one."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInputError(f"--scenarios {folder}: cannot be made: {error.strerror}") from None


def _write_scenarios(result: RunResult, folder: Path) -> None:
    """Raises `InvalidInputError` where one cannot be written."""
    from mockcampaign.report.check_text import scenario_file

    for finding in result.rules:
        if finding.reproduce is not None and finding.reproduce.scenario is not None:
            path = scenario_file(folder, finding)
            try:
                path.write_text(finding.reproduce.scenario, encoding="utf-8")
            except OSError as error:
                raise InvalidInputError(f"--scenarios {path}: cannot be written: {error.strerror}") from None
