"""A client's connection, as an application finds it in the scope of a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

EXTENSION = "mockcampaign.connection"
"""Key of the connection among the `extensions` of an ASGI scope."""


class ClientConnection:
    """A connection on which requests arrive."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._on_end: list[Callable[[], object]] = []
        self.clients: set[int] = set()
        """Clients for which the connection is counted."""
        self.extensions: dict[str, dict[object, object]] = {EXTENSION: {"connection": self}}
        """The ASGI scope's `extensions` of each request on the connection."""

    def drop(self) -> None:
        """Close the connection as soon as what was written is sent."""
        self._transport.close()

    def on_end(self, call: Callable[[], object]) -> None:
        """Call a function when the connection ends."""
        self._on_end.append(call)

    def end(self) -> None:
        """Call the functions that wait for the end."""
        for call in self._on_end:
            call()
        self._on_end.clear()


def connection_of(scope: Any) -> ClientConnection | None:
    """Return the connection of a request; None on another server than ours."""
    extensions = scope.get("extensions")
    if not extensions or EXTENSION not in extensions:
        return None
    found: ClientConnection = extensions[EXTENSION]["connection"]
    return found
