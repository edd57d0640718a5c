"""The compliance check: the whole catalogue against one consumer, as one result. Every door calls it.

    transport = WireTransport()
    settings = Settings(now=wallclock.now(), seed=1)
    probe = UrlProbe(Probe(url="http://127.0.0.1:8000/processed", events="@"), transport, timeout=10_000)
    result = await check("http://127.0.0.1:8000/hook", transport=transport, settings=settings, probe=probe)

The consumer needs no reset before, and none between rules: each rule sends events of its own mailings and recipients,
and looks for just these in the store. Client and mailing ids are from `settings.CLIENT_IDS` and `MAILING_IDS`.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mockcampaign.check.bench.event_budget import EventBudget
from mockcampaign.check.examiner import Examination, Examiner
from mockcampaign.check.probes.end_state import StateSource
from mockcampaign.check.probes.store_probe import StoreProbe
from mockcampaign.check.result import check_result
from mockcampaign.check.settings import Settings
from mockcampaign.check.sweep import sweep
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult, SweepSummary
from mockcampaign.transport import Transport


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a check is."""

    examined: int
    rules: int
    following: str | None
    """The id of the rule that is examined next; None at the end."""
    sweep: SweepSummary | None = None
    """How far a sweep is, once it has begun."""


async def check(
    url: str,
    *,
    transport: Transport,
    settings: Settings,
    probe: StoreProbe | None = None,
    state: StateSource | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_finding: Callable[[Finding], None] = lambda finding: None,
) -> RunResult:
    """Examine the consumer at the URL and return the result.

    `probe` reports the events that the consumer has stored, and `state` which event it takes for the newest; without
    them, rules that need them are skipped. `on_finding` is called with each rule's finding as soon as there is one.

    Whatever the consumer does is in the result, never an exception. Raise `CouldNotTellError` where it cannot be
    reached at the start or its probe not be read, and `InvalidInputError` for rules that do not exist.
    """
    run = CheckRun(
        url,
        transport=transport,
        settings=settings,
        probe=probe,
        state=state,
        on_progress=on_progress,
        on_examined=lambda name, examination: on_finding(examination.finding),
    )
    await run.finish()
    return run.result()


class CheckRun:
    """One check under way. `result` is right at any time, so that a check that is interrupted says what it knows."""

    def __init__(
        self,
        url: str,
        *,
        transport: Transport,
        settings: Settings,
        probe: StoreProbe | None = None,
        state: StateSource | None = None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        on_examined: Callable[[str, Examination], None] = lambda name, examination: None,
    ) -> None:
        """Prepare the check that `check` describes.

        `on_examined` is called with each examination and its name, also with those of a sweep. Raise
        `InvalidInputError` for rules that do not exist.
        """
        self._url = url
        self._transport = transport
        self._settings = settings
        self._probe = probe
        self._state = state
        self._on_progress = on_progress
        self._on_examined = on_examined
        self._sweep: SweepSummary | None = None
        self._budget = EventBudget(settings.events_max())
        self._examiner = Examiner(
            url,
            transport=transport,
            settings=settings,
            source=probe,
            state=state,
            allowance=self._budget,
            told=self._examined,
        )

    @property
    def rules(self) -> int:
        """How many rules it examines."""
        return len(self._examiner.rules)

    @property
    def events_max(self) -> int:
        """How many events it makes at most."""
        return self._budget.most

    @property
    def has_findings(self) -> bool:
        """Whether any rule has been examined."""
        return bool(self._examiner.examinations)

    @property
    def milliseconds(self) -> int:
        """How long it has taken so far, by wall time."""
        return self._examiner.milliseconds

    async def finish(self) -> None:
        """Examine all rules. Raise as `check` does."""
        await self._examiner.run()
        if not self._settings.sweep:
            return
        self._sweep = await sweep(
            self._examiner,
            self._url,
            transport=self._transport,
            settings=self._settings,
            source=self._probe,
            state=self._state,
            told=self._swept,
        )
        for examination in self._examiner.examinations:
            for variation, part in examination.varied:
                self._on_examined(f"{examination.rule.id}, {variation}", part)

    def result(self) -> RunResult:
        """Return what is known; rules that were not reached say so."""
        self._examiner.not_reached()
        return check_result(self._examiner.examinations, self._url, self._settings, self._sweep)

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
