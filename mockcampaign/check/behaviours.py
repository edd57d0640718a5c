"""Behaviours of the sender that rules assume, and whether the vendor documents them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from mockcampaign.tables import complete

Behaviour = Literal[
    "batch",
    "retry",
    "discard",
    "time-out",
    "refill",
    "order",
    "parallel",
    "charset",
    "shape",
    "fields",
    "lengths",
    "skew",
    "spelling",
]
"""Something the sender does, on which a rule relies."""

BEHAVIOURS: Mapping[Behaviour, tuple[Literal["documented", "assumed"], str]] = complete(
    "descriptions of the sender's behaviours",
    get_args(Behaviour),
    {
        "batch": ("documented", "a batch is a JSON list of 1 to 100 events"),
        "retry": ("documented", "a batch that is not acknowledged with 200 is retried every 10 seconds"),
        "discard": ("documented", "events that are not delivered within three days of their creation are discarded"),
        "time-out": ("assumed", "an attempt without a response within the time-out has failed"),
        "refill": ("assumed", "whether a retried batch also contains newer events"),
        "order": ("assumed", "whether the oldest events are delivered first"),
        "parallel": ("assumed", "whether the webhooks of a client deliver at the same moment"),
        "charset": ("assumed", "whether the Content-Type has a charset parameter"),
        "shape": ("assumed", "which fields events have, except for those of the guide's example"),
        "fields": ("assumed", "how long texts usually are, and which fields may be absent, null or new"),
        "skew": ("assumed", "whether its clock is ahead of the consumer's"),
        "spelling": ("assumed", "whether a redelivered event has its fields in the same order and spelling"),
        "lengths": ("assumed", "how long texts may be at most"),
    },
)
"""Whether the vendor documents it, and what it is."""
