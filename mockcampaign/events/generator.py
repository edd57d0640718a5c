"""Events of one client, made from a seed: a number of events, or a whole mailing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import chain, count, islice
from operator import add

import msgspec

from mockcampaign.events import field_values
from mockcampaign.events.behaviour import REPEATABLE
from mockcampaign.events.event_json import DETAILS, NO_ORIGIN, Mails
from mockcampaign.events.mailing import Mailing
from mockcampaign.events.people import (
    AUDIENCE_MAX,
    DETAIL,
    LIST,
    PRIVACY_PROXIES,
    PRIVATE,
    REPEATED,
    REPEATS,
    Audience,
    Origin,
    RecipientIds,
    home_origin,
    machine_origin,
    opening_origin,
)
from mockcampaign.events.random_words import RandomWords, Words, threshold
from mockcampaign.events.rates import DEFAULT_RATES, Rates
from mockcampaign.events.sample import Sample
from mockcampaign.model import EventType
from mockcampaign.shape.builtin import TYPES_WITH_ORIGIN
from mockcampaign.tables import complete

MOMENTS_TOGETHER = 1_000
"""Number of events that are spread over their share of the time together, so no burst is longer."""

CROWDED_GAP = 4
"""Mean number of milliseconds between the creations of events that occur at one moment. Ours: 250 events were created
within the last second, as in the busiest moment of a large mailing."""

RECENT_MAX = 1_024
"""Number of recent mails that may be opened or clicked again, which is all that a stream remembers."""

_REPEAT = threshold(field_values.REPEAT_SHARE)
_PRIVACY_PROXY = threshold(field_values.PRIVACY_PROXY_SHARE)
_encode = msgspec.json.Encoder().encode


class Generator:
    """Makes the events of a client. No two events are equal in all fields, unless `Rates.twins` asks for it."""

    def __init__(self, seed: str, client_id: int, ids: RecipientIds = RecipientIds.DIGITS) -> None:
        self._seed = seed
        self._client_id = client_id
        self._audience = Audience(seed, ids)
        self._times = RandomWords(seed, "times")
        self._mailings = 0
        self._recipients = AUDIENCE_MAX
        self._samples = 0
        self._spans = 0

    def mailing(
        self,
        recipients: int,
        start: int,
        *,
        rates: Rates = DEFAULT_RATES,
        types: Collection[EventType] = tuple(EventType),
        number: int | None = None,
    ) -> Mailing:
        """Return a mailing that is sent at `start` (milliseconds since 1970), with all events of its recipients.

        All mailings of a generator go to the same people. `number` makes an earlier mailing again. Raises
        `InvalidInputError` for more than `AUDIENCE_MAX`.
        """
        if number is None:
            number = self._mailings
            self._mailings += 1
        mails = Mails(self._audience, self._client_id, self._audience.mailing_id(number))
        return Mailing(
            seed=self._seed,
            number=number,
            mails=mails,
            recipients=recipients,
            start=start,
            rates=rates,
            types=types,
        )

    @property
    def position(self) -> tuple[int, ...]:
        """How far the generator has come: one of the same seed that is set to it goes on without repeating an event."""
        return self._mailings, self._recipients, self._samples, self._spans

    @position.setter
    def position(self, position: tuple[int, ...]) -> None:
        self._mailings, self._recipients, self._samples, self._spans = position

    def payloads(
        self, event_type: EventType, count: int, created: Iterable[int], *, mailing_id: int | None = None
    ) -> Iterator[bytes]:
        """Yield one event for each of `count` times (milliseconds since 1970), each made when it is asked for.

        All belong to one mailing, by default a new one. Most belong to recipients without earlier events; some are
        further opens and clicks of a mail, from another address.
        """
        first = self._recipients
        self._recipients += count
        people = self._audience.people.stream(first)
        return _payloads(event_type, first, islice(created, count), self._mails(mailing_id), people)

    def payloads_like(self, sample: Sample, created: Iterable[int]) -> Iterator[bytes]:
        """Yield one event for each time, with the fields, order and formats of the sample."""
        number = self._samples
        self._samples += 1
        return (_encode(event) for event in sample.more(f"{self._seed}:like:{number}", created))

    def moments(self, count: int, start: int, over: int) -> Iterator[int]:
        """Yield the times of `count` events from `start` to `start + over`, in order, in milliseconds.

        No two are equal. If that time is too short for it, it begins before `start`.
        """
        self._spans += 1
        size = over + 1 if count <= over + 1 else CROWDED_GAP * (count - 1) + 1
        return _spread(count, start + over + 1 - size, size, self._times.stream(self._spans))

    def _mails(self, mailing_id: int | None = None) -> Mails:
        number = self._mailings
        self._mailings += 1
        return Mails(
            self._audience, self._client_id, self._audience.mailing_id(number) if mailing_id is None else mailing_id
        )


def _payloads(
    event_type: EventType, first: int, created: Iterable[int], mails: Mails, people: Iterator[Words]
) -> Iterator[bytes]:
    write, first_origin = mails.payloads(event_type).payload, _FIRST_ORIGIN[event_type]
    details, repeat = DETAILS[event_type], _REPEAT if event_type in REPEATABLE else 0
    # Recent mails: recipient, list, and the addresses from which they were opened or clicked.
    recent: list[tuple[int, int, list[str]]] = []
    for moment, recipient, words in zip(created, count(first), people, strict=False):
        if words[REPEATS] < repeat and recent:
            origin = home_origin(words, private=False)
            repeated, list_number, addresses = recent[words[REPEATED] * len(recent) >> 32]
            # Two events of one mail may fall into the same millisecond, and must differ.
            if origin.address not in addresses:
                addresses.append(origin.address)
                yield write(moment, list_number, repeated, origin, words[DETAIL] * details >> 32)
                continue
        else:
            origin = first_origin(words)
        list_number = words[LIST] * field_values.LISTS >> 32
        if len(recent) < RECENT_MAX:
            recent.append((recipient, list_number, [origin.address]))
        else:
            recent[recipient % RECENT_MAX] = (recipient, list_number, [origin.address])
        yield write(moment, list_number, recipient, origin, words[DETAIL] * details >> 32)


def _spread(count: int, start: int, size: int, groups: Iterator[Words]) -> Iterator[int]:
    """Yield `count` different ones of the `size` milliseconds from `start` on, which are at least as many."""
    words = chain.from_iterable(groups)
    for index in range(0, count, MOMENTS_TOGETHER):
        together = min(MOMENTS_TOGETHER, count - index)
        begin, end = size * index // count, size * (index + together) // count
        # One free millisecond after each moment is set aside for the next one, so that these differ.
        free = end - begin - together + 1
        places = sorted([word * free >> 32 for word in islice(words, together)])
        yield from map(add, places, range(start + begin, start + end))


def _first_open(person: Words) -> Origin:
    return machine_origin(PRIVACY_PROXIES, person) if person[PRIVATE] < _PRIVACY_PROXY else opening_origin(person)


def _first_engagement(person: Words) -> Origin:
    return home_origin(person, private=person[PRIVATE] < _PRIVACY_PROXY)


def _no_origin(person: Words) -> Origin:
    return NO_ORIGIN


_FIRST_ORIGIN = complete(
    "the origin of the first event of each type",
    EventType,
    {kind: _first_engagement if kind in TYPES_WITH_ORIGIN else _no_origin for kind in EventType}
    | {EventType.OPEN: _first_open},
)
