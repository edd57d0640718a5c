"""Mistakes with what events may hold: absent and unknown fields, large numbers, and text of all kinds."""

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


def keeping(change: Callable[[Event], Event]) -> type[Consumer]:
    """One that keeps events changed in that way."""

    class Keeping(Consumer):
        def kept(self, event: Event) -> Event:
            return change(event)

    return Keeping


def refusing(what: Callable[[Event], bool]) -> type[Consumer]:
    """One that answers 400 to a list that holds such an event."""

    class Refusing(Consumer):
        def parse(self, body: bytes) -> list[Event]:
            events = super().parse(body)
            if any(what(event) for event in events):
                raise HTTPException(400, "validation failed")
            return events

    return Refusing


class IgnoresTypes(Consumer):
    """A table of handlers, and none for what is not in it."""

    async def process(self, events: list[Event]) -> None:
        await super().process([event for event in events if event.get("type", "open") in TYPES])


def limited(bytes_max: int) -> type[Consumer]:
    """One whose bodies may have so many bytes."""

    class Limited(Consumer):
        async def read(self, request: Request) -> bytes:
            body = await super().read(request)
            if len(body) > bytes_max:
                raise HTTPException(413, "the body is too large")
            return body

    return Limited


def texts(change: Callable[[str], str]) -> type[Consumer]:
    """One that keeps all texts changed in that way."""
    return keeping(
        lambda event: {name: change(value) if isinstance(value, str) else value for name, value in event.items()}
    )


def field(name: str, change: Callable[[str], Any]) -> type[Consumer]:
    """One that keeps a field changed in that way, where it is a text."""
    return keeping(lambda event: event | {name: change(event[name])} if isinstance(event.get(name), str) else event)


class TakesColumnsFromFirstEvent(Consumer):
    """Inserts a list in one statement, whose columns are the fields of the first event."""

    def parse(self, body: bytes) -> list[Event]:
        events = super().parse(body)
        if any(event.keys() != events[0].keys() for event in events):
            raise HTTPException(500, "the number of columns does not match")
        return events


class ReadsFloats(Consumer):
    """Reads numbers as JavaScript does."""

    def parse(self, body: bytes) -> list[Event]:
        super().parse(body)
        events: list[Event] = json.loads(body, parse_int=lambda digits: int(float(digits)))
        return events


class ReadsLatin1(Consumer):
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
    """What MySQL's `utf8` keeps of a text: all before the first character beyond three bytes."""
    return next((text[:index] for index, character in enumerate(text) if ord(character) > 0xFFFF), text)


BUGS: Mapping[str, Bug] = {
    "refuses-null": Bug(
        "answers 400 to a list in which a field is null", refusing(lambda event: None in event.values())
    ),
    "refuses-unknown-fields": Bug(
        "answers 400 to a list with a field that its schema does not know",
        refusing(lambda event: bool(event.keys() - FIELDS)),
    ),
    "refuses-unknown-types": Bug(
        "answers 400 to events of a type that it does not know",
        refusing(lambda event: event.get("type", "open") not in TYPES),
    ),
    "ignores-unknown-types": Bug("answers 200 to events of a type that it does not know, and drops them", IgnoresTypes),
    "refuses-unknown-devices": Bug(
        "answers 400 to a device that its enumeration does not have",
        refusing(lambda event: event.get("device") is not None and event["device"] not in DEVICES),
    ),
    "refuses-ipv6": Bug("answers 400 to an IPv6 address", refusing(_no_ipv4)),
    "refuses-beyond-int32": Bug("has a column for subscriptionId that ends at 2,147,483,647", refusing(_beyond_int32)),
    "takes-columns-from-first-event": Bug(
        "answers 500 where an event has other fields than the first of its list", TakesColumnsFromFirstEvent
    ),
    "reads-floats": Bug("reads numbers as floats, and changes ids beyond 2^53", ReadsFloats),
    "reads-latin-1": Bug("takes bodies for Latin-1, and turns é into Ã©", ReadsLatin1),
    "keeps-ids-as-text": Bug("keeps ids as text, as CSV files do", keeping(_ids_as_text)),
    "keeps-recipients-as-numbers": Bug("keeps recipientId without leading zeros", field("recipientId", _number)),
    "lower-cases-recipients": Bug("keeps recipientId in lower case", field("recipientId", str.lower)),
    "trims-texts": Bug("keeps texts without spaces around them", texts(str.strip)),
    "truncates-at-40": Bug("cuts texts after 40 characters, as a VARCHAR(40) does", texts(lambda text: text[:40])),
    "cuts-at-emoji": Bug("cuts texts before the first emoji, as MySQL's utf8 does", texts(_cut_at_four_bytes)),
    "normalises-texts": Bug(
        "keeps texts in Unicode's composed form", texts(lambda text: unicodedata.normalize("NFKC", text))
    ),
    "escapes-html": Bug("keeps texts escaped for HTML", texts(html.escape)),
    "fails-at-nul": Bug("answers 400 to a list with NUL in a text, which its store cannot hold", refusing(_has_nul)),
    "drops-nul": Bug("keeps texts up to a NUL character", texts(lambda text: text.partition("\0")[0])),
    "limits-bodies-to-50-kb": Bug("answers 413 to bodies over 50,000 bytes", limited(50_000)),
    "limits-bodies-to-64-kib": Bug("answers 413 to bodies over 65,536 bytes", limited(64 * 1024)),
}
