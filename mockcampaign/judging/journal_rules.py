"""The rules that are judged from the journal alone, in every run and whatever the scenario expects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from mockcampaign.engine.journal import Attempted, Entry
from mockcampaign.faults import FAULTS
from mockcampaign.judging.fact import (
    AllAttempts,
    AnyFact,
    AttemptsEnded,
    JudgedAttempts,
    Precondition,
    Reply,
    Unmet,
    identity_of,
)
from mockcampaign.judging.finding import Finding, Judgement, Level
from mockcampaign.model import CONNECT_PHASES, INTERRUPTED, NoResponse, Responded, TimedOut
from mockcampaign.tables import complete


class JournalRule(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement on a consumer, which its attempts keep or violate."""

    id: str
    title: str
    level: Level
    requirement: str
    """The sentence that obliges the consumer, with its source."""
    expected: str
    judged: JudgedAttempts
    """The attempts that the rule judges, of those that were sent."""
    violates: Callable[[Attempted], bool]
    """Whether such an attempt violates the rule."""
    rejects: Callable[[Attempted], bool] = lambda _: False
    """Whether such an attempt keeps the rule by a rejection, which a report must not count as accepted."""

    def judge(
        self,
        entries: Sequence[Entry],
        say: Callable[[Sequence[AnyFact]], str],
        *,
        is_left_out: Callable[[Attempted], bool] = lambda _: False,
    ) -> Finding:
        """Judge a journal by the rule, without attempts that are left out; `say` puts facts into words."""
        is_judged = _IS_JUDGED[self.judged]
        sent = [
            (position, entry)
            for position, entry in enumerate(entries)
            if isinstance(entry, Attempted) and not entry.simulated
        ]
        examined = [(position, entry) for position, entry in sent if is_judged(entry) and not is_left_out(entry)]
        violations = [(position, entry) for position, entry in examined if self.violates(entry)]
        attempts = _count(examined)
        outcome: Judgement = "pass"
        facts: tuple[AnyFact, ...] = (
            AllAttempts(
                judged=self.judged,
                attempts=attempts,
                rejected=_count((position, entry) for position, entry in examined if self.rejects(entry)),
                others=_count(sent) - attempts,
            ),
        )
        if not examined:
            outcome, facts = "not-exercised", (Unmet(why=Precondition.NOTHING_REACHED_CONSUMER),)
        elif violations:
            outcome = "fail" if self.level == "must" else "warn"
            facts = (AttemptsEnded(reply=Reply.of(violations[0][1].outcome), attempts=_count(violations)),)
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


def _count(attempts: Iterable[tuple[int, Attempted]]) -> int:
    """Return how many attempts entries contain."""
    return sum(entry.count for _, entry in attempts)


def _has_response(entry: Attempted) -> bool:
    return isinstance(entry.outcome, Responded)


def _reached(entry: Attempted) -> bool:
    """Return whether the attempt reached the consumer in a form to which it has to respond."""
    if isinstance(entry.outcome, Responded):
        return True
    ours = entry.outcome == INTERRUPTED or not all(FAULTS[kind].harmless for kind in entry.faults)
    return not ours and entry.outcome.phase not in CONNECT_PHASES


_IS_JUDGED: Mapping[JudgedAttempts, Callable[[Attempted], bool]] = complete(
    "the attempts that a rule judges",
    JudgedAttempts,
    {JudgedAttempts.WITH_RESPONSE: _has_response, JudgedAttempts.REACHED_CONSUMER: _reached},
)

JOURNAL_RULES: tuple[JournalRule, ...] = (
    JournalRule(
        id="responds-200",
        title="Responds 200, and no other status, to a batch it accepts",
        level="must",
        requirement="An attempt succeeds if the consumer responds 200; otherwise Campaign retries it every 10 seconds "
        "(vendor's webhook guide). Campaign does not follow redirects (assumed).",
        expected="200, or an error status for a batch it rejects",
        judged=JudgedAttempts.WITH_RESPONSE,
        violates=lambda entry: isinstance(entry.outcome, Responded) and 200 < entry.outcome.status < 400,
        rejects=lambda entry: not entry.outcome.accepted,
    ),
    JournalRule(
        id="responds-in-time",
        title="Responds within the sender's time-out",
        level="should",
        requirement="An attempt without a response within the time-out has failed and is retried (assumed: 10 s).",
        expected="a complete response within the time-out",
        judged=JudgedAttempts.REACHED_CONSUMER,
        violates=lambda entry: isinstance(entry.outcome, TimedOut),
    ),
    JournalRule(
        id="sends-complete-response",
        title="Sends a complete HTTP response to every request",
        level="should",
        requirement="Only a 200 that arrives ends the retries (vendor's webhook guide).",
        expected="a complete HTTP response",
        judged=JudgedAttempts.REACHED_CONSUMER,
        violates=lambda entry: isinstance(entry.outcome, NoResponse),
    ),
)
