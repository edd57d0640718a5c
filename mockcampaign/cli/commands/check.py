"""`mockcampaign check`: the compliance check of a consumer behind a URL."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Required, TypedDict, Unpack

import click
import msgspec

from mockcampaign.cli import playing
from mockcampaign.cli.ci import shielded
from mockcampaign.cli.options import (
    Outputs,
    captured_shapes,
    check_effects,
    clock_option,
    common_options,
    credential_options,
    journal_option,
    route_options,
    shared_options,
    wait_option,
)
from mockcampaign.cli.parameters import FOLDER, Command, DurationType, Names, WholeNumber
from mockcampaign.cli.playing import clock_of, make_folder, reported, run_async, wire, write_scenarios
from mockcampaign.cli.probe_options import check_probed
from mockcampaign.cli.progress import Counting
from mockcampaign.cli.same_command import same_command, unset_in_scenarios, unset_variables
from mockcampaign.cli.terminal import (
    COULD_NOT_TELL,
    INTERRUPTED,
    columns,
    complain,
    interrupted,
    print_lines,
    say,
    use_color,
    warn,
)
from mockcampaign.durations import format_duration
from mockcampaign.errors import CertificateError, CouldNotTellError, InvalidInputError, naming
from mockcampaign.masking import shown_url
from mockcampaign.model import Authentication
from mockcampaign.report.formats import FORMATS
from mockcampaign.text import counted, few
from mockcampaign.transport.address import check_resolved, routes_to

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping

    from mockcampaign.check.check import CheckRun, Progress
    from mockcampaign.check.examiner import Examination
    from mockcampaign.check.probes.end_state import StateSource
    from mockcampaign.check.probes.store_probe import Counter, StoreProbe
    from mockcampaign.check.settings import Settings
    from mockcampaign.judging.fact import Need
    from mockcampaign.judging.verdict import RunResult
    from mockcampaign.shape.shape import Shape
    from mockcampaign.transport import Transport
    from mockcampaign.transport.address import Routes


_NOT_REPEATED = frozenset(
    {"history", "rules", "skip", "explain", "scenarios", "seed", "journal", "baseline", "verbose", "quiet", "no_color"}
    | {"full_journal", *(one.option.replace("-", "_") for one in FORMATS)}
)
"""Options that a suggested command leaves out. With a new seed, the consumer knows none of the events yet."""

_FROM_ENVIRONMENT = {
    "basic_auth": "CHECK_BASIC_AUTH",
    "key_auth": "CHECK_KEY_AUTH",
    "probe_command": "PROBE_COMMAND",
    "probe_sql": "PROBE_SQL",
    "restart_command": "RESTART_COMMAND",
    "break_command": "BREAK_COMMAND",
    "restore_command": "RESTORE_COMMAND",
}
"""Variables that a suggested command names instead of values that may contain secrets."""


_COMMANDS = ("probe_command", "restart_command", "break_command", "restore_command")
"""Options whose values are commands, by the names of their parameters."""


class CheckArguments(TypedDict):
    """The options of the command, as click hands them over."""

    event_type: Required[str | None]
    like: tuple[Path, ...]
    shape_file: Path | None
    keep: tuple[str, ...]
    authentication: Required[Authentication]
    probe_url: str | None
    probe_command: str | None
    probe_sql: str | None
    probe_query: str | None
    probe_events: str | None
    probe_count: str | None
    probe_counters: tuple[str, ...]
    probe_fields: tuple[str, ...] | None
    state_url: str | None
    states: str | None
    rules: tuple[str, ...]
    skip: tuple[str, ...]
    examples: int
    histories: int | None
    history: int | None
    events: int | None
    timeout: int
    settle: int
    budget: int
    memory: int
    rate: int
    client_id: int | None
    wait_for_consumer: int
    strict: bool
    explain: bool
    scenarios: Path | None
    baseline: Path | None
    full_fidelity: bool
    sweep: bool
    restart_command: str | None
    break_command: str | None
    restore_command: str | None
    journal: Path | None
    ca_file: Path | None
    insecure: bool
    host_header: str | None
    resolve: tuple[str, ...]
    seed: int | None
    outputs: Outputs
    verbose: bool
    quiet: bool
    no_color: bool
    clock_file: Path | None


@click.command(cls=Command)
@click.argument("url")
@shared_options("--type", "--like", "--shape", "--keep")
@credential_options("CHECK")
@shared_options("--probe", "--probe-command")
@click.option(
    "--probe-sql",
    metavar="URL",
    envvar="PROBE_SQL",
    help="Database with the stored events, as SQLAlchemy's URL (or PROBE_SQL).",
)
@click.option(
    "--probe-query",
    metavar="SELECT",
    help="Reads the stored events with this query, which may have parameters such as :mailingId.",
)
@shared_options("--probe-events", "--probe-count")
@click.option(
    "--probe-counter",
    "probe_counters",
    metavar="URL#JMESPATH",
    multiple=True,
    help="URL and path of another number of events you report; repeatable.",
)
@click.option(
    "--probe-state", "state_url", metavar="URL", help="URL that returns each mail's or recipient's current state."
)
@click.option("--probe-states", "states", metavar="JMESPATH", help="Path to the states.  [default: @]")
@shared_options("--probe-fields")
@click.option("--rules", type=Names(), default=(), metavar="ID,…", help="Examine only these rules or families.")
@click.option("--skip", type=Names(), default=(), metavar="ID,…", help="Skip these rules or families.")
@click.option(
    "--examples",
    type=WholeNumber(1, 10_000),
    default=20,
    show_default=True,
    help="Number of cases for each rule that generates them.",
)
@click.option(
    "--histories", type=WholeNumber(1), metavar="N", help="Number of random histories.  [default: 5 for each example]"
)
@click.option("--history", type=WholeNumber(1), metavar="NUMBER", help="Play only this random history of the --seed.")
@click.option("--events", type=WholeNumber(1), metavar="N", help="Maximum number of events the check makes.")
@shared_options("--timeout", "--settle")
@click.option(
    "--budget", type=DurationType(least=1), default="2m", show_default=True, help="Time limit of the whole check."
)
@click.option(
    "--memory",
    type=DurationType(),
    default="0s",
    show_default=True,
    help="Wait so long before a batch from the beginning is redelivered at the end.",
)
@click.option(
    "--rate",
    type=WholeNumber(1, 100_000),
    default=10,
    show_default=True,
    metavar="N",
    help="Events a second that Campaign sends you on average; `keeps-up` expects these, or at least 50.",
)
@shared_options("--client-id")
@wait_option
@click.option("--strict", is_flag=True, help="Fail on hazards too; a skipped must-rule ends with status 3.")
@click.option("--explain", is_flag=True, help="Show whole timelines and how to reproduce each violation.")
@click.option("--scenarios", type=FOLDER, help="Write a scenario file for each violation to this folder.")
@shared_options("--baseline")
@click.option("--full-fidelity", is_flag=True, help="Send every attempt of long runs of equal failures.")
@click.option("--sweep", is_flag=True, help="Examine again, with other values, the rules that depend on assumptions.")
@click.option(
    "--restart-cmd", "restart_command", metavar="COMMAND", help="Command that kills the consumer and restarts it."
)
@click.option(
    "--break-cmd", "break_command", metavar="COMMAND", help="Command that breaks what the consumer needs (no shell)."
)
@click.option("--restore-cmd", "restore_command", metavar="COMMAND", help="Command that restores it.")
@clock_option
@journal_option
@shared_options("--ca", "--insecure")
@route_options
@common_options
def check(url: str, **options: Unpack[CheckArguments]) -> int:
    """Check the consumer at URL, rule by rule (`mockcampaign rules` lists them)."""
    return checked(url, options)


def checked(
    url: str, options: CheckArguments, *, meanwhile: Callable[[CheckRun], Coroutine[Any, Any, None]] | None = None
) -> int:
    """Check a consumer as the options say, report the result, and return the exit status.

    `meanwhile` makes it a soak: it runs while the check does, and is cancelled at its end.
    """
    from mockcampaign.check.bench.events import replaced_fields
    from mockcampaign.check.check import CheckRun
    from mockcampaign.check.examiner import select
    from mockcampaign.check.probes.probe_making import close_probe
    from mockcampaign.check.settings import CLIENT_IDS, MAILING_IDS
    from mockcampaign.cli.coverage_table import history_lines
    from mockcampaign.engine.journal_file import Heading
    from mockcampaign.judging.verdict import exit_status
    from mockcampaign.report.check_text import check_lines, headline_lines, next_lines, summary_lines

    _check_addresses(url, options)
    _check_effects(options)
    routes = routes_to([url], options["host_header"], options["resolve"])
    check_resolved(routes, _urls(url, options))
    settings = msgspec.structs.replace(_settings(options, routes), soaks=meanwhile is not None)
    undrawn: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if any(rule.draws for rule in select(settings)):
        from mockcampaign.check.shrink import nothing_written

        undrawn = nothing_written()
    folder = options["scenarios"]
    if folder is not None:
        make_folder(folder)
    color = use_color(options["no_color"])
    run: CheckRun | None = None
    result: RunResult | None = None
    stack = contextlib.ExitStack()
    counting = Counting("rules", stack) if sys.stderr.isatty() else None
    writer = stack.enter_context(playing.journal_file(options["journal"]))

    def write(name: str, examination: Examination) -> None:
        if writer is not None and examination.entries:
            writer.write(examination.entries, Heading(name=name, target=shown_url(url), strict=settings.strict))

    def show(progress: Progress) -> None:
        if counting is not None:
            counting.show_later(_progress_text(progress))

    async def examine() -> None:
        nonlocal run
        await playing.wait_for_consumer(url, options["wait_for_consumer"], routes)
        async with wire(options["ca_file"], not options["insecure"], routes) as transport:
            probe = _probe(options, transport, settings)
            stack.callback(close_probe, probe)
            run = CheckRun(
                url,
                transport=transport,
                settings=settings,
                probe=probe,
                state=_state(options, transport, settings.shape),
                counters=_counters(options, transport),
                clock=clock_of(options["clock_file"]),
                on_progress=show,
                on_examined=write,
            )
            if not options["quiet"]:
                longest = format_duration(settings.budget + settings.memory)
                bounds = f"at most {longest} and {counted(run.events_max, 'event')}"
                ids = f"with client ids from {CLIENT_IDS.start} and mailing ids from {MAILING_IDS.start}"
                if settings.shape.is_captured:
                    ids = f"{settings.shape.event_type}s of {counted(len(settings.shape.fields), 'field')} as captured"
                    replaced = replaced_fields(settings.shape)
                    ids += f", with pseudonyms for {few(replaced)} (--keep)" if replaced else ""
                unused = "".join(
                    f"{option} is not used by the selected rules\n" for option in _unused(settings, options)
                )
                say(f"{counted(run.rules, 'rule')}, {bounds}, {ids}\n{unused}")
            watching = None if meanwhile is None else asyncio.create_task(meanwhile(run))
            try:
                await run.finish()
            finally:
                if watching is not None:
                    watching.cancel()

    status: int | None = None
    try:
        with stack:
            try:
                with undrawn:
                    run_async(examine, must_finish=lambda: run is not None and bool(run.still_broken))
            finally:
                # While the journal is open: it gets the rules that were not reached, too.
                result = run.result() if run is not None and run.has_findings else None
    except (KeyboardInterrupt, asyncio.CancelledError):
        status = interrupted()
    except CouldNotTellError as error:
        if result is None:
            if isinstance(error, CertificateError):
                hint = "--ca FILE trusts your own CA; --insecure examines everything else and reports that hazard"
                raise CouldNotTellError(f"{error}; {hint}") from None
            raise
        status = complain(error, COULD_NOT_TELL)
    if run is not None and run.still_broken:
        warn(run.still_broken)
    if run is None or result is None:
        return INTERRUPTED
    verbosity = options["verbose"] - options["quiet"]
    with shielded():
        lines = check_lines(result, verbosity=verbosity, explain=options["explain"], width=columns(), folder=folder)
        print_lines(lines, color)
        if not options["quiet"]:
            print_lines(summary_lines(result, width=columns()), color)
        if settings.histories or settings.history:
            print_lines(history_lines(run.coverage, settings.seed), color)
    print_lines(headline_lines(result, run.milliseconds), color)
    if not options["quiet"] and meanwhile is None:
        again = same_command(_NOT_REPEATED, _FROM_ENVIRONMENT, _COMMANDS, settings.authentication.secrets())
        lines = next_lines(
            result, again, explain=options["explain"], folder=folder, variables=_unset(again, result, folder)
        )
        print_lines(lines, color)
    reported(result, options["outputs"])
    if folder is not None:
        write_scenarios(result, folder)
    return exit_status(result) if status is None else status


def _progress_text(progress: Progress) -> str:
    if progress.sweep is not None:
        tried = progress.sweep.variations
        return f"sweep: {tried}/{tried + progress.sweep.missed} other assumptions"
    return f"{progress.examined}/{progress.rules} rules, now {progress.following or 'the end'}"


def _check_addresses(url: str, options: CheckArguments) -> None:
    """Raise `InvalidInputError` for addresses and paths that cannot be right, before anything is sent."""
    from mockcampaign.check.probes.run_command import runnable
    from mockcampaign.check.probes.store_probe import url_and_path
    from mockcampaign.judging.consumer_store import check_jmespath
    from mockcampaign.transport.address import parse_address

    parse_address(url)
    counters = [url_and_path(one) for one in options["probe_counters"]]
    for option, address in (
        ("--probe", options["probe_url"]),
        ("--probe-state", options["state_url"]),
        *(("--probe-counter", address) for address, _ in counters),
    ):
        if address is not None:
            with naming(option):
                parse_address(address)
    given = [options["probe_url"], options["probe_command"], options["probe_query"]]
    if sum(one is not None for one in given) > 1:
        raise InvalidInputError("allowed: one of --probe, --probe-command and --probe-sql, found several")
    for option, command in (
        ("--probe-command", options["probe_command"]),
        ("--restart-cmd", options["restart_command"]),
        ("--break-cmd", options["break_command"]),
        ("--restore-cmd", options["restore_command"]),
    ):
        if command is not None:
            runnable(command, option)
    if (options["break_command"] is None) != (options["restore_command"] is None):
        raise InvalidInputError("allowed: both --break-cmd and --restore-cmd or neither, found one")
    if options["probe_events"] is not None and options["probe_count"] is not None:
        raise InvalidInputError("allowed: one of --probe-events and --probe-count, found both")
    _check_placeholders(options)
    for option, expression in (
        ("--probe-events", options["probe_events"]),
        ("--probe-count", options["probe_count"]),
        ("--probe-states", options["states"]),
        *(("--probe-counter", path) for _, path in counters),
    ):
        if expression is not None:
            with naming(option):
                check_jmespath(expression)


def _check_placeholders(options: CheckArguments) -> None:
    """Raise `InvalidInputError` for a placeholder that does not exist."""
    from mockcampaign.check.probes.run_command import parsed
    from mockcampaign.check.probes.store_probe import command_placeholders
    from mockcampaign.shape.placeholders import in_braces

    for option, address in (("--probe", options["probe_url"]), ("--probe-state", options["state_url"])):
        in_braces(address or "", option)
    for counter in options["probe_counters"]:
        in_braces(counter.partition("#")[0], "--probe-counter")
    if options["probe_command"] is not None:
        command_placeholders(parsed(options["probe_command"]), "--probe-command")


def _urls(url: str, options: CheckArguments) -> list[str]:
    """Return the URLs to which the check sends requests."""
    from mockcampaign.check.probes.store_probe import url_and_path

    given = [url, options["probe_url"], options["state_url"]]
    return [*(one for one in given if one is not None), *(url_and_path(one)[0] for one in options["probe_counters"])]


def _unset(again: str, result: RunResult, folder: Path | None) -> list[str]:
    """Return the unset variables that the next commands read: the same one, and the scenarios in a folder."""
    written = [] if folder is None else [finding.reproduce.scenario for finding in result.rules if finding.reproduce]
    return [*unset_variables(again), *unset_in_scenarios(filter(None, written))]


def _unused(settings: Settings, options: CheckArguments) -> Iterator[str]:
    """Yield the options that no selected rule uses, though they are given."""
    from mockcampaign.check.examiner import select

    rules = select(settings)
    wanted = {need for rule in rules for need in rule.needs}
    given: tuple[tuple[str, Need, str | None], ...] = (
        ("--restart-cmd", "restart command", options["restart_command"]),
        ("--break-cmd", "break command", options["break_command"]),
        ("--restore-cmd", "break command", options["restore_command"]),
        ("--probe-state", "state", options["state_url"]),
    )
    for option, need, value in given:
        if value is not None and need not in wanted:
            yield option
    if all(rule.family != "random histories" for rule in rules):
        histories = ("--histories", options["histories"]), ("--history", options["history"])
        yield from (option for option, number in histories if number is not None)


def _check_effects(options: CheckArguments) -> None:
    """Raise `InvalidInputError` for an option that has no effect without another one, or with it."""
    if options["histories"] is not None and options["history"] is not None:
        raise InvalidInputError("allowed: one of --histories and --history, found both")
    urls = {"--probe": options["probe_url"], "--probe-command": options["probe_command"]}
    probe = {**urls, "--probe-sql": options["probe_query"]}
    source = click.get_current_context().get_parameter_source("probe_sql")
    # A database in the environment is for checks that read it; others may have another probe.
    is_needless = source is click.core.ParameterSource.ENVIRONMENT and any(urls.values())
    given: tuple[tuple[str, object, Mapping[str, object]], ...] = (
        ("--probe-events", options["probe_events"], urls),
        ("--probe-count", options["probe_count"], urls),
        ("--probe-fields", options["probe_fields"], probe),
        ("--probe-counter", options["probe_counters"], probe),
        ("--probe-query", options["probe_query"], {"--probe-sql": options["probe_sql"]}),
        ("--probe-sql", None if is_needless else options["probe_sql"], {"--probe-query": options["probe_query"]}),
        ("--probe-states", options["states"], {"--probe-state": options["state_url"]}),
        ("--keep", options["keep"], {"--like": options["like"]}),
    )
    check_effects(given)


def _settings(options: CheckArguments, routes: Routes) -> Settings:
    """Return the settings of the check. Raise `InvalidInputError` where they make no sense."""
    from mockcampaign import wallclock
    from mockcampaign.check.probes.sql_probe import query_placeholders
    from mockcampaign.check.settings import Settings
    from mockcampaign.judging.earlier.baseline import of_check, read_baseline
    from mockcampaign.shape.placeholders import in_braces, require_roles

    probe_fields, seed, baseline = options["probe_fields"], options["seed"], options["baseline"]
    known = () if baseline is None else of_check(read_baseline(baseline))
    shape, *others = captured_shapes(options["like"], options["shape_file"], options["event_type"], options["keep"])
    settings = Settings(
        seed=secrets.randbits(31) if seed is None else seed,
        now=wallclock.now() // 1_000 * 1_000,
        shape=shape,
        other_shapes=tuple(others),
        authentication=options["authentication"],
        client_id=options["client_id"],
        rules=options["rules"],
        skip=options["skip"],
        strict=options["strict"],
        examples=options["examples"],
        histories=options["histories"],
        history=options["history"],
        events=options["events"],
        timeout=options["timeout"],
        settle=options["settle"],
        budget=options["budget"],
        memory=options["memory"],
        rate=options["rate"],
        probe_fields=probe_fields or (),
        known=known,
        routes=routes,
        ca_file=options["ca_file"],
        full_fidelity=options["full_fidelity"],
        sweep=options["sweep"],
        restart_command=options["restart_command"],
        break_command=options["break_command"],
        restore_command=options["restore_command"],
    )
    check_probed(settings, url=options["probe_url"], command=options["probe_command"])
    for option, address in (
        ("--probe-state", options["state_url"]),
        *(("--probe-counter", one.partition("#")[0]) for one in options["probe_counters"]),
    ):
        require_roles(in_braces(address or "", option), settings.shape, option)
    if options["probe_query"] is not None:
        require_roles(query_placeholders(options["probe_query"], "--probe-query"), settings.shape, "--probe-query")
    return settings


def _probe(options: CheckArguments, transport: Transport, settings: Settings) -> StoreProbe | None:
    from mockcampaign.check.probes.probe_making import make_probe

    return make_probe(
        transport,
        url=options["probe_url"],
        command=options["probe_command"],
        sql=options["probe_sql"],
        query=options["probe_query"],
        events=options["probe_events"],
        count=options["probe_count"],
        shapes=settings.shapes,
        timeout=settings.timeout,
    )


def _counters(options: CheckArguments, transport: Transport) -> tuple[Counter, ...]:
    from mockcampaign.check.probes.store_probe import counter_at

    return tuple(counter_at(one, transport, timeout=options["timeout"]) for one in options["probe_counters"])


def _state(options: CheckArguments, transport: Transport, shape: Shape) -> StateSource | None:
    from mockcampaign.check.probes.end_state import UrlState

    url = options["state_url"]
    return (
        None
        if url is None
        else UrlState(url, transport, states=options["states"] or "@", timeout=options["timeout"], shape=shape)
    )
