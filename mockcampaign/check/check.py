"""The compliance check: it examines one consumer by all rules and returns one result. Every entry point calls it.

    transport = WireTransport()
    settings = Settings(now=wallclock.now(), seed=1)
    probe = UrlProbe(Probe(url="http://127.0.0.1:8000/processed", events="@"), transport, timeout=10_000)
    result = await check("http://127.0.0.1:8000/hook", transport=transport, settings=settings, probe=probe)

The consumer needs no reset before the check, nor between rules: each rule sends events of its own mailings and
recipients, and looks for these alone in the store. Client and mailing ids are from `settings.CLIENT_IDS` and
`MAILING_IDS`.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mockcampaign.check.bench.context import check_context
from mockcampaign.check.examiner import Examination, Examiner
from mockcampaign.check.histories.coverage import Coverage
from mockcampaign.check.probes.end_state import StateSource
from mockcampaign.check.probes.store_probe import Counter, StoreProbe
from mockcampaign.check.result import check_result
from mockcampaign.check.settings import Settings
from mockcampaign.check.sweep import sweep
from mockcampaign.clocks.clock_file import ClockFile
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult, SweepSummary
from mockcampaign.transport import Transport


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a check has got."""

    examined: int
    rules: int
    following: str | None
    """Id of the rule that is examined next; None at the end."""
    sweep: SweepSummary | None = None
    """Summary of the sweep so far; None before it begins."""


async def check(
    url: str,
    *,
    transport: Transport,
    settings: Settings,
    probe: StoreProbe | None = None,
    state: StateSource | None = None,
    counters: tuple[Counter, ...] = (),
    clock: ClockFile | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_finding: Callable[[Finding], None] = lambda finding: None,
) -> RunResult:
    """Examine the consumer at the URL and return the result.

    `probe` reports the events that the consumer has stored, and `state` reports its end state; rules that need one of
    them are skipped without it. `counters` are other numbers that it reports, each of which must agree as well.
    `clock` leads the consumer's clock, until the check ends. `on_finding` is called with each rule's finding as soon as
    there is one.

    Whatever the consumer does is part of the result, never an exception. Raise `CouldNotTellError` if it cannot be
    reached at the start or its probe cannot be read, and `InvalidInputError` for rules that do not exist.
    """
    run = CheckRun(
        url,
        transport=transport,
        settings=settings,
        probe=probe,
        state=state,
        counters=counters,
        clock=clock,
        on_progress=on_progress,
        on_examined=lambda name, examination: on_finding(examination.finding),
    )
    await run.finish()
    return run.result()


class CheckRun:
    """One check in progress. `result` is valid at any time, so that an interrupted check reports what it knows."""

    def __init__(
        self,
        url: str,
        *,
        transport: Transport,
        settings: Settings,
        probe: StoreProbe | None = None,
        state: StateSource | None = None,
        counters: tuple[Counter, ...] = (),
        clock: ClockFile | None = None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        on_examined: Callable[[str, Examination], None] = lambda name, examination: None,
    ) -> None:
        """Prepare the check that `check` describes.

        `on_examined` is called with each examination and its name, also with those of a sweep. Raise
        `InvalidInputError` for rules that do not exist.
        """
        self._on_progress = on_progress
        self._on_examined = on_examined
        self._sweep: SweepSummary | None = None
        if clock is not None:
            settings = msgspec.structs.replace(settings, leads_clock=True)
        self._context = check_context(
            url,
            transport=transport,
            settings=settings,
            probe=probe,
            state=state,
            counters=counters,
            clock=clock,
        )
        self._examiner = Examiner(self._context, on_examined=self._examined)

    @property
    def rules(self) -> int:
        """Number of rules that the check examines."""
        return len(self._examiner.rules)

    @property
    def events_max(self) -> int:
        """Greatest number of events that the check makes."""
        return self._context.event_budget.most

    @property
    def has_findings(self) -> bool:
        """Whether any rule has been examined, at least in part."""
        return bool(self._examiner.begun)

    @property
    def coverage(self) -> Coverage:
        """The situations of random histories so far."""
        return self._context.coverage

    @property
    def still_broken(self) -> str:
        """Sentence about something that the check has broken and not restored; empty if there is no such thing."""
        return self._context.incidents.still_broken

    @property
    def milliseconds(self) -> int:
        """Wall time since the check was prepared, in milliseconds."""
        return self._examiner.milliseconds

    async def finish(self) -> None:
        """Examine all rules. Raise as `check` does."""
        try:
            await self._examine_all()
        finally:
            if self._context.clock is not None:
                self._context.clock.release()

    async def _examine_all(self) -> None:
        await self._examiner.run()
        if not self._context.settings.sweep or self.still_broken:
            return
        self._sweep = await sweep(self._examiner, on_progress=self._swept)
        for examination in self._examiner.examinations:
            for variation, part in examination.varied:
                self._on_examined(f"{examination.rule.id}, {variation}", part)

    def result(self) -> RunResult:
        """Return what is known so far; rules that were not reached say so."""
        self._examiner.add_not_reached()
        return check_result(self._examiner.examinations, self._context.url, self._context.settings, self._sweep)

    def _examined(self, examination: Examination) -> None:
        self._on_examined(examination.rule.id, examination)
        self._report()

    def _swept(self, so_far: SweepSummary) -> None:
        self._sweep = so_far
        self._report()

    def _report(self) -> None:
        examined, rules = len(self._examiner.examinations), self._examiner.rules
        following = rules[examined].id if examined < len(rules) else None
        self._on_progress(Progress(examined=examined, rules=len(rules), following=following, sweep=self._sweep))
