"""The fields of a shape: where each is in an event, and which role it plays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, Literal

import msgspec

Event = dict[str, Any]
"""An event as a JSON object."""

Value = Any
"""A value in an event: anything that JSON can represent."""

Provenance = Literal["documented", "integrator", "assumed", "captured"]
"""Where a field is known from: the vendor's guide, the mapping that a public integrator publishes, an assumption, or
captured events."""


class Role(StrEnum):
    """The role that a field plays in an event, whatever it is called."""

    TYPE = "type"
    """Type of the event, in any spelling."""
    RECIPIENT = "recipient"
    """Id of the recipient in the client's list."""
    RECIPIENT_ADDRESS = "recipient-address"
    """Where the recipient gets messages: an e-mail address, a phone number, a push token."""
    MAIL = "mail"
    """Id of the mail: one for each mailing, recipient list and recipient."""
    MAILING = "mailing"
    RECIPIENT_LIST = "recipient-list"
    CLIENT = "client"
    """The vendor's customer."""
    SUBSCRIPTION = "subscription"
    """The recipient's subscription to the list."""
    LINK_ID = "link-id"
    ID = "id"
    """Any other id."""
    MOMENT = "moment"
    """Time of the event."""
    OTHER_MOMENT = "other-moment"
    LINK = "link"
    """Target of a link."""
    NETWORK_ADDRESS = "network-address"
    """IP address of the recipient, or of a machine on its behalf."""
    DEVICE = "device"
    OPERATING_SYSTEM = "operating-system"
    BROWSER = "browser"
    ENUMERATION = "enumeration"
    """One of a few known words."""
    TEXT = "text"
    """Free text."""
    OTHER = "other"
    """Anything else. It stays as it is."""


TRAITS = (Role.DEVICE, Role.OPERATING_SYSTEM, Role.BROWSER)
"""Roles that describe the recipient's client."""

ORIGIN = (Role.NETWORK_ADDRESS, *TRAITS)
"""Roles in which two events of one mail differ if they occur on two devices."""

WHOLE_NUMBERS = (Role.RECIPIENT_LIST, Role.CLIENT, Role.MAILING, Role.SUBSCRIPTION, Role.LINK_ID, Role.ID)
"""Roles of ids that are whole numbers of up to 64 bits, where the shape has numbers there."""

ONCE = frozenset(
    set(Role) - {Role.RECIPIENT_ADDRESS, Role.ID, Role.OTHER_MOMENT, Role.LINK, Role.ENUMERATION, Role.TEXT, Role.OTHER}
)
"""Roles that one field of a shape plays at most."""


class EventField(msgspec.Struct, frozen=True, kw_only=True):
    """One field of events."""

    path: tuple[str, ...]
    """Names from the outermost object to the field."""
    role: Role
    source: Provenance
    reason: str
    """Why the field plays this role, in one line; of built-in fields, what the field means."""
    example: Value
    """A value that was captured, documented or assumed."""
    optional: bool = False
    """Whether the field can be absent or null."""
    values: tuple[Value, ...] = ()
    """Further known values, such as the words of an enumeration."""

    @property
    def name(self) -> str:
        """The field's name as sentences say it: names of nested objects joined by dots."""
        return ".".join(self.path)

    @property
    def is_text(self) -> bool:
        """Whether its values are text."""
        return isinstance(self.example, str)

    @property
    def is_whole_number(self) -> bool:
        """Whether its values are whole numbers."""
        return isinstance(self.example, int) and not isinstance(self.example, bool)


def written(path: Iterable[str]) -> str:
    """Return the name of a field in shape files. Dots within names are escaped."""
    return ".".join(name.replace("\\", "\\\\").replace(".", "\\.") for name in path)


def read_path(text: str) -> tuple[str, ...]:
    """Return the path of a field from its name in a file."""
    names, rest = [], text
    while (found := _NAME.match(rest)) is not None:
        names.append(_ESCAPED.sub(r"\1", found[1]))
        rest = rest[found.end() :]
    return (*names, _ESCAPED.sub(r"\1", rest))


_NAME = re.compile(r"((?:\\.|[^.\\])*)\.", re.DOTALL)
"""A name before a dot that is not escaped."""
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def value_at(event: Event, path: tuple[str, ...]) -> Value:
    """Return the value at a path, or None if there is none."""
    found: Value = event
    for name in path:
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found


def with_value(event: Event, path: tuple[str, ...], value: Value) -> Event:
    """Return a copy of the event with another value at a path."""
    name, *inner = path
    if not inner:
        return {**event, name: value}
    outer = event.get(name)
    return {**event, name: with_value(outer if isinstance(outer, dict) else {}, tuple(inner), value)}


def without_value(event: Event, path: tuple[str, ...]) -> Event:
    """Return a copy of the event without the field at a path."""
    name, *inner = path
    if not inner:
        return {other: value for other, value in event.items() if other != name}
    outer = event.get(name)
    return {**event, name: without_value(outer, tuple(inner))} if isinstance(outer, dict) else event


def leaves(event: Event, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Value]]:
    """Yield the path and the value of each field that is no object with fields of its own."""
    for name, value in event.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name), value
