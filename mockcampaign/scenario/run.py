"""One plan, played against whatever a transport leads to, and judged: the same for every door.

The transport decides where requests go. `transport.wire.WireTransport` sends them to the URLs that the scenario names;
with `transport.inprocess.AsgiTransport` or `WsgiTransport` an application in this process gets all of them, the probe's
as well, and of the URLs only the path counts.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager

from mockcampaign.errors import CouldNotTellError, MockcampaignError
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
    done: Callable[[ScenarioResult], None],
    around: Callable[[Player], AbstractContextManager[object]] = contextlib.nullcontext,
) -> None:
    """Play one plan and hand its result over, also where it is cut short.

    `file` is what the result calls the scenario's file; `around` gives a context that is open while the plan is played.
    What stops the run and is no verdict on the consumer is raised once the result is handed over.
    """
    player = Player.with_campaign(plan, transport, seed=seed)
    entries = player.campaign.journal.entries
    trouble: str | None = None
    try:
        with around(player):
            await player.play()
        trouble = scenario_shows_nothing(plan, entries, player.campaign.is_idle)
    except CouldNotTellError as error:
        trouble = str(error)
    except (KeyboardInterrupt, asyncio.CancelledError):
        trouble = "interrupted"
        raise
    except Exception as error:
        trouble = str(error) if isinstance(error, MockcampaignError) else f"mockcampaign itself failed: {error!r}"
        raise
    finally:
        rules, expectations = judge(plan, entries)
        done(
            scenario_result(
                name=plan.name,
                file=str(plan.path) if file is None else file,
                target=plan.scenario.consumer.url,
                trouble=trouble,
                webhooks={name: webhook.id for name, webhook in player.webhooks.items()},
                rules=rules,
                expectations=expectations,
                journal=entries,
                strict=strict,
            )
        )
