"""Bugs in the deduplication key: too few fields, or a field that is too coarse."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping

import msgspec

from mockcampaign.policy import DAY, SECOND
from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.known_shapes import KnownShapes
from mockcampaign.samples.store import Event, Identity
from mockcampaign.shape.builtin import NAMES
from mockcampaign.shape.field import Role, Value

Part = Role | Callable[[KnownShapes, Event], Value]
"""A part of a deduplication key: the value in a role, or one that is computed from an event."""


def deduplicating_on(*parts: Part) -> type[Consumer]:
    """Return a consumer that deduplicates on these parts of an event."""

    class Deduplicating(Consumer):
        def by_identity(self, events: list[Event]) -> dict[Identity, Event]:
            rows: dict[Identity, Event] = {}
            for event in events:
                rows.setdefault((self.key(event), 1), event)
            return rows

        def key(self, event: Event) -> bytes:
            return msgspec.json.encode(
                [self.shapes.get(event, part) if isinstance(part, Role) else part(self.shapes, event) for part in parts]
            )

    return Deduplicating


def all_but(*roles: Role) -> Callable[[KnownShapes, Event], Value]:
    """Return the part of a key that has all fields except those in these roles."""

    def part(shapes: KnownShapes, event: Event) -> Value:
        left_out = {field.path for field in shapes.of(event).of(*roles)}
        return sorted(
            (path, msgspec.json.encode(value)) for path, value in shapes.values(event) if path not in left_out
        )

    return part


def _shared_fields(shapes: KnownShapes, event: Event) -> Value:
    """Return the fields that opens and clicks have in common, without their type."""
    identifying = {field.role for field in shapes.of(event).key_fields}
    return all_but(*(_ROLES_OF_CLICKS - identifying))(shapes, event)


_ROLES_OF_CLICKS = frozenset({Role.TYPE, Role.LINK, Role.LINK_ID, Role.RECIPIENT_ADDRESS})


def _mail(shapes: KnownShapes, event: Event) -> Value:
    return shapes.mail(event)


def _recipient(shapes: KnownShapes, event: Event) -> Value:
    return shapes.recipient(event)


def _collated_recipient(shapes: KnownShapes, event: Event) -> Value:
    """Return the recipient as a collation compares it: whatever its case and accents are, and without spaces behind."""
    decomposed = unicodedata.normalize("NFKD", str(shapes.recipient(event)).casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).rstrip()


def _joined(shapes: KnownShapes, event: Event) -> Value:
    """Return all fields of an event, joined without anything between them."""
    return "".join(str(value) for _, value in shapes.values(event))


def _second(shapes: KnownShapes, event: Event) -> Value:
    moment = shapes.moment(event)
    return shapes.get(event, Role.MOMENT) if moment is None else moment // SECOND


def _day(shapes: KnownShapes, event: Event) -> Value:
    moment = shapes.moment(event)
    return shapes.get(event, Role.MOMENT) if moment is None else moment // DAY


def _time_of_day(shapes: KnownShapes, event: Event) -> Value:
    moment = shapes.moment(event)
    return shapes.get(event, Role.MOMENT) if moment is None else moment % DAY


_MAIL = NAMES[Role.MAIL]
_RECIPIENT = NAMES[Role.RECIPIENT]
_MAILING = NAMES[Role.MAILING]
_MOMENT = NAMES[Role.MOMENT]
_SUBSCRIPTION = NAMES[Role.SUBSCRIPTION]
_ADDRESS = NAMES[Role.NETWORK_ADDRESS]

BUGS: Mapping[str, Bug] = {
    "dedup-key-collated-recipient": Bug(
        f"Compares {NAMES[Role.RECIPIENT]} by a collation that ignores case, accents and spaces at the end.",
        deduplicating_on(
            all_but(Role.MAIL, Role.RECIPIENT, Role.RECIPIENT_ADDRESS, Role.SUBSCRIPTION), _collated_recipient
        ),
    ),
    "dedup-key-joined-fields": Bug(
        "Joins the fields to a key without a separator, so that ab and c give the same as a and bc.",
        deduplicating_on(_joined),
    ),
    "dedup-key-mail-id": Bug(
        f"Deduplicates on {_MAIL}, so a second open of the same mail is lost.", deduplicating_on(_mail)
    ),
    "dedup-key-mail-id-type": Bug(
        f"Deduplicates on {_MAIL} and type, so each mail has at most one open and one click.",
        deduplicating_on(_mail, Role.TYPE),
    ),
    "dedup-key-recipient-id": Bug(
        f"Deduplicates on {_RECIPIENT}, so only the first event of each recipient is stored.",
        deduplicating_on(_recipient),
    ),
    "dedup-key-recipient-mailing": Bug(
        f"Deduplicates on {_RECIPIENT}, {_MAILING} and type, so a second open of the same mailing is lost.",
        deduplicating_on(_recipient, Role.MAILING, Role.TYPE),
    ),
    "dedup-key-created": Bug(
        f"Deduplicates on {_MOMENT}, so events of other recipients in the same millisecond are lost.",
        deduplicating_on(Role.MOMENT),
    ),
    "dedup-key-mail-id-created": Bug(
        f"Deduplicates on {_MAIL} and {_MOMENT}, so a mail's second event in the same millisecond is lost.",
        deduplicating_on(_mail, Role.MOMENT),
    ),
    "dedup-key-mail-id-second": Bug(
        f"Deduplicates on {_MAIL}, type and {_MOMENT} in whole seconds, so a mail's second open in a second is lost.",
        deduplicating_on(_mail, Role.TYPE, _second),
    ),
    "dedup-key-recipient-day": Bug(
        f"Counts unique opens: deduplicates on {_RECIPIENT}, {_MAILING}, type and the day of {_MOMENT}.",
        deduplicating_on(_recipient, Role.MAILING, Role.TYPE, _day),
    ),
    "dedup-key-time-of-day": Bug(
        "Compares only the time of day, so an event at the same time of another day is lost.",
        deduplicating_on(all_but(Role.MOMENT), _time_of_day),
    ),
    "dedup-key-without-type": Bug(
        "Deduplicates on the fields that opens and clicks share, so a click in the millisecond of its open is lost.",
        deduplicating_on(_shared_fields),
    ),
    "dedup-key-without-link": Bug(
        "Deduplicates without the link, so one of two clicks on different links in the same millisecond is lost.",
        deduplicating_on(all_but(Role.LINK, Role.LINK_ID)),
    ),
    "dedup-key-without-subscription-id": Bug(
        f"Deduplicates on the columns of its table, which lacks {_SUBSCRIPTION}, so events that differ there are lost.",
        deduplicating_on(all_but(Role.SUBSCRIPTION)),
    ),
    "dedup-key-address-browser-created": Bug(
        f"Deduplicates on {_ADDRESS}, browser and {_MOMENT}, so events of others behind the same proxy are lost.",
        deduplicating_on(Role.NETWORK_ADDRESS, Role.BROWSER, Role.MOMENT),
    ),
}
