"""Plans the events of single mails with the model of whole mailings, and writes them.

An address such as `bounce+anna@example.com` asks for an outcome: it gets rates of the model that are all or nothing.
"""

from __future__ import annotations

import msgspec

from mockcampaign.clients.sent_mail import MailEvent
from mockcampaign.events.behaviour import Behaviour, PlannedEvent
from mockcampaign.events.mail_events import MailEventWriter, MailFacts
from mockcampaign.events.people import Audience
from mockcampaign.events.rates import Rates
from mockcampaign.model import EventType
from mockcampaign.shape.shape import Shape

SILENT = Rates(**dict.fromkeys(Rates.__struct_fields__, 0.0))
"""The mail is sent, and nothing else happens."""


def _only(**rates: float) -> Rates:
    return msgspec.structs.replace(SILENT, **rates)


OUTCOMES_BY_PREFIX = {
    "silent": SILENT,
    "bounce": _only(hard_bouncing=1.0),
    "softbounce": _only(soft_bouncing=1.0),
    "autoresponder": _only(autoresponding=1.0),
    "open": _only(opening=1.0),
    "click": _only(opening=1.0, clicking=1.0),
    "unsubscribe": _only(opening=1.0, unsubscribing=1.0),
    "complaint": _only(opening=1.0, complaining=1.0),
}
"""How recipients behave whose address begins with this word and a plus sign, in upper or lower case. Ours."""

CONFIRM = "confirm"
"""Prefix of addresses that confirm a double opt-in by themselves. Ours."""


def prefix_of(address: str) -> str:
    """Return the word before the first plus sign of an address, in lower case; empty if there is none."""
    local, at, _ = address.partition("@")
    word, plus, _ = local.partition("+")
    return word.lower() if at and plus else ""


class MailPlanner:
    """Plans and writes the events of one client's mails. Equal seeds, numbers and addresses have equal events."""

    def __init__(self, seed: str, rates: Rates) -> None:
        self._audience = Audience(seed)
        self._writer = MailEventWriter(self._audience, f"{seed}:mails")
        self._behaviours = {prefix: Behaviour(f"{seed}:mails", only) for prefix, only in OUTCOMES_BY_PREFIX.items()}
        # Whether an address is on the blocklist is known here, and needs no rate.
        self._behaviour = Behaviour(f"{seed}:mails", msgspec.structs.replace(rates, filtered=0.0))

    def mail_id(self, mailing_id: int, list_id: int, number: int) -> str:
        """Return the id of the mail with this number."""
        return self._audience.mail_id(mailing_id, list_id, number)

    def plan(self, address: str, person: int, number: int, sent_at: int) -> tuple[MailEvent, ...]:
        """Return all events of a mail, in order of time."""
        words = self._audience.people.words(person)
        behaviour = self._behaviours.get(prefix_of(address), self._behaviour)
        planned: list[PlannedEvent] = []
        behaviour.plan(planned, words, number, sent_at, 0, 0)
        is_private = behaviour.is_private(words)
        events = [
            MailEvent(
                at=sent_at + event.at,
                type=event.type,
                actor=event.actor,
                detail=event.detail,
                is_private=is_private,
            )
            for event in behaviour.finish(planned, words, number)
        ]
        # The model knows no order: nothing of a mail may come before the mail.
        return tuple(sorted(events, key=lambda event: (event.at, event.type is not EventType.SENT)))

    def payload(self, shape: Shape, mail: MailFacts, event: MailEvent) -> bytes:
        """Return the event as JSON."""
        return self._writer.payload(shape, mail, event.facts)
