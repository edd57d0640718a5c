"""Rules that every run examines from its journal alone, whatever the scenario expects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from mockcampaign.engine.journal import Attempted, Entry
from mockcampaign.model import CONNECT_PHASES, INTERRUPTED, NoAnswer, Responded, TimedOut
from mockcampaign.transport.faults import FAULTS

Level = Literal["must", "should"]
Judgement = Literal["pass", "fail", "warn", "not-exercised", "could-not-tell"]

NOT_REACHED = "not reached"
"""So begins the reason of a rule that was not even begun, as another one's outcome or the budget kept all from it."""


class Reproduce(msgspec.Struct, frozen=True, kw_only=True):
    """How to see a violation again, by itself."""

    curl: str | None = None
    """A command for a shell. It takes credentials from the environment."""
    scenario: str | None = None
    """A scenario file."""
    without_curl: str | None = None
    """Why there is no command."""
    without_scenario: str | None = None
    """Why there is no scenario."""
    case: tuple[msgspec.Raw, ...] | None = None
    """The smallest list of events that shows the violation."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one rule or one expectation."""

    id: str
    title: str
    level: Level
    outcome: Judgement
    requirement: str
    expected: str
    actual: str
    evidence: tuple[int, ...]
    """Positions in the journal."""
    place: str | None = None
    """`file:line:column` of an expectation."""
    found: str | None = None
    """What a violation consists in, less what varies from run to run; with the id it makes two findings the same."""
    known: bool = False
    """Whether it was accepted beforehand: then it violates the rule, and fails nothing."""
    family: str | None = None
    """Of a rule in the catalogue."""
    reason: str | None = None
    """Why a rule was not exercised, or could not be told."""
    fix: str | None = None
    """How to mend a consumer that violates the rule."""
    cannot_tell: str | None = None
    """What a pass does not show."""
    relies_on: tuple[str, ...] = ()
    """What the sender has to do for it to matter, and whether that is documented or assumed."""
    reproduce: Reproduce | None = None
    differences: tuple[str, ...] = ()
    """How the consumer's account differs from what was delivered, event by event."""
    swept: tuple[str, ...] = ()
    """What the rule came to where other things are assumed of the sender."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is required of a consumer."""

    id: str
    title: str
    level: Level
    requirement: str
    """The sentence that obliges the consumer, with its source."""
    expected: str
    concerns: Callable[[Attempted], bool]
    """Whether an attempt puts the rule to the test."""
    violates: Callable[[Attempted], bool]

    def judge(self, entries: Sequence[Entry]) -> Finding:
        """Examine the journal."""
        examined = [
            (position, entry)
            for position, entry in enumerate(entries)
            if isinstance(entry, Attempted) and self.concerns(entry)
        ]
        violations = [(position, entry) for position, entry in examined if self.violates(entry)]
        outcome: Judgement
        if not examined:
            outcome, actual = "not-exercised", "no attempt reached the consumer"
        elif violations:
            outcome = "fail" if self.level == "must" else "warn"
            times = sum(entry.count for _, entry in violations)
            actual = f"{describe_outcome(violations[0][1])} ({times} attempt{'s' if times > 1 else ''})"
        else:
            times = sum(entry.count for _, entry in examined)
            outcome, actual = "pass", f"so in all {times} attempts" if times > 1 else "so in the only attempt"
        return Finding(
            id=self.id,
            title=self.title,
            level=self.level,
            outcome=outcome,
            requirement=self.requirement,
            expected=self.expected,
            actual=actual,
            evidence=tuple(position for position, _ in violations),
        )


def describe_outcome(entry: Attempted) -> str:
    """The outcome in a few words."""
    match entry.outcome:
        case Responded():
            # A redirect says where to: that the sender does not go there is what surprises people.
            return entry.outcome.describe().removeprefix("answered ")
        case _:
            return entry.outcome.describe()


def _reached(entry: Attempted) -> bool:
    """Whether the attempt reached the consumer in a form that obliges it to answer."""
    if isinstance(entry.outcome, Responded):
        return True
    ours = entry.outcome == INTERRUPTED or not all(FAULTS[kind].harmless for kind in entry.faults)
    return not ours and entry.outcome.phase not in CONNECT_PHASES


RULES: tuple[Rule, ...] = (
    Rule(
        id="answers-200",
        title="Says success with 200 and nothing else",
        level="must",
        requirement="The export succeeded if the answer is HTTP 200; otherwise it is retried every 10 seconds "
        "(vendor's webhook guide). Redirects are not followed (assumed).",
        expected="200, or an error status where the list was not taken",
        concerns=lambda entry: isinstance(entry.outcome, Responded),
        violates=lambda entry: isinstance(entry.outcome, Responded) and 200 < entry.outcome.status < 400,
    ),
    Rule(
        id="answers-in-time",
        title="Answers within the sender's time-out",
        level="should",
        requirement="An attempt without an answer within the time-out has failed and comes again (assumed: 10 s).",
        expected="a complete answer within the time-out",
        concerns=_reached,
        violates=lambda entry: isinstance(entry.outcome, TimedOut),
    ),
    Rule(
        id="answers-completely",
        title="Answers every request with a complete HTTP response",
        level="should",
        requirement="Only a 200 that arrives ends the retries (vendor's webhook guide).",
        expected="a complete HTTP response",
        concerns=_reached,
        violates=lambda entry: isinstance(entry.outcome, NoAnswer),
    ),
)
