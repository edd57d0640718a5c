"""The type of a bug."""

from __future__ import annotations

from dataclasses import dataclass

from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.plain_server import PlainConnection


@dataclass(frozen=True, slots=True)
class Bug:
    """A bug that could pass a review."""

    description: str
    """A sentence that says what the developer did."""
    consumer: type[Consumer]
    over_sockets: bool = False
    """Whether the bug shows only over real connections."""
    connection: type[PlainConnection] | None = None
    """The connection class, for bugs of a plain HTTP server."""
