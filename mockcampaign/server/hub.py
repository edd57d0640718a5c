"""Follow a journal for live streams: totals, and the entries that are new or have grown."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import msgspec

from mockcampaign.engine.journal import Entry, Journal, WebhookChanged
from mockcampaign.judging.ledger import Totals

GROWN_MAX = 10_000
"""Number of grown entries that the hub remembers. A stream that falls further behind misses growth."""


class Hub:
    """Follows a journal. Each stream keeps its own position, so that a slow one delays nobody else."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.version = 0
        """Number of changes so far."""
        self.totals = Totals()
        """Numbers of attempts and events. A whole ledger would grow for as long as the server runs."""
        self.encoded_state: tuple[float, int, bytes] | None = None
        """Time of the event loop at which the state was encoded, its version, and the state as JSON."""
        self.encoded_entries: OrderedDict[int, tuple[int, bytes]] = OrderedDict()
        """The newest entries as stream messages by position, each with the number of attempts that it shows."""
        self.encoded_webhooks: dict[int, msgspec.Raw] = {}
        """Webhooks as JSON by id, until they change."""
        self._grown: OrderedDict[int, int] = OrderedDict()
        self._waiting: list[asyncio.Future[None]] = []
        journal.follow(self._on_entry)

    def changed(self) -> None:
        """Wake all streams, because something has changed."""
        self.version += 1
        if self._waiting:
            for future in self._waiting:
                if not future.done():
                    future.set_result(None)
            self._waiting.clear()

    async def wait(self, version: int) -> None:
        """Wait until something has changed since `version`."""
        if self.version == version:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future

    def grown_since(self, version: int, below: int) -> list[int]:
        """Return the positions below `below` of entries that have grown since `version`, ascending."""
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
