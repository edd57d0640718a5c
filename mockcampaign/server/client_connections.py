"""The connections on which each client calls the REST API, and the calls that it has under way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from mockcampaign.serving.client_connection import ClientConnection


class ClientConnections:
    """Counts connections for each client, from a connection's first call until it ends.

    A connection that is open counts even if it waits for its next request (assumed): it is one of the client's parallel
    connections. Uvicorn closes it after five idle seconds.
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def admit(self, client_id: int, connection: ClientConnection, connections_max: int) -> bool:
        """Count a new connection for the client. Return False, and do not count it, if there would be too many."""
        if self._counts[client_id] >= connections_max:
            return False
        self._counts[client_id] += 1
        connection.clients.add(client_id)
        connection.on_end(lambda: self._end(client_id))
        return True

    def _end(self, client_id: int) -> None:
        self._counts[client_id] -= 1
        if not self._counts[client_id]:
            del self._counts[client_id]


class CallsAtOnce:
    """Counts calls from their beginning until their response is sent.

    Calls of the double take no time, so only those overlap that a fault such as `api-slow` holds (assumed).
    """

    def __init__(self) -> None:
        self._counts: Counter[Hashable] = Counter()

    def begin(self, kind: Hashable, calls_max: int) -> bool:
        """Count one more call of a kind. Return False, and do not count it, if there would be too many."""
        if self._counts[kind] >= calls_max:
            return False
        self._counts[kind] += 1
        return True

    def end(self, kind: Hashable) -> None:
        """Count one call of the kind less."""
        self._counts[kind] -= 1
        if not self._counts[kind]:
            del self._counts[kind]
