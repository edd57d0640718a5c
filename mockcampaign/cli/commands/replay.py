"""`mockcampaign replay`: replays a recorded journal against a consumer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mockcampaign.cli import playing
from mockcampaign.cli.ci import shielded
from mockcampaign.cli.options import (
    Outputs,
    credential_options,
    output_options,
    route_options,
    shared_options,
    wait_option,
)
from mockcampaign.cli.parameters import EXISTING_FILE, Command
from mockcampaign.cli.playing import print_scenario, run_async, summed_up, wire
from mockcampaign.cli.terminal import INTERRUPTED, columns, interrupted, print_lines, use_color
from mockcampaign.errors import CouldNotTellError, InvalidInputError
from mockcampaign.masking import MASK
from mockcampaign.transport.address import check_resolved, routes_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mockcampaign.engine.journal import Entry
    from mockcampaign.engine.journal_file import RecordedJournal
    from mockcampaign.judging.earlier.baseline import Known
    from mockcampaign.judging.verdict import ScenarioResult
    from mockcampaign.model import Authentication
    from mockcampaign.transport import Transport


@click.command(cls=Command)
@click.argument("file", type=EXISTING_FILE)
@click.option("--target", metavar="URL", help="Send to this consumer (default: the targets in the journal).")
@credential_options("REPLAY")
@wait_option
@click.option("--despite-rejections", is_flag=True, help="Go on though the consumer accepts nothing.")
@click.option("--strict", is_flag=True, help="A failed 'should' rule fails the run.")
@shared_options("--baseline")
@click.option("--ca", "ca_file", type=EXISTING_FILE, help="Trust this CA as well.")
@click.option("--insecure", is_flag=True, help="Accept any TLS certificate.")
@route_options
@output_options
def replay(
    file: Path,
    target: str | None,
    authentication: Authentication,
    wait_for_consumer: int,
    despite_rejections: bool,
    strict: bool,
    baseline: Path | None,
    ca_file: Path | None,
    insecure: bool,
    host_header: str | None,
    resolve: tuple[str, ...],
    outputs: Outputs,
    verbose: bool,
    quiet: bool,
    no_color: bool,
) -> int:
    """Replay a recorded journal: the same events, outages and faults at the same virtual moments."""
    from mockcampaign.judging.earlier.baseline import read_baseline
    from mockcampaign.judging.recorded import load_journals
    from mockcampaign.judging.verdict import exit_status
    from mockcampaign.report.scenario_text import summary_lines
    from mockcampaign.transport.address import parse_address

    recorded = load_journals(file)
    for url in _targets(recorded, target, ("create", "update")):
        parse_address(url)
        if MASK in url:
            raise InvalidInputError(
                f"{file}: a journal contains no secrets of URLs such as {url}, allowed: --target URL"
            )
    consumers = _targets(recorded, target, ("create", "update"))
    routes = routes_to(consumers, host_header, resolve)
    check_resolved(routes, consumers)
    color = use_color(no_color)
    known = () if baseline is None else read_baseline(baseline)
    results: list[ScenarioResult] = []
    status: int | None = None

    async def play_all() -> None:
        for url in _targets(recorded, target, ("create",)):
            await playing.wait_for_consumer(url, wait_for_consumer, routes)
        for one in recorded:
            async with wire(ca_file, not insecure, routes) as transport:
                try:
                    await _play(one, transport, target, authentication, despite_rejections, strict, known, results)
                finally:
                    print_scenario(results[-1], verbose, quiet, color)

    try:
        with shielded():
            run_async(play_all)
    except (KeyboardInterrupt, asyncio.CancelledError):
        status = interrupted()
    if not results:
        return INTERRUPTED
    result = summed_up(results, outputs, known)
    print_lines(summary_lines(result, verbosity=verbose - quiet, width=columns()), color)
    return exit_status(result) if status is None else status


def _targets(recorded: Sequence[RecordedJournal], target: str | None, commands: tuple[str, ...]) -> list[str]:
    """Return the URLs of the consumers that the commands name."""
    from mockcampaign.engine.journal import WebhookChanged

    if target is not None:
        return [target]
    entries = [entry for one in recorded for entry in one.entries if isinstance(entry, WebhookChanged)]
    return list(dict.fromkeys(entry.target_url for entry in entries if entry.command in commands))


async def _play(
    recorded: RecordedJournal,
    transport: Transport,
    target: str | None,
    authentication: Authentication,
    despite_rejections: bool,
    strict: bool,
    known: Sequence[Known],
    results: list[ScenarioResult],
) -> None:
    from mockcampaign.judging.earlier.baseline import marked, of_scenario
    from mockcampaign.judging.verdict import scenario_result
    from mockcampaign.scenario.judge_journal import judge_journal, webhook_names
    from mockcampaign.scenario.replay import Replay

    replayed = Replay(
        recorded.entries,
        transport,
        target=target,
        authentication=authentication,
        despite_rejections=despite_rejections,
    )
    trouble: str | None = "interrupted"
    try:
        await replayed.play()
        *_, trouble = judge_journal(None, replayed.campaign.journal.entries)
        if trouble is not None and _unauthorized(replayed.campaign.journal.entries):
            trouble += "; a journal contains no credentials: give them with --basic-auth-file or --key-auth-file"
    except CouldNotTellError as error:
        trouble = str(error)
    finally:
        entries = replayed.campaign.journal.entries
        rules, expectations, _ = judge_journal(None, entries)
        name = f"replay of {recorded.heading.name}"
        accepted = of_scenario(known, name, "")
        results.append(
            scenario_result(
                name=name,
                file="",
                target=target or recorded.heading.target,
                trouble=trouble,
                webhooks=webhook_names(None, entries),
                rules=[marked(one, accepted) for one in rules],
                expectations=[marked(one, accepted) for one in expectations],
                journal=entries,
                strict=strict,
            )
        )


def _unauthorized(entries: Sequence[Entry]) -> bool:
    from mockcampaign.engine.journal import Attempted
    from mockcampaign.model import Responded

    outcomes = [entry.outcome for entry in entries if isinstance(entry, Attempted)]
    return any(isinstance(outcome, Responded) and outcome.status in (401, 403) for outcome in outcomes)
