"""Definitions of the contents of clients at the start: recipient lists, opt-in processes and transactional mails."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from mockcampaign.clients.client_store import check_definition
from mockcampaign.clients.definitions import (
    ClientDefinition,
    ListDefinition,
    MailDefinition,
    OptinDefinition,
    RecipientDefinition,
)
from mockcampaign.clients.optin_process import OptinType
from mockcampaign.clients.recipient_list import DEFAULT_FIELDS, FieldType, ListField
from mockcampaign.errors import InvalidInputError
from mockcampaign.events import DEFAULT_RATES, Rates
from mockcampaign.policy import DEFAULT_CLIENT_ID, INT64_MAX
from mockcampaign.scenario.language.annotations import Bounded, Interpolated, Secret
from mockcampaign.scenario.language.document import Document
from mockcampaign.scenario.language.plain_values import ClientId

ObjectId = Annotated[int, Bounded(1, INT64_MAX)]


class FieldEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a recipient list."""

    name: str
    """Internal name."""
    display_name: str = ""
    """Name that people see (default: the internal one)."""
    type: FieldType = FieldType.STRING
    """Type of its values."""
    required: bool = False
    """Whether every recipient has it: calls that leave it empty get status 400. Some field of each list is required;
    the first one is the recipient's id unless the data says otherwise (assumed)."""


class RecipientEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient of a list."""

    id: str
    """Id of the recipient, as a rule the e-mail address."""
    address: str | None = None
    """E-mail address (default: the id)."""
    data: dict[str, str] = {}
    """Attributes by the internal names of fields."""


class ListEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient list."""

    name: str
    """Name of the list, by which mails refer to it."""
    id: ObjectId | None = None
    """Its id (default: a new one)."""
    description: str = ""
    """Its purpose."""
    transactional: bool = False
    """Whether it is meant for single mails."""
    test: bool = False
    """Whether it is a test list."""
    fields: tuple[FieldEntry, ...] = ()
    """Its fields (default: email, firstname, lastname, created and modified)."""
    recipients: tuple[RecipientEntry, ...] = ()
    """Its recipients at the start."""

    def __post_init__(self) -> None:
        if self.fields and not any(field.required for field in self.fields):
            raise InvalidInputError("fields: none is required, allowed: at least one that can be the recipient's id")

    def definition(self) -> ListDefinition:
        """Return the list as a campaign begins with it."""
        fields = tuple(
            ListField(name=one.name, display_name=one.display_name, type=one.type, required=one.required)
            for one in self.fields
        )
        return ListDefinition(
            name=self.name,
            id=self.id,
            description=self.description,
            transactional=self.transactional,
            test=self.test,
            fields=fields or DEFAULT_FIELDS,
            recipients=tuple(
                RecipientDefinition(id=one.id, address=one.address, data=one.data) for one in self.recipients
            ),
        )


class OptinEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An opt-in process."""

    name: str
    """Its name."""
    type: OptinType
    """How recipients opt in."""
    id: ObjectId | None = None
    """Its id (default: a new one)."""


class MailEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A transactional mail that is running from the start."""

    name: str
    """Its name, by which the step `send` refers to it."""
    lists: tuple[str, ...]
    """Names of the recipient lists that it is assigned to."""
    id: ObjectId | None = None
    """Its id (default: a new one)."""
    mailing_id: ObjectId | None = None
    """Id of the mailing, which its events carry (default: a new one)."""
    subject: str = ""
    """Its subject."""

    def __post_init__(self) -> None:
        if not self.lists:
            raise InvalidInputError("lists: none, allowed: at least one recipient list")


class ClientContents(msgspec.Struct, frozen=True, kw_only=True):
    """Contents of a client besides the defaults: two recipient lists, an opt-in process of each type, a transactional
    mail."""

    lists: tuple[ListEntry, ...] = ()
    """Recipient lists."""
    optin_processes: tuple[OptinEntry, ...] = ()
    """Opt-in processes."""
    mails: tuple[MailEntry, ...] = ()
    """Transactional mails."""
    rates: Rates = DEFAULT_RATES
    """Behaviour of the recipients of single mails, as rates from 0 to 1."""

    def definition(self) -> ClientDefinition:
        """Return the contents as a campaign begins with them."""
        return ClientDefinition(
            lists=tuple(one.definition() for one in self.lists),
            optin_processes=tuple(
                OptinDefinition(name=one.name, type=one.type, id=one.id) for one in self.optin_processes
            ),
            mails=tuple(
                MailDefinition(
                    name=one.name, lists=one.lists, id=one.id, mailing_id=one.mailing_id, subject=one.subject
                )
                for one in self.mails
            ),
            rates=self.rates,
        )


class FileUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user of a client's API."""

    username: str
    password: Annotated[str, Secret()]


class FileClient(ClientContents, frozen=True, kw_only=True):
    """A client, its users, and its contents besides the defaults."""

    id: ClientId
    users: tuple[FileUser, ...] = ()


class ClientsFile(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file. Text may contain `${NAME}` and `${NAME:-default}` from the environment."""

    clients: Annotated[tuple[FileClient, ...], Interpolated()]

    def definitions(self, document: Document) -> dict[int, ClientDefinition]:
        """Return the contents by client. Raises `InvalidInputError` with file:line:column."""
        if not self.clients:
            raise document.problem(("clients",), "no clients, allowed: at least one")
        found: dict[int, ClientDefinition] = {}
        for index, client in enumerate(self.clients):
            if client.id in found:
                raise document.problem(("clients", index, "id"), f"client {client.id} is listed twice, allowed: once")
            found[client.id] = client.definition()
            try:
                check_definition(client.id, found[client.id])
            except InvalidInputError as error:
                raise document.problem(("clients", index), str(error)) from None
        return found


def load_contents(path: Path) -> dict[int, ClientDefinition]:
    """Return the contents of the clients of a file. Raises `InvalidInputError` with file:line:column."""
    document = Document(path)
    found: ClientsFile = document.read(ClientsFile)
    return found.definitions(document)


class ScenarioClient(ClientContents, frozen=True, kw_only=True):
    """A client of a scenario, with its contents besides the defaults."""

    id: ClientId = DEFAULT_CLIENT_ID
    """Id of the client."""
