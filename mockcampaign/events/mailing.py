"""A mailing: who of its recipients does what, where and when, as a stream of events in order of time.

What a recipient does is a function of seed, mailing and recipient, so nothing is kept of it but when it is due: eight
bytes for each event. It includes the traffic of machines that consumers trip over.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import accumulate

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.events import values
from mockcampaign.events.payload import NO_TRACES, SHOWING_TRACES, Mails
from mockcampaign.events.people import (
    AUDIENCE_MAX,
    IN_TWO_LISTS,
    LIST,
    PRIVATE,
    SCANNED,
    ZONE,
    Actor,
    opened_by,
)
from mockcampaign.events.random_words import Curve, Dice, Mix, Words, share
from mockcampaign.events.rates import DEFAULT_RATES, Rates
from mockcampaign.model import EventType
from mockcampaign.policy import DAY, HOUR, MINUTE

LENGTH_MAX = 30 * DAY
"""What would happen later after its mail's sending does not happen. Ours: a mailing has to end."""


FRIENDS_MAX = 4
"""Most people to whom one recipient forwards a mail. Assumed."""

REPEATABLE = frozenset({EventType.OPEN, EventType.CLICK})
"""What a recipient may do more than once with one mail."""


class Act(msgspec.Struct, frozen=True, gc=False):
    """Somebody does something with one mail."""

    at: int
    """Milliseconds after the mailing's start."""
    type: EventType
    list_number: int
    actor: Actor = Actor.PERSON
    detail: int = 0
    """Of a click: the link's index; of a bounce: its kind's; of a friend's open: which friend."""


class Occurrence(msgspec.Struct, frozen=True, gc=False):
    """An event that is going to happen; its payload is made when somebody wants it."""

    at: int
    """Milliseconds since 1970."""
    type: EventType
    recipient: int
    list_number: int
    actor: Actor
    detail: int
    """As in `Act`."""
    mailing: Mailing

    def payload(self) -> bytes:
        """The event as JSON."""
        return self.mailing.payload(self)


class Rhythm:
    """Day and night: how much activity lies between two moments of a person's day."""

    def __init__(self, activity: tuple[int, ...]) -> None:
        if sum(activity) != 2_400 or min(activity) < 1:
            raise ValueError("activity is 100 on average over 24 hours")
        self._activity = activity
        self._begins = list(accumulate((HOUR // 100 * level for level in activity), initial=0))[:-1]

    def active(self, moment: int) -> int:
        """Active milliseconds from the first midnight to a moment, in local milliseconds."""
        day, rest = divmod(moment, DAY)
        hour, rest = divmod(rest, HOUR)
        return day * DAY + self._begins[hour] + rest * self._activity[hour] // 100

    def moment(self, active: int) -> int:
        """When so many active milliseconds have passed, in local milliseconds."""
        day, rest = divmod(active, DAY)
        hour = bisect_right(self._begins, rest) - 1
        return day * DAY + hour * HOUR + (rest - self._begins[hour]) * 100 // self._activity[hour]

    def after(self, moment: int, active: int) -> int:
        """The moment that lies so many active milliseconds later."""
        return max(moment, self.moment(self.active(moment) + active))


RHYTHM = Rhythm(values.ACTIVITY)

_first_hour = values.OPEN_DELAYS_HOUR * HOUR
_ZONES = Mix((weight, minutes * MINUTE) for weight, minutes in values.ZONES)
_LINKS = Mix((weight, index) for index, weight in enumerate(values.LINK_WEIGHTS))
_OPENING = Curve(
    [
        (thousandths, RHYTHM.active(_first_hour + delay) - RHYTHM.active(_first_hour))
        for thousandths, delay in values.OPEN_DELAYS
    ]
)
_REOPENING = Curve(values.REOPEN_DELAYS)
_RELOADING = Curve(values.RELOAD_DELAYS)
_CLICKING = Curve(values.CLICK_DELAYS)
_FORWARDING = Curve(values.FORWARD_DELAYS)
_PREFETCHING = Curve(values.PREFETCH_DELAYS)
_SCANNING = Curve(values.SCAN_DELAYS)
_HARD_BOUNCING = Curve(values.HARD_BOUNCE_DELAYS)
_SOFT_BOUNCING = Curve(values.SOFT_BOUNCE_DELAYS)
_UNSUBSCRIBING = Curve(values.UNSUBSCRIBE_DELAYS)
_COMPLAINING = Curve(values.COMPLAINT_DELAYS)


# Which word of a mail's throw decides what.
_FATE, _READS, _FETCH_DELAY, _SCAN_DELAY, _OPEN_DELAY, _CLICKS, _BOUNCE_DELAY, _BLOCKS = range(8)

_BUCKET = 10 * MINUTE
_TYPES = tuple(EventType)
_TYPE_INDEXES = {kind: index for index, kind in enumerate(_TYPES)}
_ACTORS = tuple(Actor)
_ACTOR_INDEXES = {actor: index for index, actor in enumerate(_ACTORS)}


class _Words:
    """As many words as somebody asks for."""

    def __init__(self, dice: Dice, number: int) -> None:
        self._dice = dice
        self._number = number << 8
        self._words: list[int] = []

    def next(self) -> int:
        if not self._words:
            self._words = list(self._dice.throw(self._number))
            self._number += 1
        return self._words.pop()


class Mailing:
    """The events of one mailing, in order of time; an iteration costs no memory.

    Building one plans it: that takes some microseconds for each recipient, and eight bytes for each event.
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
        """It leaves at `start`, milliseconds since 1970. Events of other types than `types` are left out.

        Raises `InvalidInputError` for a number of recipients out of range.
        """
        if not 1 <= recipients <= AUDIENCE_MAX:
            raise InvalidInputError(f"{recipients} recipients, allowed: 1 to {AUDIENCE_MAX}")
        self.mails = mails
        self.recipients = recipients
        self.start = start
        self.counts: Counter[EventType] = Counter()
        """Events of each type."""
        self._audience = mails.audience
        self._behaviour = Dice(seed, "behaviour")
        self._reading = Dice(seed, "reading")
        self._scanning = Dice(seed, "scanning")
        self._rates = {name: share(rate) for name, rate in msgspec.structs.asdict(rates).items()}
        self._hard = self._rates["filtered"] + self._share_of_sent(rates.hard_bouncing, rates)
        self._soft = self._hard + self._share_of_sent(rates.soft_bouncing, rates)
        self._buckets: dict[int, array[int]] = {}
        self._plan(frozenset(types))

    @property
    def client_id(self) -> int:
        """Whose mailing it is."""
        return self.mails.client_id

    @property
    def mailing_id(self) -> int:
        """What all its events carry."""
        return self.mails.mailing_id

    @property
    def events(self) -> int:
        """How many there are."""
        return self.counts.total()

    def __iter__(self) -> Iterator[Occurrence]:
        """All events, in order of time, then of recipients."""
        for bucket in sorted(self._buckets):
            begin = self.start + bucket * _BUCKET
            for packed in sorted(self._buckets[bucket]):
                yield Occurrence(
                    begin + (packed >> 39),
                    _TYPES[packed >> 12 & 15],
                    packed >> 16 & 0x7FFFFF,
                    packed >> 8 & 15,
                    _ACTORS[packed >> 4 & 15],
                    packed & 15,
                    self,
                )

    def sent_at(self, recipient: int) -> int:
        """When the recipient's first mail leaves, in milliseconds since 1970."""
        return self.start + recipient * 1_000 // values.MAILS_PER_SECOND

    def acts(self, recipient: int) -> list[Act]:
        """What happens to the mails of one recipient, in no particular order."""
        person = self._audience.people.throw(recipient)
        acts: list[Act] = []
        sent_at = self.sent_at(recipient) - self.start
        list_number = person[LIST] * values.LISTS >> 32
        self._mail(acts, person, recipient << 1, sent_at, list_number)
        if person[IN_TWO_LISTS] < self._rates["in_two_lists"]:
            other_list = (list_number + 1) % values.LISTS
            self._mail(acts, person, recipient << 1 | 1, sent_at + values.SECOND_MAIL_DELAY, other_list)
        return self._told_apart(acts, recipient) if len(acts) > 2 or self._rates["twins"] else acts

    def payload(self, occurrence: Occurrence) -> bytes:
        """The event as JSON."""
        kind, recipient, detail = occurrence.type, occurrence.recipient, occurrence.detail
        traces = NO_TRACES
        if kind in SHOWING_TRACES:
            person = self._audience.people.throw(recipient)
            private = person[PRIVATE] < self._rates["prefetched"]
            traces = self._audience.traces(recipient, person, occurrence.actor, private=private, which=detail)
            # Of an open, the detail says which friend it was.
            detail = detail if kind is EventType.CLICK else 0
        return self.mails.payloads(kind).payload(occurrence.at, occurrence.list_number, recipient, traces, detail)

    def _plan(self, types: frozenset[EventType]) -> None:
        buckets, counts = self._buckets, dict.fromkeys(_TYPES, 0)
        for recipient in range(self.recipients):
            for act in self.acts(recipient):
                if act.type in types:
                    counts[act.type] += 1
                    bucket, rest = divmod(act.at, _BUCKET)
                    what = (_TYPE_INDEXES[act.type] << 4 | act.list_number) << 4 | _ACTOR_INDEXES[act.actor]
                    packed = ((rest << 23 | recipient) << 12 | what) << 4 | act.detail
                    if bucket not in buckets:
                        buckets[bucket] = array("Q")
                    buckets[bucket].append(packed)
        self.counts.update({kind: count for kind, count in counts.items() if count})

    @staticmethod
    def _share_of_sent(rate: float, rates: Rates) -> int:
        return share(rate * (1 - rates.filtered))

    def _mail(self, acts: list[Act], person: Words, number: int, sent_at: int, list_number: int) -> None:
        """What becomes of one mail."""
        rates = self._rates
        words = self._behaviour.throw(number)
        fate = words[_FATE]
        if fate < rates["filtered"]:
            acts.append(Act(sent_at, EventType.FILTEREDBYBLOCKLIST, list_number))
            return
        acts.append(Act(sent_at, EventType.SENT, list_number))
        if fate < self._soft:
            soft = fate >= self._hard
            delay = (_SOFT_BOUNCING if soft else _HARD_BOUNCING).duration(words[_BOUNCE_DELAY])
            acts.append(Act(sent_at + delay, EventType.BOUNCE, list_number, detail=int(soft)))
            return
        if person[PRIVATE] < rates["prefetched"]:
            at = sent_at + _PREFETCHING.duration(words[_FETCH_DELAY])
            acts.append(Act(at, EventType.OPEN, list_number, Actor.PRIVACY_PROXY))
        if person[SCANNED] < rates["scanned"]:
            self._scan(acts, sent_at + _SCANNING.duration(words[_SCAN_DELAY]), list_number, number)
        if words[_READS] < rates["opening"]:
            read: list[Act] = []
            self._read(read, person, words, number, sent_at, list_number)
            acts += [act for act in read if act.at <= sent_at + LENGTH_MAX]

    def _scan(self, acts: list[Act], at: int, list_number: int, number: int) -> None:
        words = _Words(self._scanning, number)
        acts.append(Act(at, EventType.OPEN, list_number, Actor.SCANNER))
        for link in range(len(values.LINKS)):
            at += 1 + (words.next() * values.SCAN_STEP >> 32)
            acts.append(Act(at, EventType.CLICK, list_number, Actor.SCANNER, link))

    def _read(self, acts: list[Act], person: Words, words: Words, number: int, sent_at: int, list_number: int) -> None:
        """A person reads the mail, once or several times, which its images may show or not."""
        rates, chance = self._rates, _Words(self._reading, number).next
        to_local = self.start + _ZONES.choose(person[ZONE])
        first = RHYTHM.after(sent_at + to_local, _OPENING.duration(words[_OPEN_DELAY])) - to_local
        clicks = words[_CLICKS] < rates["clicking"]
        private = person[PRIVATE] < rates["prefetched"]
        if not private and not (clicks and words[_BLOCKS] < rates["blocking"]):
            own = opened_by(person)
            at, actor = first, own
            while at <= sent_at + LENGTH_MAX:
                acts.append(Act(at, EventType.OPEN, list_number, actor))
                if chance() < rates["reloading"]:
                    acts.append(Act(at + _RELOADING.duration(chance()), EventType.OPEN, list_number, actor))
                if chance() >= rates["reopening"]:
                    break
                at = RHYTHM.after(at + to_local, _REOPENING.duration(chance())) - to_local
                actor = Actor.ELSEWHERE if chance() < rates["second_device"] else own
        if clicks:
            at = first + _CLICKING.duration(chance())
            acts.append(Act(at, EventType.CLICK, list_number, Actor.PERSON, _LINKS.choose(chance())))
            while chance() < rates["clicking_on"]:
                at += _CLICKING.duration(chance())
                acts.append(Act(at, EventType.CLICK, list_number, Actor.PERSON, _LINKS.choose(chance())))
        if chance() < rates["forwarding"]:
            for friend in range(1 + (chance() * FRIENDS_MAX >> 32)):
                acts.append(
                    Act(first + _FORWARDING.duration(chance()), EventType.OPEN, list_number, Actor.FRIEND, friend)
                )
        if chance() < rates["unsubscribing"]:
            acts.append(Act(first + _UNSUBSCRIBING.duration(chance()), EventType.UNSUBSCRIBE, list_number))
        if chance() < rates["complaining"]:
            at = first + _COMPLAINING.duration(chance())
            acts.append(Act(at, EventType.SPAMCOMPLAINT, list_number))
            acts.append(Act(at + values.BLOCKLIST_DELAY, EventType.BLOCKLIST, list_number))

    def _told_apart(self, acts: list[Act], recipient: int) -> list[Act]:
        """The acts, no two of one kind on one mail in the same millisecond, and twins where they were asked for."""
        taken: set[tuple[int, EventType, int]] = set()
        told: list[Act] = []
        twins, chance = self._rates["twins"], _Words(self._reading, recipient << 1 | 1 << 40).next
        for act in acts:
            at = act.at
            while (at, act.type, act.list_number) in taken:
                at += 1
            taken.add((at, act.type, act.list_number))
            told.append(act if at == act.at else msgspec.structs.replace(act, at=at))
            if twins and act.type in REPEATABLE and chance() < twins:
                told.append(told[-1])
        return told
