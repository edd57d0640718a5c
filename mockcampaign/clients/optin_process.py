"""Opt-in processes: how new recipients agree to get mails."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from mockcampaign.model import EventType
from mockcampaign.tables import complete


class OptinType(StrEnum):
    """The type of an opt-in process (vendor's API description)."""

    SINGLE = "single"
    CONFIRMED = "confirmed"
    DOUBLE = "double"


class OptinProcess(msgspec.Struct, frozen=True, kw_only=True):
    """An opt-in process."""

    id: int
    name: str
    description: str = ""
    type: OptinType
    confirmation_mailing_id: int | None = None
    created: int
    modified: int


EVENT_OF = complete(
    "the event of each opt-in",
    OptinType,
    {
        OptinType.SINGLE: EventType.SINGLEOPTIN,
        OptinType.CONFIRMED: EventType.CONFIRMEDOPTIN,
        OptinType.DOUBLE: EventType.DOUBLEOPTIN,
    },
)
"""The event when a recipient has opted in. Only a double opt-in waits for the recipient."""
