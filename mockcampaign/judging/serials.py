"""Compact sets of serials. Serials count a campaign's events without gaps, so a few ranges hold most sets."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Set

from mockcampaign.engine.journal import SerialRanges, serials_in


class Serials(Set[int]):
    """A set of serials that is kept as ascending ranges which neither overlap nor touch."""

    __slots__ = ("_count", "_firsts", "_lasts")

    def __init__(self, serials: Iterable[int] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._count = 0
        for serial in serials:
            self.add(serial, serial)

    def add(self, first: int, last: int) -> None:
        """Add the serials from `first` to `last`, both included."""
        firsts, lasts = self._firsts, self._lasts
        if not lasts or first > lasts[-1] + 1:
            firsts.append(first)
            lasts.append(last)
            self._count += last - first + 1
            return
        # The ranges that overlap or touch become one.
        begin, end = bisect_left(lasts, first - 1), bisect_right(firsts, last + 1)
        if begin < end:
            self._count -= self._between(begin, end)
            first, last = min(first, firsts[begin]), max(last, lasts[end - 1])
        firsts[begin:end], lasts[begin:end] = [first], [last]
        self._count += last - first + 1

    def remove(self, first: int, last: int) -> None:
        """Remove those of the serials from `first` to `last` that the set contains."""
        firsts, lasts = self._firsts, self._lasts
        begin, end = bisect_left(lasts, first), bisect_right(firsts, last)
        if begin >= end:
            return
        self._count -= self._between(begin, end)
        kept = [(firsts[begin], first - 1), (last + 1, lasts[end - 1])]
        kept = [(start, stop) for start, stop in kept if start <= stop]
        firsts[begin:end], lasts[begin:end] = [start for start, _ in kept], [stop for _, stop in kept]
        self._count += sum(stop - start + 1 for start, stop in kept)

    def update(self, ranges: SerialRanges) -> None:
        """Add all serials of these ranges."""
        for first, last in ranges:
            self.add(first, last)

    def difference_update(self, ranges: SerialRanges) -> None:
        """Remove all serials of these ranges."""
        for first, last in ranges:
            self.remove(first, last)

    @property
    def first(self) -> int | None:
        """The lowest serial; None of an empty set."""
        return self._firsts[0] if self._firsts else None

    @property
    def ranges(self) -> SerialRanges:
        """The serials as inclusive ranges, ascending."""
        return tuple(zip(self._firsts, self._lasts, strict=True))

    def __contains__(self, serial: object) -> bool:
        if not isinstance(serial, int):
            return False
        index = bisect_right(self._firsts, serial) - 1
        return index >= 0 and serial <= self._lasts[index]

    def __iter__(self) -> Iterator[int]:
        return serials_in(self.ranges)

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"Serials({self.ranges})"

    def _between(self, begin: int, end: int) -> int:
        return sum(self._lasts[index] - self._firsts[index] + 1 for index in range(begin, end))
