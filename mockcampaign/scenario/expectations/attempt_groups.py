"""Attempts as expectations see them: grouped as in the journal, each with the gap before it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from mockcampaign.durations import format_duration
from mockcampaign.engine.journal import Attempted
from mockcampaign.model import CONNECT_PHASES, Outcome, Responded, TimedOut
from mockcampaign.scenario.language.expect import AttemptExpectation, OutcomeRun
from mockcampaign.scenario.language.plain_values import Bounds, fits
from mockcampaign.text import counted


class AttemptGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive attempts that differ in number and moment only."""

    position: int
    """Position of their entry in the journal."""
    entry: Attempted
    first_number: int
    count: int
    gap: int | None
    """Virtual time since the attempt before each of them; None for the first attempt of a batch."""

    @property
    def last_number(self) -> int:
        """Number of the last attempt of the group."""
        return self.first_number + self.count - 1

    def describe(self) -> str:
        """Describe the first attempt of the group."""
        gap = "" if self.gap is None else f", {format_duration(self.gap)} after the attempt before"
        return (
            f"attempt {self.first_number} with {counted(self.entry.events, 'event')}{gap}: {label(self.entry.outcome)} "
            f"after {format_duration(self.entry.took)}"
        )


def attempts(entries: Sequence[tuple[int, Attempted]], first: int = 0) -> Iterator[AttemptGroup]:
    """Yield all attempts of one webhook from its entry at index `first` on, in order."""
    before = next((entries[index][1] for index in range(first - 1, -1, -1) if entries[index][1].serials), None)
    for position, entry in itertools.islice(entries, first, None):
        gap = None
        if entry.first_number > 1 and entry.serials and before is not None:
            gap = entry.at - before.last_at - before.took
        yield AttemptGroup(position=position, entry=entry, first_number=entry.first_number, count=1, gap=gap)
        if entry.count > 1:
            yield AttemptGroup(
                position=position,
                entry=entry,
                first_number=entry.first_number + 1,
                count=entry.count - 1,
                gap=entry.interval - entry.took,
            )
        if entry.serials:
            before = entry


def latest(entries: Sequence[tuple[int, Attempted]]) -> AttemptGroup | None:
    """Return the last attempt of one webhook."""
    groups = list(attempts(entries, len(entries) - 1)) if entries else []
    if not groups:
        return None
    return msgspec.structs.replace(groups[-1], first_number=groups[-1].last_number, count=1)


def label(outcome: Outcome) -> int | str:
    """Return the outcome in the language of scenarios."""
    match outcome:
        case Responded(status=status):
            return status
        case _ if outcome.phase in CONNECT_PHASES:
            return "not-connected"
        case TimedOut():
            return "timed-out"
        case _:
            return "no-response"


def matching(group: AttemptGroup, wanted: AttemptExpectation) -> int:
    """Return how many attempts of the group meet the expectation."""
    entry = group.entry
    meets = (
        (wanted.outcome is None or label(entry.outcome) in _listed(wanted.outcome))
        and (wanted.events is None or fits(entry.events, wanted.events))
        and (wanted.duration is None or fits(entry.took, wanted.duration))
        and (wanted.gap is None or (group.gap is not None and fits(group.gap, wanted.gap)))
        and (wanted.headers is None or _has_headers(entry.outcome, wanted.headers))
    )
    if not meets:
        return 0
    if wanted.number is None:
        return group.count
    low, high = (
        (wanted.number, wanted.number)
        if isinstance(wanted.number, int)
        else (wanted.number.at_least or 0, wanted.number.at_most)
    )
    first, last = max(low, group.first_number), group.last_number
    return max(0, (last if high is None else min(high, last)) - first + 1)


def _listed(outcome: int | str | tuple[int | str, ...]) -> tuple[int | str, ...]:
    return outcome if isinstance(outcome, tuple) else (outcome,)


def _has_headers(outcome: Outcome, wanted: dict[str, str | bool]) -> bool:
    headers: dict[str, list[str]] = {}
    for name, value in outcome.headers if isinstance(outcome, Responded) else ():
        headers.setdefault(name, []).append(value)
    return all(
        (name.lower() in headers) is value if isinstance(value, bool) else value in headers.get(name.lower(), ())
        for name, value in wanted.items()
    )


Run = tuple[int | str, int]
"""An outcome, and how many times it occurred in a row."""


def outcome_runs(entries: Iterable[Attempted], before: Iterable[Run] = ()) -> list[Run]:
    """Return the runs `before` with the outcomes of further attempts, equal neighbours together."""
    runs = list(before)
    for entry in entries:
        outcome = label(entry.outcome)
        if runs and runs[-1][0] == outcome:
            runs[-1] = (outcome, runs[-1][1] + entry.count)
        else:
            runs.append((outcome, entry.count))
    return runs


def runs_fit(runs: Sequence[Run], wanted: Sequence[int | str | OutcomeRun]) -> bool:
    """Return whether the outcomes are the wanted ones, in order."""
    expected = [item if isinstance(item, OutcomeRun) else OutcomeRun(outcome=item) for item in wanted]
    # With one letter for each outcome, a regular expression decides which of the optional ones are there.
    outcomes = dict.fromkeys([run.outcome for run in expected] + [outcome for outcome, _ in runs])
    letters = {outcome: chr(0xE000 + index) for index, outcome in enumerate(outcomes)}
    pattern = "".join(f"{letters[run.outcome]}{{{_times(run.times)}}}" for run in expected)
    seen = "".join(letters[outcome] * times for outcome, times in runs)
    return re.fullmatch(pattern, seen) is not None


def _times(times: int | Bounds) -> str:
    if isinstance(times, int):
        return f"{times}"
    return f"{times.at_least or 0},{'' if times.at_most is None else times.at_most}"
