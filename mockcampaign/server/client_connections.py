"""The connections on which each client calls the REST API."""

from __future__ import annotations

from mockcampaign.serving.client_connection import ClientConnection


class ClientConnections:
    """Counts connections for each client, from a connection's first call until it ends.

    A connection that is open counts even if it waits for its next request (assumed): it is one of the client's parallel
    connections. Uvicorn closes it after five idle seconds.
    """

    def __init__(self) -> None:
        self._of_client: dict[int, set[ClientConnection]] = {}

    def knows(self, client_id: int, connection: ClientConnection) -> bool:
        """Return whether the connection is counted for the client."""
        return connection in self._of_client.get(client_id, ())

    def admit(self, client_id: int, connection: ClientConnection, connections_max: int) -> bool:
        """Count a new connection for the client. Return False, and do not count it, if there would be too many."""
        known = self._of_client.get(client_id)
        if known is None:
            known = self._of_client[client_id] = set()
        if len(known) >= connections_max:
            return False
        known.add(connection)
        connection.on_end(lambda: self._end(client_id, connection))
        return True

    def _end(self, client_id: int, connection: ClientConnection) -> None:
        known = self._of_client[client_id]
        known.discard(connection)
        if not known:
            del self._of_client[client_id]
