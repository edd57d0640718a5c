"""Asks a consumer for the events that it has stored since a run began."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mockcampaign.campaign import Campaign
from mockcampaign.check.probes.store_probe import probe_outcome
from mockcampaign.engine.journal import Probed
from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.consumer_store import Probe, ProbeReading
from mockcampaign.judging.difference import own_events, sent_events
from mockcampaign.judging.ledger import Ledger
from mockcampaign.masking import shown_url
from mockcampaign.scenario.judge import judge_consumer
from mockcampaign.scenario.language.endpoints import ProbeDefinition
from mockcampaign.scenario.language.expect import ConsumerExpectation
from mockcampaign.shape.shape import Shape
from mockcampaign.wallclock import ask_until


class RunProbe:
    """The probe of one run. It reports stored events without those from before the run and those of other senders."""

    def __init__(
        self, definition: ProbeDefinition, campaign: Campaign, ledger: Ledger, shapes: tuple[Shape, ...]
    ) -> None:
        """`shapes` are those of the events of the run."""
        self._whose = f"probe {shown_url(definition.url)}"
        self._probe = Probe(url=definition.url, events=definition.events, count=definition.count)
        self._settle = definition.settle
        self._campaign = campaign
        self._ledger = ledger
        self._shapes = shapes
        self._before = ProbeReading(0, None)
        """The events that the consumer had stored before the run."""

    async def remember_stored(self) -> None:
        """Take what the consumer has stored by now as the state before the run. Raises `CouldNotTellError`."""
        self._before = await self._fetch()

    async def ask(self, claims: Sequence[ConsumerExpectation]) -> Probed:
        """Ask until the claims are met or the probe's time to settle is over. Raises `CouldNotTellError`."""

        def are_met(probed: Probed) -> bool:
            position = self._ledger.next_position
            judged = (judge_consumer(claim, self._ledger, position, probed, self._shapes) for claim in claims)
            return all(outcome == "pass" for outcome, _, _ in judged)

        return await ask_until(self._ask_once, are_met, self._settle)

    async def _ask_once(self) -> Probed:
        account, before = await self._fetch(), self._before
        if before.events is not None:
            ours = set(sent_events(self._ledger.happened).values())
            known = sum(event in ours for event in before.events)
            if known:
                raise CouldNotTellError(
                    f"{self._whose}: {known} of this run's events were there before it began, most likely "
                    "from an earlier run with the same seed and name: start the consumer afresh, or give another --seed"
                )
        newer = account.since(before)
        if newer.count < 0:
            raise CouldNotTellError(
                f"{self._whose}: the number of stored events fell from {before.count} to {account.count}"
            )
        if newer.events is None:
            return Probed(at=self._campaign.now, count=newer.count, events=None)
        # Other senders may use the same consumer at the same time.
        ours = set(sent_events(self._ledger.happened).values())
        events = self._campaign.masking.events(own_events(newer.events, ours, self._shapes), ours)
        return Probed(at=self._campaign.now, count=len(events), events=tuple(map(msgspec.Raw, events)))

    async def _fetch(self) -> ProbeReading:
        campaign = self._campaign
        outcome = await probe_outcome(self._probe.request(campaign.policy.timeout), campaign.fetch, campaign.faults)
        try:
            return self._probe.read(outcome)
        except CouldNotTellError as error:
            # The message may quote the consumer, and so a secret.
            raise CouldNotTellError(campaign.masking.text(str(error))) from None
