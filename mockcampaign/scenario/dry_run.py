"""A plan as it would go with a consumer that answers 200 to everything: nothing is sent, nobody is asked."""

from __future__ import annotations

import msgspec

from mockcampaign.judging.finding import Finding
from mockcampaign.scenario.judge import judge
from mockcampaign.scenario.load import Expectation, Plan
from mockcampaign.scenario.play import Player
from mockcampaign.transport.always_ok import IdealTransport


async def rehearse(plan: Plan, seed: int) -> tuple[Player, list[Finding], list[Expectation]]:
    """The player after the run, what came of the expectations, and those that only the consumer could tell."""
    asked = [expectation for expectation in plan.expectations if expectation.subject == "consumer"]
    player = Player.with_campaign(_without_probe(plan), IdealTransport(), seed=seed)
    await player.play()
    return player, judge(player.plan, player.campaign.journal.entries)[1], asked


def _without_probe(plan: Plan) -> Plan:
    consumer = msgspec.structs.replace(plan.scenario.consumer, probe=None)
    steps = tuple(
        msgspec.structs.replace(step, value=tuple(one for one in step.value if one.subject != "consumer"))
        if step.kind == "expect"
        else step
        for step in plan.steps
        if step.kind != "probe"
    )
    return msgspec.structs.replace(
        plan, scenario=msgspec.structs.replace(plan.scenario, consumer=consumer), steps=steps
    )
