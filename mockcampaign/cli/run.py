"""`mockcampaign run`: scenarios against a consumer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mockcampaign.cli.ci import shielded
from mockcampaign.cli.options import EXISTING_FILE, NEW_FILE, DurationType, Outputs, common_options
from mockcampaign.cli.playing import journal_file, play, print_scenario, run_async, seeds, summed_up, wire
from mockcampaign.cli.progress import progress
from mockcampaign.cli.terminal import (
    COULD_NOT_TELL,
    USAGE_ERROR,
    columns,
    complain,
    failed,
    interrupted,
    print_lines,
    use_color,
)
from mockcampaign.durations import format_duration
from mockcampaign.errors import CouldNotTellError, MockcampaignError

if TYPE_CHECKING:
    from mockcampaign.engine.journal_file import JournalWriter
    from mockcampaign.report.results import ScenarioResult


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="A failed 'should' rule fails the run.")
@click.option("--wait-for-consumer", type=DurationType(), default=0, help="Let the consumer start first, such as 30s.")
@click.option("--journal", type=NEW_FILE, help="Write down here what happens, while it happens; `judge` reads it.")
@click.option("--ca", "ca_file", type=EXISTING_FILE, help="Trust this CA too.")
@click.option("--insecure", is_flag=True, help="Accept any certificate.")
@common_options
def run(
    paths: tuple[Path, ...],
    strict: bool,
    wait_for_consumer: int,
    journal: Path | None,
    ca_file: Path | None,
    insecure: bool,
    seed: int | None,
    outputs: Outputs,
    verbose: bool,
    quiet: bool,
    no_color: bool,
) -> int:
    """Run scenario files, or all *.scenario.yaml in folders, against the consumer they name."""
    from mockcampaign.report.results import exit_status
    from mockcampaign.report.text import summary_lines
    from mockcampaign.scenario.load import find_scenarios, load

    plans = [load(path) for path in find_scenarios(paths)]
    color = use_color(no_color)
    results: list[ScenarioResult] = []
    status: int | None = None

    seed_of = seeds(seed)

    def done(result: ScenarioResult) -> None:
        results.append(result)
        print_scenario(result, verbose, quiet, color)

    async def play_all(writer: JournalWriter | None) -> None:
        from mockcampaign.transport.wire import wait_until_reachable

        async with progress(len(plans)) as watch:
            for plan in plans:
                url = plan.scenario.consumer.url
                if wait_for_consumer and not await wait_until_reachable(url, wait_for_consumer):
                    raise CouldNotTellError(
                        f"consumer {url}: not reachable within {format_duration(wait_for_consumer)}"
                    )
                async with wire(ca_file, not insecure) as transport:
                    await play(
                        plan, transport, seed=seed_of(plan), strict=strict, done=done, watch=watch, journal=writer
                    )

    try:
        with shielded(), journal_file(journal) as writer:
            run_async(lambda: play_all(writer))
    except (KeyboardInterrupt, asyncio.CancelledError):
        status = interrupted()
    except CouldNotTellError as error:
        status = complain(error, COULD_NOT_TELL)
    except MockcampaignError as error:
        status = complain(error, USAGE_ERROR)
    except Exception:
        # What was recorded is reported all the same.
        status = failed()
    if results:
        result = summed_up(results, outputs)
        print_lines(summary_lines(result, verbosity=verbose - quiet, width=columns()), color)
        status = exit_status(result) if status is None else status
    return COULD_NOT_TELL if status is None else status
