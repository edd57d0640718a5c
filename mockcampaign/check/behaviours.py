"""What the sender does, as far as a rule assumes it, and whether the vendor documents it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from mockcampaign.tables import complete

Behaviour = Literal[
    "list", "retry", "discard", "time-out", "refill", "order", "parallel", "charset", "fields", "lengths"
]
"""Something the sender does, on which a rule relies."""

BEHAVIOURS: Mapping[Behaviour, tuple[Literal["documented", "assumed"], str]] = complete(
    "the words for each behaviour",
    get_args(Behaviour),
    {
        "list": ("documented", "events come as JSON lists of at most 100"),
        "retry": ("documented", "what is not answered with 200 comes again every 10 seconds"),
        "discard": ("documented", "what was not delivered within three days of its creation is discarded"),
        "time-out": ("assumed", "an attempt without an answer within the time-out has failed"),
        "refill": ("assumed", "whether a list that comes again holds newer events, too"),
        "order": ("assumed", "whether the oldest events come first"),
        "parallel": ("assumed", "whether a client's webhooks deliver at the same moment"),
        "charset": ("assumed", "whether the Content-Type names a charset"),
        "fields": ("assumed", "how long texts are as a rule, and which fields may be absent, null or new"),
        "lengths": ("assumed", "how long texts may be at most"),
    },
)
"""Whether the vendor documents it, and what it is."""
