"""Replays a recorded journal against a consumer.

Webhooks change, events occur, and outages and faults begin and end at the same virtual moments as in the journal.
Attempts and discards are not replayed: they depend on the consumer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import msgspec

from mockcampaign.campaign import Campaign, FaultInForce
from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.engine.journal import (
    Attempted,
    Began,
    Called,
    Captured,
    ClientChanged,
    Discarded,
    Entry,
    FaultDeclared,
    FaultEnded,
    Happened,
    MailSent,
    OutageDeclared,
    OutageEnded,
    Probed,
    Requested,
    Resumed,
    StepReached,
    Verified,
    WebhookChanged,
)
from mockcampaign.errors import ConsumerRejectsError
from mockcampaign.faults import CallFault
from mockcampaign.judging.responses.rejections import Rejections
from mockcampaign.model import Authentication, Webhook
from mockcampaign.policy import DAY
from mockcampaign.scenario.stopped_run import Door, why_stopped
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.field import Role
from mockcampaign.shape.moment import write_moment
from mockcampaign.shape.shape import Shape
from mockcampaign.transport import Transport

_DOOR = Door(
    run="the replay",
    credentials="--basic-auth-file or --key-auth-file: a journal contains no credentials",
    go_on="--despite-rejections",
)


class Replay:
    """Replays one journal once."""

    def __init__(
        self,
        entries: Sequence[Entry],
        transport: Transport,
        *,
        target: str | None,
        authentication: Authentication,
        despite_rejections: bool = False,
    ) -> None:
        """Give every webhook these credentials, since a journal contains none, and `target` unless that is None.

        With `despite_rejections`, a consumer that accepts nothing does not end the replay.
        """
        began = entries[0]
        assert isinstance(began, Began)
        # What was recorded in front of a consumer may have more webhooks than a client may create.
        created = sum(isinstance(entry, WebhookChanged) and entry.command == "create" for entry in entries)
        policy = msgspec.structs.replace(
            began.policy, webhooks_per_client_max=max(began.policy.webhooks_per_client_max, created)
        )
        self.campaign = Campaign(transport, seed=began.seed, policy=policy, start=began.at, name=began.name)
        self._entries = entries
        self._target = target
        self._authentication = authentication
        self._webhooks: dict[int, Webhook] = {}
        self._faults: dict[int, FaultInForce] = {}
        self._rejections = Rejections()
        self._goes_on = despite_rejections
        self.campaign.journal.follow(self._rejections.note)

    async def play(self) -> None:
        """Replay the journal and let time pass until nothing is left to send.

        Raises `ConsumerUnreachableError` as `Campaign.run` does, `ConsumerRejectsError` if the consumer accepts
        nothing, and `InvalidInputError` before anything is sent if the transport cannot carry out a fault.
        """
        campaign = self.campaign
        for entry in self._entries:
            if isinstance(entry, FaultDeclared) and not isinstance(entry.fault, CallFault):
                campaign.check_fault(entry.fault)
        for entry in self._entries[1:]:
            if isinstance(entry, Attempted) or entry.at > campaign.now:
                # Batches that are due before the entry are sent before it.
                await campaign.wait(max(entry.at - campaign.now, 0), self._is_rejected)
                self._check_accepted()
            self._repeat(entry)
        await campaign.run(self._is_rejected)
        self._check_accepted()

    def _is_rejected(self) -> bool:
        return not self._goes_on and self._rejections.found is not None

    def _check_accepted(self) -> None:
        found = self._rejections.found
        if found is not None and not self._goes_on:
            webhook = self.campaign.webhook(found.webhook_id)
            raise ConsumerRejectsError(why_stopped(_DOOR, found, webhook, self.campaign.journal.entries))

    def _repeat(self, entry: Entry) -> None:
        campaign = self.campaign
        match entry:
            case WebhookChanged():
                self._change(entry)
            case Happened():
                campaign.put(
                    [(campaign.now, move_events(entry, entry.at, entry.client_id, campaign.policy.event_age_max))]
                )
            case OutageDeclared(kind=kind, until=until, webhook_ids=webhook_ids):
                campaign.outage(until - campaign.now, kind, *self._named(webhook_ids))
            case OutageEnded(webhook_ids=webhook_ids):
                campaign.end_outage(*self._named(webhook_ids))
            case FaultDeclared(fault=CallFault()):
                pass  # nobody calls
            case FaultDeclared(fault=fault, when=when, webhook_ids=webhook_ids):
                self._faults[entry.number] = campaign.declare_fault(fault, when, *self._named(webhook_ids))
            case FaultEnded(number=number):
                if number in self._faults:
                    self._faults[number].end()
            case MailSent() | ClientChanged():
                pass  # their events are entries of their own
            case Resumed():
                pass  # here, everything happens in one process
            case (
                Began()
                | Attempted()
                | Discarded()
                | Verified()
                | Requested()
                | Called()
                | Probed()
                | Captured()
                | StepReached()
            ):
                pass  # begun already, a result, or nothing that the campaign did
            case _:
                assert_never(entry)

    def _change(self, entry: WebhookChanged) -> None:
        target = self._target or entry.target_url
        if entry.command == "create":
            self._webhooks[entry.webhook_id] = self.campaign.create(
                entry.type, target, self._authentication, client_id=entry.client_id
            )
            return
        campaign, webhook = self.campaign, self._webhooks[entry.webhook_id]
        match entry.command:
            case "update":
                webhook = campaign.update(webhook, target_url=target)
            case "activate":
                webhook = campaign.activate(webhook)
            case "deactivate":
                webhook = campaign.deactivate(webhook)
            case "suspend":
                webhook = campaign.suspend(webhook)
            case "delete":
                webhook = campaign.delete(webhook)
            case "retry":
                webhook = campaign.retry(webhook)
        self._webhooks[entry.webhook_id] = webhook

    def _named(self, webhook_ids: tuple[int, ...]) -> list[Webhook]:
        return [self._webhooks[webhook_id] for webhook_id in webhook_ids]


def move_events(
    entry: Happened, at: int, client_id: int, event_age_max: int = 3 * DAY, *, shape: Shape | None = None
) -> EventsDue:
    """Return recorded events for another moment, each as old as it was when it was recorded.

    The age comes from the event's own time, which `shape` finds (default: Campaign's own shape), if that is a moment of
    the last `event_age_max` milliseconds. Otherwise the event is new.
    """
    shape = shape or builtin_shape(entry.type)
    moved, oldest = at - entry.at, entry.at - event_age_max
    payloads = []
    for raw in entry.events:
        payload = msgspec.json.decode(raw)
        created = shape.moment(payload) if isinstance(payload, dict) else None
        if created is None or not oldest < created <= entry.at:
            payloads.append((at, bytes(raw)))
        elif moved:
            moment = write_moment(shape.get(payload, Role.MOMENT), created + moved)
            payloads.append((created + moved, msgspec.json.encode(shape.put(payload, Role.MOMENT, moment))))
        else:
            payloads.append((created, bytes(raw)))
    return EventsDue(client_id=client_id, type=entry.type, payloads=tuple(payloads))
