"""What the journal tells whoever watches: running totals, and what changed since they last looked."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import msgspec

from mockcampaign.engine.journal import Attempted, Discarded, Entry, Journal, WebhookChanged

GROWN_MAX = 10_000
"""How many grown entries are remembered for those who watch; who falls further behind must fetch the journal again."""


class Totals(msgspec.Struct):
    """What became of a webhook's events so far."""

    attempts: int = 0
    delivered: int = 0
    discarded: int = 0


class Hub:
    """Listens to a journal. Watchers keep a place of their own in it, so a slow one costs nothing but its own delay."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.version = 0
        """Counts changes."""
        self.totals = Totals()
        self.totals_of_webhook: dict[int, Totals] = {}
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
        match entry:
            case Attempted(webhook_id=webhook_id, outcome=outcome):
                delivered = entry.events if outcome.accepted else 0
                for totals in (self.totals, self.of(webhook_id)):
                    totals.attempts += 1
                    totals.delivered += delivered
                if entry.count > 1:
                    self._grown[position] = self.version + 1
                    self._grown.move_to_end(position)
                    if len(self._grown) > GROWN_MAX:
                        self._grown.popitem(last=False)
            case Discarded(webhook_id=webhook_id, serials=serials):
                discarded = sum(last - first + 1 for first, last in serials)
                for totals in (self.totals, self.of(webhook_id)):
                    totals.discarded += discarded
            case WebhookChanged(webhook_id=webhook_id):
                self.encoded_webhooks.pop(webhook_id, None)
            case _:
                pass
        self.changed()

    def of(self, webhook_id: int) -> Totals:
        """The webhook's own totals."""
        return self.totals_of_webhook.setdefault(webhook_id, Totals())
