"""Events of one client from a seed: by number, or as whole mailings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import msgspec

from mockcampaign.events import values
from mockcampaign.events.dice import Dice, Words, share
from mockcampaign.events.mailing import REPEATABLE, Mailing
from mockcampaign.events.payload import BOUNCES, SHOWING_TRACES, Mails
from mockcampaign.events.people import AUDIENCE_MAX, LIST, PRIVATE, Actor, Audience, RecipientIds, Traces, opened_by
from mockcampaign.events.rates import DEFAULT_RATES, Rates
from mockcampaign.events.sample import Sample
from mockcampaign.model import EventType

MOMENTS_TOGETHER = 1_000
"""So many events are spread over their share of the time together: a burst is no longer than that."""

_REPEAT = share(values.REPEAT_SHARE)
_PRIVACY_PROXY = share(values.PRIVACY_PROXY_SHARE)
_encode = msgspec.json.Encoder().encode


class Generator:
    """Makes a client's events. No two of one generator are equal in all fields, unless `Rates.twins` asks for it."""

    def __init__(self, seed: str, client_id: int, ids: RecipientIds = RecipientIds.DIGITS) -> None:
        self._seed = seed
        self._client_id = client_id
        self._audience = Audience(seed, ids)
        self._dice = Dice(seed, "acts")
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
        return self._payloads(event_type, first, created, self._mails(mailing_id))

    def payloads_like(self, sample: Sample, created: Iterable[int]) -> Iterator[bytes]:
        """One event for each moment, of the sample's shape: its fields, in its order and formats."""
        number = self._samples
        self._samples += 1
        return (_encode(event) for event in sample.more(f"{self._seed}:like:{number}", created))

    def moments(self, count: int, start: int, over: int) -> Iterator[int]:
        """When `count` events happen: milliseconds from `start` to `start + over`, in order."""
        number = self._spans << 40
        self._spans += 1
        return self._spread(count, start, over, number)

    def _mails(self, mailing_id: int | None = None) -> Mails:
        number = self._mailings
        self._mailings += 1
        return Mails(
            self._audience, self._client_id, self._audience.mailing_id(number) if mailing_id is None else mailing_id
        )

    def _payloads(self, event_type: EventType, first: int, created: Iterable[int], mails: Mails) -> Iterator[bytes]:
        fresh = first
        repeated: dict[int, list[str]] = {}
        for number, moment in enumerate(created, first):
            words = self._dice.throw(number)
            if event_type in REPEATABLE and words[0] < _REPEAT and fresh > first:
                recipient = first + (words[1] * (fresh - first) >> 32)
                person, traces = self._elsewhere(event_type, recipient, repeated)
            else:
                recipient = fresh
                fresh += 1
                person = self._audience.people.throw(recipient)
                traces = self._traces(event_type, recipient, person)
            yield mails.payload(
                event_type, moment, person[LIST] * values.LISTS >> 32, recipient, traces, _detail(event_type, words)
            )

    def _traces(self, event_type: EventType, recipient: int, person: Words) -> Traces | None:
        if event_type not in SHOWING_TRACES:
            return None
        private = person[PRIVATE] < _PRIVACY_PROXY
        actor = Actor.PERSON
        if event_type is EventType.OPEN:
            actor = Actor.PRIVACY_PROXY if private else opened_by(person)
        return self._audience.traces(recipient, person, actor, private=private)

    def _elsewhere(
        self, event_type: EventType, recipient: int, repeated: dict[int, list[str]]
    ) -> tuple[Words, Traces | None]:
        """Traces at an address from which the mail was not acted on before: two acts in one millisecond differ."""
        person = self._audience.people.throw(recipient)
        if recipient not in repeated:
            first = self._traces(event_type, recipient, person)
            repeated[recipient] = [] if first is None else [first.address]
        addresses = repeated[recipient]
        which = len(addresses)
        while True:
            traces = self._audience.traces(recipient, person, Actor.FRIEND, which=which)
            if traces.address not in addresses:
                addresses.append(traces.address)
                return person, traces
            which += 1

    def _spread(self, count: int, start: int, over: int, number: int) -> Iterator[int]:
        for index in range(0, count, MOMENTS_TOGETHER):
            together = min(MOMENTS_TOGETHER, count - index)
            begin, end = over * index // count, over * (index + together) // count
            size = end - begin + 1
            drawn: list[int] = []
            while len(drawn) < together:
                words = self._times.throw(number)
                number += 1
                # Two words for each, since a month has more milliseconds than a word has values.
                drawn += [(high << 32 | low) * size >> 64 for high, low in zip(words[::2], words[1::2], strict=True)]
            yield from (start + begin + moment for moment in sorted(drawn[:together]))


def _detail(event_type: EventType, words: Words) -> int:
    """Any link, any kind of bounce."""
    kinds = {EventType.CLICK: len(values.LINKS), EventType.BOUNCE: len(BOUNCES)}
    return words[2] * kinds.get(event_type, 1) >> 32
