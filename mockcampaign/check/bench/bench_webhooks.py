"""The webhooks through which one bench delivers."""

from __future__ import annotations

from mockcampaign.campaign import Campaign
from mockcampaign.check.bench.context import CheckContext
from mockcampaign.check.examined import SkipRule
from mockcampaign.check.reproduce.scenario_writer import ScenarioWriter
from mockcampaign.check.settings import CLIENT_IDS
from mockcampaign.errors import InvalidInputError
from mockcampaign.judging.fact import Precondition, Unmet
from mockcampaign.model import EventType, Webhook

COMPANION = 99
"""Number of the webhook that delivers whenever another one does, where a variation asks for it."""


class BenchWebhooks:
    """Activated webhooks by number, each of a client of its own. They are created when somebody asks for them."""

    def __init__(self, context: CheckContext, campaign: Campaign, scenario: ScenarioWriter) -> None:
        self._context = context
        self._campaign = campaign
        self._scenario = scenario
        self._numbered: list[Webhook] = []
        self._companion: Webhook | None = None

    def get(self, number: int, event_type: EventType | None = None) -> Webhook:
        """Return the webhook with this number. `event_type` is the type of those that are created now."""
        while len(self._numbered) <= number:
            kind = event_type or self._context.settings.shape.event_type
            self._numbered.append(self._create(len(self._numbered), kind))
        return self._numbered[number]

    def companion(self) -> Webhook:
        """Return the webhook that delivers whenever another one does."""
        if self._companion is None:
            self._companion = self._create(COMPANION, self._context.settings.shape.event_type)
        return self._companion

    def replace(self, number: int) -> None:
        """Delete a webhook, and create another one with the same number, which has nothing to deliver."""
        webhook = self._campaign.deactivate(self._numbered[number])
        self._campaign.delete(webhook)
        self._scenario.webhook_deleted(webhook)
        self._numbered[number] = self._create(number, webhook.type)

    def _create(self, number: int, event_type: EventType) -> Webhook:
        settings = self._context.settings
        webhook = self._campaign.create(
            event_type, self._context.url, settings.authentication, client_id=CLIENT_IDS[0] + number
        )
        activated = self._campaign.activate(webhook)
        self._scenario.webhook_activated(activated)
        varied = None if settings.variation is None else settings.variation.fault
        if varied is not None:
            try:
                self._campaign.fault(varied, activated)
            except InvalidInputError as error:
                raise SkipRule(Unmet(why=Precondition.FAULT_NOT_SUPPORTED, variant=str(error))) from None
        return activated
