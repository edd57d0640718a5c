"""A mail that a call has sent: its status and its events at any moment."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from mockcampaign.events import Actor
from mockcampaign.events.mail_events import EventFacts, MailFacts
from mockcampaign.model import EventType
from mockcampaign.policy import DAY

STATUS_KEPT = 14 * DAY
"""Time after which a mail's status reads `enqueued` again (documented: vendor's API description)."""


class SendStatus(StrEnum):
    """The status of a mail (vendor's API description)."""

    ENQUEUED = "enqueued"
    SENDING = "sending"
    SENT = "sent"
    VETOED = "vetoed"
    WRONG_MAILING_STATUS = "wrong_mailing_status"
    SYNTAX_ERROR = "syntax_error"
    BLACKLISTED = "blacklisted"
    FILTERED = "filtered"
    TOO_MANY_BOUNCES = "too_many_bounces"
    UNSUBSCRIBED = "unsubscribed"
    COULD_NOT_BE_SENT = "could_not_be_sent"


class MailEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a mail: planned, or in the past."""

    at: int
    """Milliseconds since 1970."""
    type: EventType
    actor: Actor = Actor.PERSON
    detail: int = 0
    """Index of a click's link, of a bounce's category, or of the friend who opens."""
    link: str | None = None
    """Target of a click, if it is not one of the model's links."""
    is_private: bool = False
    """Whether the mailbox is behind a privacy proxy."""

    @property
    def facts(self) -> EventFacts:
        """Facts that the event's payload shows besides those of its mail."""
        return EventFacts(at=self.at, actor=self.actor, detail=self.detail, link=self.link, is_private=self.is_private)


class SentMail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail. Its text form shows nobody."""

    facts: MailFacts
    campaign_id: int | None
    """Id of the transactional mail or smart campaign; None for mails that only an opt-in or unsubscribe stands for."""
    data: Mapping[str, str] = {}
    """Attributes that the call has sent."""
    accepted_at: int
    sent_at: int
    result: SendStatus
    """Status of the mail when it is no longer on its way."""
    events: tuple[MailEvent, ...] = ()
    """All events that are planned, in order of time."""

    def __repr__(self) -> str:
        return f"SentMail(mail_id={self.facts.mail_id!r}, result={self.result.value!r}, …)"

    def status(self, now: int) -> SendStatus:
        """Return the status at a moment."""
        if now >= self.accepted_at + STATUS_KEPT:
            return SendStatus.ENQUEUED
        if now >= self.sent_at:
            return self.result
        half = self.accepted_at + (self.sent_at - self.accepted_at) // 2
        return SendStatus.ENQUEUED if now < half else SendStatus.SENDING

    def events_until(self, now: int) -> list[MailEvent]:
        """Return the events that have occurred by a moment."""
        return [event for event in self.events if event.at <= now]

    def first_of(self, event_type: EventType) -> MailEvent | None:
        """Return the earliest event of a type, or None."""
        return next((event for event in self.events if event.type is event_type), None)

    def with_event(self, event: MailEvent) -> SentMail:
        """Return the mail with one more event."""
        return msgspec.structs.replace(self, events=tuple(sorted((*self.events, event), key=lambda one: one.at)))

    @property
    def is_optin(self) -> bool:
        """Whether the mail only stands for an opt-in, an unsubscribe or a blocklist entry."""
        return self.campaign_id is None
