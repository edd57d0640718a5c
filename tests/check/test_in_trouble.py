"""Consumers that die, hang, restart or respond garbage during a check: every check ends, with or without a verdict."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from checks import PATIENCE
from endpoints import unused_port
from judged import CREDENTIALS, restartable, settings
from judged import checked as in_a_check
from mockcampaign.check.check import check
from mockcampaign.check.probes.store_probe import UrlProbe
from mockcampaign.faults import CutBody
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.judging.fact import Died, OwnTrouble
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult, exit_status
from mockcampaign.model import Fault, NoResponse, Outcome, Request
from mockcampaign.report import advice
from mockcampaign.report.json_report import to_json
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.samples.plain_server import PlainConnection, serve_plainly
from mockcampaign.transport.inprocess import AsgiTransport
from mockcampaign.transport.wire import WireTransport, wait_until_reachable
from restarted import end

GARBAGE = {
    "nothing": b"",
    "no-http": b"SSH-2.0-OpenSSH_9.2\r\n",
    "an-odd-status": b"HTTP/1.1 999 Whatever\r\nContent-Length: 0\r\n\r\n",
    "a-cut-head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "a-cut-body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
    "html": b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>Hi</html>",
    "an-error": b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
    "json-of-another-kind": b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n[[1],null,"a"',
    "too-many-headers": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 20_000 + b"\r\n",
}
BUDGET = 4_000


class Trouble:
    """A failure of the consumer, and the request from which it begins."""

    def __init__(self, after: int, answer: bytes | None) -> None:
        """`answer` replaces the response; None stands for no response at all."""
        self.requests = 0
        self.after = after
        self.answer = answer

    def connection(self) -> type[PlainConnection]:
        trouble = self

        class Troubled(PlainConnection):
            async def exchange(self) -> bool:
                trouble.requests += 1
                if trouble.requests <= trouble.after:
                    return await super().exchange()
                await self.read_head()
                if trouble.answer is None:
                    await asyncio.Event().wait()
                self.writer.write(trouble.answer or b"")
                await self.writer.drain()
                return False

        return Troubled


def checked(url: str, *, told: Callable[[Finding], None] = lambda finding: None, **changes: Any) -> RunResult:
    """Return the result of a check, or fail if it does not end."""

    async def run() -> RunResult:
        transport = WireTransport()
        try:
            chosen = settings(1, **({"timeout": 300, "budget": BUDGET, "examples": 5} | changes))
            source = UrlProbe(Probe(url=f"{url}/processed", events="@"), transport, timeout=chosen.timeout)
            async with asyncio.timeout(600):
                return await check(f"{url}/hook", transport=transport, settings=chosen, probe=source, on_finding=told)
        finally:
            await transport.aclose()

    return asyncio.run(run())


def troubled(trouble: Trouble) -> contextlib.AbstractContextManager[str]:
    return serve_plainly(consumer_app(basic_authentication=CREDENTIALS), trouble.connection())


def assert_whole(result: RunResult) -> None:
    """Assert that every rule has an outcome, none passes without a consumer, and a report can be made."""
    assert not result.compliant
    assert exit_status(result) in (1, 3)
    assert {finding.outcome for finding in result.rules} <= {"pass", "fail", "warn", "not-exercised", "could-not-tell"}
    assert_explained(result)


def assert_explained(result: RunResult) -> None:
    """Assert that no result is a bug of ours, and a report can be made."""
    assert all(finding.reason or finding.actual for finding in result.rules)
    assert not [fact for finding in result.rules for fact in finding.facts if isinstance(fact, OwnTrouble)]
    json.loads(to_json(result))


@pytest.mark.parametrize(
    "garbage", [one if one == "a-cut-body" else pytest.param(one, marks=pytest.mark.slow) for one in GARBAGE]
)
def test_a_consumer_that_begins_to_respond_garbage(garbage: str) -> None:
    with troubled(Trouble(20, GARBAGE[garbage])) as url:
        assert_whole(checked(url, rules=("acknowledgement", "batch", "redelivery")))


@pytest.mark.slow
def test_a_consumer_that_begins_to_hang() -> None:
    with troubled(Trouble(20, None)) as url:
        assert_whole(checked(url, rules=("acknowledgement", "batch", "redelivery")))


class CountsCharacters(PlainConnection):
    """Announces the length of a response in characters, one of which has two bytes."""

    async def write(self, head: bytes, answer: bytes) -> None:
        await super().write(head, answer + b"\xc3" if b"200 OK" in head else answer)


def test_a_consumer_whose_responses_are_longer_than_announced() -> None:
    with serve_plainly(consumer_app(basic_authentication=CREDENTIALS), CountsCharacters) as url:
        result = in_a_check(url, WireTransport, settings(1, rules=("handles-keep-alive",)))
    [finding] = [finding for finding in result.rules if finding.outcome == "fail"]
    assert finding.id == "handles-keep-alive"
    assert finding.identity == "surplus-bytes"
    assert finding.actual.startswith("Sent more bytes in response to request 1 on one connection than the response's")
    assert finding.fix == advice.EXACT_LENGTH.text


class Dies:
    """A transport to a consumer that dies of any request that `kills` accepts."""

    def __init__(self, kills: Callable[[Request], bool]) -> None:
        self._consumer = AsgiTransport(consumer_app(basic_authentication=CREDENTIALS))
        self._kills = kills
        self._dead = False

    @property
    def faults(self) -> frozenset[type[Fault]]:
        return self._consumer.faults

    async def send(self, request: Request) -> Outcome:
        if self._dead:
            return NoResponse("connect", "connection refused")
        if self._kills(request):
            self._dead = True
            return NoResponse("wait", "connection closed before a response")
        return await self._consumer.send(request)

    async def aclose(self) -> None:
        await self._consumer.aclose()


@pytest.mark.parametrize(
    ("rule", "kills", "identity", "actual"),
    [
        (
            "recovers-from-bad-requests",
            lambda request: request.body == b"null",
            "died after null",
            "Did not respond (connection closed before a response), then could not be reached any more after null (",
        ),
        (
            "recovers-from-bad-requests",
            lambda request: any(isinstance(fault, CutBody) for fault in request.faults),
            "died after cut-body",
            "Could not be reached any more after a body that is cut off on its way, sent 4 times (",
        ),
        (
            "accepts-absent-fields",
            lambda request: request.body.count(b'"device"') < request.body.count(b'"mailId"'),
            "died after batch",
            "Did not respond (connection closed before a response), then could not be reached any more after a batch "
            "of 4 events (",
        ),
        (
            "once-after-truncated-body",
            lambda request: any(isinstance(fault, CutBody) for fault in request.faults),
            "died after batch",
            "Did not respond (connection closed before a response), then could not be reached any more after a batch "
            "of 5 events (",
        ),
        (
            "survives-oversized-body",
            lambda request: request.body.startswith(b"[["),
            "died after deeply-nested-body",
            "Did not respond (connection closed before a response), then could not be reached any more after a list "
            "nested 100,000 levels deep (",
        ),
    ],
)
def test_a_consumer_that_dies_of_a_bad_request(
    rule: str, kills: Callable[[Request], bool], identity: str, actual: str
) -> None:
    result = in_a_check("http://consumer.test", lambda: Dies(kills), settings(1, rules=(rule,)))
    [finding] = [finding for finding in result.rules if finding.id == rule]
    assert finding.outcome in ("fail", "warn")
    assert finding.identity == identity
    assert finding.actual.startswith(actual)
    assert finding.fix == advice.CATCH.text


class DiesAfterwards(Dies):
    """A transport to a consumer that responds to a request and then dies of it, until a supervisor restarts it."""

    refusals = 4

    async def send(self, request: Request) -> Outcome:
        if self._refused:
            self._refused -= 1
            return NoResponse("connect", "connection refused")
        outcome = await self._consumer.send(request)
        if self._kills(request):
            self._refused = self.refusals
        return outcome

    def __init__(self, kills: Callable[[Request], bool]) -> None:
        super().__init__(kills)
        self._refused = 0


class DiesForGood(DiesAfterwards):
    refusals = 10**6


def lacks_device(request: Request) -> bool:
    return request.body.count(b'"device"') < request.body.count(b'"mailId"')


def dying(transport: type[Dies]) -> dict[str, Finding]:
    """Return the findings of two rules, the first of which sends events without a device."""
    rules = ("responds-200", "accepts-absent-fields", "accepts-unknown-fields")
    result = in_a_check("http://consumer.test", lambda: transport(lacks_device), settings(1, rules=rules))
    return {finding.id: finding for finding in result.rules}


def test_a_consumer_that_dies_after_its_response_and_is_restarted() -> None:
    found = dying(DiesAfterwards)
    assert found["accepts-absent-fields"].outcome == "fail"
    assert found["accepts-absent-fields"].actual.startswith(
        "Responded 200, then could not be reached any more after a batch of 4 events, some of them with no "
    )
    assert found["accepts-absent-fields"].actual.endswith("(no connection), until something restarted it")
    assert found["accepts-absent-fields"].fix == advice.CATCH.text
    assert found["accepts-unknown-fields"].outcome == "pass"


@pytest.mark.slow
def test_a_consumer_that_does_not_come_back_may_have_been_stopped() -> None:
    found = dying(DiesForGood)
    assert found["accepts-absent-fields"].outcome == "could-not-tell"
    assert found["accepts-unknown-fields"].outcome == "could-not-tell"


@pytest.mark.slow
@pytest.mark.parametrize("findings", [1, 4, 20])
def test_a_consumer_that_is_killed(findings: int) -> None:
    told: list[Finding] = []
    with restartable("sample") as (url, command):

        def kill(finding: Finding) -> None:
            told.append(finding)
            if len(told) == findings:
                # The folder of its process id appears before the command that starts it.
                end(Path(shlex.split(command)[2]))

        result = checked(url, told=kill, budget=30_000)
    assert_whole(result)
    noticed, *others = result.rules[findings:]
    # Nobody sees who killed it: if a request was pending on an open connection, it may have died of that.
    if noticed.outcome in ("fail", "warn"):
        assert any(isinstance(fact, Died) for fact in noticed.facts)
    else:
        assert noticed.outcome == "could-not-tell"
    assert {finding.outcome for finding in others} <= {"could-not-tell", "not-exercised"}
    assert any(finding.outcome == "could-not-tell" for finding in others)


@pytest.mark.slow
def test_a_consumer_that_is_restarted_with_a_durable_store_violates_nothing() -> None:
    told: list[Finding] = []
    with restartable("sample") as (url, command):

        def restart(finding: Finding) -> None:
            told.append(finding)
            if len(told) % 7 == 0:
                subprocess.run(shlex.split(command), check=True)
                with ThreadPoolExecutor() as threads:  # since this thread's loop is the check's
                    assert threads.submit(asyncio.run, wait_until_reachable(url, 60_000)).result()

        # What a consumer does first after its start may take longer than it takes the other consumers of this module.
        chosen = {"rules": ("acknowledgement", "batch", "redelivery"), "timeout": 10_000, "budget": PATIENCE}
        result = checked(url, told=restart, **chosen)
    assert [finding.id for finding in result.rules if finding.outcome == "fail"] == []


@contextlib.contextmanager
def restarting(after: int) -> Iterator[str]:
    """A consumer that is replaced by one with an empty store, from a certain request on, at the same address."""
    port = unused_port()
    apps = [consumer_app(basic_authentication=CREDENTIALS) for _ in range(2)]
    requests = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal requests
        requests += 1
        await apps[requests > after](scope, receive, send)

    class Ending(PlainConnection):
        async def exchange(self) -> bool:
            # The end of a process also ends its connections.
            return await super().exchange() and requests != after

    with serve_plainly(app, Ending, port=port) as url:
        yield url


@pytest.mark.slow
@pytest.mark.parametrize("after", [3, 10, 31])
def test_a_consumer_that_restarts_with_an_empty_store(after: int) -> None:
    with restarting(after) as url:
        result = checked(url, rules=("acknowledgement", "batch", "identity", "redelivery"), budget=30_000)
    assert_explained(result)
    assert [finding for finding in result.rules if finding.outcome == "pass"]
