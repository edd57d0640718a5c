"""The file of `serve --clients`: further clients with their users and contents."""

from __future__ import annotations

from pathlib import Path

import msgspec

from mockcampaign.clients.definitions import ClientDefinition
from mockcampaign.server.users import User, user_name_problem, users_of


class LoadedClients(msgspec.Struct, frozen=True):
    """The clients of a file."""

    users: dict[int, tuple[User, ...]]
    definitions: dict[int, ClientDefinition]
    """Lists, processes and mails besides the defaults."""

    def __repr__(self) -> str:
        return "LoadedClients(…)"


def load_clients(path: Path) -> LoadedClients:
    """Return the clients with their users and contents. Raises `InvalidInputError` with file:line:column."""
    from mockcampaign.scenario.language.client_contents import ClientsFile
    from mockcampaign.scenario.language.document import Document

    document = Document(path)
    found: ClientsFile = document.read(ClientsFile)
    definitions = found.definitions(document)
    users_of_client: dict[int, tuple[User, ...]] = {}
    for index, client in enumerate(found.clients):
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
    return LoadedClients(users_of_client, definitions)
