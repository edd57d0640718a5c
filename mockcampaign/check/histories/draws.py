"""Draws that a seed decides alone, equally on every version of Python: integer arithmetic, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15
"""Increment of the counter: that of SplitMix64 (Steele, Lea and Flood 2014), whose mixing function follows."""


class Draws:
    """A sequence of draws. Equal names give equal sequences."""

    def __init__(self, name: str) -> None:
        self._counter = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])

    def below(self, limit: int) -> int:
        """Draw a whole number from 0 to `limit` - 1."""
        self._counter = (self._counter + _GAMMA) & _MASK
        mixed = self._counter
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((mixed ^ (mixed >> 31)) * limit) >> 64

    def choice(self, items: Sequence[Item]) -> Item:
        """Draw one of the items. One that is listed twice is drawn twice as often."""
        return items[self.below(len(items))]
