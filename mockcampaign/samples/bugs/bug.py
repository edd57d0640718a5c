"""What a bug is."""

from __future__ import annotations

from dataclasses import dataclass

from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.plain_server import Connection


@dataclass(frozen=True, slots=True)
class Bug:
    """A mistake that a review could pass."""

    description: str
    consumer: type[Consumer]
    over_sockets: bool = False
    """Whether it shows only where there are connections."""
    connection: type[Connection] | None = None
    """Where the mistake is in a server of one's own: its connections."""
