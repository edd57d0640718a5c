"""Examining the rules one after another, each on a bench of its own."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, assert_never

import msgspec

from mockcampaign.check.behaviours import BEHAVIOURS
from mockcampaign.check.bench.aftermath import since_poison
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.context import CALIBRATION, CheckContext, RuleSlot
from mockcampaign.check.bench.events import replaced_fields, time_factor
from mockcampaign.check.calibration import accepted_body, calibrated_fields
from mockcampaign.check.examined import (
    ConsumerDiedError,
    Examined,
    PoisonedError,
    ProbeFailedError,
    SkipRule,
    Unrepeatable,
    failed,
)
from mockcampaign.check.probes.question import Found
from mockcampaign.check.reproduction import reproduce
from mockcampaign.check.rule import Rule, Stage
from mockcampaign.check.rules import AVAILABILITY, BASICS, CATALOGUE, FAMILIES, RECOVERY, STORE, TELLING
from mockcampaign.check.settings import Settings
from mockcampaign.durations import format_duration
from mockcampaign.engine.journal import Attempted, Entry, serials_in
from mockcampaign.errors import ConsumerUnreachableError, CouldNotTellError, InvalidInputError
from mockcampaign.faults import NewConnection
from mockcampaign.judging.earlier.baseline import marked
from mockcampaign.judging.fact import (
    AnyFact,
    ByCounter,
    DependsOn,
    EventDifference,
    Inconclusive,
    Need,
    Needs,
    NotReached,
    OwnTrouble,
    ReplacedFields,
    Response,
    Stimulus,
    UnderscoreInHeader,
    Unfinished,
    identity_of,
    masked,
    replies,
)
from mockcampaign.judging.finding import Finding, Judgement
from mockcampaign.judging.ledger import NO_DELIVERIES, DeliveryCounts
from mockcampaign.judging.responses.in_front import accepting_software, in_front
from mockcampaign.judging.responses.response_body import response_body
from mockcampaign.judging.situation import Situation
from mockcampaign.masking import Masking
from mockcampaign.model import INTERRUPTED, KeyAuthentication, NoAuthentication, TimedOut
from mockcampaign.policy import HOUR, MINUTE
from mockcampaign.report import sentences
from mockcampaign.report.advice import NEVER_SENT, advice
from mockcampaign.shape.shape import Body
from mockcampaign.text import unknown
from mockcampaign.wallclock import Stopwatch, pause

SLOT = 6 * MINUTE
"""Virtual milliseconds between the starts of two rules, so that no rule's events are older than earlier ones."""

RECENT = 10 * HOUR
"""Virtual milliseconds before now at which the first rule starts."""


READ_MANY = 10_000
"""Number of elements in a response of the probe from which on they may be why the budget is too short."""

ELEMENTS_MANY = 25_000
"""Number of elements in a response of the probe from which on it is asked for as rarely as possible. One check alone
stores fewer."""

WAITING_MAX = 24
"""Most rules whose results wait for one reading of the store: what is wrong should be known soon."""

SHARE_MAX, SHARE_MAX_SLOW = 0.6, 0.25
"""Part of the remaining time that one rule may take, also where the consumer is slow."""

REQUESTS_FOR_RULE = 15
"""Number of requests that a rule usually needs, for which even a slow consumer's time is left to it."""

REQUESTS = 2_000
"""Number of requests, without those of probes, that all rules need with a correct consumer."""

RESERVE, RESERVE_MAX = 0.1, 20
"""Part of the budget that is left for the rules that judge what was seen, and its limit in seconds."""

SUSPICIOUS = 2
"""Number of rejected attempts in a row that are reported as a suspicion if a rule is cut short after them."""

UNKNOWN_VALUE = frozenset({400, 403, 404, 406, 409, 410, 412, 422})
"""Statuses with which a consumer may reject a value that it does not know."""

REQUESTS_BEFORE_HURRY = 4
"""Number of requests after which the consumer's pace is known."""

REJECTED_IN_A_ROW = 3
"""Number of successive rules with rejections of ordinary batches after which no further rule is examined."""


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """The result of examining one rule."""

    rule: Rule
    finding: Finding
    entries: list[Entry] | None
    """The journal of its sender; None if examining it never began."""
    webhooks: dict[str, int] = {}
    """Ids of the webhooks, by name."""
    other_deliveries: DeliveryCounts = NO_DELIVERIES
    """Deliveries whose journal was not kept."""
    stimuli: Mapping[int, Stimulus] = {}
    """Descriptions of special batches, by the positions of their attempts in the journal."""
    varied: tuple[tuple[str, Examination], ...] = ()
    """Results for the same rule under variations of the sender, by the name of the variation."""


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a rule, which the store may have to confirm."""

    rule: Rule
    outcome: Judgement
    facts: tuple[AnyFact, ...]
    examined: Examined | None = None
    bench: Bench | None = None

    @property
    def is_assumed(self) -> bool:
        """Whether the result depends on what the rule has assumed of the store, instead of reading it."""
        return self.bench is not None and self.bench.store.has_assumed and self.outcome != "could-not-tell"

    @property
    def may_wait(self) -> bool:
        """Whether no other rule has to know the result."""
        needs_nothing = self.outcome == "not-exercised" and all(isinstance(fact, Needs) for fact in self.facts)
        return self.outcome == "pass" or needs_nothing


_Stopped = tuple[Judgement, AnyFact] | None
"""The result for all further rules if none of them can be examined."""

_ORDER = [rule.id for rule in sorted(CATALOGUE, key=lambda rule: rule.stage)]
"""Ids of all rules, in the order in which they are examined."""


def select(settings: Settings) -> list[Rule]:
    """Return the rules to examine, in order. Raise `InvalidInputError` for an unknown rule or family."""
    names = [rule.id for rule in CATALOGUE] + list(FAMILIES)
    for name in (*settings.rules, *settings.skip):
        if name not in names:
            raise InvalidInputError(unknown("rule or family", name, names, listed_by="mockcampaign rules"))
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
    """Examines the rules one after another. `examinations` grows with each, and is valid at any time."""

    def __init__(
        self, context: CheckContext, *, on_examined: Callable[[Examination], None] = lambda examination: None
    ) -> None:
        """`on_examined` is called with each result. Raise `InvalidInputError` as `select` does."""
        self.context = context
        self.rules = select(context.settings)
        self.examinations: list[Examination] = []
        self._settings = context.settings
        self._masking = Masking(context.settings.authentication.secrets())
        self._on_examined = on_examined
        self._stopwatch = Stopwatch()
        self._rejected_in_a_row = 0
        self._own_software: frozenset[str] = frozenset()
        """The `Server` headers of responses to accepted batches."""
        self._hurries = False
        """Whether the budget is too short for all rules at the consumer's pace."""
        self._numbers = {rule_id: number for number, rule_id in enumerate(_ORDER)}
        self._prepared: dict[str, Bench] = {}
        self._prepared_at = 0
        """Milliseconds after which the rules that begin before all others had begun."""
        self._remembering = 0
        """Milliseconds of waiting for the consumer to forget what it has stored, which no budget limits."""
        self._other_deliveries = NO_DELIVERIES
        self._waiting: list[_Result] = []
        """Results that are not among the examinations yet, in their order."""
        self._is_trusted = True
        """Whether the store was never seen to disagree where that was assumed."""
        self._is_settled = False
        """Whether the store was seen to contain everything that was sent so far."""

    @property
    def milliseconds(self) -> int:
        """Wall time since the examiner was created, in milliseconds."""
        return self._stopwatch.milliseconds

    async def run(self) -> None:
        """Examine all rules.

        Raise `CouldNotTellError` if the consumer cannot be reached or its probes cannot be read, also if that takes
        the whole time budget.
        """
        try:
            async with asyncio.timeout(self._left()) as limit:
                await self._calibrate()
                await self._prepare()
        except TimeoutError:
            if not limit.expired():
                raise
            raise CouldNotTellError(
                f"no rule was examined within the budget of {format_duration(self._settings.budget)} (--budget): the "
                "consumer did not respond, or its store never settled"
            ) from None
        stopped: _Stopped = None
        while self.begun < len(self.rules):
            self._hurry()
            rule = self.rules[self.begun]
            missing = self._missing(rule)
            if missing is not None:
                self._note(rule, "not-exercised", (Needs(need=missing),))
            elif stopped is not None and not self._is_examined_anyway(rule):
                self._note(rule, stopped[0], (stopped[1],))
            elif (violated := self._violated_dependency(rule)) is not None:
                self._note(rule, "not-exercised", (DependsOn(rule_id=violated),))
            elif self.context.event_budget.reached is not None:
                self._note(rule, "not-exercised", self.context.event_budget.reached.facts)
            elif self._time_for(rule) <= 0:
                self._note(rule, "could-not-tell", (self._no_time(),))
            else:
                rejections = self.context.incidents.rejections
                before = len(rejections)
                if rule.prepare is not None:
                    await self._let_time_pass()
                stopped = await self._examine(rule) or stopped
                if stopped is None and self._is_poisoned:
                    stopped = "not-exercised", NotReached(why="poisoned", rule_id=RECOVERY)
                self._rejected_in_a_row = self._rejected_in_a_row + 1 if len(rejections) > before else 0
                if stopped is None and self._rejected_in_a_row >= REJECTED_IN_A_ROW:
                    stopped = "not-exercised", NotReached(why="unavailable", rule_id=AVAILABILITY)
            if not self._may_wait:
                stopped = await self._confirm() or stopped

    @property
    def begun(self) -> int:
        """Number of rules that have been examined at least in part."""
        return len(self.examinations) + len(self._waiting)

    @property
    def _may_wait(self) -> bool:
        """Whether results may wait for a later reading of the store."""
        assumed = sum(result.is_assumed for result in self._waiting)
        following = self.rules[self.begun : self.begun + 1]
        return (
            0 < assumed < WAITING_MAX
            and self._waiting[-1].may_wait
            and all(rule.stage < Stage.END for rule in following)
            and bool(following)
        )

    def _defers(self, rule: Rule) -> bool:
        """Return whether a rule may assume that the store agrees until a reading that others need as well."""
        probe = self.context.probe
        return (
            probe is not None
            and probe.reports_events
            and not self.context.counters
            and self._is_trusted
            and self.context.incidents.elements_read >= ELEMENTS_MANY
            and self._settings.settle == 0
            and Stage.FIRST < rule.stage < Stage.END
            and rule.prepare is None
            and rule.role is None
            and not rule.is_timely
        )

    async def _confirm(self) -> _Stopped:
        """Add the results that wait. One reading of the store shows whether what they assume is so.

        Return the same as `_examine`.
        """
        stopped: _Stopped = None
        reading: Found | None = None
        unread: AnyFact | None = None
        assuming = [result.bench for result in self._waiting if result.bench is not None and result.is_assumed]
        if assuming:
            try:
                async with asyncio.timeout(max(self._left(), 0)):
                    reading = await assuming[-1].store.read()
            except CouldNotTellError as error:
                unread = _inconclusive(error)
            except TimeoutError:
                unread = self._no_time()
        while self._waiting:
            result = self._waiting[0]
            if result.bench is None or not result.is_assumed:
                self._add_next()
            elif (violated := self._violated_dependency(result.rule)) is not None:
                # It was violated by then, which only the reading has shown.
                self._add_next("not-exercised", (DependsOn(rule_id=violated),))
            elif reading is None:
                assert unread is not None
                self._add_next("could-not-tell", (unread,))
            elif await result.bench.store.agrees(reading):
                self._add_next()
            else:
                again = result.bench.again(self._start_again(result.rule))
                again.count_in(result.bench)
                self._waiting[0], others = await self._examine_on(result.rule, again)
                stopped = others or stopped
                self._is_trusted = self._is_trusted and self._waiting[0].outcome == "pass"
                self._add_next()
        return stopped

    def _start_again(self, rule: Rule) -> int:
        """Return when a rule starts that is examined again: after all that have begun, and before the next one."""
        newest = rule if rule.span else self._waiting[-1].rule
        return self._start_of(newest) + SLOT // 2

    def _add_next(self, outcome: Judgement | None = None, facts: tuple[AnyFact, ...] = ()) -> None:
        """Add the first result that waits, or another one in its place."""
        result = self._waiting.pop(0)
        if outcome is None:
            self._add(result.rule, result.outcome, result.facts, result.examined, result.bench)
        else:
            self._add(result.rule, outcome, facts, None, result.bench)

    @property
    def _is_poisoned(self) -> bool:
        """Whether ordinary batches are no longer accepted since one that the consumer could not store."""
        poison = self.context.incidents.poison
        return poison is not None and bool(poison.fact.since)

    def _is_examined_anyway(self, rule: Rule) -> bool:
        """Return whether a rule is examined though the consumer accepts nothing any more: those that say so."""
        if self.context.incidents.still_broken:
            return False
        if rule.id == RECOVERY:
            return self._is_poisoned
        return rule.id == AVAILABILITY and self._rejected_in_a_row >= REJECTED_IN_A_ROW

    def add_not_reached(self) -> None:
        """Add a result for each rule that was not reached because the check was interrupted."""
        while self._waiting:
            if self._waiting[0].is_assumed:
                self._add_next("could-not-tell", (Unfinished(why="interrupted"),))
            else:
                self._add_next()
        for rule in self.rules[len(self.examinations) :]:
            self._add(rule, "could-not-tell", (NotReached(why="interrupted"),))

    def _left(self) -> float:
        return (self._settings.budget + self._remembering - self.milliseconds) / 1_000

    def _time_for(self, rule: Rule) -> float:
        """Return the seconds that are left for a rule: some are kept for the rules that judge what was seen."""
        if rule.role in ("availability", "recovery") or rule is self.rules[-1]:
            return self._left()
        return self._left() - min(RESERVE * self._settings.budget / 1_000, RESERVE_MAX)

    def _share(self, rule: Rule) -> float:
        """Return the seconds that a rule may take.

        Only the last rule may take all that is left: one that a slow consumer takes long for must not stop others.
        """
        left = self._time_for(rule)
        if rule is self.rules[-1]:
            return left
        if not self._hurries:
            return left * SHARE_MAX
        return min(left, max(left * SHARE_MAX_SLOW, REQUESTS_FOR_RULE * self.context.transport.milliseconds / 1_000))

    def _needed(self) -> float:
        """Return the milliseconds that all rules need at the consumer's pace."""
        return self.context.transport.milliseconds * REQUESTS

    def _no_time(self) -> NotReached:
        """Return that the budget is used up, and what is known of the reason."""
        read, probe = self.context.incidents.elements_read, self.context.probe
        is_large = probe is not None and not probe.selection.is_partial and read >= READ_MANY
        return NotReached(
            why="budget", budget=self._settings.budget, enough=self._enough(), read=read if is_large else None
        )

    def _enough(self) -> int | None:
        """Return a budget that would be enough for all rules, in whole minutes; None if that is not known."""
        needed = max(self._needed(), self._settings.budget)
        return None if self.context.transport.requests < REQUESTS_BEFORE_HURRY else (int(needed) // MINUTE + 1) * MINUTE

    def _hurry(self) -> None:
        """Begin with the most important rules, and with fewer examples, once the budget is seen to be too short.

        The rules keep to the order in virtual time, so that no rule's events are older than earlier ones.
        """
        needed, transport = self._needed(), self.context.transport
        if self._hurries or transport.requests < REQUESTS_BEFORE_HURRY or needed <= self._settings.budget:
            return
        self._hurries = True
        done = self.begun
        rest = self.rules[done:]
        usual = [rule for rule in rest if rule.stage is Stage.USUAL]
        telling = sorted((rule for rule in usual if rule.id in TELLING), key=lambda rule: TELLING.index(rule.id))
        self.rules[done:] = [
            *(rule for rule in rest if rule.stage < Stage.USUAL),
            *telling,
            *(rule for rule in rest if rule.stage >= Stage.USUAL and rule not in telling),
        ]
        numbers = sorted(self._numbers[rule.id] for rule in self.rules[done:])
        self._numbers |= {rule.id: number for rule, number in zip(self.rules[done:], numbers, strict=True)}
        examples = max(1, int(self._settings.examples * self._settings.budget / needed))
        self._settings = msgspec.structs.replace(self._settings, examples=examples)
        self.context = msgspec.structs.replace(self.context, settings=self._settings)

    async def _calibrate(self) -> None:
        if not self._settings.shape.body.is_certain:
            self._use_body(await accepted_body(self._asking))
        bench = self._calibrating(CALIBRATION)
        try:
            shown_fields = await calibrated_fields(bench)
        finally:
            self._other_deliveries += bench.ledger.deliveries
        self.context = msgspec.structs.replace(self.context, shown_fields=shown_fields)

    def _use_body(self, body: Body) -> None:
        shape = msgspec.structs.replace(self._settings.shape, body=body)
        self._settings = msgspec.structs.replace(self._settings, shape=shape)
        self.context = msgspec.structs.replace(self.context, settings=self._settings)

    def _asking(self, body: Body) -> Bench:
        """Return a bench that sends such bodies, to see whether the consumer expects them."""
        self._use_body(body)
        return self._calibrating(f"{CALIBRATION}:{body.events_max}")

    def _calibrating(self, name: str) -> Bench:
        """Return a bench for before any rule is examined."""
        start = self._settings.now - (RECENT + 2 * SLOT) * time_factor(self._settings.shape)
        return Bench(self.context, RuleSlot(rule_id=name, start=start, number=len(CATALOGUE)))

    async def _prepare(self) -> None:
        """Begin the rules that all other rules have to come after."""
        for rule in self.rules:
            if rule.prepare is not None and self._missing(rule) is None:
                bench = self._prepared[rule.id] = self._bench_of(rule)
                with contextlib.suppress(SkipRule, CouldNotTellError, ConsumerDiedError):
                    # Other rules find out what is wrong with the consumer.
                    await rule.prepare(bench)
        self._prepared_at = self.milliseconds

    async def _let_time_pass(self) -> None:
        """Wait until so much wall time has passed since the beginning as the settings ask for."""
        wanted = self._settings.memory - (self.milliseconds - self._prepared_at)
        if wanted > 0:
            self._remembering += wanted
            await pause(wanted)

    def _missing(self, rule: Rule) -> Need | None:
        return next((need for need in rule.needs if not self._has(need)), None)

    def _has(self, need: Need) -> bool:
        match need:
            case "probe":
                return self.context.probe is not None
            case "probe events":
                return self.context.probe is not None and self.context.probe.reports_events
            case "state":
                return self.context.state is not None
            case "credentials":
                return self._settings.authentication != NoAuthentication()
            case "connection":
                return NewConnection in self.context.transport.faults
            case "batches":
                return self._settings.shape.body.has_list
            case "https":
                return self.context.url.startswith("https:")
            case "restart command":
                return self._settings.restart_command is not None
            case "break command":
                return self._settings.break_command is not None and self._settings.restore_command is not None
            case _:
                assert_never(need)

    def _violated_dependency(self, rule: Rule) -> str | None:
        """Return a violated rule on which this one depends, directly or through rules that were skipped for it."""
        dependencies = {*rule.depends_on, *((STORE,) if "probe" in rule.needs or "probe events" in rule.needs else ())}
        for examination in self.examinations:
            if examination.rule.id in dependencies - {rule.id}:
                if examination.finding.outcome == "fail":
                    return examination.rule.id
                if examination.finding.outcome == "not-exercised":
                    violated = self._violated_dependency(examination.rule)
                    if violated is not None:
                        return violated
        return None

    def _bench_of(self, rule: Rule) -> Bench:
        slot = RuleSlot(rule_id=rule.id, start=self._start_of(rule), number=self._numbers[rule.id])
        return Bench(self.context, slot)

    def _start_of(self, rule: Rule) -> int:
        # A rule that begins before all others sends events that are older than theirs, too.
        ago = RECENT + SLOT if rule.prepare is not None else RECENT - self._numbers[rule.id] * SLOT
        ago = ago * time_factor(self._settings.shape) if rule.prepare is not None or not rule.span else rule.span
        return self._settings.now - ago

    async def _examine(self, rule: Rule) -> _Stopped:
        """Examine a rule. Return the result for all rules after it if none of them can be examined, or None."""
        bench = self._prepared.pop(rule.id, None) or self._bench_of(rule)
        if self._defers(rule):
            bench.store.defer()
        result, stopped = await self._examine_on(rule, bench)
        self._waiting.append(result)
        return stopped

    def _note(self, rule: Rule, outcome: Judgement, facts: tuple[AnyFact, ...]) -> None:
        self._waiting.append(_Result(rule=rule, outcome=outcome, facts=facts, bench=self._prepared.pop(rule.id, None)))

    async def _examine_on(self, rule: Rule, bench: Bench) -> tuple[_Result, _Stopped]:
        examined: Examined | None = None
        facts: tuple[AnyFact, ...] = ()
        outcome: Judgement = "could-not-tell"
        stopped: _Stopped = None
        is_complete = False
        try:
            bench.seconds = self._share(rule)
            async with asyncio.timeout(bench.seconds) as limit:
                await bench.store.begin(bench.nobodys_event(), is_settled=self._is_settled)
                alone = await _examined(rule, bench)
                is_complete = True
                # Only both together are a result: a counter that cannot be read leaves the rule inconclusive.
                examined, bench = await _by_counters(rule, bench, alone) if alone.holds else (alone, bench)
        except PoisonedError:
            outcome, facts = "not-exercised", (NotReached(why="poisoned", rule_id=RECOVERY),)
            poison = self.context.incidents.poison
            if poison is not None and all(one.id != RECOVERY for one in self.rules):
                examined = since_poison(bench, poison)
        except SkipRule as error:
            is_complete = True
            outcome, facts = "not-exercised", error.facts
        except ConsumerDiedError as error:
            examined = failed(error.fact)
        except ConsumerUnreachableError as error:
            before = [examination.rule.id for examination in self.examinations if examination.entries is not None]
            if not before:
                raise
            facts = (Inconclusive(message=str(error)),)
            if await bench.comes_back():
                died = bench.died_and_came_back()
                examined = None if died is None else failed(died, unrepeatable=Unrepeatable.WHOLE_CHECK)
            else:
                # Its user may have stopped it.
                stopped = "could-not-tell", NotReached(why="consumer-gone", rule_id=before[-1])
        except CouldNotTellError as error:
            facts = (_inconclusive(error),)
            if rule.id == BASICS:
                stopped = "not-exercised", NotReached(why="basics-inconclusive", rule_id=BASICS)
        except TimeoutError:
            if not limit.expired():
                raise
            why: Literal["budget", "share"] = "budget" if self._time_for(rule) <= 0 else "share"
            no_time = self._no_time()
            unfinished = Unfinished(
                why=why, budget=no_time.budget, enough=no_time.enough, read=no_time.read, waiting=bench.sending
            )
            facts = (unfinished,)
            examined = _seen_so_far(rule, bench, facts)
        except asyncio.CancelledError:
            interrupted = (Unfinished(why="interrupted"), *self._still_broken())
            self._waiting = [one for one in self._waiting if one.rule is not rule]
            self._waiting.append(_Result(rule=rule, outcome="could-not-tell", facts=interrupted, bench=bench))
            raise
        except Exception as error:
            # Our own failure: it is not the consumer's, and what is known so far stays valid.
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(last.filename).name}:{last.lineno}"
            facts = (OwnTrouble(error=type(error).__name__, message=str(error), place=place),)
        if not is_complete:
            bench.store.assume_nothing()
        if self.context.incidents.still_broken:
            facts = (*(fact for fact in facts if fact not in self._still_broken()), *self._still_broken())
            stopped = "could-not-tell", NotReached(why="still-broken", rule_id=rule.id)
        if examined is not None:
            facts = examined.facts
            is_violation = rule.level == "must" and not examined.is_hazard
            outcome = "pass" if examined.holds else "fail" if is_violation else "warn"
            if rule.id == BASICS and not examined.holds:
                stopped = "not-exercised", NotReached(why="basics-violated", rule_id=BASICS)
        self._is_settled = bench.store.is_settled(self._is_settled)
        return _Result(rule=rule, outcome=outcome, facts=facts, examined=examined, bench=bench), stopped

    def _still_broken(self) -> tuple[AnyFact, ...]:
        message = self.context.incidents.still_broken
        return (Inconclusive(message=message),) if message else ()

    def _add(
        self,
        rule: Rule,
        outcome: Judgement,
        facts: tuple[AnyFact, ...],
        examined: Examined | None = None,
        bench: Bench | None = None,
    ) -> None:
        entries = None if bench is None else bench.campaign.journal.entries
        wrong = outcome in ("fail", "warn")
        self._own_software |= accepting_software(entries or ())
        if wrong:
            facts = (*facts, *self._explanations(rule, facts, entries or ()))
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
        webhooks = {} if bench is None else bench.recording.scenario.webhook_ids
        others = self._other_deliveries if bench is None else self._other_deliveries + bench.other_deliveries
        self._other_deliveries = NO_DELIVERIES
        examination = Examination(
            rule=rule,
            finding=marked(finding, self._settings.known),
            entries=entries,
            webhooks=webhooks,
            other_deliveries=others,
            stimuli={} if bench is None else _stimuli(bench),
        )
        self.examinations.append(examination)
        self._on_examined(examination)

    def _explanations(self, rule: Rule, facts: tuple[AnyFact, ...], entries: Sequence[Entry]) -> Iterator[AnyFact]:
        """Yield what explains a response: what it says, what stands before the consumer, and what may be unexpected."""
        statuses = {reply.status for fact in facts if isinstance(fact, Response) for reply in fact.replies}
        found = in_front(entries, statuses, self._own_software)
        if found is not None:
            yield found
        authentication = self._settings.authentication
        key = authentication.key if isinstance(authentication, KeyAuthentication) else ""
        if rule.id == BASICS and statuses & {401, 403} and "_" in key:
            yield UnderscoreInHeader(name=key)
        # What it says to requests that it should reject explains nothing.
        ordinary = [fact for fact in facts if isinstance(fact, Response) and fact.to.situation not in NEVER_SENT]
        said = response_body(entries, {reply.status for fact in ordinary for reply in fact.replies})
        if said is not None and found is None:
            yield said
        replaced = replaced_fields(self._settings.shape)
        if rule.id == BASICS and statuses & UNKNOWN_VALUE and replaced:
            yield ReplacedFields(fields=replaced)

    def _differences(self, bench: Bench) -> tuple[EventDifference, ...]:
        difference = bench.store.newest_difference
        return () if difference is None else tuple(one.masked(self._masking.text) for one in difference.events())


def _inconclusive(error: CouldNotTellError) -> AnyFact:
    return error.fact if isinstance(error, ProbeFailedError) else Inconclusive(message=str(error))


def _seen_so_far(rule: Rule, bench: Bench, unfinished: tuple[AnyFact, ...]) -> Examined | None:
    """Return what a rule that was cut short has seen, if that is a suspicion or a violation already."""
    if rule.seen_so_far is not None:
        return rule.seen_so_far(bench)
    if bench.store.newest_difference is not None:
        return failed(bench.store.newest_difference.seen(), *unfinished, is_hazard=True)
    if bench.is_disturbed:
        return None  # by us: what is rejected since then is no suspicion
    # Cutting it short ends an attempt, too.
    newest = [entry for entry in bench.ledger.attempts[-SUSPICIOUS - 1 :] if entry.outcome != INTERRUPTED][-SUSPICIOUS:]
    rejected = [entry for entry in newest if not entry.outcome.accepted and not entry.faults]
    is_hanging = bool(rejected) and bench.sending is not None and isinstance(rejected[-1].outcome, TimedOut)
    if is_hanging or sum(entry.count for entry in rejected) >= SUSPICIOUS:
        batch = Stimulus(situation=Situation.BATCH, events=len(list(serials_in(rejected[-1].serials))))
        seen = Response(to=bench.stimulus_of(rejected[-1]) or batch, replies=replies(one.outcome for one in rejected))
        return failed(seen, *unfinished, is_hazard=True)
    if bench.unanswered:
        # The fewer edge cases it has, the more it says.
        return failed(min(bench.unanswered, key=lambda one: len(one.to.edge_cases)), *unfinished, is_hazard=True)
    return None


async def _by_counters(rule: Rule, bench: Bench, examined: Examined) -> tuple[Examined, Bench]:
    """Examine a rule again by each counter that the consumer reports. Return the first violation, with its bench."""
    # A counter that disagrees from the start keeps no rule about stored events from being examined.
    if not ("probe" in rule.needs or rule.is_counted) or rule.prepare is not None or rule.role == "store":
        return examined, bench
    for number, counter in enumerate(bench.context.counters):
        other = bench.by_counter(number)
        await other.store.begin(other.nobodys_event(), is_settled=False)
        try:
            counted = await rule.examine(other)
        except SkipRule:
            continue
        finally:
            bench.count_in(other)
        if not counted.holds:
            facts = (ByCounter(counter=counter.name, facts=counted.facts),)
            return msgspec.structs.replace(counted, facts=facts), other
    return examined, bench


async def _examined(rule: Rule, bench: Bench) -> Examined:
    """Return the result of examining a rule. A probe that fails is judged, too: it may be what a batch has broken."""
    try:
        return await rule.examine(bench)
    except ProbeFailedError as failure:
        await bench.require_probe(failure.fact)
        raise


def _stimuli(bench: Bench) -> dict[int, Stimulus]:
    """Return what is special about the batches to which there was no response in time."""
    found = (
        (position, bench.stimulus_of(entry))
        for position, entry in enumerate(bench.campaign.journal.entries)
        if isinstance(entry, Attempted) and isinstance(entry.outcome, TimedOut)
    )
    return {position: stimulus for position, stimulus in found if stimulus is not None}


def _attempts(entries: Sequence[Entry]) -> tuple[int, ...]:
    return tuple(position for position, entry in enumerate(entries) if isinstance(entry, Attempted))
