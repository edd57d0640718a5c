"""Making events that only one bench sends."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Collection, Mapping

import msgspec

from mockcampaign.check.bench.context import RuleSlot
from mockcampaign.check.edge_cases import EdgeCase, EdgeCases, chosen, own_variant
from mockcampaign.check.settings import CLIENT_IDS, MAILING_IDS, Settings
from mockcampaign.events import field_values
from mockcampaign.policy import MINUTE
from mockcampaign.shape.field import TRAITS, Event, EventField, Role, Value
from mockcampaign.shape.likeness import address_version, draw_like
from mockcampaign.shape.moment import read_moment, write_moment
from mockcampaign.shape.shape import Shape, whole

PACE = 101
"""Milliseconds between two events, unless a rule sets the time itself.

No two events share a millisecond, not even those of two rules, since each rule has its own remainder modulo this."""

HEAD_START = 10 * MINUTE
"""Virtual milliseconds before the bench's start at which its events begin, so that many of them fit in between."""

COARSE = 1_000
"""Milliseconds that a format of times just distinguishes, from which on a bench needs more time."""

SLOWER = 5
"""How many times as much time that is."""

NINE_DIGITS = range(10**8, 10**9)
"""Numbers of benches in the values of edge cases."""

_CLIENTS = tuple(dict.fromkeys(client for _, (_, client) in field_values.MAILBOXES))

Values = Mapping[Role, Value]
"""Values of events by role; the moment in milliseconds since 1970, everything else as events contain it."""


def time_factor(shape: Shape) -> int:
    """Return how many times as much virtual time benches need as with times in milliseconds."""
    return SLOWER if shape.resolution >= COARSE else 1


def replaced_fields(shape: Shape) -> tuple[str, ...]:
    """Return the names of the fields that have one pseudonym in all events, in place of their captured values."""
    return tuple(
        field.name for field in shape.fields if field.name in shape.replaced and field.role not in _OF_EACH_EVENT
    )


class EventFactory:
    """Makes events, each of a recipient and a mail of its own and newer than all before it."""

    def __init__(self, slot: RuleSlot, settings: Settings, now: Callable[[], int], taken: set[Value]) -> None:
        """`now` returns the bench's virtual time; no event is newer than that.

        `taken` contains the recipients of other benches' events, and of its own, where mails have no id.
        """
        self._taken = taken
        self._name = f"{settings.seed}:{slot.rule_id}"
        self.random = random.Random(f"check:{self._name}")
        self._digest = int.from_bytes(hashlib.sha256(self._name.encode()).digest()[:8])
        self._settings = settings
        self._pace = max(PACE, settings.shape.resolution)
        self._remainder = slot.number
        self._now = now
        self._head_start = HEAD_START * time_factor(settings.shape)
        self._newest = slot.start - self._head_start
        self._makers: dict[int, _Maker] = {}
        self._made: dict[int, Event] = {}
        """The events that were made, by identity."""

    def events(self, count: int, shape: Shape, values: Values) -> list[Event]:
        """Make this many events of a shape. `values` sets roles in all of them, if the shape has fields for these."""
        maker = self._makers.get(id(shape))
        if maker is None:
            maker = self._makers[id(shape)] = _Maker(shape, self._ids(shape), self.random, self._taken)
        made = [maker.event(self._next_moment(), values) for _ in range(count)]
        self._made.update((id(event), event) for event in made)
        return made

    def nobodys(self, shape: Shape) -> Event:
        """Return an event with the shared ids, of a mail that no event has. It takes nothing from those to come."""
        event = whole(shape, shape.examples[0])
        for role, value in self._ids(shape).items():
            event = shape.put(event, role, value)
        mail = shape.get(event, Role.MAIL)
        if isinstance(mail, str | int) and not isinstance(mail, bool):
            event = shape.put(event, Role.MAIL, draw_like(mail, random.Random(f"nobody:{self._name}"), unique=True))
        return shape.at(event, self._now())

    def is_as_made(self, event: Event) -> bool:
        """Return whether this is an event that was made here, and no altered copy of one."""
        return self._made.get(id(event)) is event

    def _ids(self, shape: Shape) -> Values:
        """Return the ids that all events of the bench share, unless a rule says otherwise."""
        return {
            Role.CLIENT: self.client_id(shape),
            Role.MAILING: self.mailing(shape),
            Role.RECIPIENT_LIST: self.recipient_list(shape),
        }

    def client_id(self, shape: Shape) -> Value:
        """Return the client of all events."""
        if self._settings.client_id is not None:
            return self._settings.client_id
        if shape.is_captured:
            return shape.get(shape.examples[0], Role.CLIENT)
        return CLIENT_IDS[self._digest % len(CLIENT_IDS)]

    def mailing(self, shape: Shape, number: int = 0) -> Value:
        """Return the id of the bench's mailing with this number, or of a recipient list."""
        if not shape.is_captured:
            return MAILING_IDS[self._digest % len(MAILING_IDS)] + number
        return self._like(shape, Role.MAILING, number)

    def recipient_list(self, shape: Shape, number: int = 0) -> Value:
        """Return the id of the bench's recipient list with this number."""
        return (
            self.mailing(shape, number + 1) if not shape.is_captured else self._like(shape, Role.RECIPIENT_LIST, number)
        )

    def _like(self, shape: Shape, role: Role, number: int) -> Value:
        example = shape.get(shape.examples[0], role)
        if isinstance(example, bool) or not isinstance(example, str | int):
            return example
        return draw_like(example, random.Random(f"{role}:{self._name}:{number}"))

    def edge_cases(self, make: EdgeCases, shape: Shape, compared: Collection[str]) -> list[EdgeCase]:
        """Return the edge cases of one kind that may be sent, where possible in fields that are compared.

        A consumer for which the user named a client, or captured events of one, may accept events of no other client.
        Values by which events are recognised are the bench's own.
        """
        is_named = self._settings.client_id is not None or shape.is_captured
        number = NINE_DIGITS[self._digest % len(NINE_DIGITS)]
        own = (own_variant(case, shape, number) for case in chosen(make(shape), compared))
        return [case for case in own if case is not None and not (is_named and case.role is Role.CLIENT)]

    def _next_moment(self) -> int:
        moment = max(self._newest + self._pace, self._now() - self._head_start)
        # Counted from the start of the check, so that a check at another time makes the same events.
        since = moment - self._settings.now
        self._newest = min(moment + (self._remainder - since) % PACE, self._now())
        return self._newest


class _Maker:
    """Makes the events of one shape: copies of its examples, in which everything varies that varies in production."""

    def __init__(self, shape: Shape, shared: Values, drawer: random.Random, taken: set[Value]) -> None:
        self._shape = shape
        self._taken = taken
        self._random = drawer
        self._examples = [msgspec.json.encode(whole(shape, example)) for example in shape.examples]
        self._shared = shared
        self._has_other_moments = shape.has(Role.OTHER_MOMENT)
        # Made once: this is what a check does most often.
        self._changing = [
            (field, field.path[:-1], field.path[-1], self._way_to_change(field))
            for field in shape.fields
            if field.role is not Role.OTHER
        ]

    def event(self, moment: int, values: Values) -> Event:
        encoded = self._examples[0] if len(self._examples) == 1 else self._random.choice(self._examples)
        event: Event = msgspec.json.decode(encoded)
        moved = moment - (self._shape.moment(event) or moment) if self._has_other_moments else 0
        made = _Made(self._random.choice(_CLIENTS), moved)
        for field, outer, name, change in self._changing:
            place = event
            for step in outer:
                place = place.get(step, {})
            if name not in place:
                continue  # not in this one of the captured events
            role = field.role
            if role is Role.MOMENT:
                place[name] = write_moment(field.example, values.get(role, moment))
            elif role in values:
                place[name] = values[role]
            elif change is not None:
                place[name] = change(place[name], made)
        return event

    def _way_to_change(self, field: EventField) -> Callable[[Value, _Made], Value] | None:
        """Return how a field of this role gets its value, or None if it keeps that of the example."""
        role = field.role
        if role in self._shared:
            shared = self._shared[role]
            return lambda value, made: shared
        if role in _DRAWN:
            unique = field in self._shape.key_fields or role is Role.RECIPIENT
            if field in self._shape.key_fields and not self._shape.has(Role.MAIL):
                return self._untaken
            return lambda value, made: self._drawn(value, made, unique)
        if role is Role.OTHER_MOMENT:
            return lambda value, made: _moved(value, made.moved)
        if role is Role.NETWORK_ADDRESS and field.is_text:
            is_long = address_version(field.example) == 6
            return lambda value, made: self._address(is_long)
        if role in TRAITS and not self._shape.is_captured:
            which = TRAITS.index(role)
            return lambda value, made: made.client[which]
        return None

    def _drawn(self, value: Value, made: _Made, unique: bool) -> Value:
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            return value
        # Equal values in one event stay equal, such as an id that occurs twice.
        if value not in made.drawn:
            made.drawn[value] = draw_like(value, self._random, unique=unique)
        return made.drawn[value]

    def _untaken(self, value: Value, made: _Made) -> Value:
        """Return what no other event has: of ten thousand recipients with nine digits, two may well be equal."""
        if not isinstance(value, str | int):
            return value
        if value in made.drawn:
            return made.drawn[value]
        while (drawn := self._drawn(value, made, unique=True)) in self._taken:
            if made.drawn.pop(value, None) is None:
                return drawn  # nothing was drawn, as for an empty text
        self._taken.add(drawn)
        return drawn

    def _address(self, is_long: bool) -> str:
        if is_long:
            return f"2001:db8::{self._random.randrange(1, 0xFFFF):x}"
        return f"198.51.100.{self._random.randrange(1, 255)}"


class _Made:
    """Values that the fields of one event have in common."""

    __slots__ = ("client", "drawn", "moved")

    def __init__(self, client: tuple[str, str, str], moved: int) -> None:
        self.client = client
        self.moved = moved
        """Milliseconds between the example's time and this event's."""
        self.drawn: dict[Value, Value] = {}
        """Values by those of the example."""


_DRAWN = frozenset({Role.RECIPIENT, Role.RECIPIENT_ADDRESS, Role.MAIL, Role.SUBSCRIPTION, Role.ID})
"""Roles whose values belong to one recipient or mail."""

_OF_EACH_EVENT = _DRAWN | {
    *(Role.MAILING, Role.RECIPIENT_LIST, Role.MOMENT, Role.OTHER_MOMENT, Role.NETWORK_ADDRESS),
}
"""Roles whose values the check makes itself, whatever was captured."""


def _moved(value: Value, by: int) -> Value:
    moment = read_moment(value)
    return value if moment is None else write_moment(value, moment + by)
