"""The `campaign_check` fixture: the whole catalogue of rules against a consumer, as sub-results of one test."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypedDict, Unpack
from urllib.parse import urljoin

import msgspec
import pytest

from mockcampaign import wallclock
from mockcampaign.check.baseline import Known
from mockcampaign.check.end_state import CallableState, StateSource, UrlState
from mockcampaign.check.result import check
from mockcampaign.check.settings import Settings
from mockcampaign.check.store_probe import CallableProbe, StoreProbe, UrlProbe
from mockcampaign.check.store_probe import Found as Account
from mockcampaign.errors import MisuseError
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult, shown_as
from mockcampaign.model import Authentication, BasicAuthentication, EventType, NoAuthentication
from mockcampaign.policy import SECOND
from mockcampaign.pytest_plugin.control.inputs import Duration, duration_of, event_type_of
from mockcampaign.pytest_plugin.control.violations import NOTHING_DELIVERED
from mockcampaign.pytest_plugin.loops import LoopRunner, place
from mockcampaign.pytest_plugin.results import add_results
from mockcampaign.pytest_plugin.settings import check_allowed, settings_of
from mockcampaign.pytest_plugin.targets import Target, Targets
from mockcampaign.report.check_text import check_lines, headline_lines

__tracebackhide__ = True  # a failing test shows its own line, not what goes on in here

Found = Sequence[dict[str, Any]] | int
AskedFor = Callable[[], Found | Awaitable[Found]]


class CheckOptions(TypedDict, total=False):
    """What `campaign_check` may be told besides the target."""

    probe: AskedFor | str | None
    """What the consumer has processed: a function that returns the events, or their number, or a URL or path at which
    the consumer tells it. Without it, rules that need it are not exercised."""
    probe_events: str
    """JMESPath to the events in the answer of a probe's URL; `@` if not given."""
    probe_count: str
    """JMESPath to their number, in place of `probe_events`."""
    state: Callable[[], Any] | str
    """What the consumer takes for the newest event of each mail or recipient: a function that returns a mapping by
    mailId or recipientId to the event or its created, or a list of rows with one of them, or a URL or path at which
    the consumer tells it. Without it, the rule on the newest state is not exercised."""
    type: EventType | str
    """Of the events; `open` if not given."""
    auth: tuple[str, str] | Authentication
    """User name and password, or one of `model.Authentication`."""
    rules: Collection[str]
    """Ids of rules, or names of families, to examine; all if not given."""
    skip: Collection[str]
    """Ids or families to leave out."""
    allow: Collection[str]
    """Ids of rules that the consumer may violate, besides those that the test's marker allows."""
    strict: bool
    """Whether hazards fail the test too, and must-rules that could not be exercised."""
    examples: int
    """How many cases a rule generates that generates them; 20 if not given."""
    timeout: Duration
    """How long an answer may take; 10 s if not given."""
    settle: Duration
    """How long the account may go on changing after an answer, where it cannot be seen that the consumer is at rest."""
    budget: Duration
    """How long the whole check may take; 2 minutes if not given."""
    lifespan: bool
    """False where somebody else starts and stops the ASGI application."""


class CampaignCheck:
    """Checks a consumer against Campaign's rules: `report = campaign_check(app, "/hook", probe=lambda: app.processed)`.

    Each rule is a sub-result of the test where pytest offers them (from 9 on, or with pytest-subtests); otherwise the
    test fails once, with all findings. What was not exercised, and why, is in the report.
    """

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._request = request
        self._targets = Targets()
        self._loops = LoopRunner(self._close_targets)

    def __call__(self, target: Target, path: str = "", **options: Unpack[CheckOptions]) -> RunResult:
        """The report. The test fails where a rule is violated that is not in `allow`.

        The target is as in `campaign.webhook`. Raises `InvalidInputError` for rules that do not exist,
        `CouldNotTellError` where the consumer or its account cannot be reached, and `MisuseError` in a test with an
        event loop, which awaits `awaited` instead.
        """
        if place() == "task":
            raise MisuseError("this test has an event loop, so write `await campaign_check.awaited(…)`")
        results: list[RunResult] = []
        self._loops.run("campaign_check(…)", functools.partial(self._check_into, results, target, path, options))
        self._judge(results[0], options)
        return results[0]

    async def awaited(self, target: Target, path: str = "", **options: Unpack[CheckOptions]) -> RunResult:
        """The same for a test with an event loop, in which an application is called."""
        result = await self._loops.run(
            "campaign_check.awaited(…)", functools.partial(self._check, target, path, options)
        )
        await self.leave_loop()
        self._judge(result, options)
        return result

    @contextmanager
    def example(self) -> Iterator[None]:
        """For each example of a property test, by itself: it begins with no consumer of an earlier one."""
        try:
            yield
        finally:
            self._loops.tidy()
            self._targets = Targets()

    async def leave_loop(self) -> None:
        """Give back what is held in the loop that runs now."""
        await self._loops.leave_loop()

    async def _close_targets(self) -> None:
        await self._targets.aclose()

    def close(self) -> None:
        """Give everything back."""
        self._loops.leave()

    async def _check_into(self, results: list[RunResult], target: Target, path: str, options: CheckOptions) -> None:
        results.append(await self._check(target, path, options))

    async def _check(self, target: Target, path: str, options: CheckOptions) -> RunResult:
        targets = self._targets
        targets.off_loop_calls = self._loops.off_loop_calls
        url = targets.url_of(target, path, lifespan=options.get("lifespan", True))
        targets.watch()
        auth = options.get("auth", NoAuthentication())
        marked = settings_of(self._request.node)
        allow = options.get("allow", ())
        check_allowed(allow)
        settings = Settings(
            seed=marked.seed,
            now=wallclock.now() // SECOND * SECOND,
            event_type=event_type_of(options.get("type", EventType.OPEN)),
            authentication=BasicAuthentication(*auth) if isinstance(auth, tuple) else auth,
            rules=tuple(options.get("rules", ())),
            skip=tuple(options.get("skip", ())),
            known=tuple(Known(rule) for rule in sorted({*marked.allow, *allow}) if rule != NOTHING_DELIVERED),
            strict=options.get("strict", False),
            examples=options.get("examples", 20),
            timeout=duration_of(options.get("timeout", "10s"), "timeout"),
            settle=duration_of(options.get("settle", "0s"), "settle"),
            budget=duration_of(options.get("budget", "2m"), "budget"),
        )
        source = await self._source(url, options, settings.timeout)
        state = self._state(url, options, settings.timeout)
        return await check(url, transport=targets, settings=settings, source=source, state=state)

    def _state(self, url: str, options: CheckOptions, timeout: int) -> StateSource | None:
        state = options.get("state")
        if state is None:
            return None
        if isinstance(state, str):
            return UrlState(urljoin(url, state), self._targets, timeout=timeout)
        return CallableState(self._asking(state, "state", timeout))

    async def _source(self, url: str, options: CheckOptions, timeout: int) -> StoreProbe | None:
        probe = options.get("probe")
        if probe is None:
            return None
        if isinstance(probe, str):
            count = options.get("probe_count")
            events = None if count is not None else options.get("probe_events", "@")
            return UrlProbe(Probe(url=urljoin(url, probe), events=events, count=count), self._targets, timeout=timeout)
        asked = self._asking(probe, "probe", timeout)

        async def ask() -> Account:
            found = await asked()
            return found if isinstance(found, int) else list(found)

        return CallableProbe(ask, tells_events=not isinstance(await ask(), int))

    def _asking(self, asked: Any, name: str, timeout: int) -> Callable[[], Coroutine[Any, Any, Any]]:
        """A function that asks, once the consumer is at rest. Raises `MisuseError` where it is none."""
        if not callable(asked):
            raise MisuseError(
                f"{name} is a {type(asked).__name__}, which is read once and not anew: pass a function, such as "
                f"{name}=lambda: app.{'processed' if name == 'probe' else name}"
            )

        async def ask() -> Any:
            await self._targets.settle(timeout)
            # Where no loop runs, since what it asks may be a database that objects to one.
            calls = self._loops.off_loop_calls
            found: Any = asked() if calls is None else await calls.make(asked)
            return await found if inspect.isawaitable(found) else found

        return ask

    def _judge(self, result: RunResult, options: CheckOptions) -> None:
        add_results(self._request.config, *result.scenarios)
        wrong = {"fail", "could-not-tell", *(["warn"] if options.get("strict", False) else [])}
        failed = [finding for finding in result.rules if shown_as(finding) in wrong]
        trouble = result.trouble if not failed else None
        subtests = self._subtests()
        if subtests is None:
            if failed or trouble:
                pytest.fail("\n".join([*_lines(result, failed), *_headline(result)]), pytrace=False)
            return
        for finding in result.rules:
            with subtests.test(finding.id):
                if finding in failed:
                    pytest.fail("\n".join(_lines(result, [finding])), pytrace=False)
                if finding.outcome == "not-exercised":
                    _skip(finding.reason or finding.actual)
        if failed or trouble:
            pytest.fail("\n".join(_headline(result)), pytrace=False)

    def _subtests(self) -> Any:
        item = self._request.node
        if item.get_closest_marker("xfail") is not None or hasattr(getattr(item, "obj", None), "hypothesis"):
            # What passes of a test that should fail is to pytest a failure, be it one rule of many; and Hypothesis does
            # not hear of sub-results, which come anew with each example.
            return None
        try:
            return self._request.getfixturevalue("subtests")
        except pytest.FixtureLookupError:
            return None


def _skip(reason: str) -> None:
    __tracebackhide__ = False  # pytest has to see a place at which something is skipped
    pytest.skip(reason)


def _lines(result: RunResult, findings: list[Finding]) -> list[str]:
    shown = msgspec.structs.replace(result, rules=findings)
    return ["".join(text for text, _ in line).rstrip() for line in check_lines(shown, verbosity=1)]


def _headline(result: RunResult) -> list[str]:
    return ["".join(text for text, _ in line).rstrip() for line in headline_lines(result)]
