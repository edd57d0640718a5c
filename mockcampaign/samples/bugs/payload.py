"""Bugs with the fields of an event: absent and unknown fields, large numbers, and text of all kinds."""

from __future__ import annotations

import html
import ipaddress
import json
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event

FIELDS = frozenset(
    {
        *("type", "recipientId", "userListId", "remoteAddress", "clientId", "mailingId", "created", "subscriptionId"),
        *("mailId", "device", "operatingSystem", "browser", "linkId", "linkUrl", "bounceType"),
    }
)
TYPES = frozenset({"open", "click", "sent", "bounce", "unsubscribe"})
DEVICES = frozenset({"desktop", "mobile", "tablet"})


def storing(change: Callable[[Event], Event]) -> type[Consumer]:
    """Return a consumer that stores events changed in that way."""

    class Storing(Consumer):
        def stored_form(self, event: Event) -> Event:
            return change(event)

    return Storing


def rejecting(is_bad: Callable[[Event], bool]) -> type[Consumer]:
    """Return a consumer that responds 400 to a batch with such an event."""

    class Rejecting(Consumer):
        def parse(self, body: bytes) -> list[Event]:
            events = super().parse(body)
            if any(is_bad(event) for event in events):
                raise HTTPException(400, "validation failed")
            return events

    return Rejecting


class DropsUnknownTypes(Consumer):
    """Looks up a handler for the type, and ignores events without one."""

    async def process(self, events: list[Event]) -> None:
        await super().process([event for event in events if event.get("type", "open") in TYPES])


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
    return storing(
        lambda event: {name: change(value) if isinstance(value, str) else value for name, value in event.items()}
    )


def changing_field(name: str, change: Callable[[str], Any]) -> type[Consumer]:
    """Return a consumer that stores a field changed in that way if it is text."""
    return storing(lambda event: event | {name: change(event[name])} if isinstance(event.get(name), str) else event)


class TakesColumnsOfFirstEvent(Consumer):
    """Inserts a batch in one statement, whose columns are the fields of the first event."""

    def parse(self, body: bytes) -> list[Event]:
        events = super().parse(body)
        if any(event.keys() != events[0].keys() for event in events):
            raise HTTPException(500, "the number of columns does not match")
        return events


class ParsesIdsAsFloats(Consumer):
    """Parses numbers as JavaScript does."""

    def parse(self, body: bytes) -> list[Event]:
        super().parse(body)
        events: list[Event] = json.loads(body, parse_int=lambda digits: int(float(digits)))
        return events


class DecodesAsLatin1(Consumer):
    def parse(self, body: bytes) -> list[Event]:
        return super().parse(body.decode("latin-1").encode())


def _has_nul(event: Event) -> bool:
    return any("\0" in value for value in event.values() if isinstance(value, str))


def _beyond_int32(event: Event) -> bool:
    subscription = event.get("subscriptionId")
    return isinstance(subscription, int) and not -(2**31) <= subscription < 2**31


def _no_ipv4(event: Event) -> bool:
    address = event.get("remoteAddress")
    try:
        return isinstance(address, str) and not ipaddress.IPv4Address(address)
    except ValueError:
        return True


def _ids_as_text(event: Event) -> Event:
    return {name: str(value) if name.endswith("Id") else value for name, value in event.items()}


def _number(text: str) -> Any:
    return str(int(text)) if text.isascii() and text.isdigit() else text


def _cut_at_four_bytes(text: str) -> str:
    """Truncate text as MySQL's `utf8` does: before the first character of more than three bytes."""
    return next((text[:index] for index, character in enumerate(text) if ord(character) > 0xFFFF), text)


BUGS: Mapping[str, Bug] = {
    "rejects-null": Bug(
        "Responds 400 to a batch in which a field is null.", rejecting(lambda event: None in event.values())
    ),
    "rejects-unknown-fields": Bug(
        "Responds 400 to a batch with a field that its schema does not know.",
        rejecting(lambda event: bool(event.keys() - FIELDS)),
    ),
    "rejects-unknown-types": Bug(
        "Responds 400 to events of a type that it does not know.",
        rejecting(lambda event: event.get("type", "open") not in TYPES),
    ),
    "drops-unknown-types": Bug(
        "Responds 200 to events of a type that it does not know, and drops them.", DropsUnknownTypes
    ),
    "rejects-unknown-devices": Bug(
        "Responds 400 to a device that is not in its enumeration.",
        rejecting(lambda event: event.get("device") is not None and event["device"] not in DEVICES),
    ),
    "rejects-ipv6": Bug("Responds 400 to an IPv6 address.", rejecting(_no_ipv4)),
    "rejects-ids-beyond-int32": Bug(
        "Responds 400 to a subscriptionId above 2,147,483,647, the largest value of its column.",
        rejecting(_beyond_int32),
    ),
    "takes-columns-of-first-event": Bug(
        "Inserts a batch with the columns of its first event, and responds 500 if another one has different fields.",
        TakesColumnsOfFirstEvent,
    ),
    "parses-ids-as-floats": Bug("Parses numbers as floats, so ids beyond 2^53 change.", ParsesIdsAsFloats),
    "decodes-as-latin-1": Bug("Decodes bodies as Latin-1, so é becomes Ã©.", DecodesAsLatin1),
    "stores-ids-as-text": Bug("Stores ids as text, as a CSV file does.", storing(_ids_as_text)),
    "stores-recipient-id-as-number": Bug(
        "Stores recipientId as a number, so leading zeros are lost.", changing_field("recipientId", _number)
    ),
    "lower-cases-recipient-id": Bug("Stores recipientId in lower case.", changing_field("recipientId", str.lower)),
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
        "Responds 400 to a batch with NUL in a text, which its database cannot store.", rejecting(_has_nul)
    ),
    "truncates-text-at-nul": Bug(
        "Truncates text at a NUL character.", changing_text(lambda text: text.partition("\0")[0])
    ),
    "limits-body-to-50-kb": Bug("Responds 413 to a body of more than 50,000 bytes.", limited(50_000)),
    "limits-body-to-64-kib": Bug("Responds 413 to a body of more than 65,536 bytes.", limited(64 * 1024)),
}
