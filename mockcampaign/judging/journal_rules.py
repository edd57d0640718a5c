"""The rules that are judged from the journal alone, in every run and whatever the scenario expects."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from mockcampaign.engine.journal import Attempted, Entry
from mockcampaign.faults import FAULTS
from mockcampaign.judging.fact import AllAttempts, AnyFact, AttemptsEnded, Precondition, Reply, Unmet, identity_of
from mockcampaign.judging.finding import Finding, Judgement, Level
from mockcampaign.model import CONNECT_PHASES, INTERRUPTED, NoResponse, Responded, TimedOut


class JournalRule(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement on a consumer, which its attempts keep or violate."""

    id: str
    title: str
    level: Level
    requirement: str
    """The sentence that obliges the consumer, with its source."""
    expected: str
    concerns: Callable[[Attempted], bool]
    """Whether the rule applies to an attempt."""
    violates: Callable[[Attempted], bool]
    """Whether such an attempt violates the rule."""
    rejects: Callable[[Attempted], bool] = lambda _: False
    """Whether such an attempt keeps the rule by a rejection, which a report must not count as accepted."""

    def judge(self, entries: Sequence[Entry], say: Callable[[Sequence[AnyFact]], str]) -> Finding:
        """Judge a journal by the rule; `say` puts facts into words."""
        examined = [
            (position, entry)
            for position, entry in enumerate(entries)
            if isinstance(entry, Attempted) and self.concerns(entry)
        ]
        violations = [(position, entry) for position, entry in examined if self.violates(entry)]
        outcome: Judgement = "pass"
        facts: tuple[AnyFact, ...] = (
            AllAttempts(
                attempts=sum(entry.count for _, entry in examined),
                rejected=sum(entry.count for _, entry in examined if self.rejects(entry)),
            ),
        )
        if not examined:
            outcome, facts = "not-exercised", (Unmet(why=Precondition.NOTHING_REACHED_CONSUMER),)
        elif violations:
            outcome = "fail" if self.level == "must" else "warn"
            times = sum(entry.count for _, entry in violations)
            facts = (AttemptsEnded(reply=Reply.of(violations[0][1].outcome), attempts=times),)
        return Finding(
            id=self.id,
            title=self.title,
            level=self.level,
            outcome=outcome,
            requirement=self.requirement,
            expected=self.expected,
            actual=say(facts),
            facts=facts,
            identity=identity_of(facts) if violations else None,
            evidence=tuple(position for position, _ in violations),
        )


def _reached(entry: Attempted) -> bool:
    """Return whether the attempt reached the consumer in a form to which it has to respond."""
    if isinstance(entry.outcome, Responded):
        return True
    ours = entry.outcome == INTERRUPTED or not all(FAULTS[kind].harmless for kind in entry.faults)
    return not ours and entry.outcome.phase not in CONNECT_PHASES


JOURNAL_RULES: tuple[JournalRule, ...] = (
    JournalRule(
        id="responds-200",
        title="Responds 200, and no other status, to a batch it accepts",
        level="must",
        requirement="An attempt succeeds if the consumer responds 200; otherwise Campaign retries it every 10 seconds "
        "(vendor's webhook guide). Campaign does not follow redirects (assumed).",
        expected="200, or an error status for a batch it rejects",
        concerns=lambda entry: isinstance(entry.outcome, Responded),
        violates=lambda entry: isinstance(entry.outcome, Responded) and 200 < entry.outcome.status < 400,
        rejects=lambda entry: not entry.outcome.accepted,
    ),
    JournalRule(
        id="responds-in-time",
        title="Responds within the sender's time-out",
        level="should",
        requirement="An attempt without a response within the time-out has failed and is retried (assumed: 10 s).",
        expected="a complete response within the time-out",
        concerns=_reached,
        violates=lambda entry: isinstance(entry.outcome, TimedOut),
    ),
    JournalRule(
        id="sends-complete-response",
        title="Sends a complete HTTP response to every request",
        level="should",
        requirement="Only a 200 that arrives ends the retries (vendor's webhook guide).",
        expected="a complete HTTP response",
        concerns=_reached,
        violates=lambda entry: isinstance(entry.outcome, NoResponse),
    ),
)
