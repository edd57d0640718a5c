"""Values that the benches of one check share, and values of each bench alone."""

from __future__ import annotations

import msgspec

from mockcampaign.check.bench.event_budget import EventBudget, Paced
from mockcampaign.check.edge_cases import EdgeCase
from mockcampaign.check.histories.coverage import Coverage
from mockcampaign.check.probes.end_state import StateSource
from mockcampaign.check.probes.store_probe import Counter, StoreProbe
from mockcampaign.check.settings import Settings
from mockcampaign.clocks.clock_file import ClockFile
from mockcampaign.judging.fact import LastReading, Poisoned, Reply
from mockcampaign.policy import Policy
from mockcampaign.shape.field import Event, Value
from mockcampaign.transport import Transport

CALIBRATION = "calibration"
"""In place of the id of a rule, on benches before the first one."""


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """An ordinary batch that the consumer did not accept."""

    rule_id: str
    """Id of the rule that was being examined."""
    replies: tuple[Reply, ...]
    """Replies of the consumer to each attempt."""
    responded: bool
    """Whether the last attempt got a response."""


class Poison(msgspec.Struct, frozen=True, kw_only=True):
    """A batch, or another request, since which the consumer accepts no batches, or its probe fails."""

    fact: Poisoned
    events: tuple[Event, ...] = ()
    """The events of the batch, where they are known."""
    commands: str | None = None
    """Commands that send everything up to a request that Campaign never sends, if it was such a request."""


class Reading(msgspec.Struct, kw_only=True):
    """A reading of a probe that succeeded, and what has happened since."""

    rule_id: str
    """Id of the rule that was being examined."""
    accepted: dict[str, None] = msgspec.field(default_factory=dict)
    """Ids of the rules whose events the consumer has accepted since, until a reading failed."""
    has_failed: bool = False


class Incidents(msgspec.Struct, kw_only=True):
    """Observations that the benches of all rules collect, and that rules at the end of the check judge."""

    accepted_on_retry: list[tuple[Event, ...]] = msgspec.field(default_factory=list)
    """Batches that the consumer accepted, but not at the first attempt, though no fault hit them."""
    rejections: list[Rejection] = msgspec.field(default_factory=list)
    """Ordinary batches that the consumer did not accept."""
    without_response: list[EdgeCase] = msgspec.field(default_factory=list)
    """Edge cases to which the consumer never responds. Each is sent by one rule only, as that waits for time-outs."""
    accepts: bool = False
    """Whether the newest request was a batch, without a fault, that the consumer accepted."""
    works: bool = False
    """Whether the newest batch without a fault was accepted, and no request has failed since."""
    failures: int = 0
    """Number of requests so far to which the consumer responded with a failure of its own, or not at all."""
    limits_rate: bool = False
    """Whether the consumer has rejected batches for their number alone."""
    poison: Poison | None = None
    """The batch from which the consumer has not recovered, if there is one."""
    readings: dict[object, Reading] = msgspec.field(default_factory=dict)
    """The newest reading that succeeded of each probe."""
    elements_read: int = 0
    """Number of elements in the newest response of the probe."""
    still_broken: str = ""
    """Sentence about something that the check has broken and not restored; empty if there is no such thing."""

    def note_accepted(self, rule_id: str) -> None:
        """Note that the consumer has accepted events of this rule; without an id, nothing is noted."""
        for reading in self.readings.values():
            if rule_id and not reading.has_failed:
                reading.accepted[rule_id] = None

    def note_reading(self, source: object, rule_id: str) -> None:
        """Note that a probe was read while this rule was examined."""
        self.readings[source] = Reading(rule_id=rule_id)

    def failed_reading(self, source: object) -> LastReading | None:
        """Note that a probe could not be read. Return when it was read last; None if it never was."""
        reading = self.readings.get(source)
        if reading is None:
            return None
        reading.has_failed = True
        return LastReading(rule_id=reading.rule_id, accepted=tuple(reading.accepted))


class CheckContext(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the benches of one check share."""

    url: str
    transport: Paced
    settings: Settings
    probe: StoreProbe | None
    """Reports the stored events, where the consumer has a probe."""
    state: StateSource | None
    """Reports the end state, where the consumer has a state probe."""
    counters: tuple[Counter, ...]
    """Other numbers that the consumer reports."""
    event_budget: EventBudget
    shown_fields: frozenset[str]
    """Names of the fields that the probe reports unchanged."""
    incidents: Incidents
    coverage: Coverage
    """The situations of random histories so far."""
    taken: set[Value]
    """Recipients of the events so far, where these identify an event instead of a mail: no two rules share one."""
    clock: ClockFile | None = None
    """Leads the consumer's clock, if that follows virtual time."""

    def for_part(self, settings: Settings) -> CheckContext:
        """Return the context of a part of the same check, with other settings but the same event budget."""
        return check_context(
            self.url,
            transport=self.transport,
            settings=settings,
            probe=self.probe,
            state=self.state,
            counters=self.counters,
            event_budget=self.event_budget,
            taken=self.taken,
            clock=self.clock,
        )


def check_context(
    url: str,
    *,
    transport: Transport,
    settings: Settings,
    probe: StoreProbe | None = None,
    state: StateSource | None = None,
    counters: tuple[Counter, ...] = (),
    event_budget: EventBudget | None = None,
    taken: set[Value] | None = None,
    clock: ClockFile | None = None,
) -> CheckContext:
    """Return the context of a new check, or of a part of one with this event budget and what is taken in it."""
    return CheckContext(
        url=url,
        transport=transport if isinstance(transport, Paced) else Paced(transport),
        settings=settings,
        probe=probe,
        state=state,
        counters=counters,
        event_budget=EventBudget(settings.events_max()) if event_budget is None else event_budget,
        shown_fields=frozenset(settings.probe_fields or settings.top_names),
        incidents=Incidents(),
        coverage=Coverage(),
        taken=set() if taken is None else taken,
        clock=clock,
    )


class RuleSlot(msgspec.Struct, frozen=True, kw_only=True):
    """The share of a check that belongs to one rule's bench alone."""

    rule_id: str
    """Id of the rule; further benches of the same rule append `:` and a number."""
    start: int
    """Virtual time at which the bench starts, in milliseconds since 1970."""
    number: int
    """Number of the rule, which keeps the times of its events apart from those of other rules."""
    policy: Policy | None = None
    """Policy of the sender; None stands for the one that the settings ask for."""

    @property
    def rule(self) -> str:
        """Id of the rule, also of its further benches; empty before the first one."""
        rule_id = self.rule_id.partition(":")[0]
        return "" if rule_id == CALIBRATION else rule_id

    def another(self, number: int, *, start: int) -> RuleSlot:
        """Return the slot of a further bench of the same rule."""
        return msgspec.structs.replace(self, rule_id=f"{self.rule_id}:{number}", start=start)
