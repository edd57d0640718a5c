"""Rules that every run examines from its journal alone, whatever the scenario expects."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from mockcampaign.engine.journal import Attempted, Entry
from mockcampaign.faults import FAULTS
from mockcampaign.judging.finding import Finding, Judgement, Level
from mockcampaign.model import CONNECT_PHASES, INTERRUPTED, NoResponse, Responded, TimedOut


class JournalRule(msgspec.Struct, frozen=True, kw_only=True):
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
            return entry.outcome.describe().removeprefix("responded ")
        case _:
            return entry.outcome.describe()


def _reached(entry: Attempted) -> bool:
    """Whether the attempt reached the consumer in a form that obliges it to answer."""
    if isinstance(entry.outcome, Responded):
        return True
    ours = entry.outcome == INTERRUPTED or not all(FAULTS[kind].harmless for kind in entry.faults)
    return not ours and entry.outcome.phase not in CONNECT_PHASES


JOURNAL_RULES: tuple[JournalRule, ...] = (
    JournalRule(
        id="responds-200",
        title="Says success with 200 and nothing else",
        level="must",
        requirement="The export succeeded if the answer is HTTP 200; otherwise it is retried every 10 seconds "
        "(vendor's webhook guide). Redirects are not followed (assumed).",
        expected="200, or an error status where the list was not taken",
        concerns=lambda entry: isinstance(entry.outcome, Responded),
        violates=lambda entry: isinstance(entry.outcome, Responded) and 200 < entry.outcome.status < 400,
    ),
    JournalRule(
        id="responds-in-time",
        title="Answers within the sender's time-out",
        level="should",
        requirement="An attempt without an answer within the time-out has failed and comes again (assumed: 10 s).",
        expected="a complete answer within the time-out",
        concerns=_reached,
        violates=lambda entry: isinstance(entry.outcome, TimedOut),
    ),
    JournalRule(
        id="sends-complete-response",
        title="Answers every request with a complete HTTP response",
        level="should",
        requirement="Only a 200 that arrives ends the retries (vendor's webhook guide).",
        expected="a complete HTTP response",
        concerns=_reached,
        violates=lambda entry: isinstance(entry.outcome, NoResponse),
    ),
)
