"""Plays one plan and judges it, for the command line and the pytest plugin alike.

The transport decides where requests go. `transport.wire.WireTransport` sends them to the URLs in the scenario. With
`transport.inprocess.AsgiTransport` or `WsgiTransport`, an application in this process receives all of them, including
the probe's, and only the path of a URL matters.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from mockcampaign.clocks.clock_file import ClockFile
from mockcampaign.errors import CouldNotTellError, MockcampaignError
from mockcampaign.judging.earlier.baseline import Known, marked, of_scenario
from mockcampaign.judging.verdict import ScenarioResult, scenario_result
from mockcampaign.scenario.judge import judge, scenario_shows_nothing
from mockcampaign.scenario.plan import Plan
from mockcampaign.scenario.play import Player
from mockcampaign.transport import Transport


async def run_plan(
    plan: Plan,
    transport: Transport,
    *,
    seed: int,
    strict: bool = False,
    file: str | None = None,
    known: Sequence[Known] = (),
    clock_file: Path | None = None,
    done: Callable[[ScenarioResult], None],
    around: Callable[[Player], AbstractContextManager[object]] = contextlib.nullcontext,
) -> None:
    """Play one plan and call `done` with its result, even if the run is interrupted.

    `file` names the scenario's file in the result. `known` is what a baseline accepts, in any scenario.
    `clock_file` leads the consumer's clock meanwhile (default: the scenario's own file, if it names one). `around`
    returns a context that is open while the plan is played.
    Errors that stop the run without a verdict on the consumer are raised after `done` was called. Raises
    `InvalidInputError` at the start if no consumer has been started with the clock file.
    """
    file = str(plan.path) if file is None else file
    clock = plan.clock() if clock_file is None else ClockFile.existing(clock_file, "--clock")
    player = Player.with_campaign(plan, transport, seed=seed, clock=clock)
    entries = player.campaign.journal.entries
    trouble: str | None = None
    try:
        with around(player):
            await player.play()
        trouble = player.stopped or scenario_shows_nothing(plan, entries, player.campaign.is_idle)
    except CouldNotTellError as error:
        trouble = str(error)
    except (KeyboardInterrupt, asyncio.CancelledError):
        trouble = "interrupted"
        raise
    except Exception as error:
        trouble = str(error) if isinstance(error, MockcampaignError) else f"mockcampaign itself failed: {error!r}"
        raise
    finally:
        accepted = of_scenario(known, plan.name, file)
        rules, expectations = ([marked(one, accepted) for one in found] for found in judge(plan, entries))
        try:
            done(
                scenario_result(
                    name=plan.name,
                    file=file,
                    target=plan.scenario.consumer.url,
                    trouble=trouble,
                    webhooks={name: webhook.id for name, webhook in player.webhooks.items()},
                    rules=rules,
                    expectations=expectations,
                    journal=entries,
                    strict=strict,
                )
            )
        finally:
            if clock is not None:
                clock.release()
