"""Finds what missing or duplicate events have in common, which says more about a bug than the events themselves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Literal, get_args

import msgspec

from mockcampaign import json_text
from mockcampaign.engine.journal import serials_in
from mockcampaign.judging.fact import Pattern
from mockcampaign.judging.ledger import Ledger
from mockcampaign.shape.field import Event, Role
from mockcampaign.shape.shape import Shape
from mockcampaign.tables import complete

KEYS: tuple[tuple[Role, ...], ...] = (
    (Role.MAIL,),
    (Role.MAIL, Role.TYPE),
    (Role.RECIPIENT,),
    (Role.MOMENT,),
    (Role.RECIPIENT, Role.MAILING),
    (Role.MAILING, Role.MOMENT),
    (Role.RECIPIENT, Role.MOMENT),
    (Role.MAIL, Role.MOMENT),
)
"""Roles on which consumers deduplicate, in the order in which they are considered."""

Place = Literal["first", "last", "all-but-first"]

ENOUGH = 2
"""Number of events that must have something in common before it is more than chance."""


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")


class FieldsNotStored(msgspec.Struct, frozen=True):
    """The fields that no stored event has, although events have them, and the others."""

    absent: tuple[str, ...]
    kept: tuple[str, ...]
    unknown: tuple[str, ...]
    """Names in stored events that no event has: perhaps those of absent fields in the consumer."""


def fields_not_stored(ledger: Ledger, stored: Sequence[bytes]) -> FieldsNotStored | None:
    """Return the fields that no stored event has, if there are some and others: a consumer may keep only some."""
    sent = (json_text.decode(event) for entry in ledger.happened for event in entry.events)
    names = list(dict.fromkeys(name for event in sent if isinstance(event, dict) for name in event))
    held = list(dict.fromkeys(name for event in stored for name in _decoded(event)))
    absent, kept = tuple(name for name in names if name not in held), tuple(name for name in names if name in held)
    return FieldsNotStored(absent, kept, unknown_names(held, names)) if absent and kept else None


def unknown_names(stored: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    """Return the names in stored events that no event has. Any other key may be a person or a secret."""
    return tuple(name for name in stored if name not in known and _NAME.fullmatch(name))


def patterns(
    ledger: Ledger,
    payloads: dict[int, bytes],
    missing: Sequence[bytes],
    surplus: Sequence[bytes],
    stored: Sequence[bytes],
    shape: Shape,
) -> tuple[Pattern, ...]:
    """Return what missing and duplicate events have in common, at most one pattern of each.

    `payloads` are the sent events by serial, `stored` all that are in the store; `shape` names their fields.
    """
    found = []
    if missing:
        kept = list((Counter(payloads.values()) & Counter(stored)).elements())
        found += [next(_of_missing(ledger, payloads, missing, kept, shape), None)]
    if surplus and _were_redelivered(ledger, payloads, surplus):
        found += [Pattern(of="duplicate", what="redelivered")]
    return tuple(one for one in found if one is not None)


def _of_missing(
    ledger: Ledger, payloads: dict[int, bytes], missing: Sequence[bytes], kept: Sequence[bytes], shape: Shape
) -> Iterator[Pattern]:
    lost, present = [_decoded(event) for event in missing], [_decoded(event) for event in kept]
    fields = _shared_key(lost, present, shape)
    if fields:
        yield Pattern(of="missing", what="shares-key", fields=fields)
    yield from _positions(ledger, payloads, missing)
    yield from _own_value(lost, present)
    yield from _mostly_shared_key(lost, present, shape)


def _decoded(event: bytes) -> Event:
    known: Event = msgspec.json.decode(event)
    return known


def _shared_key(lost: Sequence[Event], present: Sequence[Event], shape: Shape) -> tuple[str, ...]:
    """Return the fields by which the consumer may have treated each lost event as a stored one, if there are such."""
    for names in _keys(lost, shape):
        keys = Counter(_values(event, names) for event in present)
        # Stored events that share the key show that it is not the consumer's.
        if all(count == 1 for count in keys.values()) and all(keys[_values(event, names)] for event in lost):
            return names
    return ()


def _keys(lost: Sequence[Event], shape: Shape) -> Iterator[tuple[str, ...]]:
    """Yield the fields of each deduplication key that all lost events have."""
    for roles in KEYS:
        names = tuple(field.name for role in roles for field in shape.of(role)[:1])
        if len(names) == len(roles) and all(name in event for event in lost for name in names):
            yield names


def _mostly_shared_key(lost: Sequence[Event], present: Sequence[Event], shape: Shape) -> Iterator[Pattern]:
    """Yield the key by which the consumer most likely treated most lost events as stored ones, if there is one.

    A consumer that looks for a key in its store stores two events of one batch that share it, and some events may be
    lost for another reason. Where losses are mere chance, more stored events share a key than lost ones do.
    """
    best: Pattern | None = None
    for names in _keys(lost, shape):
        keys = Counter(_values(event, names) for event in present)
        shared, repeated = sum(_values(event, names) in keys for event in lost), keys.total() - len(keys)
        if shared >= max(ENOUGH, 2 * repeated, len(lost) // 2 + 1) and (best is None or shared > best.count):
            best = Pattern(of="missing", what="shares-key", fields=names, count=shared, total=len(lost))
    if best is not None:
        yield best


def _values(event: Event, names: tuple[str, ...]) -> bytes:
    return msgspec.json.encode([event.get(name) for name in names])


def _positions(ledger: Ledger, payloads: dict[int, bytes], missing: Sequence[bytes]) -> Iterator[Pattern]:
    """Yield where in their batches the missing events were, if they are all at the same place."""
    times = Counter(payloads.values())
    if any(times[event] != 1 for event in missing):
        return  # equal events have no place of their own
    lost = set(missing)
    batches = [
        [payloads.get(serial) in lost for serial in serials_in(entry.serials)]
        for account in ledger.accounts.values()
        for _, entry in account.batches
    ]
    hit = [batch for batch in batches if any(batch)]
    if len(hit) < len(batches) and all(all(batch) for batch in hit) and any(len(batch) > 1 for batch in hit):
        yield Pattern(of="missing", what="whole-batches", count=len(hit), total=len(batches))
        return
    if len(hit) < ENOUGH or any(len(batch) == 1 for batch in hit) or len(hit) < len(batches):
        return
    for what, is_lost in _PLACES.items():
        if all(batch == [is_lost(index, len(batch)) for index in range(len(batch))] for batch in hit):
            yield Pattern(of="missing", what=what)


_PLACES: Mapping[Place, Callable[[int, int], bool]] = complete(
    "the places in a batch",
    get_args(Place),
    {
        "last": lambda index, size: index == size - 1,
        "first": lambda index, size: index == 0,
        "all-but-first": lambda index, size: index > 0,
    },
)
"""Whether an event is at a place in a batch, by its index and the size of the batch."""


def _own_value(lost: Sequence[Event], present: Sequence[Event]) -> Iterator[Pattern]:
    """Yield a value that each lost event has, and no stored one."""
    if min(len(lost), len(present)) < ENOUGH:
        return
    for name in {name: None for event in (*lost, *present) for name in event}:
        [first, *others] = {_values(event, (name,)) for event in lost}
        if not others and all(_values(event, (name,)) != first for event in present):
            value = msgspec.json.encode(lost[0][name]).decode() if name in lost[0] else None
            yield Pattern(of="missing", what="value", fields=(name,), value=value)


def _were_redelivered(ledger: Ledger, payloads: dict[int, bytes], surplus: Sequence[bytes]) -> bool:
    """Return whether each duplicate was in a batch that was sent more than once."""
    sent: Counter[bytes] = Counter()
    for entry in ledger.attempts:
        for serial in (*serials_in(entry.serials), *serials_in(entry.redelivered)):
            if serial in payloads:
                sent[payloads[serial]] += entry.count
    return all(sent[event] > 1 for event in surplus)
