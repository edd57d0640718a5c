"""Events of one client from a seed: by number, or as whole mailings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import chain, count, islice

import msgspec

from mockcampaign.events import values
from mockcampaign.events.mailing import REPEATABLE, Mailing
from mockcampaign.events.payload import DETAILS, NO_TRACES, SHOWING_TRACES, Mails
from mockcampaign.events.people import (
    AUDIENCE_MAX,
    DETAIL,
    LIST,
    PRIVACY_PROXIES,
    PRIVATE,
    REPEATED,
    REPEATS,
    Audience,
    RecipientIds,
    Traces,
    at_home,
    of_machine,
    opening,
)
from mockcampaign.events.random_words import Dice, Words, share
from mockcampaign.events.rates import DEFAULT_RATES, Rates
from mockcampaign.events.sample import Sample
from mockcampaign.model import EventType

MOMENTS_TOGETHER = 1_000
"""So many events are spread over their share of the time together: a burst is no longer than that."""

RECENT_MAX = 1_024
"""A mail is acted on again while it is one of so many that were acted on last: a stream keeps no more in mind."""

_REPEAT = share(values.REPEAT_SHARE)
_PRIVACY_PROXY = share(values.PRIVACY_PROXY_SHARE)
_encode = msgspec.json.Encoder().encode


class Generator:
    """Makes a client's events. No two of one generator are equal in all fields, unless `Rates.twins` asks for it."""

    def __init__(self, seed: str, client_id: int, ids: RecipientIds = RecipientIds.DIGITS) -> None:
        self._seed = seed
        self._client_id = client_id
        self._audience = Audience(seed, ids)
        self._times = Dice(seed, "times")
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
    ) -> Mailing:
        """A mailing that leaves at `start` (milliseconds since 1970), and what its recipients will do.

        All mailings of a generator go to the same people. Raises `InvalidInputError` for more than `AUDIENCE_MAX`.
        """
        number = self._mailings
        mails = self._mails()
        return Mailing(
            seed=f"{self._seed}:{number}", mails=mails, recipients=recipients, start=start, rates=rates, types=types
        )

    def payloads(
        self, event_type: EventType, count: int, created: Iterable[int], *, mailing_id: int | None = None
    ) -> Iterator[bytes]:
        """One event for each of `count` moments (milliseconds since 1970), made when it is asked for.

        All are of one mailing, a new one unless it is named. Most are of recipients who never did anything before; some
        opens and clicks are further ones of a mail, from elsewhere.
        """
        first = self._recipients
        self._recipients += count
        people = self._audience.people.stream(first)
        return _payloads(event_type, first, islice(created, count), self._mails(mailing_id), people)

    def payloads_like(self, sample: Sample, created: Iterable[int]) -> Iterator[bytes]:
        """One event for each moment, of the sample's shape: its fields, in its order and formats."""
        number = self._samples
        self._samples += 1
        return (_encode(event) for event in sample.more(f"{self._seed}:like:{number}", created))

    def moments(self, count: int, start: int, over: int) -> Iterator[int]:
        """When `count` events happen: milliseconds from `start` to `start + over`, in order."""
        self._spans += 1
        return _spread(count, start, over, self._times.stream(self._spans))

    def _mails(self, mailing_id: int | None = None) -> Mails:
        number = self._mailings
        self._mailings += 1
        return Mails(
            self._audience, self._client_id, self._audience.mailing_id(number) if mailing_id is None else mailing_id
        )


def _payloads(
    event_type: EventType, first: int, created: Iterable[int], mails: Mails, people: Iterator[Words]
) -> Iterator[bytes]:
    write, first_traces = mails.payloads(event_type).payload, _FIRST_TRACES[event_type]
    details, repeat = DETAILS.get(event_type, 1), _REPEAT if event_type in REPEATABLE else 0
    # Mails that were acted on: recipient, list, and from which addresses.
    recent: list[tuple[int, int, list[str]]] = []
    for moment, recipient, words in zip(created, count(first), people, strict=False):
        if words[REPEATS] < repeat and recent:
            traces = at_home(words, private=False)
            repeated, list_number, addresses = recent[words[REPEATED] * len(recent) >> 32]
            # Two acts on one mail may fall into the same millisecond, and must differ.
            if traces.address not in addresses:
                addresses.append(traces.address)
                yield write(moment, list_number, repeated, traces, words[DETAIL] * details >> 32)
                continue
        else:
            traces = first_traces(words)
        list_number = words[LIST] * values.LISTS >> 32
        if len(recent) < RECENT_MAX:
            recent.append((recipient, list_number, [traces.address]))
        else:
            recent[recipient % RECENT_MAX] = (recipient, list_number, [traces.address])
        yield write(moment, list_number, recipient, traces, words[DETAIL] * details >> 32)


def _spread(count: int, start: int, over: int, throws: Iterator[Words]) -> Iterator[int]:
    words = chain.from_iterable(throws)
    for index in range(0, count, MOMENTS_TOGETHER):
        together = min(MOMENTS_TOGETHER, count - index)
        begin, end = over * index // count, over * (index + together) // count
        first, size = start + begin, end - begin + 1
        yield from sorted([first + (word * size >> 32) for word in islice(words, together)])


def _opened(person: Words) -> Traces:
    return of_machine(PRIVACY_PROXIES, person) if person[PRIVATE] < _PRIVACY_PROXY else opening(person)


def _acted(person: Words) -> Traces:
    return at_home(person, private=person[PRIVATE] < _PRIVACY_PROXY)


def _not_acted(person: Words) -> Traces:
    return NO_TRACES


_FIRST_TRACES = {kind: _acted if kind in SHOWING_TRACES else _not_acted for kind in EventType} | {
    EventType.OPEN: _opened
}
