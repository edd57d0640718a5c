"""Compares the events that the consumer has stored with those that were delivered, one by one.

Campaign sends no event id (campaign guide), so events are compared by all of their fields. If several sent events are
equal, as many equal stored events are expected.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from mockcampaign import json_text
from mockcampaign.durations import MOMENT_MAX, format_moment
from mockcampaign.engine.journal import Happened
from mockcampaign.judging.consumer_store import canonical
from mockcampaign.judging.diagnosis import patterns
from mockcampaign.judging.equivalents import comparable
from mockcampaign.judging.fact import EventDifference, FieldChange, Pattern, Stimulus, StoredAnyway, StoreDiffers
from mockcampaign.judging.ledger import Ledger
from mockcampaign.model import EventType
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.field import Event, EventField, Role, Value, read_path, value_at, with_value
from mockcampaign.shape.shape import Shape
from mockcampaign.text import counted, few, short, spelling_of

EVENTS_SHOWN_MAX = 100
"""How many events of a difference are shown one by one."""

BUILTIN = builtin_shape(EventType.OPEN)
"""The shape by which events are recognised and named, unless the caller has another one. What identifies an event has
the same names in all built-in shapes."""


Shapes = Shape | tuple[Shape, ...]
"""The shape of all events, or those of several types."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How the stored events differ from the delivered ones."""

    missing: tuple[bytes, ...]
    """Delivered events that are not stored."""
    surplus: tuple[bytes, ...]
    """Stored events that were sent less often than they are stored."""
    altered: tuple[tuple[bytes, bytes], ...]
    """Delivered events, each with the stored event that replaces it."""

    missing_count: int = 0
    """Number of further missing events, if the probe reports only how many are stored."""
    surplus_count: int = 0
    """Number of further surplus events, if the probe reports only how many are stored."""

    delivered: int = 0
    """Number of delivered events; 0 where it does not matter."""
    patterns: tuple[Pattern, ...] = ()
    """Properties that all missing, or all surplus, events share."""
    shape: Shapes = BUILTIN
    """The shapes by which sentences name the events."""

    @classmethod
    def of_counts(cls, required: int, allowed: int, stored: int) -> Difference:
        """Return the difference if the probe reports only how many events are stored."""
        return cls(
            missing=(),
            surplus=(),
            altered=(),
            missing_count=max(0, required - stored),
            surplus_count=max(0, stored - allowed),
        )

    def __bool__(self) -> bool:
        return bool(self.missing or self.surplus or self.altered or self.missing_count or self.surplus_count)

    def __hash__(self) -> int:
        # Without the shapes, whose examples cannot be hashed.
        return hash((self.missing, self.surplus, self.altered, self.missing_count, self.surplus_count))

    def seen(self, after: Stimulus | None = None) -> StoreDiffers:
        """Return the difference as a fact, with the first event of each kind as its example."""
        fields = {name for sent, stored in self.altered for name in _differing_fields(sent, stored)}
        firsts = (
            *self._events("missing", self.missing[:1]),
            *self._events("duplicate", self.surplus[:1]),
            *self._alterations(self.altered[:1]),
        )
        return StoreDiffers(
            after=after,
            missing=len(self.missing) + self.missing_count,
            duplicate=len(self.surplus) + self.surplus_count,
            altered=len(self.altered),
            changed_fields=tuple(sorted(fields)),
            examples=firsts,
            delivered=self.delivered,
            patterns=self.patterns,
        )

    def stored_anyway(self) -> StoredAnyway | StoreDiffers:
        """Return the difference as a fact if none of the events should be stored."""
        stored = len(self.surplus) + self.surplus_count
        return StoredAnyway(events=stored) if stored else self.seen()

    def events(self) -> tuple[EventDifference, ...]:
        """Return the difference event by event, for as many events as somebody may want to look at."""
        found = (
            *self._events("missing", self.missing),
            *self._events("duplicate", self.surplus),
            *self._alterations(self.altered[:EVENTS_SHOWN_MAX]),
        )
        return found[:EVENTS_SHOWN_MAX]

    def _events(self, kind: Literal["missing", "duplicate"], events: Iterable[bytes]) -> Iterator[EventDifference]:
        for event in itertools.islice(events, EVENTS_SHOWN_MAX):
            yield EventDifference(kind=kind, event=_brief(event, self.shape))

    def _alterations(self, pairs: Iterable[tuple[bytes, bytes]]) -> Iterator[EventDifference]:
        for sent, stored in pairs:
            changes = field_changes(sent, stored)
            yield EventDifference(kind="altered", event=_brief(sent, self.shape), changes=changes)


def field_changes(sent: bytes, stored: bytes) -> tuple[FieldChange, ...]:
    """Return the fields in which a stored event differs from the one that was sent."""
    before, after = msgspec.json.decode(sent), msgspec.json.decode(stored)
    return tuple(
        FieldChange(name=name, sent=_value(before, name), stored=_value(after, name))
        for name in _differing_fields(sent, stored)
    )


def sent_events(happened: Iterable[Happened]) -> dict[int, bytes]:
    """Return the events by serial, in canonical form."""
    return {
        serial: comparable(canonical(json_text.decode(event)))
        for entry in happened
        for serial, event in enumerate(entry.events, entry.first_serial)
    }


def compare(
    ledger: Ledger,
    stored: Sequence[bytes],
    fields: Sequence[str] | None = None,
    shape: Shapes = BUILTIN,
    *,
    identified_by: Sequence[str] | None = None,
) -> Difference:
    """Return how the stored events differ from the delivered ones; only these `fields` count, or all.

    Names of fields in objects have dots between them. A stored event is an altered form of a missing one if both are
    equal in the fields of `identified_by` (default: those that identify a mail in the shape). An event that was sent
    without being acknowledged may be stored or not. Events that a bounded journal has dropped are left out.
    """
    payloads = sent_events(ledger.happened)
    stored = list(map(comparable, stored))
    if fields is not None:
        payloads = {serial: _only(event, fields) for serial, event in payloads.items()}
        stored = [_only(event, fields) for event in stored]
    sent = Counter(payloads[serial] for serial in ledger.attempted if serial in payloads)
    # Several webhooks may have delivered one event, which the consumer recognises, and stores once.
    delivered = Counter(payloads[serial] for serial in set(ledger.delivered()) if serial in payloads)
    found = difference(delivered, sent, Counter(stored), shape, identified_by)
    # Others may have sent events to the same consumer, so only our own events count as surplus.
    surplus = tuple(own_events(found.surplus, sent, shape))
    named = shape if isinstance(shape, Shape) else _shape_of(msgspec.json.decode(next(iter(sent), b"{}")), shape)
    return msgspec.structs.replace(
        found,
        surplus=surplus,
        delivered=delivered.total(),
        patterns=patterns(ledger, payloads, found.missing, surplus, stored, named),
    )


def unrecognised(
    ledger: Ledger,
    stored: Sequence[bytes],
    fields: Sequence[str] | None,
    shape: Shapes,
    how: Callable[[str, str], str],
) -> str | None:
    """Return why the stored events cannot be compared: none has the fields by which events are recognised.

    Return None if there is one, or if nothing was delivered or stored. `fields` are those that are compared, or None
    for all. `how` is that of `no_keys`.
    """
    happened = next((event for entry in ledger.happened for event in entry.events), None)
    if not stored or happened is None or not ledger.deliveries.delivered:
        return None
    named = list(_shape_of(json_text.decode(happened), shape).key_fields)
    if fields is not None and not {field.name for field in named} <= {*fields}:
        if any(_only(event, fields) != b"{}" for event in stored):
            return None
        names, kind = list(fields), " or "
    elif any(_mail(event, shape) is not None for event in stored):
        return None
    else:
        names, kind = [field.name for field in named], " and "
    sent = sent_events(ledger.happened).values()
    if not {*sent}.isdisjoint(map(comparable, stored)):
        return None  # events that name no mail are recognised as a whole
    own = own_events(stored, sent, shape)
    return no_keys([msgspec.json.decode(event) for event in own], names, how, kind) if own else None


def no_keys(rows: Sequence[Event], names: Sequence[str], how: Callable[[str, str], str], kind: str = " and ") -> str:
    """Return the sentence about stored elements, none of which has the fields by which events are recognised.

    `how` says how to select or rename them; it gets the first of these fields, and what it may be called in the rows.
    """
    first = names[0]
    spelled = next((name for name in rows[0] if spelling_of(name) == spelling_of(first)), "mail_id")
    return (
        f"none of {counted(len(rows), 'element')} has {kind.join(names)}, by which events are recognised; "
        f"the first is {_element(rows[0])}: {how(first, spelled)}"
    )


def selected_with(events: str, count: str) -> Callable[[str, str], str]:
    """Return how to select the events of a probe, by the names of its settings for events and for their number."""
    return lambda first, spelled: (
        f"select the events with {events}, such as '[].event' or '[].{{{first}: {spelled}, …}}', "
        f"or their number with {count}"
    )


def difference(
    required: Counter[bytes],
    allowed: Counter[bytes],
    stored: Counter[bytes],
    shape: Shapes = BUILTIN,
    identified_by: Sequence[str] | None = None,
) -> Difference:
    """Return how the stored events differ from those that are required and allowed, all in canonical form."""
    missing = list((required - stored).elements())
    surplus = list((stored - allowed).elements())
    altered = []
    strangers = [event for event in surplus if event not in allowed]
    # Each event is decoded once: thousands may be altered.
    by_mail: defaultdict[Hashable, list[tuple[bytes, Event]]] = defaultdict(list)
    for event in missing if strangers else ():
        known = msgspec.json.decode(event)
        by_mail[_identity(event, known, shape, identified_by)].append((event, known))
    for event in strangers:
        known = msgspec.json.decode(event)
        originals = by_mail[_identity(event, known, shape, identified_by)]
        if originals:
            # The missing event of the same mail that differs in the fewest fields is the original.
            nearest = min(range(len(originals)), key=lambda index: len(_differing(originals[index][1], known)))
            altered.append((originals.pop(nearest)[0], event))
    return Difference(
        missing=tuple(_without(missing, [original for original, _ in altered])),
        surplus=tuple(_without(surplus, [event for _, event in altered])),
        altered=tuple(altered),
        shape=shape,
    )


def _without(events: Iterable[bytes], removed: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the events without these, the first of equal ones."""
    left = Counter(removed)
    for event in events:
        if left[event]:
            left[event] -= 1
        else:
            yield event


def own_events(stored: Iterable[bytes], sent: Iterable[bytes], shape: Shapes = BUILTIN) -> list[bytes]:
    """Return the stored events that are of the mail of a sent event.

    An event that names no mail is returned too, unless it names another client or mailing than the sent events.
    """
    sent = set(sent)
    mails = {_mail(event, shape) for event in sent}
    origins: set[tuple[Role, bytes]] = set()

    def is_own(event: bytes) -> bool:
        if (mail := _mail(event, shape)) is not None:
            return mail in mails
        # Few stores contain such events, so most readings need no origins.
        if not origins:
            origins.update(*(_origins(one, shape) for one in sent))
        return origins.issuperset(_origins(event, shape))

    return [event for event in stored if is_own(event)]


def _only(event: bytes, fields: Sequence[str]) -> bytes:
    known, only = msgspec.json.decode(event), Event()
    for name in fields:
        path = (name,) if name in known else read_path(name)
        # A null field is the same as an absent one.
        if (value := value_at(known, path)) is not None:
            only = with_value(only, path, value)
    return canonical(only)


def _differing_fields(one: bytes, other: bytes) -> list[str]:
    return _differing(msgspec.json.decode(one), msgspec.json.decode(other))


def _differing(left: Event, right: Event) -> list[str]:
    names = {**left, **right}
    # Python considers 1, 1.0 and true equal; they are different JSON.
    return [name for name in names if left.get(name, ...) != right.get(name, ...)] or [
        name for name in names if canonical(left.get(name)) != canonical(right.get(name))
    ]


def _mail(event: bytes, shapes: Shapes) -> Hashable | None:
    return _key(msgspec.json.decode(event), shapes)


def _origins(event: bytes, shapes: Shapes) -> Iterator[tuple[Role, bytes]]:
    """Yield the client and the mailing of an event, as far as it names them."""
    known = msgspec.json.decode(event)
    shape = _shape_of(known, shapes)
    for role in (Role.CLIENT, Role.MAILING):
        if (value := shape.get(known, role)) is not None:
            # Encoded, because a consumer may have stored a list or an object there.
            yield role, canonical(value)


def _identity(event: bytes, known: Event, shapes: Shapes, names: Sequence[str] | None) -> Hashable | None:
    return _key(known, shapes) if names is None else _only(event, names)


def _key(event: Event, shapes: Shapes) -> Hashable | None:
    return _shape_of(event, shapes).key(event)


def _shape_of(event: Event, shapes: Shapes) -> Shape:
    """Return the shape by which an event is read: of those that find a mail in it, best the one of its type."""
    if isinstance(shapes, Shape):
        return shapes
    fitting = [shape for shape in shapes if shape.key(event) is not None] or list(shapes)
    return next((shape for shape in fitting if shape.is_own_type(event)), fitting[0])


def _brief(event: bytes, shapes: Shapes) -> str:
    """Return the fields that name an event: its type, its mail and recipient, and its time."""
    known = msgspec.json.decode(event)
    shape = _shape_of(known, shapes)
    others = [
        field
        for field in (*shape.of(Role.RECIPIENT), *shape.of(Role.MOMENT))
        if field.path not in {key.path for key in shape.key_fields}
    ]
    naming = (*shape.of(Role.TYPE), *shape.key_fields, *others)
    brief = " ".join(
        f"{field.name}={_readable(field, value, shape, known)}"
        for field in naming
        if (value := value_at(known, field.path)) is not None
    )
    return brief or _element(known)


def _element(stored: Event) -> str:
    """Return the words for a stored element that may be no event: its values may be anything, also of a person."""
    return f"an element with {few([short(name) for name in stored])}" if stored else "an element without fields"


def _readable(field: EventField, value: Value, shape: Shape, event: Event) -> Value:
    """Return a moment as people read it, long text shortened, and anything else unchanged."""
    if isinstance(value, str):
        value = short(value)
    moment = shape.moment(event) if field.role is Role.MOMENT else None
    return value if moment is None or not 0 <= moment < MOMENT_MAX else format_moment(moment)


def _value(event: dict[str, Any], name: str) -> str | None:
    return msgspec.json.encode(event[name]).decode() if name in event else None
