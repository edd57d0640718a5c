"""Bugs that show when the consumer is killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.bugs.redelivery import NeverDeduplicates
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Identity, Store


class CommitsEveryTenBatches(Consumer):
    """Reports every event it has received, but commits only every ten batches."""

    batches = 10

    def prepare(self) -> None:
        self.durable = self.store
        self.store = _InMemory(self.durable)
        self.uncommitted: dict[Identity, Event] = {}
        self.count = 0

    async def process(self, events: list[Event]) -> None:
        identified = self.by_identity([self.stored_form(event) for event in events])
        self.store.add(identified)
        self.uncommitted |= identified
        self.count += 1
        if self.count % self.batches == 0:
            self.durable.add(self.uncommitted)
            self.uncommitted = {}


class WritesBehind(CommitsEveryTenBatches):
    """Acknowledges at once, and writes to disk a little later."""

    seconds = 0.2

    async def process(self, events: list[Event]) -> None:
        identified = self.by_identity([self.stored_form(event) for event in events])
        self.store.add(identified)
        asyncio.get_running_loop().call_later(self.seconds, self.durable.add, identified)


class KeepsDedupKeysInMemory(NeverDeduplicates):
    """Writes events to disk, but not the keys that recognise them."""

    def prepare(self) -> None:
        self.seen: set[Identity] = set()

    async def process(self, events: list[Event]) -> None:
        identified = Consumer.by_identity(self, events)
        await super().process([event for identity, event in identified.items() if identity not in self.seen])
        self.seen.update(identified)


class AcknowledgesWithoutStore(Consumer):
    """Logs an error of its store, and responds 200."""

    async def process(self, events: list[Event]) -> None:
        with contextlib.suppress(OSError):
            await super().process(events)


class StoresInMemoryOnly(Consumer):
    def prepare(self) -> None:
        self.store = Store()


class _InMemory(Store):
    def __init__(self, store: Store) -> None:
        super().__init__()
        self._events = dict(store._events)


BUGS: Mapping[str, Bug] = {
    "commits-every-ten-batches": Bug(
        "Commits to disk with every tenth batch, although it has acknowledged the nine before.", CommitsEveryTenBatches
    ),
    "acknowledges-without-store": Bug(
        "Logs that its store cannot be written, responds 200 and drops the batch.", AcknowledgesWithoutStore
    ),
    "writes-behind": Bug("Acknowledges a batch at once, and writes it to disk 200 ms later.", WritesBehind),
    "keeps-dedup-keys-in-memory": Bug(
        "Stores events on disk but deduplication keys in memory, so redelivery after a restart stores them twice.",
        KeepsDedupKeysInMemory,
    ),
    "stores-in-memory-only": Bug("Stores everything in memory, so a restart loses it.", StoresInMemoryOnly),
}
