"""Examining the catalogue, rule by rule, each on a bench of its own."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import assert_never

import msgspec

from mockcampaign.check.behaviours import BEHAVIOURS
from mockcampaign.check.bench.bench import Bench, Refusal
from mockcampaign.check.bench.event_budget import EventBudget
from mockcampaign.check.examined import ConsumerDiedError, Event, Examined, NotExercised, failed
from mockcampaign.check.probes.end_state import StateSource
from mockcampaign.check.probes.store_probe import Found, StoreProbe
from mockcampaign.check.reproduction import reproduce
from mockcampaign.check.rule import Rule
from mockcampaign.check.rules import AVAILABILITY, BASICS, CATALOGUE, FAMILIES, STORE
from mockcampaign.check.settings import Settings
from mockcampaign.durations import format_duration
from mockcampaign.engine.journal import Attempted, Entry
from mockcampaign.errors import ConsumerUnreachableError, CouldNotTellError, InvalidInputError
from mockcampaign.faults import NewConnection
from mockcampaign.judging.consumer_store import events_in, shown
from mockcampaign.judging.fact import (
    AnyFact,
    DependsOn,
    EventDifference,
    Inconclusive,
    Need,
    Needs,
    NotReached,
    OwnTrouble,
    Unfinished,
    identity_of,
    masked,
)
from mockcampaign.judging.finding import Finding, Judgement
from mockcampaign.judging.ledger import NO_DELIVERIES, DeliveryCounts
from mockcampaign.masking import Masking
from mockcampaign.model import NoAuthentication
from mockcampaign.policy import HOUR, MINUTE
from mockcampaign.report import sentences
from mockcampaign.report.advice import advice
from mockcampaign.text import counted, unknown
from mockcampaign.transport import Transport
from mockcampaign.wallclock import Stopwatch

SLOT = 6 * MINUTE
"""Virtual milliseconds from one rule's start to the next one's: no rule's events are older than those before."""

RECENT = 10 * HOUR
"""The first rule starts so long before now."""


SHARE_MAX = 0.6
"""Of the time that is left, so much is for one rule."""

REFUSED_IN_A_ROW = 3
"""After so many rules for which the consumer does not even take an ordinary list, no others are examined."""


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """What examining one rule came to."""

    rule: Rule
    finding: Finding
    entries: list[Entry] | None
    """The journal of its sender; None where it was not even begun."""
    webhooks: dict[str, int] = {}
    """Ids by name."""
    besides: DeliveryCounts = NO_DELIVERIES
    """Deliveries that no journal was kept of."""
    varied: tuple[tuple[str, Examination], ...] = ()
    """The same under other assumptions about the sender, by what is assumed."""


_ORDER = [rule.id for rule in sorted(CATALOGUE, key=lambda rule: rule.stage)]
"""Of all rules, as they are examined."""


def select(settings: Settings) -> list[Rule]:
    """The rules to examine, in their order. Raises `InvalidInputError` for a name that is none."""
    names = [rule.id for rule in CATALOGUE] + list(FAMILIES)
    for name in (*settings.rules, *settings.skip):
        if name not in names:
            raise InvalidInputError(unknown("rule or family", name, names))
    wanted, unwanted = set(settings.rules), set(settings.skip)
    chosen = [
        rule
        for rule in CATALOGUE
        if (not wanted or wanted & {rule.id, rule.family}) and not unwanted & {rule.id, rule.family}
    ]
    if not chosen:
        raise InvalidInputError("--rules and --skip leave no rule to examine")
    return sorted(chosen, key=lambda rule: rule.stage)


class Examiner:
    """Examines the rules one after the other. `examinations` grows by one for each, and is right at any time."""

    def __init__(
        self,
        url: str,
        *,
        transport: Transport,
        settings: Settings,
        source: StoreProbe | None,
        state: StateSource | None = None,
        allowance: EventBudget | None = None,
        told: Callable[[Examination], None] = lambda examination: None,
    ) -> None:
        """`told` is called with each result. `allowance` is the whole check's, where this is only a part of it.

        Raises `InvalidInputError` as `select` does.
        """
        self.rules = select(settings)
        self.examinations: list[Examination] = []
        self._url = url
        self._transport = transport
        self._settings = settings
        self._masking = Masking(settings.authentication.secrets())
        self._source = source
        self._state = state
        self._told = told
        self._stopwatch = Stopwatch()
        self._shown_fields = frozenset(settings.probe_fields)
        self._setbacks: list[tuple[Event, ...]] = []
        self._refusals: list[Refusal] = []
        self._refused_in_a_row = 0
        self._prepared: dict[str, Bench] = {}
        self.allowance = EventBudget(settings.events_max()) if allowance is None else allowance
        self._besides = NO_DELIVERIES
        self._at_rest = False
        """Whether the account was seen to hold all that was sent so far."""

    @property
    def milliseconds(self) -> int:
        """Since it was made, by the wall's clock."""
        return self._stopwatch.milliseconds

    async def run(self) -> None:
        """Examine all.

        Raises `CouldNotTellError` where the consumer cannot be reached, or its account or end state not be read, also
        where that takes all of the budget.
        """
        try:
            async with asyncio.timeout(self._left()) as limit:
                await self._calibrate()
                await self._prepare()
        except TimeoutError:
            if not limit.expired():
                raise
            raise CouldNotTellError(
                f"not even begun within the budget of {format_duration(self._settings.budget)} (--budget): the "
                "consumer or its account never came to rest"
            ) from None
        stopped: tuple[Judgement, AnyFact] | None = None
        for rule in self.rules:
            missing = self._missing(rule)
            if missing is not None:
                self._add(rule, "not-exercised", (Needs(need=missing),))
            elif stopped is not None and not (rule.id == AVAILABILITY and self._refused_in_a_row >= REFUSED_IN_A_ROW):
                self._add(rule, stopped[0], (stopped[1],))
            elif (ground := self._lost_ground(rule)) is not None:
                self._add(rule, "not-exercised", (DependsOn(rule_id=ground),))
            elif self.allowance.reached is not None:
                self._add(rule, "not-exercised", self.allowance.reached.facts)
            elif self._left() <= 0:
                self._add(rule, "could-not-tell", (NotReached(why="budget", budget=self._settings.budget),))
            else:
                refused = len(self._refusals)
                stopped = await self._examine(rule) or stopped
                self._refused_in_a_row = self._refused_in_a_row + 1 if len(self._refusals) > refused else 0
                if stopped is None and self._refused_in_a_row >= REFUSED_IN_A_ROW:
                    stopped = "not-exercised", NotReached(why="unavailable", rule_id=AVAILABILITY)

    def not_reached(self) -> None:
        """Say of the rules that are left that nobody came to them, since the check was interrupted."""
        for rule in self.rules[len(self.examinations) :]:
            self._add(rule, "could-not-tell", (NotReached(why="interrupted"),))

    def _left(self) -> float:
        return (self._settings.budget - self.milliseconds) / 1_000

    def _share(self, rule: Rule) -> float:
        """Seconds for one rule: never all that is left, so that one for which a slow consumer takes long does not keep
        others from being examined."""
        return self._left() if rule is self.rules[-1] else self._left() * SHARE_MAX

    async def _calibrate(self) -> None:
        """Learn which fields the account shows as they were sent, so that only one rule complains of the others."""
        bench = self._bench("calibration", start=self._settings.now - RECENT - 2 * SLOT, number=len(CATALOGUE))
        event = bench.event()
        if self._state is not None:
            await self._state.ask()
        if self._source is None:
            return
        found = await self._source.ask()
        if isinstance(found, int):
            return
        ours = {event["mailId"]}
        if any(held.get("mailId") in ours for held in events_in(found)):
            raise CouldNotTellError(
                "probe: events of this check were there before it began, most likely from an earlier check with the "
                "same seed: start the consumer afresh, or give another --seed"
            )
        try:
            delivery = await bench.deliver([event])
            held = await bench.store.events_held() if delivery.accepted else []
        except NotExercised:
            return
        finally:
            self._besides += bench.ledger.deliveries
        if delivery.accepted and not held:
            self._ask_for_mails(await self._source.ask())
        if held:
            as_sent = {name for name in self._shown_fields if held[0].get(name) == event.get(name)}
            self._shown_fields = frozenset(as_sent | {"mailId"})

    def _ask_for_mails(self, found: Found) -> None:
        """Raises `CouldNotTellError` where an account has elements, and none of them tells its mail."""
        rows = [] if isinstance(found, int) else events_in(found)
        if rows and not any(isinstance(row.get("mailId"), str) for row in rows):
            raise CouldNotTellError(
                f"probe: none of {counted(len(rows), 'element')} has a mailId, by which this check knows its events; "
                f"the first is {shown(rows[0])}: lead to the events by --probe-events, such as '[].event' or "
                "'[].{mailId: mail_id, …}', or to their number by --probe-count"
            )

    async def _prepare(self) -> None:
        """Let those rules begin that others are to come between."""
        for rule in self.rules:
            if rule.prepare is not None and self._missing(rule) is None:
                bench = self._prepared[rule.id] = self._bench_of(rule)
                with contextlib.suppress(NotExercised, CouldNotTellError, ConsumerDiedError):
                    # What is wrong with the consumer is for others to find out.
                    await rule.prepare(bench)

    def _missing(self, rule: Rule) -> Need | None:
        return next((need for need in rule.needs if not self._has(need)), None)

    def _has(self, need: Need) -> bool:
        match need:
            case "probe":
                return self._source is not None
            case "probe events":
                return self._source is not None and self._source.tells_events
            case "state":
                return self._state is not None
            case "credentials":
                return self._settings.authentication != NoAuthentication()
            case "connection":
                return NewConnection in self._transport.faults
            case "https":
                return self._url.startswith("https:")
            case "restart command":
                return self._settings.restart_command is not None
            case _:
                assert_never(need)

    def _lost_ground(self, rule: Rule) -> str | None:
        """A violated rule without which there is no telling what this one's violation would mean, at first or second
        hand."""
        grounds = {*rule.depends_on, *((STORE,) if "probe" in rule.needs or "probe events" in rule.needs else ())}
        for examination in self.examinations:
            if examination.rule.id in grounds - {rule.id}:
                if examination.finding.outcome == "fail":
                    return examination.rule.id
                if examination.finding.outcome == "not-exercised":
                    ground = self._lost_ground(examination.rule)
                    if ground is not None:
                        return ground
        return None

    def _bench(self, rule_id: str, *, start: int, number: int) -> Bench:
        return Bench(
            rule_id,
            url=self._url,
            transport=self._transport,
            settings=self._settings,
            start=start,
            number=number,
            source=self._source,
            state=self._state,
            shown_fields=self._shown_fields,
            setbacks=self._setbacks,
            refusals=self._refusals,
            allowance=self.allowance,
        )

    def _bench_of(self, rule: Rule) -> Bench:
        slot = _ORDER.index(rule.id)
        # What begins before all others is older than all of theirs, too.
        ago = RECENT + SLOT if rule.prepare is not None else rule.span or RECENT - slot * SLOT
        start = self._settings.now - ago
        return self._bench(rule.id, start=start, number=slot)

    async def _examine(self, rule: Rule) -> tuple[Judgement, AnyFact] | None:
        """Returns what is to be said of all following rules, where none of them can be examined."""
        bench = self._prepared.pop(rule.id, None) or self._bench_of(rule)
        examined: Examined | None = None
        facts: tuple[AnyFact, ...] = ()
        outcome: Judgement = "could-not-tell"
        stopped: tuple[Judgement, AnyFact] | None = None
        try:
            bench.seconds = self._share(rule)
            async with asyncio.timeout(bench.seconds) as limit:
                await bench.store.begin(at_rest=self._at_rest)
                examined = await rule.examine(bench)
        except NotExercised as error:
            outcome, facts = "not-exercised", error.facts
        except ConsumerDiedError as error:
            examined = failed(error.fact)
        except ConsumerUnreachableError as error:
            before = [examination.rule.id for examination in self.examinations if examination.entries is not None]
            if not before:
                raise
            facts = (Inconclusive(message=str(error)),)
            stopped = "could-not-tell", NotReached(why="consumer-gone", rule_id=before[-1])
        except CouldNotTellError as error:
            facts = (Inconclusive(message=str(error)),)
            if rule.id == BASICS:
                stopped = "not-exercised", NotReached(why="basics-inconclusive", rule_id=BASICS)
        except TimeoutError:
            if not limit.expired():
                raise
            facts = (Unfinished(why="budget" if self._left() <= 0 else "share", budget=self._settings.budget),)
        except asyncio.CancelledError:
            self._add(rule, "could-not-tell", (Unfinished(why="interrupted"),), None, bench)
            raise
        except Exception as error:
            # Whatever it is, it is not the consumer's failure, and no reason to forget what is known so far.
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(last.filename).name}:{last.lineno}"
            facts = (OwnTrouble(error=type(error).__name__, message=str(error), place=place),)
        if examined is not None:
            facts = examined.facts
            outcome = "pass" if examined.holds else "fail" if rule.level == "must" else "warn"
            if rule.id == BASICS and not examined.holds:
                stopped = "not-exercised", NotReached(why="basics-violated", rule_id=BASICS)
        self._at_rest = bench.store.left_at_rest(self._at_rest)
        self._add(rule, outcome, facts, examined, bench)
        return stopped

    def _add(
        self,
        rule: Rule,
        outcome: Judgement,
        facts: tuple[AnyFact, ...],
        examined: Examined | None = None,
        bench: Bench | None = None,
    ) -> None:
        bench = bench or self._prepared.pop(rule.id, None)
        entries = None if bench is None else bench.campaign.journal.entries
        wrong = outcome in ("fail", "warn")
        # Facts may quote the consumer.
        facts = masked(facts, self._masking.text)
        finding = Finding(
            id=rule.id,
            title=rule.title,
            level=rule.level,
            outcome=outcome,
            requirement=rule.requirement,
            expected=rule.expected,
            actual=sentences.actual(facts),
            facts=facts,
            identity=identity_of(facts) if wrong else None,
            evidence=() if entries is None else _attempts(entries),
            family=rule.family,
            fix=advice(rule.id, rule.fix, facts) if wrong else None,
            differences=self._differences(bench) if wrong and bench is not None else (),
            not_covered=rule.not_covered or None,
            assumes=tuple(f"{BEHAVIOURS[name][0]}: {BEHAVIOURS[name][1]}" for name in rule.assumes),
            reproduce=reproduce(bench, examined, rule)
            if wrong and bench is not None and examined is not None
            else None,
        )
        known = wrong and any(one.matches(finding) for one in self._settings.known)
        finding = msgspec.structs.replace(finding, known=known)
        webhooks = {} if bench is None else bench.webhook_ids
        besides = self._besides if bench is None else self._besides + bench.besides
        self._besides = NO_DELIVERIES
        examination = Examination(rule=rule, finding=finding, entries=entries, webhooks=webhooks, besides=besides)
        self.examinations.append(examination)
        self._told(examination)

    def _differences(self, bench: Bench) -> tuple[EventDifference, ...]:
        differed = bench.store.differed
        return () if differed is None else tuple(one.masked(self._masking.text) for one in differed.events())


def _attempts(entries: Sequence[Entry]) -> tuple[int, ...]:
    return tuple(position for position, entry in enumerate(entries) if isinstance(entry, Attempted))
