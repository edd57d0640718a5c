"""Virtual time: whole milliseconds that move only on command, and stop at every due moment."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Clock(Generic[Item]):
    """The present moment, and the items that are due later.

    Items due at one moment leave together, in the order in which they were added.
    """

    def __init__(self, now: int) -> None:
        self.now = now
        """Milliseconds since 1970. Only `pop_due` and `spend` change it."""
        self._present: list[Item] = []
        """Items added for the present moment: most items of a sender without failures."""
        self._items: dict[int, list[Item]] = {}
        # Distinct moments only: a hundred webhooks in step cost one push and one pop for each moment, not a hundred.
        self._moments: list[int] = []

    def add(self, due: int, item: Item) -> None:
        """Make an item due at a moment. Raises `ValueError` if that has passed."""
        if due < self.now:
            raise ValueError(f"{due} ms lies before now, {self.now} ms")
        if due == self.now:
            self._present.append(item)
            return
        items = self._items.get(due)
        if items is None:
            self._items[due] = [item]
            heapq.heappush(self._moments, due)
        else:
            items.append(item)

    def next_due(self) -> int | None:
        """Return the earliest due moment, or None if nothing is due."""
        if self._present:
            return self.now
        return self._moments[0] if self._moments else None

    def pop_due(self, until: int | None = None) -> list[Item]:
        """Move to the earliest due moment, not after `until`, and return its items, if any."""
        if self._present and (until is None or until >= self.now):
            items, self._present = self._present, []
            return items
        if not self._moments or (until is not None and self._moments[0] > until):
            return []
        self.now = heapq.heappop(self._moments)
        return self._items.pop(self.now)

    def due_next(self) -> Sequence[Item]:
        """Return the items that are due at the earliest moment to come, which is not the present one."""
        return self._items[self._moments[0]]

    def withdraw(self) -> None:
        """Take these items back, as if they had never been added."""
        del self._items[heapq.heappop(self._moments)]

    def spend(self, duration: int) -> None:
        """Let time pass in which nothing is due. Raises `ValueError` if something is."""
        due = self.next_due()
        if duration < 0 or (due is not None and due <= self.now + duration):
            raise ValueError(f"cannot spend {duration} ms: something is due at {due} ms")
        self.now += duration
