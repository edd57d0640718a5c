"""The explanation of a failing `assert` that compares events: the differences, event by event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from mockcampaign.double.control.deliveries import Events
from mockcampaign.model import EventType
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.field import Role
from mockcampaign.text import few

SHOWN_MAX = 10
"""Maximum number of differences of one kind that are shown."""

_SHAPE = builtin_shape(EventType.OPEN)
"""The shape by which events are recognised and named: what identifies one has the same names in all types."""

IDENTIFYING = tuple(map(_SHAPE.name, (Role.TYPE, Role.MAIL, Role.RECIPIENT, Role.MOMENT)))


def explain_difference(left: Sequence[Any], right: Sequence[Any]) -> list[str]:
    """Return lines for pytest's report of `assert left == right`. At least one side is an `Events`."""
    ours, theirs = (left, right) if isinstance(left, Events) else (right, left)
    # Two views of one campaign may be compared as well.
    name = "the campaign" if not isinstance(theirs, Events) else "one side"
    missing, surplus = _split(ours, theirs)
    altered = _pair_altered(missing, surplus)
    head = f"{len(left)} events == {len(right)} events, {name} has {len(ours)}"
    if len(left) == len(right):
        how = ", some of which are others" if missing or surplus else " in another order"
        if altered and not (missing or surplus):
            how = " that differ only in fields"
        head = f"{len(left)} events == {len(right)} events{how}"
    return [head, *_fields_hint(ours, theirs), *_differences(ours, theirs, missing, surplus, altered)]


def _fields_hint(ours: Sequence[Any], theirs: Sequence[Any]) -> Iterator[str]:
    """Yield how to compare the fields that a consumer keeps, if its events lack others that all of ours have."""
    if isinstance(theirs, Events) or not all(isinstance(event, dict) for event in (*ours, *theirs)):
        return
    names, held = ({name: None for event in events for name in event} for events in (ours, theirs))
    absent, kept = [name for name in names if name not in held], [name for name in names if name in held]
    if absent and kept:
        yield (
            f"none of the others has {few(absent)}: if the consumer keeps only some fields, "
            f"campaign.assert_compliant(processed=…, fields={kept}) compares only these"
        )


def _differences(
    ours: Sequence[Any],
    theirs: Sequence[Any],
    missing: Sequence[Any],
    surplus: Sequence[Any],
    altered: Sequence[tuple[Any, Any]],
) -> Iterator[str]:
    yield from _listing("altered", altered, lambda pair: _describe_change(*pair))
    yield from _listing("missing", missing, lambda event: f"{_describe(event)}{_index_note(event, ours)}")
    yield from _listing("too many", surplus, lambda event: f"{_describe(event)}{_count_note(event, ours, theirs)}")
    if not (altered or missing or surplus):
        index = next(index for index, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other)
        yield "the same events in a different order:"
        yield f"  at index {index} {_describe(ours[index])}"
        yield f"  instead of {_describe(theirs[index])}"


def _pair_altered(missing: list[Any], surplus: list[Any]) -> list[tuple[Any, Any]]:
    """Return pairs of an event and its altered form, which is of the same mail, and remove both from their lists."""
    of_mail: dict[Any, list[Any]] = {}
    for event in missing:
        if (mail := _SHAPE.key(event)) is not None:
            of_mail.setdefault(mail, []).append(event)
    altered, strangers = [], []
    for stranger in surplus:
        originals = of_mail.get(_SHAPE.key(stranger))
        if originals:
            original = min(originals, key=lambda one: len(_differing_fields(one, stranger)))
            originals.remove(original)
            altered.append((original, stranger))
        else:
            strangers.append(stranger)
    taken = {id(original) for original, _ in altered}
    missing[:] = [event for event in missing if id(event) not in taken]
    surplus[:] = strangers
    return altered


def _split(ours: Sequence[Any], theirs: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Return the events that only one side has, in order."""
    keys, held = Counter(map(_key, ours)), Counter(map(_key, theirs))
    return _last_events(ours, keys - held), _last_events(theirs, held - keys)


def _last_events(events: Sequence[Any], counts: Counter[bytes]) -> list[Any]:
    """Return the last events of each kind, as many as counted. Of two equal events, both sides have the first."""
    found = []
    for event in reversed(events):
        key = _key(event)
        if counts[key] > 0:
            counts[key] -= 1
            found.append(event)
    return found[::-1]


def _listing(what: str, differences: Sequence[Any], line: Callable[[Any], str]) -> Iterator[str]:
    if differences:
        yield f"{len(differences)} {what}:"
        yield from (f"  {line(difference)}" for difference in differences[:SHOWN_MAX])
        if len(differences) > SHOWN_MAX:
            yield f"  … and {len(differences) - SHOWN_MAX} more"


def _describe_change(original: dict[str, Any], altered: dict[str, Any]) -> str:
    names = _differing_fields(original, altered)
    changes = ", ".join(f"{name} {_value(original, name)} became {_value(altered, name)}" for name in names)
    return f"{_describe(original)}: {changes}"


def _differing_fields(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [name for name in {**one, **other} if one.get(name, ...) != other.get(name, ...)]


def _describe(event: Any) -> str:
    if not isinstance(event, dict):
        return repr(event)[:120]
    return " ".join(f"{name}={event[name]}" for name in IDENTIFYING if name in event) or repr(event)[:120]


def _index_note(event: Any, events: Sequence[Any]) -> str:
    return f" (index {events.index(event)})"


def _count_note(event: Any, ours: Sequence[Any], theirs: Sequence[Any]) -> str:
    sent = ours.count(event)
    return f" ({theirs.count(event)} times, delivered {sent})" if sent else " (never delivered)"


def _value(event: dict[str, Any], name: str) -> str:
    return repr(event[name]) if name in event else "absent"


def _key(event: Any) -> bytes:
    try:
        return msgspec.json.encode(event, order="sorted")
    except TypeError:
        return repr(event).encode()
