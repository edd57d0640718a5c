"""The behaviour of the people and machines that get a mail: which events it causes, and when.

It follows from a seed, the mail's number and the recipient's random words. Machines that open mails and click links are
included, because consumers stumble over their traffic.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

import msgspec

from mockcampaign.events import field_values
from mockcampaign.events.people import PRIVATE, SCANNED, UNTRACKED, ZONE, Actor, opener_at_home
from mockcampaign.events.random_words import DurationCurve, RandomWords, WeightedChoice, Words, threshold
from mockcampaign.events.rates import Rates
from mockcampaign.model import EventType
from mockcampaign.policy import DAY, HOUR, MINUTE
from mockcampaign.shape.builtin import BOUNCE_CATEGORIES

LENGTH_MAX = 30 * DAY
"""Longest time from sending a mail to its last event. Our choice: a mailing has to end."""


FRIENDS_MAX = 4
"""Maximum number of people to whom one recipient forwards a mail. Assumed."""

REPEATABLE = frozenset({EventType.OPEN, EventType.CLICK})
"""Types of events that one mail can have several times."""

HARD, SOFT, AUTORESPONDER, UNKNOWN = range(len(BOUNCE_CATEGORIES))
"""Indexes of the categories of bounces."""

_TRACKED = frozenset({EventType.OPEN, EventType.CLICK})
"""Types of events that are not reported of a recipient whose tracking is switched off."""


class PlannedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event of one mail, before its mailing is sent."""

    at: int
    """Milliseconds after the mailing's start."""
    type: EventType
    list_number: int
    actor: Actor = Actor.PERSON
    detail: int = 0
    """Index of a click's link, of a bounce's category, or of the friend who opens."""


class Rhythm:
    """Day and night: the amount of activity between two times of a person's day."""

    def __init__(self, activity: tuple[int, ...]) -> None:
        if sum(activity) != 2_400 or min(activity) < 1:
            raise ValueError("activity is 100 on average over 24 hours")
        self._activity = activity
        self._begins = list(accumulate((HOUR // 100 * level for level in activity), initial=0))[:-1]

    def active(self, moment: int) -> int:
        """Return the active time from the first midnight to a local time, in milliseconds."""
        day, rest = divmod(moment, DAY)
        hour, rest = divmod(rest, HOUR)
        return day * DAY + self._begins[hour] + rest * self._activity[hour] // 100

    def moment(self, active: int) -> int:
        """Return the local time at which so many active milliseconds have passed."""
        day, rest = divmod(active, DAY)
        hour = bisect_right(self._begins, rest) - 1
        return day * DAY + hour * HOUR + (rest - self._begins[hour]) * 100 // self._activity[hour]

    def after(self, moment: int, active: int) -> int:
        """Return the local time that is so many active milliseconds later."""
        return max(moment, self.moment(self.active(moment) + active))


RHYTHM = Rhythm(field_values.ACTIVITY)

_first_hour = field_values.OPEN_DELAYS_HOUR * HOUR
_ZONES = WeightedChoice((weight, minutes * MINUTE) for weight, minutes in field_values.ZONES)
_LINKS = WeightedChoice((weight, index) for index, weight in enumerate(field_values.LINK_WEIGHTS))
_OPENING = DurationCurve(
    [
        (thousandths, RHYTHM.active(_first_hour + delay) - RHYTHM.active(_first_hour))
        for thousandths, delay in field_values.OPEN_DELAYS
    ]
)
_REOPENING = DurationCurve(field_values.REOPEN_DELAYS)
_RELOADING = DurationCurve(field_values.RELOAD_DELAYS)
_CLICKING = DurationCurve(field_values.CLICK_DELAYS)
_FORWARDING = DurationCurve(field_values.FORWARD_DELAYS)
_PREFETCHING = DurationCurve(field_values.PREFETCH_DELAYS)
_SCANNING = DurationCurve(field_values.SCAN_DELAYS)
_HARD_BOUNCING = DurationCurve(field_values.HARD_BOUNCE_DELAYS)
_SOFT_BOUNCING = DurationCurve(field_values.SOFT_BOUNCE_DELAYS)
_BOUNCING = {HARD: _HARD_BOUNCING, SOFT: _SOFT_BOUNCING, UNKNOWN: _HARD_BOUNCING}
_AUTORESPONDING = DurationCurve(field_values.AUTORESPONSE_DELAYS)
_UNSUBSCRIBING = DurationCurve(field_values.UNSUBSCRIBE_DELAYS)
_COMPLAINING = DurationCurve(field_values.COMPLAINT_DELAYS)


# Meaning of the random words of a mail, in order.
_FATE, _READS, _FETCH_DELAY, _SCAN_DELAY, _OPEN_DELAY, _CLICKS, _BOUNCE_DELAY, _BLOCKS, _AUTORESPONDS = range(9)


class _Words:
    """Random words, one after the other."""

    def __init__(self, source: RandomWords, number: int) -> None:
        self._random = source
        self._number = number << 8
        self._words: list[int] = []

    def next(self) -> int:
        if not self._words:
            self._words = list(self._random.words(self._number))
            self._number += 1
        return self._words.pop()


class Behaviour:
    """Plans the events of mails. Equal seeds, rates, mails and recipients have equal events."""

    def __init__(self, seed: str, rates: Rates) -> None:
        self._behaviour = RandomWords(seed, "behaviour")
        self._reading = RandomWords(seed, "reading")
        self._scanning = RandomWords(seed, "scanning")
        self._rates = {name: threshold(rate) for name, rate in msgspec.structs.asdict(rates).items()}
        self._hard = self._rates["filtered"] + self._share_of_sent(rates.hard_bouncing, rates)
        self._soft = self._hard + self._share_of_sent(rates.soft_bouncing, rates)
        others = 1 - (rates.hard_bouncing + rates.soft_bouncing)
        self._unknown = self._soft + self._share_of_sent(rates.unknown_bouncing * others, rates)

    def is_private(self, person: Words) -> bool:
        """Return whether the recipient's mailbox is behind a privacy proxy."""
        return person[PRIVATE] < self._rates["prefetched"]

    def is_untracked(self, person: Words) -> bool:
        """Return whether the recipient's tracking is switched off."""
        return person[UNTRACKED] < self._rates["untracked"]

    def finish(self, planned: list[PlannedEvent], person: Words, recipient: int) -> list[PlannedEvent]:
        """Return the events of a recipient's mails without those that are not reported, and without collisions."""
        if self.is_untracked(person):
            planned = [planned_event for planned_event in planned if planned_event.type not in _TRACKED]
        return self._without_collisions(planned, recipient) if len(planned) > 2 or self._rates["twins"] else planned

    @staticmethod
    def _share_of_sent(rate: float, rates: Rates) -> int:
        return threshold(rate * (1 - rates.filtered))

    def plan(
        self, planned: list[PlannedEvent], person: Words, number: int, start: int, sent_at: int, list_number: int
    ) -> None:
        """Add the events of one mail, which is sent `sent_at` milliseconds after `start`.

        `person` are the random words of the recipient, and `number` is the mail's own.
        """
        rates = self._rates
        words = self._behaviour.words(number)
        fate = words[_FATE]
        if fate < rates["filtered"]:
            planned.append(PlannedEvent(sent_at, EventType.FILTEREDBYBLOCKLIST, list_number))
            return
        planned.append(PlannedEvent(sent_at, EventType.SENT, list_number))
        if fate < self._unknown:
            category = HARD if fate < self._hard else SOFT if fate < self._soft else UNKNOWN
            delay = _BOUNCING[category].duration(words[_BOUNCE_DELAY])
            planned.append(PlannedEvent(sent_at + delay, EventType.BOUNCE, list_number, detail=category))
            return
        if words[_AUTORESPONDS] < rates["autoresponding"]:
            delay = _AUTORESPONDING.duration(words[_BOUNCE_DELAY])
            planned.append(PlannedEvent(sent_at + delay, EventType.BOUNCE, list_number, detail=AUTORESPONDER))
        if person[PRIVATE] < rates["prefetched"]:
            at = sent_at + _PREFETCHING.duration(words[_FETCH_DELAY])
            planned.append(PlannedEvent(at, EventType.OPEN, list_number, Actor.PRIVACY_PROXY))
        if person[SCANNED] < rates["scanned"]:
            self._scan(planned, sent_at + _SCANNING.duration(words[_SCAN_DELAY]), list_number, number)
        if words[_READS] < rates["opening"]:
            read: list[PlannedEvent] = []
            self._read(read, person, words, number, start, sent_at, list_number)
            planned += [planned_event for planned_event in read if planned_event.at <= sent_at + LENGTH_MAX]

    def _scan(self, planned: list[PlannedEvent], at: int, list_number: int, number: int) -> None:
        words = _Words(self._scanning, number)
        planned.append(PlannedEvent(at, EventType.OPEN, list_number, Actor.SCANNER))
        for link in range(len(field_values.LINKS)):
            at += 1 + (words.next() * field_values.SCAN_STEP >> 32)
            planned.append(PlannedEvent(at, EventType.CLICK, list_number, Actor.SCANNER, link))

    def _read(
        self,
        planned: list[PlannedEvent],
        person: Words,
        words: Words,
        number: int,
        start: int,
        sent_at: int,
        list_number: int,
    ) -> None:
        """Plan the events of a person who reads the mail, once or several times, with or without its images."""
        rates, chance = self._rates, _Words(self._reading, number).next
        to_local = start + _ZONES.choose(person[ZONE])
        first = RHYTHM.after(sent_at + to_local, _OPENING.duration(words[_OPEN_DELAY])) - to_local
        clicks = words[_CLICKS] < rates["clicking"]
        private = person[PRIVATE] < rates["prefetched"]
        if not private and not (clicks and words[_BLOCKS] < rates["blocking"]):
            own = opener_at_home(person)
            at, actor = first, own
            while at <= sent_at + LENGTH_MAX:
                planned.append(PlannedEvent(at, EventType.OPEN, list_number, actor))
                if chance() < rates["reloading"]:
                    planned.append(PlannedEvent(at + _RELOADING.duration(chance()), EventType.OPEN, list_number, actor))
                if chance() >= rates["reopening"]:
                    break
                at = RHYTHM.after(at + to_local, _REOPENING.duration(chance())) - to_local
                actor = Actor.ELSEWHERE if chance() < rates["second_device"] else own
        if clicks:
            at = first + _CLICKING.duration(chance())
            planned.append(PlannedEvent(at, EventType.CLICK, list_number, Actor.PERSON, _LINKS.choose(chance())))
            while chance() < rates["clicking_on"]:
                at += _CLICKING.duration(chance())
                planned.append(PlannedEvent(at, EventType.CLICK, list_number, Actor.PERSON, _LINKS.choose(chance())))
        if chance() < rates["forwarding"]:
            for friend in range(1 + (chance() * FRIENDS_MAX >> 32)):
                planned.append(
                    PlannedEvent(
                        first + _FORWARDING.duration(chance()), EventType.OPEN, list_number, Actor.FRIEND, friend
                    )
                )
        if chance() < rates["unsubscribing"]:
            planned.append(PlannedEvent(first + _UNSUBSCRIBING.duration(chance()), EventType.UNSUBSCRIBE, list_number))
        if chance() < rates["complaining"]:
            at = first + _COMPLAINING.duration(chance())
            planned.append(PlannedEvent(at, EventType.SPAMCOMPLAINT, list_number))
            planned.append(PlannedEvent(at + field_values.BLOCKLIST_DELAY, EventType.BLOCKLIST, list_number))

    def _without_collisions(self, planned: list[PlannedEvent], recipient: int) -> list[PlannedEvent]:
        """Return the events with no two of one type and mail in one millisecond, except for requested twins."""
        taken: set[tuple[int, EventType, int]] = set()
        separated: list[PlannedEvent] = []
        twins, chance = self._rates["twins"], _Words(self._reading, recipient << 1 | 1 << 40).next
        for planned_event in planned:
            at = planned_event.at
            while (at, planned_event.type, planned_event.list_number) in taken:
                at += 1
            taken.add((at, planned_event.type, planned_event.list_number))
            separated.append(planned_event if at == planned_event.at else msgspec.structs.replace(planned_event, at=at))
            if twins and planned_event.type in REPEATABLE and chance() < twins:
                separated.append(separated[-1])
        return separated
