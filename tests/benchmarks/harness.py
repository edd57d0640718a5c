"""What every benchmark yields: rows that compare a measurement with a yardstick of the same run."""

from __future__ import annotations

import importlib
import os
import statistics
import time
from collections.abc import Callable
from typing import Literal

import msgspec

ROUNDS, BRIEF = 5, 3
"""Numbers of rounds, each of which measures both in turn, in full and with `--brief`; some benchmarks have others."""

ROOM = 2.0
"""How far a floor lies from its aim, unless a row says otherwise: these are the spreads of a shared machine."""

_is_brief = [False]
"""Whether this process measures just enough to judge the floors."""

Verdict = Literal["ok", "short of its aim", "BELOW ITS FLOOR"]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison. Its aim is what it should reach, its floor what a change must not go below."""

    what: str
    measured: str
    """The measurement, with its unit."""
    yardstick: str
    """What it is compared with, and how that did."""
    ratios: tuple[float, ...]
    """Measurement to yardstick, in each round."""
    at_least: float | None = None
    """Aim of a ratio that should be large."""
    at_most: float | None = None
    """Aim of a ratio that should be small. A row with neither is only reported."""
    room: float = ROOM
    """Factor between aim and floor."""
    took: float = 0.0
    """Seconds since the row before."""
    busy: float = 0.0
    """And those of the processor, in this process and others that have ended."""

    @property
    def ratio(self) -> float:
        """Median of all rounds."""
        return statistics.median(self.ratios)

    @property
    def floor(self) -> float | None:
        """The ratio that is too small, or too large."""
        if self.at_least is not None:
            return self.at_least / self.room
        return None if self.at_most is None else self.at_most * self.room

    @property
    def verdict(self) -> Verdict | None:
        """How the ratio stands to aim and floor."""
        if self.floor is None:
            return None
        if self.at_least is not None:
            reached, kept = self.ratio >= self.at_least, self.ratio >= self.floor
        else:
            reached, kept = self.ratio <= (self.at_most or 0), self.ratio <= self.floor
        return "ok" if reached else "short of its aim" if kept else "BELOW ITS FLOOR"

    @property
    def aimed(self) -> str:
        """Aim and floor in words."""
        if self.floor is None:
            return ""
        word, aim = ("at least", self.at_least) if self.at_least is not None else ("at most", self.at_most)
        return f"{word} {aim:g}, floor {self.floor:.3g}"

    @property
    def spread(self) -> str:
        """The ratio, and the smallest and largest of all rounds."""
        if len(self.ratios) == 1:
            return f"{self.ratio:.3g}"
        return f"{self.ratio:.3g} ({min(self.ratios):.3g} to {max(self.ratios):.3g})"

    def line(self) -> str:
        """Return the row for people."""
        parts = [f"{self.what:<34} {self.measured}", self.yardstick, f"ratio {self.spread}"]
        parts += [f"{self.aimed}: {self.verdict}"] if self.verdict else []
        return "; ".join([*parts, f"took {self.took:.1f} s, {self.busy:.1f} s busy"])


class Skipped(msgspec.Struct, frozen=True):
    """A comparison that this machine cannot make."""

    what: str
    why: str

    def line(self) -> str:
        """Return the row for people."""
        return f"{self.what:<34} skipped: {self.why}"


def timed(work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Return the seconds that the work takes."""
    began = clock()
    work()
    return clock() - began


def is_brief() -> bool:
    """Return whether what only the page of results shows may be left out."""
    return _is_brief[0]


def rounds_of(full: int = ROUNDS, brief: int = BRIEF) -> range:
    """Return the rounds of a row."""
    return range(brief if is_brief() else full)


def processor_seconds() -> float:
    """Return what this process and those that it has waited for have taken."""
    return sum(os.times()[:4])


def in_turns(
    ours: Callable[[], float], theirs: Callable[[], float], rounds: int = ROUNDS, brief: int = BRIEF
) -> tuple[list[float], list[float]]:
    """Measure both in each round, so that whatever else the machine does meets both."""
    pairs = [(ours(), theirs()) for _ in rounds_of(rounds, brief)]
    return [one for one, _ in pairs], [other for _, other in pairs]


def ratios(ours: list[float], theirs: list[float]) -> tuple[float, ...]:
    """Return ours to theirs, round by round."""
    return tuple(one / other for one, other in zip(ours, theirs, strict=True))


def measured(name: str, brief: bool = False) -> list[Row | Skipped]:
    """Run a benchmark, and print its rows as they come."""
    _is_brief[0] = brief
    rows: list[Row | Skipped] = []
    began, began_busy = time.monotonic(), processor_seconds()
    for row in importlib.import_module(name).measure():
        ended, ended_busy = time.monotonic(), processor_seconds()
        if isinstance(row, Row):
            row = msgspec.structs.replace(row, took=ended - began, busy=ended_busy - began_busy)
        began, began_busy = ended, ended_busy
        print(f"{name:<10} {row.line()}", flush=True)
        rows.append(row)
    return rows
