"""Random words that can be read in any order: the words for a number depend on the seed and that number alone.

Therefore the events of a mailing can be made in any order and any amount, and need not be kept. All arithmetic uses
whole numbers, so the same seed makes the same bytes on every platform.
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
"""Upper limit of a word, which is not reached: each word has 32 bits."""

Words = tuple[int, ...]
Item = TypeVar("Item")

_unpack = struct.Struct("<16I").unpack
_unpack_64 = struct.Struct("<1024I").unpack


class RandomWords:
    """Random words for a seed. Sources with different names are independent of each other."""

    def __init__(self, seed: str, name: str) -> None:
        self._base = blake2b(seed.encode(), key=name.encode())
        self._stream_base = shake_128(self._base.digest())

    def words(self, number: int) -> Words:
        """Return the sixteen words for a number from 0 to 2^64 - 1."""
        state = self._base.copy()
        state.update(number.to_bytes(8, "little"))
        return _unpack(state.digest())

    def stream(self, number: int) -> Iterator[Words]:
        """Yield groups of sixteen words without end, different for each stream, at half the cost of `words`."""
        for block in count():
            state = self._stream_base.copy()
            state.update(number.to_bytes(8, "little") + block.to_bytes(8, "little"))
            words = iter(_unpack_64(state.digest(4_096)))
            yield from zip(*[words] * 16, strict=True)


def threshold(rate: float) -> int:
    """Return the limit below which a random word lies at this rate, from 0 (never) to 1 (always).

    Raises `InvalidInputError` for any other rate.
    """
    if not 0 <= rate <= 1:
        raise InvalidInputError(f"rate {rate} is out of range, allowed: 0 to 1")
    return round(rate * WORD)


class WeightedChoice(Generic[Item]):
    """Chooses one of several weighted items by a random word."""

    def __init__(self, weighted: Iterable[tuple[int, Item]]) -> None:
        self._items = [item for weight, item in weighted for _ in range(weight)]

    def choose(self, word: int) -> Item:
        """Return the item that the word chooses, in constant time."""
        return self._items[word * len(self._items) >> 32]


class DurationCurve:
    """A distribution of durations: straight lines between knots of (share up to here in thousandths, milliseconds)."""

    def __init__(self, knots: Sequence[tuple[int, int]]) -> None:
        if knots[0][0] != 0 or knots[-1][0] != 1_000 or list(knots) != sorted(knots):
            raise ValueError(f"a curve rises from share 0 to 1000: {knots}")
        self._shares = [WORD * thousandths // 1_000 for thousandths, _ in knots]
        self._durations = [duration for _, duration in knots]

    def duration(self, word: int) -> int:
        """Return the duration that the word chooses, in milliseconds."""
        shares, durations = self._shares, self._durations
        index = bisect_right(shares, word)
        low, begin = shares[index - 1], durations[index - 1]
        return begin + (durations[index] - begin) * (word - low) // (shares[index] - low)
