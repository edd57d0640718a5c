"""A mailing: all events of its recipients, as a stream in order of time.

The events of a recipient follow from the seed, the mailing and the recipient. Only their times are kept, in eight bytes
for each event.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterator

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.events import field_values
from mockcampaign.events.behaviour import Behaviour, PlannedEvent
from mockcampaign.events.event_json import NO_ORIGIN, Mails
from mockcampaign.events.people import AUDIENCE_MAX, IN_TWO_LISTS, LIST, Actor
from mockcampaign.events.random_words import threshold
from mockcampaign.events.rates import DEFAULT_RATES, Rates
from mockcampaign.model import EventType
from mockcampaign.policy import MINUTE
from mockcampaign.shape.builtin import TYPES_WITH_ORIGIN


class MailingEvent(msgspec.Struct, frozen=True, gc=False):
    """An event of a mailing. Its payload is made when somebody asks for it."""

    at: int
    """Milliseconds since 1970."""
    type: EventType
    recipient: int
    list_number: int
    actor: Actor
    detail: int
    """Index, as in `PlannedEvent`."""
    mailing: Mailing

    def payload(self) -> bytes:
        """Return the event as JSON."""
        return self.mailing.payload(self)


_BUCKET = 10 * MINUTE
_TYPES = tuple(EventType)
_TYPE_INDEXES = {kind: index for index, kind in enumerate(_TYPES)}
_ACTORS = tuple(Actor)
_ACTOR_INDEXES = {actor: index for index, actor in enumerate(_ACTORS)}


class Mailing:
    """The events of one mailing, in order of time. Iterating takes no memory.

    Building a mailing plans its events, in a few microseconds for each recipient and eight bytes for each event.
    """

    def __init__(
        self,
        *,
        seed: str,
        mails: Mails,
        recipients: int,
        start: int,
        rates: Rates = DEFAULT_RATES,
        types: Collection[EventType] = _TYPES,
    ) -> None:
        """Plan a mailing that is sent at `start` (milliseconds since 1970), with only events of `types`.

        Raises `InvalidInputError` for a number of recipients out of range.
        """
        if not 1 <= recipients <= AUDIENCE_MAX:
            raise InvalidInputError(f"{recipients} recipients, allowed: 1 to {AUDIENCE_MAX}")
        self.mails = mails
        self.recipients = recipients
        self.start = start
        self.counts: Counter[EventType] = Counter()
        """Number of events of each type."""
        self._audience = mails.audience
        self._behaviour = Behaviour(seed, rates)
        self._in_two_lists = threshold(rates.in_two_lists)
        self._buckets: dict[int, array[int]] = {}
        self._plan(frozenset(types))

    @property
    def client_id(self) -> int:
        """Id of the client that sends the mailing."""
        return self.mails.client_id

    @property
    def mailing_id(self) -> int:
        """Id of the mailing, which all its events carry."""
        return self.mails.mailing_id

    @property
    def events(self) -> int:
        """Number of events."""
        return self.counts.total()

    def __iter__(self) -> Iterator[MailingEvent]:
        """Yield all events in order of time, then of recipients."""
        for bucket in sorted(self._buckets):
            begin = self.start + bucket * _BUCKET
            for packed in sorted(self._buckets[bucket]):
                yield MailingEvent(
                    begin + (packed >> 39),
                    _TYPES[packed >> 12 & 15],
                    packed >> 16 & 0x7FFFFF,
                    packed >> 8 & 15,
                    _ACTORS[packed >> 4 & 15],
                    packed & 15,
                    self,
                )

    def sent_at(self, recipient: int) -> int:
        """Return when the recipient's first mail is sent, in milliseconds since 1970."""
        return self.start + recipient * 1_000 // field_values.MAILS_PER_SECOND

    def untracked_count(self) -> int:
        """Return the number of recipients whose tracking is switched off."""
        words, is_untracked = self._audience.people.words, self._behaviour.is_untracked
        return sum(is_untracked(words(recipient)) for recipient in range(self.recipients))

    def planned_events(self, recipient: int) -> list[PlannedEvent]:
        """Return the events of one recipient, in no particular order."""
        person = self._audience.people.words(recipient)
        planned: list[PlannedEvent] = []
        sent_at = self.sent_at(recipient) - self.start
        list_number = person[LIST] * field_values.LISTS >> 32
        plan = self._behaviour.plan
        plan(planned, person, recipient << 1, self.start, sent_at, list_number)
        if person[IN_TWO_LISTS] < self._in_two_lists:
            other_list = (list_number + 1) % field_values.LISTS
            plan(planned, person, recipient << 1 | 1, self.start, sent_at + field_values.SECOND_MAIL_DELAY, other_list)
        return self._behaviour.finish(planned, person, recipient)

    def payload(self, event: MailingEvent) -> bytes:
        """Return the event as JSON."""
        kind, recipient, detail = event.type, event.recipient, event.detail
        origin = NO_ORIGIN
        if kind in TYPES_WITH_ORIGIN:
            person = self._audience.people.words(recipient)
            private = self._behaviour.is_private(person)
            origin = self._audience.origin(recipient, person, event.actor, private=private, which=detail)
            # The detail of an open is the index of the friend, which the payload does not show.
            detail = detail if kind is EventType.CLICK else 0
        return self.mails.payloads(kind).payload(event.at, event.list_number, recipient, origin, detail)

    def _plan(self, types: frozenset[EventType]) -> None:
        buckets, counts = self._buckets, dict.fromkeys(_TYPES, 0)
        for recipient in range(self.recipients):
            for planned_event in self.planned_events(recipient):
                if planned_event.type in types:
                    counts[planned_event.type] += 1
                    bucket, rest = divmod(planned_event.at, _BUCKET)
                    what = (_TYPE_INDEXES[planned_event.type] << 4 | planned_event.list_number) << 4 | _ACTOR_INDEXES[
                        planned_event.actor
                    ]
                    packed = ((rest << 23 | recipient) << 12 | what) << 4 | planned_event.detail
                    if bucket not in buckets:
                        buckets[bucket] = array("Q")
                    buckets[bucket].append(packed)
        self.counts.update({kind: count for kind, count in counts.items() if count})
