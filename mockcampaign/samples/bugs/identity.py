"""Bugs in the deduplication key: too few fields, or a field that is too coarse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Identity


def deduplicating_on(*fields: str | Callable[[Event], Any]) -> type[Consumer]:
    """Return a consumer that deduplicates on these fields, or values computed from an event."""

    class Deduplicating(Consumer):
        def by_identity(self, events: list[Event]) -> dict[Identity, Event]:
            rows: dict[Identity, Event] = {}
            for event in events:
                rows.setdefault((self.key(event), 1), event)
            return rows

        def key(self, event: Event) -> bytes:
            return msgspec.json.encode(
                [event.get(field) if isinstance(field, str) else field(event) for field in fields]
            )

    return Deduplicating


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
    "dedup-key-mail-id": Bug(
        "Deduplicates on mailId, so a second open of the same mail is lost.", deduplicating_on("mailId")
    ),
    "dedup-key-mail-id-type": Bug(
        "Deduplicates on mailId and type, so each mail has at most one open and one click.",
        deduplicating_on("mailId", "type"),
    ),
    "dedup-key-recipient-id": Bug(
        "Deduplicates on recipientId, so only the first event of each recipient is stored.",
        deduplicating_on("recipientId"),
    ),
    "dedup-key-recipient-mailing": Bug(
        "Deduplicates on recipientId, mailingId and type, so a second open of the same mailing is lost.",
        deduplicating_on("recipientId", "mailingId", "type"),
    ),
    "dedup-key-created": Bug(
        "Deduplicates on created, so events of other recipients in the same millisecond are lost.",
        deduplicating_on("created"),
    ),
    "dedup-key-mail-id-created": Bug(
        "Deduplicates on mailId and created, so a mail's second event in the same millisecond is lost.",
        deduplicating_on("mailId", "created"),
    ),
    "dedup-key-mail-id-second": Bug(
        "Deduplicates on mailId, type and created in whole seconds, so a mail's second open in a second is lost.",
        deduplicating_on("mailId", "type", _second),
    ),
    "dedup-key-recipient-day": Bug(
        "Counts unique opens: deduplicates on recipientId, mailingId, type and the day of created.",
        deduplicating_on("recipientId", "mailingId", "type", _day),
    ),
    "dedup-key-time-of-day": Bug(
        "Compares only the time of day, so an event at the same time of another day is lost.",
        deduplicating_on(lambda event: event | {"created": _time_of_day(event)}),
    ),
    "dedup-key-without-type": Bug(
        "Deduplicates on the fields that opens and clicks share, so a click in the millisecond of its open is lost.",
        deduplicating_on(_all_but_type),
    ),
    "dedup-key-without-link": Bug(
        "Deduplicates without the link, so one of two clicks on different links in the same millisecond is lost.",
        deduplicating_on(_all_but_links),
    ),
    "dedup-key-without-subscription-id": Bug(
        "Deduplicates on the columns of its table, which lacks subscriptionId, so events that differ there are lost.",
        deduplicating_on(_all_but_subscription),
    ),
    "dedup-key-address-browser-created": Bug(
        "Deduplicates on remoteAddress, browser and created, so events of others behind the same proxy are lost.",
        deduplicating_on("remoteAddress", "browser", "created"),
    ),
}
