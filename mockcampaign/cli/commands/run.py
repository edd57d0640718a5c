"""`mockcampaign run`: runs scenarios against a consumer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mockcampaign.cli.ci import shielded
from mockcampaign.cli.options import (
    Outputs,
    clock_option,
    common_options,
    journal_option,
    route_options,
    shared_options,
    wait_option,
)
from mockcampaign.cli.parameters import EXISTING_FILE, Command, WholeNumber, check_outputs
from mockcampaign.cli.playing import (
    journal_file,
    play,
    print_scenario,
    run_async,
    seeds,
    summed_up,
    wait_for_consumer,
    wire,
)
from mockcampaign.cli.progress import progress
from mockcampaign.cli.terminal import (
    COULD_NOT_TELL,
    USAGE_ERROR,
    columns,
    complain,
    failed,
    interrupted,
    print_lines,
    say,
    use_color,
)
from mockcampaign.errors import CouldNotTellError, InvalidInputError, MockcampaignError
from mockcampaign.transport.address import check_resolved, routes_to

if TYPE_CHECKING:
    from mockcampaign.engine.journal_file import JournalWriter
    from mockcampaign.judging.earlier.baseline import Known
    from mockcampaign.judging.verdict import ScenarioResult
    from mockcampaign.scenario.plan import Plan
    from mockcampaign.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """Options of the command, except for outputs."""

    tags: tuple[str, ...]
    expression: str
    fail_fast: bool
    jobs: int
    strict: bool
    baseline: Path | None
    wait_for_consumer: int
    app: str | None
    clock_file: Path | None
    journal: Path | None
    ca_file: Path | None
    insecure: bool
    host_header: str | None
    resolve: tuple[str, ...]
    seed: int | None
    verbose: bool
    quiet: bool
    no_color: bool


@click.command(cls=Command)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-k", "expression", default="", metavar="EXPRESSION", help="Run only scenarios whose name, file or tags match."
)
@click.option(
    "--tag",
    "tags",
    multiple=True,
    metavar="TAG",
    help="Run only scenarios with this tag (repeatable: any of the tags).",
)
@click.option("--fail-fast", is_flag=True, help="Stop after the first scenario that is not compliant.")
@click.option(
    "--jobs", type=WholeNumber(1, 64), default=1, show_default=True, help="Number of scenarios to run at once."
)
@click.option("--dry-run", is_flag=True, help="Show what would happen, and send nothing.")
@click.option("--watch", is_flag=True, help="Run again whenever a scenario file changes.")
@click.option("--strict", is_flag=True, help="A failed 'should' rule fails the run.")
@shared_options("--baseline")
@wait_option
@click.option("--app", metavar="MODULE:NAME", help="Send to this ASGI or WSGI application, not to the consumer's URL.")
@clock_option
@journal_option
@click.option("--ca", "ca_file", type=EXISTING_FILE, help="Trust this CA as well.")
@click.option("--insecure", is_flag=True, help="Accept any TLS certificate.")
@route_options
@common_options
def run(paths: tuple[Path, ...], dry_run: bool, watch: bool, outputs: Outputs, **options: Any) -> int:
    """Run scenario files, or every *.scenario.yaml in folders, against the consumer they name."""
    from mockcampaign.scenario.load import SUFFIX

    chosen = _Options(**options)
    written = [*outputs.files, *(["--journal"] if chosen.journal is not None else [])]
    if dry_run and written:
        raise InvalidInputError(f"--dry-run: writes no reports or journals, allowed: --dry-run without {written[0]}")

    def once() -> tuple[int, Sequence[Path]]:
        plans = _plans(paths, chosen)
        _check_inputs(plans, chosen, outputs)
        _check_routes(plans, chosen)
        return _show(plans, chosen) if dry_run else _run(plans, chosen, outputs), [
            file for plan in plans for file in plan.files
        ]

    if watch:
        from mockcampaign.cli.watching import watching

        return watching(paths, once, SUFFIX)
    return once()[0]


def _check_inputs(plans: Sequence[Plan], options: _Options, outputs: Outputs) -> None:
    """Raise `InvalidInputError` if the run would overwrite a file that it reads."""
    read = [file for plan in plans for file in plan.files]
    outputs.check_inputs(read)
    if options.journal is not None:
        check_outputs([("--journal", options.journal)], read)


def _check_routes(plans: Sequence[Plan], options: _Options) -> None:
    """Raise `InvalidInputError` for a route that no scenario uses."""
    check_resolved(routes_to((), None, options.resolve), (url for plan in plans for url in plan.scenario.urls()))


def _plans(paths: tuple[Path, ...], options: _Options) -> list[Plan]:
    from mockcampaign.cli.jobs import check_jobs
    from mockcampaign.scenario.load import find_scenarios, load_all
    from mockcampaign.scenario.selection import select

    plans = [plan for path in find_scenarios(paths) for plan in load_all(path)]
    plans = select(plans, tags=options.tags, expression=options.expression)
    check_jobs(plans, options.jobs, clock_file=options.clock_file)
    return plans


def _show(plans: list[Plan], options: _Options) -> int:
    from mockcampaign.cli.printed_dry_runs import print_dry_runs

    return print_dry_runs(plans, seeds(options.seed), options.verbose - options.quiet, use_color(options.no_color))


def _run(plans: list[Plan], options: _Options, outputs: Outputs) -> int:
    from mockcampaign.judging.earlier.baseline import read_baseline
    from mockcampaign.judging.verdict import exit_status
    from mockcampaign.report.scenario_text import summary_lines

    color = use_color(options.no_color)
    known = () if options.baseline is None else read_baseline(options.baseline)
    results: list[ScenarioResult] = []
    status: int | None = None

    def done(result: ScenarioResult) -> None:
        results.append(result)
        print_scenario(result, options.verbose, options.quiet, color)

    try:
        with shielded(), journal_file(options.journal) as writer:
            run_async(lambda: _play_all(plans, options, known, writer, done))
    except (KeyboardInterrupt, asyncio.CancelledError):
        status = interrupted()
    except CouldNotTellError as error:
        status = complain(error, COULD_NOT_TELL)
    except MockcampaignError as error:
        status = complain(error, USAGE_ERROR)
    except Exception:
        # The report still contains everything recorded so far.
        status = failed()
    if results:
        result = summed_up(results, outputs, known)
        verbosity = options.verbose - options.quiet
        print_lines(summary_lines(result, verbosity=verbosity, width=columns()), color)
        if status is None and len(results) < len(plans):
            say(f"{len(plans) - len(results)} more not run because of --fail-fast")
        status = exit_status(result) if status is None else status
    return COULD_NOT_TELL if status is None else status


async def _play_all(
    plans: list[Plan],
    options: _Options,
    known: Sequence[Known],
    writer: JournalWriter | None,
    done: Callable[[ScenarioResult], None],
) -> None:
    from mockcampaign.cli.jobs import play_all

    seed_of = seeds(options.seed)
    async with progress(len(plans)) as watch, _application(options) as application:

        async def play_one(plan: Plan, done: Callable[[ScenarioResult], None]) -> None:
            url = plan.scenario.consumer.url
            if application is None:
                routes = routes_to([url], options.host_header, options.resolve)
                await wait_for_consumer(url, options.wait_for_consumer, routes)
            async with contextlib.AsyncExitStack() as stack:
                transport: Transport | None = application
                if transport is None:
                    transport = await stack.enter_async_context(wire(options.ca_file, not options.insecure, routes))
                await play(
                    plan,
                    transport,
                    seed=seed_of(plan),
                    strict=options.strict,
                    done=done,
                    watch=watch,
                    journal=writer,
                    journal_path=options.journal,
                    known=known,
                    clock_file=options.clock_file,
                )

        await play_all(plans, play_one, done, jobs=options.jobs, fail_fast=options.fail_fast)


@contextlib.asynccontextmanager
async def _application(options: _Options) -> AsyncIterator[Transport | None]:
    """Yield a transport to the application of `--app`, or None without one."""
    if options.app is None:
        yield None
        return
    from mockcampaign.serving import import_app
    from mockcampaign.transport.applications import transport_to

    transport = transport_to(import_app(options.app))
    try:
        yield transport
    finally:
        await transport.aclose()
