"""What the journal tells whoever watches: running totals, and what changed since they last looked."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import msgspec

from mockcampaign.engine.journal import Entry, Journal, WebhookChanged
from mockcampaign.judging.ledger import Totals

GROWN_MAX = 10_000
"""How many grown entries are remembered for those who watch; who falls further behind must fetch the journal again."""


class Hub:
    """Listens to a journal. Watchers keep a place of their own in it, so a slow one costs nothing but its own delay."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.version = 0
        """Counts changes."""
        self.totals = Totals()
        """Numbers of attempts and events. A ledger would grow for as long as the server runs."""
        self.encoded_state: tuple[float, int, bytes] | None = None
        """The state as JSON, when it was encoded by the event loop's clock, and the version that it shows."""
        self.encoded_entries: OrderedDict[int, tuple[int, bytes]] = OrderedDict()
        """The newest entries as messages of the stream, and the length of the run that each shows."""
        self.encoded_webhooks: dict[int, msgspec.Raw] = {}
        """Webhooks as JSON, until they change."""
        self._grown: OrderedDict[int, int] = OrderedDict()
        self._waiting: list[asyncio.Future[None]] = []
        journal.follow(self._on_entry)

    def changed(self) -> None:
        """Something changed that watchers want to see."""
        self.version += 1
        if self._waiting:
            for future in self._waiting:
                if not future.done():
                    future.set_result(None)
            self._waiting.clear()

    async def wait(self, version: int) -> None:
        """Until something has changed since `version`."""
        if self.version == version:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future

    def grown_since(self, version: int, below: int) -> list[int]:
        """Positions below `below` of entries that have grown since `version`, ascending."""
        positions = []
        for position, at_version in reversed(self._grown.items()):
            if at_version <= version:
                break
            if position < below:
                positions.append(position)
        return sorted(positions)

    def _on_entry(self, position: int, entry: Entry) -> None:
        if not self.totals.note(position, entry):
            self._grown[position] = self.version + 1
            self._grown.move_to_end(position)
            if len(self._grown) > GROWN_MAX:
                self._grown.popitem(last=False)
        elif isinstance(entry, WebhookChanged):
            self.encoded_webhooks.pop(entry.webhook_id, None)
        self.changed()
