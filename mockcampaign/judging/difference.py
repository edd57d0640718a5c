"""Comparing what the consumer says it has processed with what was delivered to it, event by event.

There is no event id (campaign guide): events are compared by all of their fields. Where several sent events are equal,
as many equal ones are expected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from mockcampaign.engine.journal import Happened
from mockcampaign.judging.consumer_store import canonical
from mockcampaign.judging.ledger import Ledger

LINES_MAX = 100
"""Events of a difference that are told one by one."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How the consumer's account differs from what was delivered."""

    missing: tuple[bytes, ...]
    """Delivered, but not in the account."""
    surplus: tuple[bytes, ...]
    """More often in the account than sent."""
    altered: tuple[tuple[bytes, bytes], ...]
    """Delivered, and what the account holds in its place."""

    missing_count: int = 0
    """More of them, of which only the number is known; so is `surplus_count`."""
    surplus_count: int = 0

    @classmethod
    def of_counts(cls, required: int, allowed: int, held: int) -> Difference:
        """Where the account is no more than a number."""
        return cls(
            missing=(),
            surplus=(),
            altered=(),
            missing_count=max(0, required - held),
            surplus_count=max(0, held - allowed),
        )

    def __bool__(self) -> bool:
        return bool(self.missing or self.surplus or self.altered or self.missing_count or self.surplus_count)

    def describe(self) -> str:
        """One line that counts, and shows the first of each kind."""
        parts = []
        if self.missing:
            parts.append(f"{len(self.missing)} missing, first {_brief(self.missing[0])}")
        if self.surplus:
            parts.append(f"{len(self.surplus)} too many, first {_brief(self.surplus[0])}")
        if self.altered:
            parts.append(f"{len(self.altered)} altered, first: {_changes(*self.altered[0], most=3)}")
        if self.missing_count:
            parts.append(f"{self.missing_count} missing")
        if self.surplus_count:
            parts.append(f"{self.surplus_count} too many")
        return "; ".join(parts)

    def lines(self) -> tuple[str, ...]:
        """Event by event, of as many as somebody may want to look at."""
        told = [
            *(f"missing: {_brief(event)}" for event in self.missing),
            *(f"too many: {_brief(event)}" for event in self.surplus),
            *(f"altered: {_brief(sent)}: {_changes(sent, held)}" for sent, held in self.altered),
        ]
        more = (f"… and {len(told) - LINES_MAX} more",) if len(told) > LINES_MAX else ()
        return (*told[:LINES_MAX], *more)


def sent_events(happened: Iterable[Happened]) -> dict[int, bytes]:
    """Return the events by serial, in canonical form."""
    return {
        serial: canonical(msgspec.json.decode(event))
        for entry in happened
        for serial, event in enumerate(entry.events, entry.first_serial)
    }


def compare(ledger: Ledger, processed: Sequence[bytes], by: Sequence[str] | None = None) -> Difference:
    """Return how the stored events differ from the delivered ones; only the fields in `by` count, or all.

    An event that was sent without being acknowledged may be stored or not.
    """
    payloads = sent_events(ledger.happened)
    if by is not None:
        payloads = {serial: _only(event, by) for serial, event in payloads.items()}
        processed = [_only(event, by) for event in processed]
    sent = Counter(payloads[serial] for serial in ledger.attempted)
    delivered = Counter(payloads[serial] for serial in ledger.delivered())
    found = difference(delivered, sent, Counter(processed))
    # An account may hold what somebody else sent to the same consumer; only events of these mails are our affair.
    return msgspec.structs.replace(found, surplus=tuple(own_events(found.surplus, sent)))


def difference(required: Counter[bytes], allowed: Counter[bytes], held: Counter[bytes]) -> Difference:
    """How an account differs from what must be, and may be, in it. All are events in canonical form."""
    missing = list((required - held).elements())
    surplus = list((held - allowed).elements())
    altered = []
    strangers = [event for event in surplus if event not in allowed]
    for event in strangers:
        # Of the missing events of the same mail, the one that has most in common is what this was made from.
        originals = [one for one in missing if _mail(one) == _mail(event)]
        if originals:
            original = min(originals, key=lambda one: len(_differing_fields(one, event)))
            missing.remove(original)
            surplus.remove(event)
            altered.append((original, event))
    return Difference(missing=tuple(missing), surplus=tuple(surplus), altered=tuple(altered))


def own_events(processed: Iterable[bytes], sent: Iterable[bytes]) -> list[bytes]:
    """Those of the processed events that belong to mails of the sent ones, or do not tell their mail."""
    ours = {None, *map(_mail, sent)}
    return [event for event in processed if _mail(event) in ours]


def _only(event: bytes, fields: Sequence[str]) -> bytes:
    known = msgspec.json.decode(event)
    # Null says no more than nothing does.
    return canonical({name: known[name] for name in fields if known.get(name) is not None})


def _differing_fields(one: bytes, other: bytes) -> list[str]:
    left, right = msgspec.json.decode(one), msgspec.json.decode(other)
    return [name for name in {**left, **right} if left.get(name, ...) != right.get(name, ...)]


def _mail(event: bytes) -> Any:
    fields = msgspec.json.decode(event)
    return fields.get("mailId") if isinstance(fields, dict) else None


def _brief(event: bytes) -> str:
    fields = msgspec.json.decode(event)
    return " ".join(f"{name}={fields[name]}" for name in ("type", "mailId", "recipientId", "created") if name in fields)


def _changes(sent: bytes, held: bytes, most: int | None = None) -> str:
    """What the fields became; of no more than `most` of them."""
    before, after = msgspec.json.decode(sent), msgspec.json.decode(held)
    fields = _differing_fields(sent, held)[:most]
    return ", ".join(f"{name} {_value(before, name)} became {_value(after, name)}" for name in fields)


def _value(event: dict[str, Any], name: str) -> str:
    return msgspec.json.encode(event[name]).decode() if name in event else "absent"
