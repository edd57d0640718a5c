"""Carrying a plan out, step by step, on a `Campaign`."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec

from mockcampaign.campaign import Campaign
from mockcampaign.check.store_probe import answer
from mockcampaign.engine.journal import Entry, Probed, StepReached
from mockcampaign.errors import CouldNotTellError, InvalidInputError
from mockcampaign.events.fields import drawn_mail_id
from mockcampaign.judging.consumer_store import Account, Probe
from mockcampaign.judging.difference import own_events, sent_events
from mockcampaign.model import (
    Authentication,
    BasicAuthentication,
    KeyAuthentication,
    NoAuthentication,
    Webhook,
)
from mockcampaign.scenario.judge import finding
from mockcampaign.scenario.language import steps as language
from mockcampaign.scenario.load import Expectation, Plan, Step
from mockcampaign.scenario.replay import again
from mockcampaign.transport import Transport
from mockcampaign.wallclock import ask_until


class Player:
    """Plays one plan once. The journal is the campaign's; names of webhooks lead to their ids through `webhooks`."""

    def __init__(self, plan: Plan, campaign: Campaign) -> None:
        scenario = plan.scenario
        self.plan = plan
        self.campaign = campaign
        self.webhooks: dict[str, Webhook] = {}
        probe = scenario.consumer.probe
        self._probe = None if probe is None else Probe(url=probe.url, events=probe.events, count=probe.count)
        self._account_before: Account | None = None
        self._mail_ids: dict[str, str] = {}
        """Of exact events that get new ones, by those that are written."""
        self._random = Random(f"mails:{campaign.seed}")

    @classmethod
    def with_campaign(cls, plan: Plan, transport: Transport, *, seed: int) -> Player:
        """A player with a campaign of its own, set up as the scenario says."""
        scenario = plan.scenario
        campaign = Campaign(
            transport, seed=seed, policy=scenario.policy.policy(), start=scenario.start, name=plan.label
        )
        return cls(plan, campaign)

    async def play(self) -> None:
        """Raises `CouldNotTellError` where no verdict is possible; what happened until then is in the journal.

        Raises `InvalidInputError` before anything acts where the transport cannot carry out a fault.
        """
        for step in self.plan.steps:
            if step.kind == "fault":
                self._check_fault(step)
        if self._probe is not None:
            self._account_before = await self._fetch_account(self._probe)
        self._create(self.plan.scenario.webhooks)
        for index, step in enumerate(self.plan.steps):
            of_consumer = [expectation for expectation in step.expectations if expectation.subject == "consumer"]
            if of_consumer:
                await self._record_account(of_consumer)
            self.campaign.journal.append(StepReached(at=self.campaign.now, index=index))
            await self._step(step)

    async def _step(self, step: Step) -> None:
        campaign, value = self.campaign, step.value
        match step.kind:
            case "create":
                self._create(value)
            case "update":
                for name, change in value.items():
                    authentication = None if change.auth is None else _authentication(change.auth)
                    self.webhooks[name] = campaign.update(
                        self.webhooks[name], target_url=change.url, authentication=authentication
                    )
            case "activate" | "deactivate" | "delete":
                self.webhooks[value] = getattr(campaign, step.kind)(self.webhooks[value])
            case "emit":
                if value.events is not None:
                    events = self._with_new_mails(value.events) if value.new_mails else value.events
                    campaign.emit_events(value.type, events, client_id=value.client)
                    return
                like = None if value.like is None else self.plan.samples[value.like]
                campaign.emit(value.type, value.count, over=value.over, like=like, client_id=value.client)
            case "mailing":
                campaign.mailing(value.recipients, rates=value.rates, client_id=value.client)
            case "replay":
                moments = [(campaign.now + after, entry) for after, entry in value.happened]
                campaign.put([(at, again(entry, at, value.client)) for at, entry in moments])
            case "outage":
                webhooks = [] if value.webhook is None else [self.webhooks[value.webhook]]
                campaign.outage(value.duration, value.kind, *webhooks)
            case "fault":
                webhooks = [] if value.webhook is None else [self.webhooks[value.webhook]]
                campaign.declare_fault(value.fault, value.when, *webhooks)
            case "verify":
                webhook = self.webhooks[value.webhook]
                outcome = await campaign.verify(webhook, value.events)
                if campaign.exporter.outage(webhook.id) is None:
                    campaign.require_reached(webhook.target_url, outcome)
            case "wait":
                await campaign.wait(value.duration, lambda: self._hold(value.expectations, campaign.journal.entries))
            case "advance":
                await campaign.advance(value)
            case "run":
                await campaign.run()
            case "probe":
                await self._record_account()
            case "expect":
                pass  # judged afterwards, from the journal alone
            case _:
                raise AssertionError(step.kind)

    def _with_new_mails(self, events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {**event, "mailId": self._mail_ids.setdefault(event["mailId"], drawn_mail_id(self._random))}
            if isinstance(event.get("mailId"), str)
            else event
            for event in events
        ]

    def _check_fault(self, step: Step) -> None:
        try:
            self.campaign.check_fault(step.value.fault)
        except InvalidInputError as error:
            raise InvalidInputError(f"{step.place}: {error}") from None

    def _create(self, webhooks: dict[str, language.Webhook]) -> None:
        for name, webhook in webhooks.items():
            self.webhooks[name] = self.campaign.create(
                webhook.type,
                webhook.url or self.plan.scenario.consumer.url,
                _authentication(webhook.auth),
                client_id=webhook.client,
            )

    def _hold(self, expectations: Sequence[Expectation], entries: Sequence[Entry]) -> bool:
        return all(
            finding(self.plan, expectation, entries, self.campaign.now).outcome == "pass"
            for expectation in expectations
        )

    async def _record_account(self, expectations: Sequence[Expectation] = ()) -> None:
        """Write the consumer's account down: as expected, or what it is when the probe's patience ends."""
        probe = self.plan.scenario.consumer.probe
        assert probe is not None
        entries = self.campaign.journal.entries
        probed = await ask_until(self._ask, lambda probed: self._hold(expectations, [*entries, probed]), probe.patience)
        self.campaign.journal.append(probed)

    async def _ask(self) -> Probed:
        assert self._probe is not None
        assert self._account_before is not None
        account = await self._fetch_account(self._probe)
        before = self._account_before
        if before.events is not None:
            ours = set(sent_events(self.campaign.journal.entries).values())
            known = sum(event in ours for event in before.events)
            if known:
                raise CouldNotTellError(
                    f"probe {self._probe.url}: {known} of this run's events were there before it began, most likely "
                    "from an earlier run with the same seed and name: start the consumer afresh, or give another --seed"
                )
        newer = account.since(before)
        if newer.count < 0:
            raise CouldNotTellError(
                f"probe {self._probe.url}: the account shrank from {before.count} to {account.count} events"
            )
        if newer.events is None:
            return Probed(at=self.campaign.now, count=newer.count, events=None)
        # What others sent to the same consumer meanwhile is no affair of this run.
        ours = set(sent_events(self.campaign.journal.entries).values())
        events = self.campaign.exporter.masking.events(own_events(newer.events, ours), ours)
        return Probed(at=self.campaign.now, count=len(events), events=tuple(map(msgspec.Raw, events)))

    async def _fetch_account(self, probe: Probe) -> Account:
        campaign = self.campaign
        outcome = await answer(probe.request(campaign.exporter.policy.timeout), campaign.fetch, campaign.faults)
        try:
            return probe.read(outcome)
        except CouldNotTellError as error:
            # It may quote the consumer.
            raise CouldNotTellError(self.campaign.exporter.masking.text(str(error))) from None


def _authentication(auth: tuple[str, Any]) -> Authentication:
    match auth:
        case ("basic", language.BasicAuth(username=user_name, password=password)):
            return BasicAuthentication(user_name, password)
        case ("key", language.KeyAuth(key=key, passphrase=passphrase)):
            return KeyAuthentication(key, passphrase)
        case _:
            return NoAuthentication()
