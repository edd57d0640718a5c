"""Playing scenarios over sockets, and what comes of it as results."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mockcampaign.cli.terminal import print_lines, progress
from mockcampaign.errors import CouldNotTellError, InvalidInputError

if TYPE_CHECKING:
    from mockcampaign.report.results import RunResult, ScenarioResult
    from mockcampaign.scenario.load import Plan
    from mockcampaign.transport import Transport
    from mockcampaign.transport.wire import WireTransport

# The heavy parts are imported where they are used, so that usage errors answer at once.

Result = TypeVar("Result")


async def play(plan: Plan, transport: Transport, seed: int | None, strict: bool, results: list[ScenarioResult]) -> None:
    """Play one plan and add its result, also where it is cut short."""
    from mockcampaign.scenario.judge import judge, nothing_shown
    from mockcampaign.scenario.play import Player

    chosen = seed if seed is not None else plan.scenario.seed
    player = Player.with_campaign(plan, transport, seed=secrets.randbits(31) if chosen is None else chosen)
    trouble: str | None = "interrupted"
    try:
        async with progress(player):
            await player.play()
        trouble = nothing_shown(plan, player.campaign.journal.entries, player.campaign.exporter.idle)
    except CouldNotTellError as error:
        trouble = str(error)
    finally:
        from mockcampaign.report.results import scenario_result

        entries = player.campaign.journal.entries
        rules, expectations = judge(plan, entries)
        results.append(
            scenario_result(
                name=plan.scenario.name,
                file=str(plan.path),
                target=plan.scenario.consumer.url,
                trouble=trouble,
                webhooks={name: webhook.id for name, webhook in player.webhooks.items()},
                rules=rules,
                expectations=expectations,
                journal=entries,
                strict=strict,
            )
        )


@contextlib.asynccontextmanager
async def wire(ca_file: Path | None, verify: bool) -> AsyncIterator[WireTransport]:
    """A transport over sockets, closed in the end."""
    from mockcampaign.transport.wire import WireTransport

    transport = WireTransport(ca_file=ca_file, verify=verify)
    try:
        yield transport
    finally:
        await transport.aclose()


def run_async(main: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run on uvloop where it exists."""
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with contextlib.suppress(ImportError):
        from uvloop import new_event_loop

        loop_factory = new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(main())


def summed_up(results: list[ScenarioResult], report_json: Path | None) -> RunResult:
    """The result of all, written to the file as well. Raises `InvalidInputError` where that cannot be."""
    from mockcampaign.report.results import run_result, to_json

    result = run_result(results)
    if report_json is not None:
        try:
            report_json.write_bytes(to_json(result))
        except OSError as error:
            raise InvalidInputError(f"--report-json {report_json}: cannot be written: {error.strerror}") from None
    return result


def print_scenario(result: ScenarioResult, verbose: bool, quiet: bool, color: bool | None) -> None:
    """The text report on one scenario."""
    from mockcampaign.report.text import scenario_lines

    print_lines(scenario_lines(result, verbosity=verbose - quiet), color)
