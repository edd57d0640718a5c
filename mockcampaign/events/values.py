"""Field values and their shares, and which fields an event of each type has: one place for each fact.

*Documented* is the vendor's guide with its one example; *assumed* is everything else.
"""

from __future__ import annotations

from mockcampaign.model import EventType

ID_RANGE = (100_000_000_000, 999_999_999_999)
"""Twelve digits, as all ids of the guide's example but subscriptionId. The range around it is assumed."""

SUBSCRIPTION_ID_RANGE = (1_000_000, 9_999_999)
"""Seven digits in the guide's example."""

MAIL_ID_GROUPS = (8, 8, 6)
"""Lengths of the three groups of A-Z and 0-9 (vendor's guide)."""

CLIENTS: tuple[tuple[int, tuple[str, str, str]], ...] = (
    (34, ("mobile", "iOS 17", "Safari 17.5")),
    (14, ("mobile", "Android 14", "Chrome 126.0")),
    (5, ("tablet", "iPadOS 17", "Safari 17.5")),
    (16, ("desktop", "Windows 10", "Chrome 126.0")),
    (9, ("desktop", "Windows 11", "Edge 126.0")),
    (4, ("desktop", "Windows 10", "Firefox 64.1")),
    (12, ("desktop", "macOS 14", "Safari 17.5")),
    (4, ("desktop", "macOS 14", "Chrome 126.0")),
    (2, ("desktop", "Linux", "Firefox 128.0")),
)
"""Weight, and device, operating system and browser that belong together. The spelling is the guide's (`desktop`,
`Windows 10`, `Firefox 64.1`); the shares are assumed, in the order of size that public reports on mail clients give."""

ADDRESS_BLOCKS = (("192.0.2.", 1, 254), ("198.51.100.", 1, 254), ("203.0.113.", 1, 254))
"""Documentation addresses (RFC 5737), which belong to nobody. Wider ones come from 198.18.0.0/15 (RFC 2544)."""

REPEAT_SHARE = 6
"""One event in so many is a further act on a mail that was acted on before, most often from elsewhere. Assumed."""

LINKS = ("/offer", "/news", "/account", "/imprint", "/unsubscribe")

PERSON_FIELDS = ("remoteAddress", "device", "operatingSystem", "browser")
COMMON_FIELDS = ("type", "recipientId", "userListId", "clientId", "mailingId", "created", "subscriptionId", "mailId")
OPEN_FIELDS = (
    *("type", "recipientId", "userListId", "remoteAddress", "clientId", "mailingId", "created", "subscriptionId"),
    *("mailId", "device", "operatingSystem", "browser"),
)
"""The guide's example, in its order. Documented."""

FIELDS: dict[EventType, tuple[str, ...]] = {
    EventType.OPEN: OPEN_FIELDS,
    EventType.CLICK: (*OPEN_FIELDS, "linkId", "linkUrl"),
    EventType.SENT: COMMON_FIELDS,
    EventType.BOUNCE: (*COMMON_FIELDS, "bounceType"),
    EventType.UNSUBSCRIBE: (*COMMON_FIELDS, *PERSON_FIELDS),
    EventType.SPAMCOMPLAINT: COMMON_FIELDS,
    EventType.SINGLEOPTIN: (*COMMON_FIELDS, *PERSON_FIELDS),
    EventType.CONFIRMEDOPTIN: (*COMMON_FIELDS, *PERSON_FIELDS),
    EventType.DOUBLEOPTIN: (*COMMON_FIELDS, *PERSON_FIELDS),
    EventType.BLOCKLIST: COMMON_FIELDS,
    EventType.ARCHIVE: COMMON_FIELDS,
    EventType.FILTEREDBYBLOCKLIST: COMMON_FIELDS,
}
"""Only `open` is documented; all others are assumed."""

REPEATABLE = frozenset({EventType.OPEN, EventType.CLICK})
"""What a recipient may do more than once with one mail."""
