"""The `campaign_check` fixture: the compliance check against a consumer, with a subtest for each rule."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Unpack
from urllib.parse import urljoin

import msgspec
import pytest

from mockcampaign import wallclock
from mockcampaign.check.check import check
from mockcampaign.check.probes.end_state import CallableState, StateSource, UrlState
from mockcampaign.check.probes.probe_making import close_probe, make_probe
from mockcampaign.check.probes.store_probe import (
    CallableProbe,
    Counter,
    StoreProbe,
    counter_at,
    parameters_of,
)
from mockcampaign.check.settings import Operation, Settings
from mockcampaign.clocks.clock_file import ClockFile
from mockcampaign.double.consumer_targets import Target, Targets
from mockcampaign.double.loops import LoopRunner, place
from mockcampaign.errors import MisuseError
from mockcampaign.judging.fact import NotReached
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult, is_violation, shown_as, worst_first
from mockcampaign.pytest_plugin.application_log import shortened_log
from mockcampaign.pytest_plugin.campaign_settings import baseline_of, settings_of
from mockcampaign.pytest_plugin.check_options import CheckOptions, check_settings
from mockcampaign.pytest_plugin.results import add_results
from mockcampaign.report.advice import explaining, fields_kept
from mockcampaign.report.check_text import check_lines, headline_lines, scenario_file
from mockcampaign.text import counted, few, kind_of, printable
from mockcampaign.transport.address import Routes, check_resolved, routes_to
from mockcampaign.transport.wire import WireTransport
from mockcampaign.whole_files import write_whole

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here


OPERATIONS = ("restart_command", "break_command", "restore_command")
"""Settings that may be functions of the test."""


class CampaignCheck:
    """Checks a consumer against Campaign's rules: `report = campaign_check(app, "/hook", probe=lambda: app.processed)`.

    Each rule is a subtest if pytest offers them (since version 9, or with pytest-subtests). Otherwise the test fails
    once, with all findings. The report says which rules were skipped, and why.
    """

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._request = request
        self._targets = Targets()
        self._loops = LoopRunner(self._close_targets)
        self._caplog: pytest.LogCaptureFixture | None = (
            request.getfixturevalue("caplog") if request.config.pluginmanager.has_plugin("logging-plugin") else None
        )

    def __call__(self, target: Target, path: str = "", **options: Unpack[CheckOptions]) -> RunResult:
        """Check the consumer and return the report. The test fails if a rule is violated that is not in `allow`.

        `target` is the same as in `campaign.webhook`. Raises `InvalidInputError` for an unknown rule,
        `CouldNotTellError` if the consumer or its probe cannot be reached, and `MisuseError` in a test with an event
        loop, which awaits `awaited` instead.
        """
        if place() == "task":
            raise MisuseError("this test has an event loop, so write `await campaign_check.awaited(…)`")
        results: list[RunResult] = []
        with shortened_log(self._caplog):
            self._loops.run("campaign_check(…)", functools.partial(self._check_into, results, target, path, options))
        self._report_findings(results[0], options)
        return results[0]

    async def awaited(self, target: Target, path: str = "", **options: Unpack[CheckOptions]) -> RunResult:
        """Check the consumer from a test with an event loop, and call applications in that loop."""
        with shortened_log(self._caplog):
            result = await self._loops.run(
                "campaign_check.awaited(…)", functools.partial(self._check, target, path, options)
            )
        await self.leave_loop()
        self._report_findings(result, options)
        return result

    @contextmanager
    def example(self) -> Iterator[None]:
        """Begin without the targets of earlier examples, for one example of a property test."""
        try:
            yield
        finally:
            self._loops.tidy()
            self._targets = Targets()

    async def leave_loop(self) -> None:
        """Release what is held in the running event loop."""
        await self._loops.leave_loop()

    async def _close_targets(self) -> None:
        await self._targets.aclose()

    def close(self) -> None:
        """Release everything."""
        self._loops.leave()

    async def _check_into(self, results: list[RunResult], target: Target, path: str, options: CheckOptions) -> None:
        results.append(await self._check(target, path, options))

    async def _check(self, target: Target, path: str, options: CheckOptions) -> RunResult:
        targets = self._targets
        targets.off_loop_calls = self._loops.off_loop_calls
        url = targets.url_of(target, path, lifespan=options.get("lifespan", True))
        targets.watch()
        settings = check_settings(
            settings_of(self._request.node), options, wallclock.now(), baseline_of(self._request.config)
        )
        if "scenarios" in options:
            _make_folder(Path(options["scenarios"]))
        routes = self._routes(url, options)
        targets.make_wire = functools.partial(
            WireTransport, ca_file=settings.ca_file, verify=not options.get("insecure", False), routes=routes
        )
        settings = msgspec.structs.replace(
            settings,
            routes=routes,
            **{name: self._operation(getattr(settings, name), name) for name in OPERATIONS},
        )
        state = self._state(url, options, settings)
        counters = self._counters(url, options, settings.timeout)
        clock = ClockFile.existing(Path(options["clock"]), "clock") if "clock" in options else None
        source = await self._source(url, options, settings)
        try:
            return await check(
                url, transport=targets, settings=settings, probe=source, state=state, counters=counters, clock=clock
            )
        finally:
            close_probe(source)

    def _routes(self, url: str, options: CheckOptions) -> Routes:
        routes = routes_to([url], options.get("host_header"), options.get("resolve", ()))
        others = (options.get("probe"), options.get("state"), *options.get("counters", {}).values())
        check_resolved(routes, [url, *(urljoin(url, one) for one in others if isinstance(one, str))])
        return routes

    def _operation(self, given: Operation | None, name: str) -> Operation | None:
        """Return an operation of the check that calls a function as this test wants. Raises `MisuseError`."""
        if given is None or isinstance(given, str):
            return given
        if not callable(given):
            raise MisuseError(f"{name} is {kind_of(given)}, allowed: a command or a function")
        function = given

        async def carry_out() -> None:
            calls = self._loops.off_loop_calls
            # After Ctrl-C, nobody stops the loop for a call any more, and something may have to be restored.
            result = await calls.make(function) if calls is not None and calls.is_served else function()
            if inspect.isawaitable(result):
                await result

        return carry_out

    def _counters(self, url: str, options: CheckOptions, timeout: int) -> tuple[Counter, ...]:
        found = []
        for name, counter in options.get("counters", {}).items():
            if isinstance(counter, str):
                found.append(counter_at(urljoin(url, counter), self._targets, timeout=timeout, name=name))
            else:
                asked = CallableProbe(self._idle_call(counter, f"counters[{name!r}]", timeout), reports_events=False)
                found.append(Counter(name, asked))
        return tuple(found)

    def _state(self, url: str, options: CheckOptions, settings: Settings) -> StateSource | None:
        state = options.get("state")
        if state is None:
            return None
        if isinstance(state, str):
            return UrlState(
                urljoin(url, state),
                self._targets,
                states=options.get("states", "@"),
                timeout=settings.timeout,
                shape=settings.shape,
            )
        asked = self._idle_call(state, "state", settings.timeout)
        return CallableState(asked, settings.shape, wanted=parameters_of(state, "state"))

    async def _source(self, url: str, options: CheckOptions, settings: Settings) -> StoreProbe | None:
        probe, timeout = options.get("probe"), settings.timeout
        if probe is None or isinstance(probe, str):
            engine, query = options.get("probe_sql") or (None, None)
            return make_probe(
                self._targets,
                url=None if probe is None else urljoin(url, probe),
                command=options.get("probe_command"),
                sql=engine,
                query=query,
                events=options.get("probe_events"),
                count=options.get("probe_count"),
                shapes=settings.shapes,
                timeout=timeout,
            )
        asked = self._idle_call(probe, "probe", timeout)

        async def ask(**values: Any) -> Any:
            found = await asked(**values)
            return found if isinstance(found, int | Mapping) else list(found)

        wanted = parameters_of(probe, "probe")
        first = await ask(**{one.parameter: None for one in wanted})
        return CallableProbe(ask, reports_events=not isinstance(first, int), wanted=wanted)

    def _idle_call(self, asked: Any, name: str, timeout: int) -> Callable[[], Coroutine[Any, Any, Any]]:
        """Return a coroutine function that asks an idle consumer. Raises `MisuseError` unless `asked` is a function."""
        if not callable(asked):
            raise MisuseError(
                f"{name} is {kind_of(asked)}, which is read only once: pass a function, such as "
                f"{name}=lambda: app.{'processed' if name == 'probe' else name}"
            )

        async def ask(**values: Any) -> Any:
            await self._targets.settle(timeout)
            # Outside of any loop, because the function may use a database that objects to a running one.
            calls = self._loops.off_loop_calls
            call = functools.partial(asked, **values) if values else asked
            found: Any = call() if calls is None else await calls.make(call)
            return await found if inspect.isawaitable(found) else found

        return ask

    def _report_findings(self, result: RunResult, options: CheckOptions) -> None:
        add_results(self._request.config, *result.scenarios)
        if "scenarios" in options:
            _write_scenarios(result, Path(options["scenarios"]))
        strict = options.get("strict", False)
        explain = options.get("explain", False)
        result = msgspec.structs.replace(result, rules=worst_first(result.rules, strict=strict))
        inconclusive = [finding for finding in result.rules if shown_as(finding) == "could-not-tell"]
        # Rules that were never begun, such as those beyond the budget, share one reason, which is reported once.
        not_reached = [one for one in inconclusive if all(isinstance(fact, NotReached) for fact in one.facts)]
        failed = [
            finding
            for finding in result.rules
            if is_violation(finding, strict=strict) or (finding in inconclusive and finding not in not_reached)
        ]
        trouble = result.trouble if not failed else None
        hazards, skipped = list(_hazards(result, failed)), list(_skipped(result))
        command = explaining(result.rules)
        explained = [] if command is None else [f"  {command} explains the rule"]
        kept = fields_kept(failed)
        fewer = [f"  probe_fields={list(kept)} compares only the fields that the consumer stores"] if kept else []
        # pytest repeats the first line in its summary.
        end = [*_headline(result), *_not_reached(not_reached), *hazards, *skipped, *explained, *fewer]
        if (hazards or skipped) and not (failed or trouble):
            self._request.node.add_report_section("call", "campaign_check", "\n".join(end))
        subtests = self._subtests()
        if subtests is None:
            if failed or trouble:
                pytest.fail("\n".join([*_lines(result, failed, explain=explain), *end]), pytrace=False)
            return
        for finding in result.rules:
            with subtests.test(finding.id):
                if finding in failed:
                    pytest.fail("\n".join(_lines(result, [finding], explain=explain)), pytrace=False)
                if finding.outcome == "not-exercised" or finding in not_reached:
                    # With its rule, because pytest counts equal reasons as one, under the name of one rule.
                    _skip(f"{finding.id}: {finding.reason or finding.actual}")
        if failed or trouble:
            pytest.fail("\n".join(end), pytrace=False)

    def _subtests(self) -> Any:
        item = self._request.node
        if item.get_closest_marker("xfail") is not None or hasattr(getattr(item, "obj", None), "hypothesis"):
            # In a test that should fail, pytest counts each subtest that passes as a failure; and Hypothesis ignores
            # the subtests of its examples.
            return None
        try:
            return self._request.getfixturevalue("subtests")
        except pytest.FixtureLookupError:
            return None


def _skip(reason: str) -> None:
    __tracebackhide__ = False  # pytest needs a line at which the test is skipped
    pytest.skip(reason)


def _hazards(result: RunResult, failed: list[Finding]) -> Iterator[str]:
    """Yield a line for each hazard that does not fail the test, and so has no lines of its own."""
    for finding in result.rules:
        if finding.outcome == "warn" and not finding.known and finding not in failed:
            yield f"  hazard {finding.id}  {finding.title}: {printable(finding.actual)}"


def _skipped(result: RunResult) -> Iterator[str]:
    return _by_reason([one for one in result.rules if one.outcome == "not-exercised"], "skipped")


def _not_reached(findings: list[Finding]) -> Iterator[str]:
    return _by_reason(findings, "not reached")


def _by_reason(findings: list[Finding], became: str) -> Iterator[str]:
    """Yield a line for each reason for which rules have no result."""
    reasons: dict[str, list[str]] = {}
    for finding in findings:
        reasons.setdefault(finding.actual, []).append(finding.id)
    for reason, rules in reasons.items():
        yield f"  {counted(len(rules), 'rule')} {became}: {few(rules)}: {printable(reason)}"


def _make_folder(folder: Path) -> None:
    """Create the folder. Raise `MisuseError` if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MisuseError(f"campaign_check: scenarios {folder}: cannot be created: {error.strerror}") from None


def _write_scenarios(result: RunResult, folder: Path) -> None:
    for finding in result.rules:
        if finding.reproduce is not None and finding.reproduce.scenario is not None:
            write_whole(scenario_file(folder, finding), finding.reproduce.scenario.encode())


def _lines(result: RunResult, findings: list[Finding], *, explain: bool) -> list[str]:
    shown = msgspec.structs.replace(result, rules=findings)
    return ["".join(text for text, _ in line).rstrip() for line in check_lines(shown, verbosity=1, explain=explain)]


def _headline(result: RunResult) -> list[str]:
    return ["".join(text for text, _ in line).rstrip() for line in headline_lines(result)]
