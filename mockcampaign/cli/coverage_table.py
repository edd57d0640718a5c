"""The text report of random histories: which situations they reached, and how to play one of them again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mockcampaign.check.histories.coverage import SIZES, STATES, STEP_KINDS, Coverage, Covered, StepKind
from mockcampaign.report.columns import PLAIN, Styled
from mockcampaign.tables import complete

_STEPS: Mapping[StepKind, str] = complete(
    "words for steps",
    STEP_KINDS,
    {
        "events": "events",
        "absent": "events without an optional field",
        "null": "events with null in one",
        "elsewhere": "events of another webhook",
        "many elsewhere": "thousands of those",
        "repeat": "another event of a mail",
        "fault": "faults",
        "outage": "outages",
        "time": "pauses",
    },
)

_NAME, _NUMBER = 11, 12
"""Widths of the columns, in characters."""


def coverage_lines(coverage: Coverage) -> Iterator[list[Styled]]:
    """Yield the steps, and a table of attempts: a line for each fault, columns for batch size and kind of attempt."""
    attempts = coverage.attempts
    total = sum(attempts.values())
    last = f" (the last {coverage.not_compared:,} not compared with the store)" if coverage.not_compared else ""
    yield [
        (f"Histories: {coverage.histories:,}{last}; situations: {len(attempts):,}; attempts in them: {total:,}", PLAIN)
    ]
    if coverage.steps:
        steps = ", ".join(f"{said} {coverage.steps[kind]:,}" for kind, said in _STEPS.items() if coverage.steps[kind])
        yield [(f"Steps: {steps}", PLAIN)]
    if not attempts:
        return
    wide = _NUMBER * len(STATES)
    yield [(" " * _NAME + "".join(size.rjust(wide) for size in SIZES), PLAIN)]
    yield [(" " * _NAME + "".join(state.partition(" ")[0].rjust(_NUMBER) for _ in SIZES for state in STATES), PLAIN)]
    for fault in sorted({one.fault for one in attempts}):
        counts = [attempts[Covered(fault, size, state)] for size in SIZES for state in STATES]
        numbers = "".join((f"{count:,}" if count else "-").rjust(_NUMBER) for count in counts)
        yield [(fault.ljust(_NAME) + numbers, PLAIN)]


def history_lines(coverage: Coverage, seed: int) -> Iterator[list[Styled]]:
    """Yield the coverage, and how to play the failing history again, or that it was the one that was asked for."""
    yield from coverage_lines(coverage)
    if coverage.failed is not None:
        again = f"--seed {seed} --history {coverage.failed}"
        yield [(f"History {coverage.failed:,} failed: `mockcampaign check` with {again} plays it again", PLAIN)]
    if coverage.fingerprint:
        yield [(f"Its journal has the SHA-256 {coverage.fingerprint}", PLAIN)]
    yield []
