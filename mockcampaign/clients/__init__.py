"""The clients of Campaign: their recipients, and the mails that they send one by one.

Everything here gets the time as an argument, and does no input or output. A mail's events are planned when it is sent,
by the model of whole mailings, so its status and its effects follow from values and the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Any

from mockcampaign.clients.campaign_commands import CampaignCommands
from mockcampaign.clients.client_store import ClientStore, Ids, Outlet
from mockcampaign.clients.definitions import ClientDefinition
from mockcampaign.clients.kept_table import Row, Table, TableName
from mockcampaign.clients.mail_commands import MailCommands
from mockcampaign.clients.recipient_commands import RecipientCommands
from mockcampaign.clients.recipient_table import MakeRows, in_memory
from mockcampaign.clients.sent_mail import SentMail
from mockcampaign.clients.suppression_commands import SuppressionCommands
from mockcampaign.errors import NotFoundError
from mockcampaign.policy import check_client_id


class Client(RecipientCommands, MailCommands, SuppressionCommands, CampaignCommands):
    """One client: what it has, in `state`, and the commands that change it."""

    __slots__ = ("_outlet", "_store")

    def __init__(self, store: ClientStore, outlet: Outlet) -> None:
        self._store = store
        self._outlet = outlet

    @property
    def state(self) -> ClientStore:
        """The state of the client now. Only the commands change it."""
        return self._store


class Clients:
    """The clients of a campaign. Each exists as soon as somebody asks for it."""

    def __init__(
        self,
        outlet: Outlet,
        *,
        seed: Callable[[int], str],
        start: int,
        first_id: int,
        definitions: Mapping[int, ClientDefinition] = {},
        make_rows: MakeRows = in_memory,
    ) -> None:
        """`seed(client_id)` is that of a client, and `make_rows` makes the rows of recipients.

        Raises `InvalidInputError` for contradicting definitions.
        """
        self._outlet = outlet
        self._seed = seed
        self._start = start
        self._definitions = definitions
        self._make_rows = make_rows
        self._clients: dict[int, Client] = {}
        self._ids = Ids(first_id)
        self.changed_tables: dict[TableName, Table[Any, Any]] = {}
        """Tables that have changed since somebody took their changes."""
        for client_id in definitions:
            self.get(client_id)

    @property
    def next_id(self) -> int:
        """An id that is above all new ones."""
        return self._ids.following

    def get(self, client_id: int) -> Client:
        """Return a client as it is at this moment. Raises `InvalidInputError` if there can be none with the id."""
        found = self._clients.get(client_id)
        if found is None:
            check_client_id(client_id)
            store = ClientStore(
                client_id,
                self._seed(client_id),
                self._start,
                self._ids,
                self._definitions.get(client_id, ClientDefinition()),
                self.changed_tables,
                self._make_rows,
            )
            found = self._clients[client_id] = Client(store, self._outlet)
        found.state.settle(self._outlet.now)
        return found

    def resume(self, rows: Iterable[Row]) -> None:
        """Take over the changes of the clients of an equal campaign."""
        for client_id, group in groupby(rows, key=lambda row: row[0]):
            self.get(client_id).state.resume(list(group))

    def mails(self) -> list[SentMail]:
        """Return the mails of all clients, oldest first."""
        found = [mail for client_id in self._clients for mail in self.get(client_id).mails()]
        return sorted(found, key=lambda mail: mail.accepted_at)

    def of_mail(self, mail_id: str) -> Client:
        """Return the client that sent a mail. Raises `NotFoundError` if nobody did."""
        for client_id in self._clients:
            client = self.get(client_id)
            if mail_id in client.state.mails:
                return client
        raise NotFoundError("no client has sent a mail of this id, or it is forgotten")
