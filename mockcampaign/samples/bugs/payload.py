"""Bugs with the fields of an event: absent and unknown fields, large numbers, and text of all kinds."""

from __future__ import annotations

import html
import ipaddress
import json
import unicodedata
from collections.abc import Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request

from mockcampaign import json_text
from mockcampaign.model import EventType
from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.known_shapes import KnownShapes, is_present
from mockcampaign.samples.store import Event
from mockcampaign.shape.builtin import NAMES
from mockcampaign.shape.field import WHOLE_NUMBERS, Role, Value, value_at, with_value

TYPES = frozenset({EventType.OPEN, EventType.CLICK, EventType.SENT, EventType.BOUNCE, EventType.UNSUBSCRIBE})
DEVICES = frozenset({"desktop", "mobile", "tablet"})


def storing_by_shape(change: Callable[[KnownShapes, Event], Event]) -> type[Consumer]:
    """Return a consumer that stores events changed in that way."""

    class Storing(Consumer):
        def stored_form(self, event: Event) -> Event:
            return change(self.shapes, event)

    return Storing


def storing(change: Callable[[Event], Event]) -> type[Consumer]:
    """Return a consumer that stores events changed in that way, whatever their shape is."""
    return storing_by_shape(lambda _, event: change(event))


def rejecting_by_shape(is_bad: Callable[[KnownShapes, Event], bool]) -> type[Consumer]:
    """Return a consumer that responds 400 to a batch with such an event."""

    class Rejecting(Consumer):
        def parse(self, body: bytes) -> list[Event]:
            events = super().parse(body)
            if any(is_bad(self.shapes, event) for event in events):
                raise HTTPException(400, "validation failed")
            return events

    return Rejecting


def rejecting(is_bad: Callable[[Event], bool]) -> type[Consumer]:
    """Return a consumer that responds 400 to a batch with such an event, whatever its shape is."""
    return rejecting_by_shape(lambda _, event: is_bad(event))


class DropsUnknownTypes(Consumer):
    """Looks up a handler for the type, and ignores events without one."""

    async def process(self, events: list[Event]) -> None:
        await super().process([event for event in events if not _has_unknown_type(self.shapes, event)])


def limited(bytes_max: int) -> type[Consumer]:
    """Return a consumer that responds 413 to a body of more bytes than that."""

    class Limited(Consumer):
        async def read_body(self, request: Request) -> bytes:
            body = await super().read_body(request)
            if len(body) > bytes_max:
                raise HTTPException(413, "the body is too large")
            return body

    return Limited


def changing_text(change: Callable[[str], str]) -> type[Consumer]:
    """Return a consumer that stores all text changed in that way."""
    return storing_by_shape(lambda shapes, event: shapes.with_texts(event, change))


def changing_role(role: Role, change: Callable[[str], Value]) -> type[Consumer]:
    """Return a consumer that stores the field with this role changed in that way if it is text."""

    def changed(shapes: KnownShapes, event: Event) -> Event:
        value = shapes.get(event, role)
        return shapes.of(event).put(event, role, change(value)) if isinstance(value, str) else event

    return storing_by_shape(changed)


class TakesColumnsOfFirstEvent(Consumer):
    """Inserts a batch in one statement, whose columns are the fields of the first event."""

    def parse(self, body: bytes) -> list[Event]:
        events = super().parse(body)
        columns = [{path for path, _ in self.shapes.values(event)} for event in events]
        if any(found != columns[0] for found in columns):
            raise HTTPException(500, "the number of columns does not match")
        return events


class ParsesIdsAsFloats(Consumer):
    """Parses numbers as JavaScript does."""

    def parse(self, body: bytes) -> list[Event]:
        super().parse(body)
        return self.shapes.events_in(json.loads(body, parse_int=lambda digits: int(float(digits))))


class FailsOnCutCharacters(Consumer):
    """Stores JSON as text, in a database that knows no lone surrogates."""

    def parse(self, body: bytes) -> list[Event]:
        events = super().parse(body)
        if json_text.without_lone_surrogates(body) != body:
            raise UnicodeError("surrogates not allowed")
        return events


class LosesInheritedNames(Consumer):
    """Takes an inherited property for the list of a recipient's events, and adds the event to that."""

    inherited = frozenset({"constructor", "__proto__", "toString", "hasOwnProperty"})

    async def process(self, events: list[Event]) -> None:
        await super().process([one for one in events if self.shapes.recipient(one) not in self.inherited])


class TurnsIdsToFloatsBesideAbsentOnes(Consumer):
    """Reads a batch into a table, whose columns have one type each."""

    def parse(self, body: bytes) -> list[Event]:
        events = super().parse(body)
        for field in self.shapes.of(events[0]).of(*WHOLE_NUMBERS) if events else ():
            values = [value_at(event, field.path) for event in events]
            if field.is_whole_number and None in values:
                events = [
                    with_value(event, field.path, int(float(value))) if isinstance(value, int) else event
                    for event, value in zip(events, values, strict=True)
                ]
        return events


class DecodesAsLatin1(Consumer):
    def parse(self, body: bytes) -> list[Event]:
        return super().parse(body.decode("latin-1").encode())


def _has_null(shapes: KnownShapes, event: Event) -> bool:
    return any(value is None for _, value in shapes.values(event))


def _has_unknown_field(shapes: KnownShapes, event: Event) -> bool:
    return bool(event.keys() - shapes.names())


def _has_unknown_type(shapes: KnownShapes, event: Event) -> bool:
    field = shapes.of(event).field(Role.TYPE)
    known = TYPES if shapes.captured is None else {*TYPES, shapes.captured.event_type}
    return field is not None and is_present(event, field.path) and shapes.event_type(event) not in known


def _has_unknown_device(shapes: KnownShapes, event: Event) -> bool:
    field = shapes.of(event).field(Role.DEVICE)
    device = shapes.get(event, Role.DEVICE)
    return field is not None and device is not None and device not in {*DEVICES, field.example, *field.values}


def _has_nul(shapes: KnownShapes, event: Event) -> bool:
    return any("\0" in text for text in shapes.texts(event))


def _beyond_int32(shapes: KnownShapes, event: Event) -> bool:
    """Return whether the subscription's id or, without one, the first number that is an id has more than 32 bits."""
    ids = [field for field in shapes.of(event).of(*WHOLE_NUMBERS) if field.is_whole_number and field.example < 2**31]
    field = next((field for field in ids if field.role is Role.SUBSCRIPTION), ids[0] if ids else None)
    value = None if field is None else value_at(event, field.path)
    return isinstance(value, int) and not -(2**31) <= value < 2**31


def _no_ipv4(shapes: KnownShapes, event: Event) -> bool:
    address = shapes.get(event, Role.NETWORK_ADDRESS)
    try:
        return isinstance(address, str) and not ipaddress.IPv4Address(address)
    except ValueError:
        return True


def _ids_as_text(shapes: KnownShapes, event: Event) -> Event:
    shape = shapes.of(event)
    ids = ((field, value_at(event, field.path)) for field in shape.of(Role.RECIPIENT, Role.MAIL, *WHOLE_NUMBERS))
    return shape.put_all(event, ((field, str(value)) for field, value in ids if isinstance(value, int)))


def _number(text: str) -> str:
    return str(int(text)) if text.isascii() and text.isdigit() else text


def _cut_at_four_bytes(text: str) -> str:
    """Truncate text as MySQL's `utf8` does: before the first character of more than three bytes."""
    return next((text[:index] for index, character in enumerate(text) if ord(character) > 0xFFFF), text)


_SUBSCRIPTION = NAMES[Role.SUBSCRIPTION]
_RECIPIENT = NAMES[Role.RECIPIENT]

BUGS: Mapping[str, Bug] = {
    "rejects-null": Bug("Responds 400 to a batch in which a field is null.", rejecting_by_shape(_has_null)),
    "rejects-unknown-fields": Bug(
        "Responds 400 to a batch with a field that its schema does not know.",
        rejecting_by_shape(_has_unknown_field),
    ),
    "rejects-unknown-types": Bug(
        "Responds 400 to events of a type that it does not know.",
        rejecting_by_shape(_has_unknown_type),
    ),
    "drops-unknown-types": Bug(
        "Responds 200 to events of a type that it does not know, and drops them.", DropsUnknownTypes
    ),
    "rejects-unknown-devices": Bug(
        "Responds 400 to a device that is not in its enumeration.",
        rejecting_by_shape(_has_unknown_device),
    ),
    "rejects-ipv6": Bug("Responds 400 to an IPv6 address.", rejecting_by_shape(_no_ipv4)),
    "rejects-ids-beyond-int32": Bug(
        f"Responds 400 to a {_SUBSCRIPTION} above 2,147,483,647, the largest value of its column.",
        rejecting_by_shape(_beyond_int32),
    ),
    "takes-columns-of-first-event": Bug(
        "Inserts a batch with the columns of its first event, and responds 500 if another one has different fields.",
        TakesColumnsOfFirstEvent,
    ),
    "parses-ids-as-floats": Bug("Parses numbers as floats, so ids beyond 2^53 change.", ParsesIdsAsFloats),
    "decodes-as-latin-1": Bug("Decodes bodies as Latin-1, so é becomes Ã©.", DecodesAsLatin1),
    "stores-ids-as-text": Bug("Stores ids as text, as a CSV file does.", storing_by_shape(_ids_as_text)),
    "stores-recipient-id-as-number": Bug(
        f"Stores {_RECIPIENT} as a number, so leading zeros are lost.",
        changing_role(Role.RECIPIENT, _number),
    ),
    "lower-cases-recipient-id": Bug(f"Stores {_RECIPIENT} in lower case.", changing_role(Role.RECIPIENT, str.lower)),
    "trims-text": Bug("Strips white space around text before it stores it.", changing_text(str.strip)),
    "truncates-text-at-40": Bug(
        "Truncates text after 40 characters, as a VARCHAR(40) column does.", changing_text(lambda text: text[:40])
    ),
    "truncates-text-at-emoji": Bug(
        "Truncates text before the first emoji, as MySQL's utf8 does.", changing_text(_cut_at_four_bytes)
    ),
    "normalises-text": Bug(
        "Stores text in Unicode's normal form NFKC.", changing_text(lambda text: unicodedata.normalize("NFKC", text))
    ),
    "escapes-html": Bug("Stores text escaped for HTML.", changing_text(html.escape)),
    "rejects-nul": Bug(
        "Responds 400 to a batch with NUL in a text, which its database cannot store.", rejecting_by_shape(_has_nul)
    ),
    "truncates-text-at-nul": Bug(
        "Truncates text at a NUL character.", changing_text(lambda text: text.partition("\0")[0])
    ),
    "fails-on-cut-characters": Bug(
        "Responds 500 to text with half of a character, which its database cannot store.", FailsOnCutCharacters
    ),
    "loses-inherited-names": Bug(
        f"Groups events by {_RECIPIENT} in an object that inherits names, and loses those of a recipient called so.",
        LosesInheritedNames,
    ),
    "turns-ids-to-floats-beside-absent-ones": Bug(
        "Makes a table of a batch, in which a column of ids with an empty cell holds floats.",
        TurnsIdsToFloatsBesideAbsentOnes,
    ),
    "limits-body-to-50-kb": Bug("Responds 413 to a body of more than 50,000 bytes.", limited(50_000)),
    "limits-body-to-64-kib": Bug("Responds 413 to a body of more than 65,536 bytes.", limited(64 * 1024)),
}
