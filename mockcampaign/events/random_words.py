"""Chance from a seed that can be asked in any order: the throw for a number is a function of seed and number alone.

So the events of a mailing need not be made in order or kept, and do not depend on how many are made at a time. All
arithmetic is on whole numbers: same seed, same bytes, on every platform.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b, shake_128
from itertools import count
from typing import Generic, TypeVar

from mockcampaign.errors import InvalidInputError

WORD = 1 << 32
"""A throw is sixteen words, each from 0 up to, not including, this."""

Words = tuple[int, ...]
Item = TypeVar("Item")

_unpack = struct.Struct("<16I").unpack
_unpack_64 = struct.Struct("<1024I").unpack


class Dice:
    """Throws for a seed. Different names under one seed are independent of each other."""

    def __init__(self, seed: str, name: str) -> None:
        self._base = blake2b(seed.encode(), key=name.encode())
        self._stream_base = shake_128(self._base.digest())

    def throw(self, number: int) -> Words:
        """Sixteen words, always the same ones for this number (0 to 2^64 - 1)."""
        state = self._base.copy()
        state.update(number.to_bytes(8, "little"))
        return _unpack(state.digest())

    def stream(self, number: int) -> Iterator[Words]:
        """Throws without end, each stream its own: half the cost of asking for each throw."""
        for block in count():
            state = self._stream_base.copy()
            state.update(number.to_bytes(8, "little") + block.to_bytes(8, "little"))
            words = iter(_unpack_64(state.digest(4_096)))
            yield from zip(*[words] * 16, strict=True)


def share(rate: float) -> int:
    """What a word has to be below for something that happens at this rate, from 0 (never) to 1 (always).

    Raises `InvalidInputError` for another rate.
    """
    if not 0 <= rate <= 1:
        raise InvalidInputError(f"rate {rate} is out of range, allowed: 0 to 1")
    return round(rate * WORD)


class Mix(Generic[Item]):
    """Items with weights, from which a word chooses one."""

    def __init__(self, weighted: Iterable[tuple[int, Item]]) -> None:
        self._items = [item for weight, item in weighted for _ in range(weight)]

    def choose(self, word: int) -> Item:
        """The item at the word's place, in constant time."""
        return self._items[word * len(self._items) >> 32]


class Curve:
    """A distribution of durations: straight lines between knots of (share up to here in thousandths, milliseconds)."""

    def __init__(self, knots: Sequence[tuple[int, int]]) -> None:
        if knots[0][0] != 0 or knots[-1][0] != 1_000 or list(knots) != sorted(knots):
            raise ValueError(f"a curve goes up from share 0 to 1000: {knots}")
        self._shares = [WORD * thousandths // 1_000 for thousandths, _ in knots]
        self._durations = [duration for _, duration in knots]

    def duration(self, word: int) -> int:
        """Milliseconds."""
        shares, durations = self._shares, self._durations
        index = bisect_right(shares, word)
        low, begin = shares[index - 1], durations[index - 1]
        return begin + (durations[index] - begin) * (word - low) // (shares[index] - low)
