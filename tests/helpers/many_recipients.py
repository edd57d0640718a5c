"""A state file with more recipients than calls would add in a short time."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from mockcampaign.clients.recipient_list import EMAIL, Recipient
from mockcampaign.clients.recipient_table import RecipientTable
from mockcampaign.policy import DEFAULT_CLIENT_ID, DEFAULT_START
from mockcampaign.server.kept_recipients import kept_in
from mockcampaign.server.state_file import StateFile


def address_of(number: int) -> str:
    """Return the address of one of them, which is its id: in the order of their numbers."""
    return f"r{number:07}@example.com"


def add_many(path: Path, list_id: int, count: int) -> None:
    """Add recipients to a list, in a file that a server has begun."""
    with closing(StateFile(path)) as file:
        kept = file.load()
        assert kept is not None
        table = RecipientTable(kept_in(file)(DEFAULT_CLIENT_ID, list_id))
        for number in range(count):
            address = address_of(number)
            table[address] = Recipient(
                id=address,
                address=address,
                data={EMAIL: address},
                person=number,
                created=DEFAULT_START,
                modified=DEFAULT_START,
            )
        file.commit(kept.sender.now)
