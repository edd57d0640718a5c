"""A dry run: a plan played against a consumer that responds 200 to everything. Nothing is sent, nobody is asked."""

from __future__ import annotations

import msgspec

from mockcampaign.judging.finding import Finding
from mockcampaign.scenario.judge import judge
from mockcampaign.scenario.plan import ConsumerExpected, Plan
from mockcampaign.scenario.play import Player
from mockcampaign.transport.always_ok import AlwaysOkTransport


class DryRun(msgspec.Struct, frozen=True, kw_only=True):
    """A plan that was played without sending anything."""

    player: Player
    findings: list[Finding]
    """Findings of the expectations that do not depend on the consumer."""
    unknown: list[ConsumerExpected]
    """Expectations that only the consumer's probe can decide."""


async def dry_run(plan: Plan, seed: int) -> DryRun:
    """Play the plan against a consumer that responds 200 to everything."""
    player = Player.with_campaign(plan.without_probe(), AlwaysOkTransport(), seed=seed)
    await player.play()
    _, findings = judge(player.plan, player.campaign.journal.entries)
    unknown = [one for one in plan.expectations if isinstance(one, ConsumerExpected)]
    return DryRun(player=player, findings=findings, unknown=unknown)
