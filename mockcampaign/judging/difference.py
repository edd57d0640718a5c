"""Compares the events that the consumer has stored with those that were delivered, one by one.

Campaign sends no event id (campaign guide), so events are compared by all of their fields. If several sent events are
equal, as many equal stored events are expected.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from mockcampaign.durations import MOMENT_MAX, format_moment
from mockcampaign.engine.journal import Happened
from mockcampaign.judging.consumer_store import canonical
from mockcampaign.judging.fact import EventDifference, FieldChange, Stimulus, StoredAnyway, StoreDiffers
from mockcampaign.judging.ledger import Ledger
from mockcampaign.model import EventType
from mockcampaign.shape.builtin import builtin_shape

EVENTS_SHOWN_MAX = 100
"""How many events of a difference are shown one by one."""

_SHOWN = ("type", "mailId", "recipientId", "created")
"""Fields by which a sentence names an event."""


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

    def seen(self, after: Stimulus | None = None) -> StoreDiffers:
        """Return the difference as a fact, with the first event of each kind as its example."""
        fields = {name for sent, stored in self.altered for name in _differing_fields(sent, stored)}
        firsts = (
            *_events("missing", self.missing[:1]),
            *_events("duplicate", self.surplus[:1]),
            *_alterations(self.altered[:1]),
        )
        return StoreDiffers(
            after=after,
            missing=len(self.missing) + self.missing_count,
            duplicate=len(self.surplus) + self.surplus_count,
            altered=len(self.altered),
            changed_fields=tuple(sorted(fields)),
            examples=firsts,
        )

    def stored_anyway(self) -> StoredAnyway | StoreDiffers:
        """Return the difference as a fact if none of the events should be stored."""
        stored = len(self.surplus) + self.surplus_count
        return StoredAnyway(events=stored) if stored else self.seen()

    def events(self) -> tuple[EventDifference, ...]:
        """Return the difference event by event, for as many events as somebody may want to look at."""
        found = (
            *_events("missing", self.missing),
            *_events("duplicate", self.surplus),
            *_alterations(self.altered[:EVENTS_SHOWN_MAX]),
        )
        return found[:EVENTS_SHOWN_MAX]


def _events(kind: Literal["missing", "duplicate"], events: Iterable[bytes]) -> Iterator[EventDifference]:
    for event in itertools.islice(events, EVENTS_SHOWN_MAX):
        yield EventDifference(kind=kind, event=_brief(event))


def _alterations(pairs: Iterable[tuple[bytes, bytes]]) -> Iterator[EventDifference]:
    for sent, stored in pairs:
        yield EventDifference(kind="altered", event=_brief(sent), changes=field_changes(sent, stored))


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
        serial: canonical(msgspec.json.decode(event))
        for entry in happened
        for serial, event in enumerate(entry.events, entry.first_serial)
    }


def compare(ledger: Ledger, stored: Sequence[bytes], by: Sequence[str] | None = None) -> Difference:
    """Return how the stored events differ from the delivered ones; only the fields in `by` count, or all.

    An event that was sent without being acknowledged may be stored or not.
    """
    payloads = sent_events(ledger.happened)
    if by is not None:
        payloads = {serial: _only(event, by) for serial, event in payloads.items()}
        stored = [_only(event, by) for event in stored]
    sent = Counter(payloads[serial] for serial in ledger.attempted)
    # Several webhooks may have delivered one event, which the consumer recognises, and stores once.
    delivered = Counter(payloads[serial] for serial in set(ledger.delivered()))
    found = difference(delivered, sent, Counter(stored))
    # Others may have sent events to the same consumer, so only events of these mails count as surplus.
    return msgspec.structs.replace(found, surplus=tuple(own_events(found.surplus, sent)))


def builtin_key(event: object) -> Hashable | None:
    """Return what identifies the mail of one of our own events."""
    return _BUILTIN.key(event)


_BUILTIN = builtin_shape(EventType.OPEN)

KeyOf = Callable[[object], Hashable | None]
"""Returns what identifies the mail of a decoded event, or None."""


def difference(
    required: Counter[bytes], allowed: Counter[bytes], stored: Counter[bytes], key_of: KeyOf = builtin_key
) -> Difference:
    """Return how the stored events differ from those that are required and allowed, all in canonical form."""
    missing = list((required - stored).elements())
    surplus = list((stored - allowed).elements())
    altered = []
    strangers = [event for event in surplus if event not in allowed]
    for event in strangers:
        # The missing event of the same mail that differs in the fewest fields is the original.
        key = key_of(msgspec.json.decode(event))
        originals = [one for one in missing if key_of(msgspec.json.decode(one)) == key]
        if originals:
            original = min(originals, key=lambda one: len(_differing_fields(one, event)))
            missing.remove(original)
            surplus.remove(event)
            altered.append((original, event))
    return Difference(missing=tuple(missing), surplus=tuple(surplus), altered=tuple(altered))


def own_events(stored: Iterable[bytes], sent: Iterable[bytes]) -> list[bytes]:
    """Return the stored events that have the mail id of a sent event, or none."""
    ours = {None, *map(_mail, sent)}
    return [event for event in stored if _mail(event) in ours]


def _only(event: bytes, fields: Sequence[str]) -> bytes:
    known = msgspec.json.decode(event)
    # A null field is the same as an absent one.
    return canonical({name: known[name] for name in fields if known.get(name) is not None})


def _differing_fields(one: bytes, other: bytes) -> list[str]:
    left, right = msgspec.json.decode(one), msgspec.json.decode(other)
    return [name for name in {**left, **right} if left.get(name, ...) != right.get(name, ...)]


def _mail(event: bytes) -> Any:
    fields = msgspec.json.decode(event)
    return fields.get("mailId") if isinstance(fields, dict) else None


def _brief(event: bytes) -> str:
    fields = msgspec.json.decode(event)
    return " ".join(
        f"{name}={_moment(fields[name]) if name == 'created' else fields[name]}" for name in _SHOWN if name in fields
    )


def _moment(created: object) -> object:
    """Return `created` as people read it, or unchanged if it is no moment."""
    return format_moment(created) if isinstance(created, int) and 0 <= created < MOMENT_MAX else created


def _value(event: dict[str, Any], name: str) -> str | None:
    return msgspec.json.encode(event[name]).decode() if name in event else None
