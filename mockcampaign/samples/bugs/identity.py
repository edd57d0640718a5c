"""Mistakes in what makes two events the same: too few fields, or one too coarse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Identity


def keyed(*fields: str | Callable[[Event], Any]) -> type[Consumer]:
    """One that takes these for an event id, and has one event for each."""

    class Keyed(Consumer):
        def identified(self, events: list[Event]) -> dict[Identity, Event]:
            rows: dict[Identity, Event] = {}
            for event in events:
                rows.setdefault((self.key(event), 1), event)
            return rows

        def key(self, event: Event) -> bytes:
            return msgspec.json.encode(
                [event.get(field) if isinstance(field, str) else field(event) for field in fields]
            )

    return Keyed


def _all_but_type(event: Event) -> Any:
    return sorted(
        (name, msgspec.json.encode(value)) for name, value in event.items() if name not in ("type", "linkId", "linkUrl")
    )


def _all_but_links(event: Event) -> Any:
    return sorted((name, msgspec.json.encode(event[name])) for name in event if name not in ("linkId", "linkUrl"))


def _all_but_subscription(event: Event) -> Any:
    return sorted((name, msgspec.json.encode(event[name])) for name in event if name != "subscriptionId")


def _second(event: Event) -> Any:
    created = event.get("created")
    return created // 1_000 if isinstance(created, int) else created


def _day(event: Event) -> Any:
    created = event.get("created")
    return created // 86_400_000 if isinstance(created, int) else created


def _time_of_day(event: Event) -> Any:
    created = event.get("created")
    return created % 86_400_000 if isinstance(created, int) else created


BUGS: Mapping[str, Bug] = {
    "keys-on-mail-id": Bug("takes mailId for an event id, and drops a second open of the same mail", keyed("mailId")),
    "keys-on-mail-id-and-type": Bug(
        "allows one open and one click for each mail, and drops all further ones", keyed("mailId", "type")
    ),
    "keys-on-recipient-id": Bug(
        "takes recipientId for an event id, and drops all but a recipient's first event", keyed("recipientId")
    ),
    "keys-on-recipient-and-mailing": Bug(
        "has one event for each recipient and mailing", keyed("recipientId", "mailingId", "type")
    ),
    "keys-on-created": Bug(
        "takes the moment for an event id, and drops what others did in the same millisecond", keyed("created")
    ),
    "keys-on-mail-id-and-created": Bug(
        "takes mailId and moment for an event id, and drops a mail's second event of the same millisecond",
        keyed("mailId", "created"),
    ),
    "keys-on-mail-id-and-second": Bug(
        "stores moments in whole seconds, and has one event of a mail in each", keyed("mailId", "type", _second)
    ),
    "keys-on-recipient-and-day": Bug(
        "counts unique opens: one for each recipient, mailing and day", keyed("recipientId", "mailingId", "type", _day)
    ),
    "keys-on-time-of-day": Bug(
        "compares times of day, and drops what comes at the same time of another day",
        keyed(lambda event: event | {"created": _time_of_day(event)}),
    ),
    "keys-without-type": Bug(
        "compares all that opens and clicks have in common, and drops a click in the millisecond of its open",
        keyed(_all_but_type),
    ),
    "keys-without-links": Bug(
        "compares all that opens and clicks have in common, and drops one of two links that are clicked at once",
        keyed(_all_but_links),
    ),
    "keys-without-subscription": Bug(
        "compares all columns of its table, which has none for subscriptionId, and drops what differs in nothing else",
        keyed(_all_but_subscription),
    ),
    "keys-on-device-and-created": Bug(
        "takes address, browser and moment for an event id, and drops what others do behind the same proxy",
        keyed("remoteAddress", "browser", "created"),
    ),
}
