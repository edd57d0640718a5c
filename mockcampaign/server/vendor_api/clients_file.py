"""The file of `serve --clients`: further clients with their users."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from mockcampaign.clients.client_store import check_definition
from mockcampaign.clients.definitions import ClientDefinition
from mockcampaign.errors import InvalidInputError
from mockcampaign.policy import INT64_MAX
from mockcampaign.scenario.language.annotations import Bounded, Interpolated, Secret
from mockcampaign.scenario.language.client_contents import ClientContents
from mockcampaign.scenario.language.document import Document
from mockcampaign.server.users import User, user_name_problem, users_of


class FileUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user of a client's API."""

    username: str
    password: Annotated[str, Secret()]


class FileClient(ClientContents, frozen=True, kw_only=True):
    """A client, its users, and its contents besides the defaults."""

    id: Annotated[int, Bounded(1, INT64_MAX)]
    users: tuple[FileUser, ...]


class ClientsFile(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file. Text may contain `${NAME}` and `${NAME:-default}` from the environment."""

    clients: Annotated[tuple[FileClient, ...], Interpolated()]


class LoadedClients(msgspec.Struct, frozen=True):
    """The clients of a file."""

    users: dict[int, tuple[User, ...]]
    definitions: dict[int, ClientDefinition]
    """Lists, processes and mails besides the defaults."""

    def __repr__(self) -> str:
        return "LoadedClients(…)"


def load_clients(path: Path) -> LoadedClients:
    """Return the clients with their users and contents. Raises `InvalidInputError` with file:line:column."""
    document = Document(path)
    found: ClientsFile = document.read(ClientsFile)
    if not found.clients:
        raise document.problem(("clients",), "no clients, allowed: at least one")
    users_of_client: dict[int, tuple[User, ...]] = {}
    for index, client in enumerate(found.clients):
        if client.id in users_of_client:
            raise document.problem(("clients", index, "id"), f"client {client.id} is listed twice, allowed: once")
        if not client.users:
            raise document.problem(("clients", index, "users"), "no users, allowed: at least one")
        names = [user.username for user in client.users]
        for place, name in enumerate(names):
            wrong = user_name_problem(name)
            if wrong is None and name in names[:place]:
                wrong = f"user {name!r} is listed twice, allowed: once"
            if wrong is not None:
                raise document.problem(("clients", index, "users", place, "username"), wrong)
        users_of_client[client.id] = users_of(client.id, [(user.username, user.password) for user in client.users])
        try:
            check_definition(client.id, client.definition())
        except InvalidInputError as error:
            raise document.problem(("clients", index), str(error)) from None
    return LoadedClients(users_of_client, {client.id: client.definition() for client in found.clients})
