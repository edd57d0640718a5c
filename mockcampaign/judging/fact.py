"""What examining a rule has shown, as data.

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

Need = Literal["probe", "probe events", "state", "credentials", "connection", "https", "restart command"]
"""Something without which a rule cannot be examined."""


class _Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value whose text may have come from the consumer."""

    foreign: ClassVar[frozenset[str]] = frozenset()
    """Names of the fields that may quote the consumer, and so may echo a secret."""

    def masked(self, mask: Callable[[str], str]) -> Self:
        """Return the same value with `mask` applied to all that may quote the consumer."""
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
    """The HTTP status; None where no complete response came."""
    phase: str | None = None
    """How far an attempt without a response got, as in `model.PHASES`."""
    timed_out: bool = False
    """Whether the time-out ended it."""
    reason: str = ""
    """Why no response came, in the sender's words."""
    location: str | None = None
    """Where a redirect leads."""

    @classmethod
    def of(cls, outcome: Outcome) -> Reply:
        """Reduce an outcome to what tells it from others."""
        match outcome:
            case Responded(status=status, headers=headers):
                return cls(status=status, location=dict(headers).get("location") if 300 <= status < 400 else None)
            case TimedOut(phase=phase):
                return cls(phase=phase, timed_out=True, reason=outcome.describe())
            case NoResponse(phase=phase, reason=reason):
                return cls(phase=phase, reason=reason)

    @property
    def accepted(self) -> bool:
        """Whether it is a 200."""
        return self.status == 200

    @property
    def identity(self) -> str:
        """What distinguishes it: the status, or how the attempt ended without one."""
        if self.status is not None:
            return str(self.status)
        return f"{'time-out' if self.timed_out else 'no-response'}({self.phase})"


def replies(outcomes: Iterable[Outcome]) -> tuple[Reply, ...]:
    """Reduce the outcomes of a delivery's attempts."""
    return tuple(map(Reply.of, outcomes))


class EdgeCaseField(_Value, frozen=True, kw_only=True):
    """The one field that makes an event an edge case."""

    foreign = frozenset({"value"})
    name: str
    value: str = ""
    """The JSON text of its value."""
    absent: bool = False
    """Whether the field is left out."""

    @property
    def identity(self) -> str:
        """The field's name, and which kind of value it has."""
        return f"{self.name}={'absent' if self.absent else _kind_of(self.value)}"


def _kind_of(text: str) -> str:
    kinds = {'"': "text", "[": "list", "{": "object", "n": "null", "t": "true", "f": "false"}
    return kinds.get(text[:1], "number")


class HistoryStep(_Value, frozen=True, kw_only=True):
    """One step of a random history."""

    kind: Literal["events", "repeat", "fault", "outage", "time"]
    fault: str = ""
    """The fault's name, for a fault."""
    events: int = 0
    """How many events occur, for events."""
    milliseconds: int = 0
    """How long it lasts, for an outage or time."""


class Stimulus(_Value, frozen=True, kw_only=True):
    """What was sent or done to the consumer."""

    situation: Situation
    events: int | None = None
    """How many events the batch held."""
    sizes: tuple[int, ...] = ()
    """The same of several batches."""
    body_bytes: int | None = None
    times: int | None = None
    """How often it was done."""
    milliseconds: int | None = None
    """A virtual or wall-clock duration that belongs to it."""
    variant: str = ""
    """A value of the protocol: a method, a header's value, an event type, a way to give credentials."""
    edge_cases: tuple[EdgeCaseField, ...] = ()
    steps: tuple[HistoryStep, ...] = ()

    @property
    def identity(self) -> str:
        """The situation with its variant and edge cases, without counts, sizes and values."""
        parts = [self.variant] if self.variant else []
        parts += dict.fromkeys(one.identity for one in self.edge_cases)
        return f"{self.situation.value}[{','.join(parts)}]" if parts else self.situation.value


class FieldChange(_Value, frozen=True, kw_only=True):
    """One field of an event that is stored otherwise than it was sent."""

    foreign = frozenset({"sent", "stored"})
    name: str
    sent: str | None
    """JSON text; None where the field was absent."""
    stored: str | None
    """JSON text; None where the field is absent from the store."""


class EventDifference(_Value, frozen=True, kw_only=True):
    """One event that is missing from the store, there too often, or altered."""

    foreign = frozenset({"event"})
    kind: Literal["missing", "duplicate", "altered"]
    event: str
    """What identifies the event: its type, ids and moment."""
    changes: tuple[FieldChange, ...] = ()


def _kebab(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")


class Fact(_Value, frozen=True, kw_only=True, tag_field="fact", tag=_kebab):
    """One thing that was seen."""

    @property
    def identity(self) -> str:
        """What distinguishes this fact from others of the same rule, whatever the run; empty if nothing does."""
        return ""


class Response(Fact, frozen=True, kw_only=True):
    """The consumer responded to something, or did not."""

    to: Stimulus
    replies: tuple[Reply, ...]
    """One for each attempt."""

    @property
    def identity(self) -> str:
        """The statuses, in order and without repetitions, and what they responded to."""
        return f"{'>'.join(dict.fromkeys(reply.identity for reply in self.replies))} to {self.to.identity}"


class StoreDiffers(Fact, frozen=True, kw_only=True):
    """The stored events are not the ones that were delivered."""

    after: Stimulus | None = None
    """What was sent before; None where the whole run was."""
    missing: int = 0
    duplicate: int = 0
    altered: int = 0
    changed_fields: tuple[str, ...] = ()
    """Names of the fields that were altered in any event."""
    examples: tuple[EventDifference, ...] = ()
    """The first event of each kind."""

    @property
    def identity(self) -> str:
        """Which kinds of difference there are, in which fields, and after what."""
        kinds = [name for name in ("missing", "duplicate") if getattr(self, name)]
        if self.altered:
            kinds.append(f"altered({','.join(sorted(self.changed_fields))})")
        return "+".join(kinds) + ("" if self.after is None else f" after {self.after.identity}")


class StoreAgrees(Fact, frozen=True, kw_only=True):
    """The stored events are the ones that were delivered."""

    after: Stimulus | None = None
    events: int = 0
    """How many were delivered, where that is worth saying."""


class StoredPositions(Fact, frozen=True, kw_only=True):
    """Which events of a batch were stored, counted from 1."""

    events: int
    stored: tuple[int, ...]


class SmallestRejected(Fact, frozen=True, kw_only=True):
    """The smallest batch that the consumer rejects."""

    events: int
    body_bytes: int | None = None


class Costs(Fact, frozen=True, kw_only=True):
    """What it costs that the consumer rejects a batch, until it is accepted or its events expire."""

    of: Stimulus | None = None
    reply: Reply | None = None
    requests: int = 0
    """How many requests it takes; none where Campaign never sends such a thing."""
    body_bytes: int = 0
    events_lost: int = 0

    @property
    def identity(self) -> str:
        """The rejected batch and the status, which tell what is being paid for."""
        if self.of is None or self.reply is None or not self.requests:
            return ""
        return f"{self.reply.identity} to {self.of.identity}"


class BlocksOthers(Fact, frozen=True, kw_only=True):
    """What a rejected batch does to later events."""

    events: int
    milliseconds: int | None
    """How long they wait, in virtual milliseconds; None where they are lost."""


class FieldsAltered(Fact, frozen=True, kw_only=True):
    """Fields that the consumer stores otherwise than they were sent."""

    changes: tuple[FieldChange, ...]

    @property
    def identity(self) -> str:
        """The names of the fields."""
        return f"altered({','.join(sorted({change.name for change in self.changes}))})"


class KeysOn(Fact, frozen=True, kw_only=True):
    """The fields by which the consumer recognises an event, and what that loses."""

    event_type: str
    fields: tuple[str, ...]
    ignored: tuple[str, ...]
    """Fields that do not count, or parts of fields, as `<field>.case` or `created.milliseconds`."""
    events_lost: int
    events: int
    """How many genuine events were sent."""
    pairs: int
    """How many pairs of events that differ in one field were tried."""

    @property
    def identity(self) -> str:
        """The fields that do not count."""
        return f"ignores({','.join(self.ignored)})"


class CountsTwice(Fact, frozen=True, kw_only=True):
    """Redelivered events are stored again when they arrive in a longer batch."""

    event_type: str
    duplicate: int
    events: int

    @property
    def identity(self) -> str:
        """That it happens; how often varies."""
        return "stores-redelivered-again"


class StateIsStale(Fact, frozen=True, kw_only=True):
    """The reported end state is not the newest event's."""

    foreign = frozenset({"stated", "newest"})
    stale: int
    states: int
    field: str | None
    """The first field that shows it; None where there is no state at all."""
    stated: str = ""
    newest: str = ""

    @property
    def identity(self) -> str:
        """That the state is stale."""
        return "stale-state"


class Died(Fact, frozen=True, kw_only=True):
    """The consumer was gone after something that reached it."""

    foreign = frozenset({"reason"})
    after: Stimulus
    replies: tuple[Reply, ...] = ()
    reason: str

    @property
    def identity(self) -> str:
        """What it died of."""
        return f"died after {self.after.identity}"


class LostInCrash(Fact, frozen=True, kw_only=True):
    """Acknowledged events that are gone after the consumer was killed."""

    lost: int
    events: int
    """How many events were acknowledged."""
    crashes: int
    window: int | None = None
    """Events acknowledged up to this many milliseconds before the kill were lost; None where any age is."""
    stored_from: int | None = None
    """Events acknowledged at least this many milliseconds before the kill were stored, if any are older than that."""
    quiet: int
    """How many milliseconds passed between the last response and the kill, where nothing was under way."""

    @property
    def identity(self) -> str:
        """Whether only the last moments are lost."""
        return "lost-in-crash" if self.window is None else "lost-shortly-before-crash"


class SurplusBytes(Fact, frozen=True, kw_only=True):
    """More bytes arrived with a response than its head announces, so the next response would begin with them."""

    to: Stimulus

    @property
    def identity(self) -> str:
        """That it happens; at which request varies."""
        return "surplus-bytes"


class StoredAnyway(Fact, frozen=True, kw_only=True):
    """Events of a request that is no delivery, or that the consumer rejected, are in the store."""

    events: int

    @property
    def identity(self) -> str:
        """That it happens."""
        return "stored-anyway"


class StoredNonEvent(Fact, frozen=True, kw_only=True):
    """An element of a batch that is not an event is in the store."""

    @property
    def identity(self) -> str:
        """That it is stored."""
        return "stored-non-event"


class HandshakeFailed(Fact, frozen=True, kw_only=True):
    """No TLS connection was made."""

    reply: Reply

    @property
    def identity(self) -> str:
        """That it failed."""
        return "handshake-failed"


class RejectsLater(Fact, frozen=True, kw_only=True):
    """Credentials that are nearly right are rejected later than others."""

    variant: str
    milliseconds: int

    @property
    def identity(self) -> str:
        """Which credentials."""
        return f"later({self.variant})"


class Unavailable(Fact, frozen=True, kw_only=True):
    """Ordinary batches were not accepted at some time during the check."""

    replies: tuple[Reply, ...]
    first_rule: str | None
    """The rule that was being examined when it began."""
    more_rules: int
    recovered: bool
    """Whether they are accepted again at the end of the check."""

    @property
    def identity(self) -> str:
        """Where it began."""
        return f"unavailable({self.first_rule or ''})"


class AttemptsEnded(Fact, frozen=True, kw_only=True):
    """What a journal's attempts came to, where they break a rule."""

    reply: Reply
    attempts: int

    @property
    def identity(self) -> str:
        """How they ended."""
        return self.reply.identity


class AllAttempts(Fact, frozen=True, kw_only=True):
    """How many attempts of a journal keep a rule, which is all of them."""

    attempts: int


class Confirmed(Fact, frozen=True, kw_only=True):
    """Something held that no other fact says."""

    what: Confirmation
    sizes: tuple[int, ...] = ()
    count: int = 0
    times: int = 0
    milliseconds: int = 0


class Confirmation(StrEnum):
    """What `Confirmed` confirms."""

    COMPLETE_RESPONSES = "complete-responses"
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
    STORED_ONLY_AFTER_RESTART = "stored-only-after-restart"
    AVAILABLE_THROUGHOUT = "available-throughout"
    RECOVERED = "recovered"
    NEIGHBOURS_STORED = "neighbours-stored"
    CONNECTION_KEPT = "connection-kept"
    ONLY_EVENT_STORED = "only-event-stored"
    VALID_CREDENTIALS_ACCEPTED = "valid-credentials-accepted"
    MANY_REQUESTS = "many-requests"
    BACKLOG_DRAINED = "backlog-drained"


class Needs(Fact, frozen=True, kw_only=True):
    """A rule was skipped, since the check was not given something."""

    need: Need


class DependsOn(Fact, frozen=True, kw_only=True):
    """A rule was skipped, since it cannot be judged while another one fails."""

    rule_id: str


class NotReached(Fact, frozen=True, kw_only=True):
    """A rule was not even begun."""

    why: Literal["budget", "interrupted", "unavailable", "consumer-gone", "basics-violated", "basics-inconclusive"]
    rule_id: str | None = None
    """The rule that kept it from being reached."""
    budget: int | None = None
    """The check's budget, in milliseconds."""


class Unfinished(Fact, frozen=True, kw_only=True):
    """A rule was begun, but not finished."""

    why: Literal["budget", "share", "interrupted"]
    budget: int | None = None


class EventBudgetReached(Fact, frozen=True, kw_only=True):
    """The check has made as many events as it may."""

    events: int


class Unmet(Fact, frozen=True, kw_only=True):
    """A rule was skipped, since something that it takes for granted does not hold."""

    why: Precondition
    variant: str = ""
    events: int | None = None


class Precondition(StrEnum):
    """What `Unmet` says does not hold."""

    NO_SUCH_FIELDS = "no-such-fields"
    NO_DEVICE_FIELDS = "no-device-fields"
    DIFFERENT_EVENTS_MERGED = "different-events-merged"
    STORED_EVENT_NOT_FOUND = "stored-event-not-found"
    CREATED_NOT_REPORTED = "created-not-reported"
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
    NEVER_GONE = "never-gone"
    NOTHING_ACKNOWLEDGED_BEFORE_CRASH = "nothing-acknowledged-before-crash"
    FAULT_NOT_SUPPORTED = "fault-not-supported"
    SINGLE_EDGE_CASE_FAILS = "single-edge-case-fails"
    NOTHING_REACHED_CONSUMER = "nothing-reached-consumer"
    REJECTED_IS_NOT_LOST = "rejected-is-not-lost"


class Rejected(Fact, frozen=True, kw_only=True):
    """A rule was skipped, since something ordinary that it builds on was rejected."""

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
    """The first of them."""


class Inconclusive(Fact, frozen=True, kw_only=True):
    """No verdict was possible, for no fault of the consumer."""

    foreign = frozenset({"message"})
    message: str


class OwnTrouble(Fact, frozen=True, kw_only=True):
    """An exception that is our own mistake."""

    foreign = frozenset({"message"})
    error: str
    message: str
    place: str


class Under(Fact, frozen=True, kw_only=True):
    """What was seen where something else is assumed of the sender."""

    variation: str
    """The variation's name."""
    facts: tuple[AnyFact, ...]

    @property
    def identity(self) -> str:
        """The variation, and what was seen."""
        return f"under {self.variation}: {identity_of(self.facts)}"


AnyFact = (
    Response
    | StoreDiffers
    | StoreAgrees
    | StoredPositions
    | SmallestRejected
    | Costs
    | BlocksOthers
    | FieldsAltered
    | KeysOn
    | CountsTwice
    | StateIsStale
    | Died
    | LostInCrash
    | SurplusBytes
    | StoredAnyway
    | StoredNonEvent
    | HandshakeFailed
    | RejectsLater
    | Unavailable
    | AttemptsEnded
    | AllAttempts
    | Confirmed
    | Needs
    | DependsOn
    | NotReached
    | Unfinished
    | EventBudgetReached
    | Unmet
    | Rejected
    | NotStored
    | NoVerdict
    | Inconclusive
    | OwnTrouble
    | Under
)
"""Every kind of fact."""

IDENTITY_MAX = 500
"""Characters of an identity: enough to tell findings apart, and to be read."""


def identity_of(facts: Sequence[AnyFact]) -> str:
    """Return what makes two findings of one rule the same, whatever the run and the wording."""
    return "; ".join(dict.fromkeys(_identities(facts)))[:IDENTITY_MAX]


def _identities(facts: Sequence[AnyFact]) -> Iterator[str]:
    for fact in facts:
        if fact.identity:
            yield fact.identity


def masked(facts: Sequence[AnyFact], mask: Callable[[str], str]) -> tuple[AnyFact, ...]:
    """Return the facts with `mask` applied to all that may quote the consumer."""
    return tuple(fact.masked(mask) for fact in facts)
