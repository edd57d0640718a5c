"""Facts: the observations of a rule, as data.

A rule returns facts and never a sentence: `report.sentences` turns them into words. What makes two findings the
same is their `identity`, which is made of ids, statuses and field names alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import ClassVar, Literal, Self

import msgspec

from mockcampaign.judging.situation import Situation
from mockcampaign.model import NoResponse, Outcome, Responded, TimedOut

Need = Literal[
    "probe",
    "probe events",
    "state",
    "credentials",
    "connection",
    "https",
    "batches",
    "restart command",
    "break command",
]
"""A precondition without which a rule is skipped."""


class _Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value whose text may have come from the consumer."""

    foreign: ClassVar[frozenset[str]] = frozenset()
    """Names of the fields that may quote the consumer, and so may echo a secret."""

    def masked(self, mask: Callable[[str], str]) -> Self:
        """Return the same value with `mask` applied to every text that may quote the consumer."""
        changed = {name: _masked(getattr(self, name), name in self.foreign, mask) for name in self.__struct_fields__}
        return msgspec.structs.replace(self, **changed)


def _masked(value: object, foreign: bool, mask: Callable[[str], str]) -> object:
    match value:
        case str() if foreign and not isinstance(value, StrEnum):
            return mask(value)
        case _Value():
            return value.masked(mask)
        case tuple():
            return tuple(_masked(one, foreign, mask) for one in value)
        case _:
            return value


class Reply(_Value, frozen=True, kw_only=True):
    """How one attempt ended."""

    foreign = frozenset({"reason", "location"})
    status: int | None = None
    """The HTTP status; None if there was no complete response."""
    phase: str | None = None
    """How far an attempt without a response got, as in `model.PHASES`."""
    timed_out: bool = False
    """Whether the attempt timed out."""
    reason: str = ""
    """Why there was no response, in the sender's words."""
    location: str | None = None
    """Target of a redirect."""

    @classmethod
    def of(cls, outcome: Outcome) -> Reply:
        """Return the reply of an attempt, reduced to what distinguishes it from others."""
        match outcome:
            case Responded(status=status, headers=headers):
                return cls(status=status, location=dict(headers).get("location") if 300 <= status < 400 else None)
            case TimedOut(phase=phase):
                return cls(phase=phase, timed_out=True, reason=outcome.describe())
            case NoResponse(phase=phase, reason=reason):
                return cls(phase=phase, reason=reason)

    @property
    def accepted(self) -> bool:
        """Whether the reply is a 200."""
        return self.status == 200

    @property
    def identity(self) -> str:
        """The part of an identity that stands for this reply: its status, or how the attempt ended without one."""
        if self.status is not None:
            return str(self.status)
        return f"{'time-out' if self.timed_out else 'no-response'}({self.phase})"


def replies(outcomes: Iterable[Outcome]) -> tuple[Reply, ...]:
    """Return the replies to the attempts of one delivery."""
    return tuple(map(Reply.of, outcomes))


class EdgeCaseField(_Value, frozen=True, kw_only=True):
    """The one field that makes an event an edge case."""

    foreign = frozenset({"value"})
    name: str
    value: str = ""
    """Value of the field, as JSON text."""
    absent: bool = False
    """Whether the field is left out."""

    @property
    def identity(self) -> str:
        """The part of an identity that stands for this field: its name and its kind of value."""
        return f"{self.name}={'absent' if self.absent else _kind_of(self.value)}"


def _kind_of(text: str) -> str:
    kinds = {'"': "text", "[": "list", "{": "object", "n": "null", "t": "true", "f": "false"}
    return kinds.get(text[:1], "number")


class HistoryStep(_Value, frozen=True, kw_only=True):
    """One step of a random history."""

    kind: Literal["events", "elsewhere", "repeat", "fault", "outage", "time"]
    fault: str = ""
    """Name of the fault, if the step is one."""
    events: int = 0
    """Number of events that occur, if the step is events."""
    lacks: Literal["", "absent", "null"] = ""
    """In which way an optional field of these events has no value, if one has none."""
    milliseconds: int = 0
    """Duration, if the step is an outage or time, in milliseconds."""


class Stimulus(_Value, frozen=True, kw_only=True):
    """An action on the consumer, such as a batch that was sent."""

    situation: Situation
    events: int | None = None
    """Number of events in the batch."""
    sizes: tuple[int, ...] = ()
    """Numbers of events in several batches."""
    body_bytes: int | None = None
    times: int | None = None
    """How many times it was sent or done."""
    milliseconds: int | None = None
    """A virtual or wall duration that belongs to the situation."""
    variant: str = ""
    """A value of the protocol: a method, a header's value, an event type, a way to give credentials."""
    edge_cases: tuple[EdgeCaseField, ...] = ()
    steps: tuple[HistoryStep, ...] = ()

    @property
    def identity(self) -> str:
        """The part of an identity that stands for this: the situation, its variant and edge cases, but no numbers."""
        parts = [self.variant] if self.variant else []
        parts += dict.fromkeys(one.identity for one in self.edge_cases)
        return f"{self.situation.value}[{','.join(parts)}]" if parts else self.situation.value


class FieldChange(_Value, frozen=True, kw_only=True):
    """One field of an event whose stored value differs from the one that was sent."""

    foreign = frozenset({"sent", "stored"})
    name: str
    sent: str | None
    """Value that was sent, as JSON text; None if the field was absent."""
    stored: str | None
    """Value that is stored, as JSON text; None if the field is absent."""


class EventDifference(_Value, frozen=True, kw_only=True):
    """One event that is missing from the store, duplicated, or altered."""

    foreign = frozenset({"event"})
    kind: Literal["missing", "duplicate", "altered"]
    event: str
    """The fields that identify the event: its type, ids and time."""
    changes: tuple[FieldChange, ...] = ()


def _kebab(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")


class Fact(_Value, frozen=True, kw_only=True, tag_field="fact", tag=_kebab):
    """One observation."""

    @property
    def identity(self) -> str:
        """The part of a finding's identity that stands for this fact in every run; empty if it adds nothing."""
        return ""


class Response(Fact, frozen=True, kw_only=True):
    """The consumer responded to something, or did not."""

    to: Stimulus
    replies: tuple[Reply, ...]
    """Reply to each attempt."""

    @property
    def identity(self) -> str:
        """The statuses, in order and without repetitions, and what they respond to."""
        return f"{'>'.join(dict.fromkeys(reply.identity for reply in self.replies))} to {self.to.identity}"


class Pattern(_Value, frozen=True, kw_only=True):
    """Something that all missing or all duplicate events have in common."""

    of: Literal["missing", "duplicate"]
    what: Literal["shares-key", "value", "first", "last", "all-but-first", "whole-batches", "redelivered"]
    """Values of `fields` in which each is like a stored event; a value that no stored event has; the place in its
    batch; or that it was sent more than once."""
    fields: tuple[str, ...] = ()
    value: str | None = None
    """The value as JSON; None if the field is absent."""
    count: int = 0
    total: int = 0
    """Numbers of batches that are missing, and of all batches; or of missing events that share the fields, and of all
    that are missing, if these are not the same."""


class StoreDiffers(Fact, frozen=True, kw_only=True):
    """The stored events are not the ones that were delivered."""

    after: Stimulus | None = None
    """The action before the observation; None if that is the whole run."""
    missing: int = 0
    duplicate: int = 0
    altered: int = 0
    changed_fields: tuple[str, ...] = ()
    """Names of the fields that were altered in any event."""
    examples: tuple[EventDifference, ...] = ()
    """The first event of each kind."""
    delivered: int = 0
    """Number of delivered events; 0 where it does not matter."""
    patterns: tuple[Pattern, ...] = ()
    """Properties that all missing, or all duplicate, events share."""

    @property
    def identity(self) -> str:
        """The kinds of difference, the fields that differ, and what was sent before."""
        kinds = [name for name in ("missing", "duplicate") if getattr(self, name)]
        if self.altered:
            kinds.append(f"altered({','.join(sorted(self.changed_fields))})")
        return "+".join(kinds) + ("" if self.after is None else f" after {self.after.identity}")


class StoreAgrees(Fact, frozen=True, kw_only=True):
    """The stored events are the ones that were delivered."""

    after: Stimulus | None = None
    events: int = 0
    """Number of delivered events, where it matters."""


class StoredPositions(Fact, frozen=True, kw_only=True):
    """Which events of a batch were stored, counted from 1."""

    events: int
    stored: tuple[int, ...]


class SmallestRejected(Fact, frozen=True, kw_only=True):
    """The smallest batch that the consumer rejects, or acknowledges without storing all of it."""

    events: int
    body_bytes: int | None = None
    lost: bool = False
    """Whether the consumer acknowledges the batch."""
    field: str = ""
    """Name of the field whose length alone is the reason, in a batch of one event; empty if there is none."""
    characters: int = 0


class Costs(Fact, frozen=True, kw_only=True):
    """Costs of rejecting a batch, until it is accepted or its events expire."""

    of: Stimulus | None = None
    reply: Reply | None = None
    requests: int = 0
    """Number of requests; None if Campaign never sends such a thing."""
    body_bytes: int = 0
    events_lost: int = 0

    @property
    def identity(self) -> str:
        """The rejected batch and the status with which it was rejected."""
        if self.of is None or self.reply is None or not self.requests:
            return ""
        return f"{self.reply.identity} to {self.of.identity}"


class NeverResponds(Fact, frozen=True, kw_only=True):
    """Something to which the consumer never responds, so each attempt at it lasts until the time-out."""

    timeout: int
    """Milliseconds that Campaign waits each time."""
    attempts: int
    """Number of attempts until the event expires."""


class BlocksOthers(Fact, frozen=True, kw_only=True):
    """Delay or loss of later events behind a rejected batch."""

    events: int
    milliseconds: int | None
    """How long they wait, in virtual milliseconds; None if they are lost."""


class FieldsAltered(Fact, frozen=True, kw_only=True):
    """Fields whose stored values differ from the ones that were sent."""

    changes: tuple[FieldChange, ...]
    absent: tuple[str, ...] = ()
    """Names of altered fields that no stored event has."""
    kept: tuple[str, ...] = ()
    """Names of the fields that every stored event has, if there are any that none has."""
    unknown: tuple[str, ...] = ()
    """Names in stored events that no event has, if there are fields that no stored event has."""

    @property
    def identity(self) -> str:
        """The names of the altered fields."""
        return f"altered({','.join(sorted({change.name for change in self.changes}))})"


class KeysOn(Fact, frozen=True, kw_only=True):
    """The fields by which the consumer recognises an event, and what that loses."""

    event_type: str
    fields: tuple[str, ...]
    ignored: tuple[str, ...]
    """Fields that do not count, or parts of fields, as `<field>.case` or `created.milliseconds`."""
    events_lost: int
    events: int
    """Number of genuine events that were sent."""
    pairs: int
    """Number of pairs of events that were sent, each with one different field, or with two that differ in where one
    ends."""

    @property
    def identity(self) -> str:
        """The fields that the consumer ignores when it compares events."""
        return f"ignores({','.join(self.ignored)})"


class CountsTwice(Fact, frozen=True, kw_only=True):
    """Redelivered events are stored again when they arrive in a longer batch."""

    event_type: str
    duplicate: int
    events: int
    always: bool = False
    """Whether they are stored again also when they arrive in the same batch."""

    @property
    def identity(self) -> str:
        """States that it happens; how often varies from run to run."""
        return "stores-redelivered-again"


class SometimesRecognised(Fact, frozen=True, kw_only=True):
    """Some redelivered batches are recognised, and some are stored again."""

    recognised: int
    batches: int
    """Number of batches that were redelivered."""

    @property
    def identity(self) -> str:
        """States that it happens; how often varies from run to run."""
        return "recognised-sometimes"


class PairLost(Fact, frozen=True, kw_only=True):
    """An event is lost of one of two pairs of nearly equal events: one pair in one batch, the other in two batches."""

    within: bool
    """Whether it is the pair in one batch."""


class AgeLimit(Fact, frozen=True, kw_only=True):
    """The age from which events are lost or rejected, between two that were tried. Both in milliseconds."""

    kept: int | None
    """The greatest age of an event that was accepted and, with a probe, stored; None if even the least was not."""
    lost: int
    """The least age of an event that was not."""
    is_stored: bool
    """Whether a probe showed it, not only the response."""


class StateIsStale(Fact, frozen=True, kw_only=True):
    """The reported end state is not the newest event's."""

    foreign = frozenset({"stated", "newest"})
    stale: int
    states: int
    field: str | None
    """The first field that shows it; None if there is no state at all."""
    stated: str = ""
    newest: str = ""

    @property
    def identity(self) -> str:
        """States that the end state is stale."""
        return "stale-state"


class Died(Fact, frozen=True, kw_only=True):
    """The consumer could no longer be reached after something that had reached it."""

    foreign = frozenset({"reason"})
    after: Stimulus
    replies: tuple[Reply, ...] = ()
    reason: str
    is_back: bool = False
    """Whether it could be reached again soon, as a process that a supervisor restarts."""

    @property
    def identity(self) -> str:
        """The action that killed the consumer."""
        return f"died after {self.after.identity}"


class LostInCrash(Fact, frozen=True, kw_only=True):
    """Acknowledged events that are gone after the consumer was killed."""

    lost: int
    events: int
    """Number of events that were acknowledged."""
    crashes: int
    window: int | None = None
    """Events acknowledged up to this many milliseconds before the kill were lost; None if events of any age were."""
    stored_from: int | None = None
    """Events acknowledged at least this many milliseconds before the kill were stored, if any are older than that."""
    quiet: int
    """Milliseconds between the last response and the kill, if no request was pending."""

    @property
    def identity(self) -> str:
        """States that events are lost, and whether only the newest ones."""
        return "lost-in-crash" if self.window is None else "lost-shortly-before-crash"


class LostWhileBroken(Fact, frozen=True, kw_only=True):
    """Acknowledged events that are not stored after something that the consumer needs was broken and restored."""

    lost: int
    events: int
    """Number of events that were acknowledged."""
    rejected: int
    """Number of batches that were not acknowledged meanwhile."""

    @property
    def identity(self) -> str:
        """States that such events are lost."""
        return "lost-while-broken"


class SurplusBytes(Fact, frozen=True, kw_only=True):
    """More bytes arrived with a response than its head announces, so the next response would begin with them."""

    to: Stimulus

    @property
    def identity(self) -> str:
        """States that it happens; at which request varies from run to run."""
        return "surplus-bytes"


class StoredAnyway(Fact, frozen=True, kw_only=True):
    """Events of a request that is no delivery, or that the consumer rejected, are in the store."""

    events: int

    @property
    def identity(self) -> str:
        """States that such events are stored."""
        return "stored-anyway"


class StoredNonEvent(Fact, frozen=True, kw_only=True):
    """An element of a batch that is not an event is in the store."""

    @property
    def identity(self) -> str:
        """States that the element is stored."""
        return "stored-non-event"


class HandshakeFailed(Fact, frozen=True, kw_only=True):
    """No TLS connection was made."""

    reply: Reply

    @property
    def identity(self) -> str:
        """States that the handshake failed."""
        return "handshake-failed"


class InFront(Fact, frozen=True, kw_only=True):
    """A response came from what stands before the consumer, such as a proxy or a firewall, and not from itself."""

    foreign = frozenset({"software", "own"})
    status: int
    software: str
    """Name of the software that responded."""
    own: str = ""
    """Names of the software that responded to accepted batches; empty if the body alone shows it."""
    https_port: bool = False
    """Whether the port expects https, and the request was http."""


class ResponseBody(Fact, frozen=True, kw_only=True):
    """The beginning of the body of a response with an error status, which often says why."""

    foreign = frozenset({"text"})
    status: int
    text: str
    """The text of the body in one line, shortened."""


class ReplacedFields(Fact, frozen=True, kw_only=True):
    """The captured values of some fields were replaced, and a consumer may accept only values that it knows."""

    fields: tuple[str, ...]


class UnderscoreInHeader(Fact, frozen=True, kw_only=True):
    """The key is sent in a header whose name contains underscores, which some servers drop."""

    name: str


class RejectsLater(Fact, frozen=True, kw_only=True):
    """Credentials that are nearly right are rejected later than others."""

    variant: str
    milliseconds: int

    @property
    def identity(self) -> str:
        """The credentials that are rejected late."""
        return f"later({self.variant})"


class Unavailable(Fact, frozen=True, kw_only=True):
    """Ordinary batches were not accepted at some time during the check."""

    replies: tuple[Reply, ...]
    first_rule: str | None
    """Id of the rule that was being examined when it began."""
    more_rules: int
    recovered: bool
    """Whether they are accepted again at the end of the check."""

    @property
    def identity(self) -> str:
        """The rule at which it began."""
        return f"unavailable({self.first_rule or ''})"


class LastReading(_Value, frozen=True, kw_only=True):
    """When a probe was read last before it failed, and what came in between."""

    rule_id: str = ""
    """Id of the rule that was being examined; empty before the first one."""
    accepted: tuple[str, ...] = ()
    """Ids of the rules whose events the consumer has accepted since."""


class Poisoned(Fact, frozen=True, kw_only=True):
    """Since one batch that it could not store, the consumer accepts no ordinary batches, or its probe fails."""

    foreign = frozenset({"probe"})
    after: Stimulus
    """The batch after which it began."""
    replies: tuple[Reply, ...]
    """Replies to the attempts at that batch."""
    failed_before: int = 0
    """Number of requests of the whole check that had failed before."""
    rule_id: str
    """Id of the rule that was being examined."""
    since: tuple[Reply, ...] = ()
    """Replies to an ordinary batch since then; empty if ordinary batches are accepted."""
    probe: str = ""
    """How the probe has failed since then; empty if it works, or if there is none."""
    last: LastReading | None = None
    """When the probe was read last, if it has failed."""

    @property
    def identity(self) -> str:
        """The replies since then, or that only the probe fails; the batch varies with the rules that are examined."""
        return f"poisoned({self.since[-1].identity if self.since else 'probe'})"


class ProbeFailed(Fact, frozen=True, kw_only=True):
    """A probe that had worked can no longer be read, for which the consumer may have its reasons."""

    foreign = frozenset({"message"})
    message: str
    last: LastReading


class AttemptsEnded(Fact, frozen=True, kw_only=True):
    """How attempts of a journal ended that violate a rule."""

    reply: Reply
    attempts: int

    @property
    def identity(self) -> str:
        """The reply to the attempts."""
        return self.reply.identity


class JudgedAttempts(StrEnum):
    """Which attempts of a journal a rule judges."""

    WITH_RESPONSE = "with-response"
    REACHED_CONSUMER = "reached-consumer"
    """They reached the consumer in a form to which it has to respond."""


class AllAttempts(Fact, frozen=True, kw_only=True):
    """Numbers of attempts that were sent: those that a rule judges, all of which keep it, and the others."""

    judged: JudgedAttempts
    attempts: int
    """How many attempts the rule judges."""
    rejected: int = 0
    """How many of them the consumer rejected, where the rule is about the status."""
    others: int = 0
    """How many attempts the rule does not judge."""


class Confirmed(Fact, frozen=True, kw_only=True):
    """A requirement was kept, and no other fact says which."""

    what: Confirmation
    sizes: tuple[int, ...] = ()
    count: int = 0
    times: int = 0
    milliseconds: int = 0
    fields: tuple[str, ...] = ()
    """Names of the fields that it is about."""
    not_compared: tuple[str, ...] = ()
    """Names of such fields that the probe does not report as they were sent."""


class Confirmation(StrEnum):
    """A requirement that `Confirmed` confirms."""

    COMPLETE_RESPONSES = "complete-responses"
    RESPONDED_TO_UNSTORABLE = "responded-to-unstorable"
    EVERYTHING_ACCEPTED = "everything-accepted"
    RESPONDED_IN_TIME = "responded-in-time"
    NOTHING_REJECTED = "nothing-rejected"
    REJECTED_LEFT_NOTHING = "rejected-left-nothing"
    ISOLATED_FROM_REJECTED = "isolated-from-rejected"
    NO_BAD_EVENT = "no-bad-event"
    UNREADABLE_REJECTED = "unreadable-rejected"
    CREDENTIALS_REJECTED = "credentials-rejected"
    CREDENTIALS_REJECTED_PROPERLY = "credentials-rejected-properly"
    NOTHING_UNAUTHORISED_STORED = "nothing-unauthorised-stored"
    EQUAL_TIMES = "equal-times"
    METHODS_REJECTED = "methods-rejected"
    READING_REJECTED = "reading-rejected"
    CONCURRENT_SERVED = "concurrent-served"
    OVERSIZED_REJECTED = "oversized-rejected"
    CERTIFICATE_VALID = "certificate-valid"
    CERTIFICATE_VALID_BY_CA = "certificate-valid-by-ca"
    FIELDS_UNCHANGED = "fields-unchanged"
    EDGE_CASES_ACCEPTED = "edge-cases-accepted"
    EDGE_CASES_STORED = "edge-cases-stored"
    EDGE_CASES_STORED_ONCE = "edge-cases-stored-once"
    GENERATED_ACCEPTED = "generated-accepted"
    KEYS_ON_ALL_FIELDS = "keys-on-all-fields"
    CREATED_STORED_EXACTLY = "created-stored-exactly"
    STATES_NEWEST = "states-newest"
    HISTORIES_ENDED_WELL = "histories-ended-well"
    HISTORIES_ENDED_WELL_IN_TIME = "histories-ended-well-in-time"
    DURABLE = "durable"
    STORED_WHILE_BROKEN = "stored-while-broken"
    FAULT_NOT_NOTICED = "fault-not-noticed"
    STORED_ONLY_AFTER_RESTART = "stored-only-after-restart"
    AVAILABLE_THROUGHOUT = "available-throughout"
    RECOVERED = "recovered"
    NOTHING_POISONED = "nothing-poisoned"
    NEIGHBOURS_STORED = "neighbours-stored"
    CONNECTION_KEPT = "connection-kept"
    ONLY_EVENT_STORED = "only-event-stored"
    VALID_CREDENTIALS_ACCEPTED = "valid-credentials-accepted"
    KEEPS_UP = "keeps-up"
    MANY_REQUESTS = "many-requests"
    BACKLOG_DRAINED = "backlog-drained"


class Needs(Fact, frozen=True, kw_only=True):
    """A rule was skipped, since the check was not given something that it needs."""

    need: Need


class DependsOn(Fact, frozen=True, kw_only=True):
    """A rule was skipped, since it cannot be judged while another one fails."""

    rule_id: str


class NotReached(Fact, frozen=True, kw_only=True):
    """A rule was never begun."""

    why: Literal[
        "budget",
        "interrupted",
        "unavailable",
        "poisoned",
        "consumer-gone",
        "still-broken",
        "basics-violated",
        "basics-inconclusive",
    ]
    rule_id: str | None = None
    """Id of the rule that kept it from being reached."""
    budget: int | None = None
    """The check's budget, in milliseconds."""
    enough: int | None = None
    """A budget that would be enough at the consumer's pace, in milliseconds."""
    read: int | None = None
    """Number of events in a response of the probe, if it selects none and there are many."""


class Unfinished(Fact, frozen=True, kw_only=True):
    """A rule was begun, but not finished."""

    why: Literal["budget", "share", "interrupted"]
    budget: int | None = None
    enough: int | None = None
    """A budget that would be enough at the consumer's pace, in milliseconds."""
    read: int | None = None
    """As in `NotReached`."""
    waiting: Stimulus | None = None
    """The special request whose response it waited for when its time was up, if it did."""


class Fewer(Fact, frozen=True, kw_only=True):
    """A rule made do with fewer requests or events than usual, since there was no time for more."""

    done: int
    of: int


class Capacity(Fact, frozen=True, kw_only=True):
    """How many events the consumer can store in a second, and what that means after an outage."""

    per_second: int
    rate: int
    """Events per second that occur on average."""
    outage: int
    """Duration of the outage, in milliseconds."""
    drained: int | None
    """How long the backlog of the outage takes to drain while more events occur, in milliseconds; None if for ever."""
    in_turn: bool
    """Whether webhooks wait for each other."""

    @property
    def identity(self) -> str:
        """States that the consumer is slow, and whether webhooks wait for each other."""
        return "slow, webhooks in turn" if self.in_turn else "slow"


class EventBudgetReached(Fact, frozen=True, kw_only=True):
    """The check has made as many events as it may."""

    events: int


class Unmet(Fact, frozen=True, kw_only=True):
    """A rule was skipped, since one of its preconditions does not hold."""

    why: Precondition
    variant: str = ""
    events: int | None = None


class Precondition(StrEnum):
    """The precondition that `Unmet` reports."""

    NO_SUCH_FIELDS = "no-such-fields"
    NO_DEVICE_FIELDS = "no-device-fields"
    NO_FIELD = "no-field"
    NO_SAMPLE_OF_TYPE = "no-sample-of-type"
    NO_TIME_BETWEEN = "no-time-between"
    DIFFERENT_EVENTS_MERGED = "different-events-merged"
    STORED_EVENT_NOT_FOUND = "stored-event-not-found"
    CREATED_NOT_REPORTED = "created-not-reported"
    PROBE_SELECTS_EVENTS = "probe-selects-events"
    NOT_SENT_AT_START = "not-sent-at-start"
    NO_EDGE_CASE_ACCEPTED_AGAIN = "no-edge-case-accepted-again"
    NO_EDGE_CASE_ACKNOWLEDGED = "no-edge-case-acknowledged"
    LONGER_BATCH_REJECTED = "longer-batch-rejected"
    STATE_LACKS_FIELDS = "state-lacks-fields"
    WEBHOOKS_IN_TURN = "webhooks-in-turn"
    IN_PROCESS_IS_NEVER_SLOW = "in-process-is-never-slow"
    NOTHING_WAS_REJECTED = "nothing-was-rejected"
    REJECTED_BESIDE_FAILING = "rejected-beside-failing"
    NOT_KILLED = "not-killed"
    NOTHING_ACKNOWLEDGED_BEFORE_CRASH = "nothing-acknowledged-before-crash"
    FAULT_NOT_SUPPORTED = "fault-not-supported"
    SINGLE_EDGE_CASE_FAILS = "single-edge-case-fails"
    NOTHING_REACHED_CONSUMER = "nothing-reached-consumer"
    NOTHING_ROTATED = "nothing-rotated"
    REJECTED_IS_NOT_LOST = "rejected-is-not-lost"


class Rejected(Fact, frozen=True, kw_only=True):
    """A rule was skipped, since an ordinary request on which it builds was rejected."""

    response: Response
    ordinary_too: bool = False
    """Whether an ordinary batch was rejected at that moment as well."""


class NotStored(Fact, frozen=True, kw_only=True):
    """A rule was skipped, since something ordinary that it builds on was not stored properly."""

    difference: StoreDiffers


class NoVerdict(Fact, frozen=True, kw_only=True):
    """A whole check is no success although nothing is violated."""

    why: Literal["nothing-examined", "inconclusive", "must-skipped", "nothing-delivered"]
    count: int = 0
    """How many rules are concerned."""
    first: str = ""
    """Id of the first of them."""
    status: int | None = None
    """Status of the responses to ordinary batches, if nothing was examined and it was always the same."""


class Inconclusive(Fact, frozen=True, kw_only=True):
    """There is no verdict, for a reason that is not the consumer's fault."""

    foreign = frozenset({"message"})
    message: str


class OwnTrouble(Fact, frozen=True, kw_only=True):
    """An exception that is a bug of ours."""

    foreign = frozenset({"message"})
    error: str
    message: str
    place: str


class ByCounter(Fact, frozen=True, kw_only=True):
    """Observations by another number that the consumer reports, where the stored events themselves are right."""

    counter: str
    """Name or URL of the counter."""
    facts: tuple[AnyFact, ...]

    @property
    def identity(self) -> str:
        """The counter, and the identities of its facts."""
        return f"by {self.counter}: {identity_of(self.facts)}"


class Under(Fact, frozen=True, kw_only=True):
    """Observations under a variation of the sender."""

    variation: str
    """Name of the variation."""
    facts: tuple[AnyFact, ...]

    @property
    def identity(self) -> str:
        """The variation, and the identities of its facts."""
        return f"under {self.variation}: {identity_of(self.facts)}"


class SetUpCase(_Value, frozen=True, kw_only=True):
    """The case of a provisioning drill: which call of the set-up failed, and how."""

    kind: str
    """`undisturbed`, `restarted` (the server forgot everything after the first run), or the kind of the fault."""
    timing: str = ""
    """`before-effect` or `after-effect`, for a fault."""
    number: int = 0
    """Number of the call that failed, from 1."""
    operation: str = ""
    """Name of its operation."""


class SetUpMistake(StrEnum):
    """A mistake of a set-up."""

    DOUBLED = "doubled"
    ORPHANED = "orphaned"
    DELETED_ACTIVE = "deleted-active"
    DEAD_IDS = "dead-ids"
    NEVER_CONVERGES = "never-converges"
    FALSE_SUCCESS = "false-success"


class SetUpLeft(Fact, frozen=True, kw_only=True):
    """A set-up made a mistake in a case of a provisioning drill."""

    mistake: SetUpMistake
    case: SetUpCase
    webhooks: int
    """Number of webhooks, or of calls, that show it."""
    runs: int
    """How many times the set-up ran."""
    statuses: tuple[int | None, ...]
    """Exit status of each run; None if it ran for too long."""

    @property
    def identity(self) -> str:
        """The mistake, the fault and the operation."""
        where = f" {self.case.timing} of {self.case.operation}" if self.case.operation else ""
        return f"{self.mistake}: {self.case.kind}{where}"


class SetUpPassed(Fact, frozen=True, kw_only=True):
    """No case of a provisioning drill showed the mistake."""

    cases: int
    calls: int
    """Number of calls of an undisturbed set-up."""


class DeployBalance(Fact, frozen=True, kw_only=True):
    """The balance of all events of a deploy drill."""

    created: int
    accepted: int
    """Events that the consumer accepted."""
    discarded: int
    """Events that Campaign discarded after three days."""
    pending: int
    """Events that Campaign would still deliver."""


class DeployStored(Fact, frozen=True, kw_only=True):
    """The acknowledged events of a deploy drill, as the consumer has stored them."""

    acknowledged: int
    missing: int
    duplicate: int
    altered: int


class DeployTook(Fact, frozen=True, kw_only=True):
    """How long a deployment took, and what the deliveries met meanwhile."""

    kind: Literal["restart", "rotation"]
    at: int
    """Virtual milliseconds from the beginning of the traffic."""
    command: int
    """Wall milliseconds that the command took."""
    recovered: int | None
    """Wall milliseconds from the beginning until nothing was pending; None if that never came."""
    attempts: int
    """Attempts meanwhile."""
    failed: int
    """Attempts among them that were not accepted."""


class DeployEvents(Fact, frozen=True, kw_only=True):
    """When the missing events were acknowledged, or those that are stored twice were first delivered."""

    what: Literal["missing", "duplicate"]
    kind: Literal["restart", "rotation"]
    at: int
    """Virtual milliseconds from the beginning of the traffic to the deployment."""
    before: int
    """Events before the deployment."""
    during: int
    """Events while it went on."""


class RotationRejected(Fact, frozen=True, kw_only=True):
    """Deliveries that were rejected around a rotation of the credentials."""

    at: int
    """Virtual milliseconds from the beginning of the traffic to the rotation."""
    after_both: bool
    """Whether Campaign and the consumer had both changed; otherwise only the consumer had."""
    reply: Reply
    attempts: int
    milliseconds: int
    """Virtual time from the change to the last of these attempts."""

    @property
    def identity(self) -> str:
        """The reply, and which side had changed."""
        return f"{self.reply.identity} {'after' if self.after_both else 'within'} rotation"


AnyFact = (
    Response
    | StoreDiffers
    | StoreAgrees
    | StoredPositions
    | SmallestRejected
    | Costs
    | NeverResponds
    | BlocksOthers
    | FieldsAltered
    | KeysOn
    | CountsTwice
    | SometimesRecognised
    | PairLost
    | AgeLimit
    | StateIsStale
    | Died
    | LostInCrash
    | LostWhileBroken
    | SurplusBytes
    | StoredAnyway
    | StoredNonEvent
    | HandshakeFailed
    | InFront
    | ResponseBody
    | ReplacedFields
    | UnderscoreInHeader
    | RejectsLater
    | Unavailable
    | Poisoned
    | ProbeFailed
    | AttemptsEnded
    | AllAttempts
    | Confirmed
    | Needs
    | DependsOn
    | NotReached
    | Unfinished
    | Fewer
    | Capacity
    | EventBudgetReached
    | Unmet
    | Rejected
    | NotStored
    | NoVerdict
    | Inconclusive
    | OwnTrouble
    | ByCounter
    | Under
    | SetUpLeft
    | SetUpPassed
    | DeployBalance
    | DeployStored
    | DeployTook
    | DeployEvents
    | RotationRejected
)
"""Every kind of fact."""

IDENTITY_MAX = 500
"""Greatest length of an identity, in characters: enough to distinguish findings, and to read."""


def identity_of(facts: Sequence[AnyFact]) -> str:
    """Return the identity of a finding, which is the same in every run and whatever the wording."""
    return "; ".join(dict.fromkeys(_identities(facts)))[:IDENTITY_MAX]


def _identities(facts: Sequence[AnyFact]) -> Iterator[str]:
    for fact in facts:
        if fact.identity:
            yield fact.identity


def masked(facts: Sequence[AnyFact], mask: Callable[[str], str]) -> tuple[AnyFact, ...]:
    """Return the facts with `mask` applied to every text that may quote the consumer."""
    return tuple(fact.masked(mask) for fact in facts)
