"""Consumers that die, hang, come back or respond garbage during a check, and a check that is interrupted."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from endpoints import Endpoint, answering, read_request, stalling
from mockcampaign.check.check import check
from mockcampaign.check.probes.store_probe import CallableProbe
from mockcampaign.check.settings import Settings
from mockcampaign.judging.fact import OwnTrouble
from mockcampaign.judging.verdict import RunResult, exit_status
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.serving import serve_in_thread
from mockcampaign.transport.wire import WireTransport

NOW = 1_750_000_000_000
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def checked(url: str, **settings: Any) -> RunResult:
    transport = WireTransport()
    try:
        return await check(url, transport=transport, settings=Settings(**({"now": NOW, "timeout": 300} | settings)))
    finally:
        await transport.aclose()


def met(behave: Callable[..., Awaitable[None]], **settings: Any) -> RunResult:
    async def run() -> RunResult:
        async with Endpoint(behave).serving() as endpoint, asyncio.timeout(30):  # and no check without an end
            return await checked(endpoint.url, **settings)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "actual"),
    [
        (b"", "connection closed before a response"),
        (b"hello\r\n\r\n", "response is not HTTP/1.x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "connection closed within the response body"),
        (b"\x00" * 70_000, "response is not HTTP/1.x"),
    ],
)
def test_garbage_is_a_finding(answer: bytes, actual: str) -> None:
    result = met(answering(answer))
    [basics] = [finding for finding in result.rules if finding.id == "responds-200"]
    assert basics.outcome == "fail"
    assert basics.actual == f"Did not respond to a batch of 1 event: {actual}"
    assert exit_status(result) == 1


def test_a_consumer_that_hangs_costs_one_time_out() -> None:
    result = met(stalling())
    outcomes = {finding.outcome for finding in result.rules if finding.id not in ("responds-200", "responds-in-time")}
    assert outcomes == {"not-exercised"}
    assert exit_status(result) == 1


@pytest.mark.slow
def test_a_consumer_that_hangs_later_uses_no_more_than_the_budget() -> None:
    count = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        while True:
            await read_request(reader)
            count += 1
            if count > 5:
                await asyncio.Event().wait()
            writer.write(OK)

    result = met(behave, budget=2_000, skip=("http",))
    inconclusive = [finding for finding in result.rules if finding.outcome == "could-not-tell"]
    assert inconclusive or any(finding.outcome == "fail" for finding in result.rules)
    assert not [fact for finding in result.rules for fact in finding.facts if isinstance(fact, OwnTrouble)]


@pytest.mark.slow
def test_rules_after_the_death_of_a_consumer_are_inconclusive() -> None:
    async def run() -> RunResult:
        count = 0
        endpoint = Endpoint(lambda reader, writer: behave(reader, writer))

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal count
            while True:
                await read_request(reader)
                count += 1
                if count == 3:
                    over.set()
                    return
                writer.write(OK)

        over = asyncio.Event()

        async def serve() -> None:
            async with endpoint.serving():
                ready.set()
                await over.wait()

        ready = asyncio.Event()
        serving = asyncio.create_task(serve())
        await ready.wait()
        result = await checked(endpoint.url)
        await serving
        return result

    result = asyncio.run(run())
    outcomes = {finding.outcome for finding in result.rules}
    assert "could-not-tell" in outcomes
    assert not [fact for finding in result.rules for fact in finding.facts if isinstance(fact, OwnTrouble)]
    reasons = " ".join(finding.reason or "" for finding in result.rules)
    assert "connection refused" in reasons


def test_a_probe_that_breaks_is_no_violation() -> None:
    answers = iter([[], *[[]] * 3])

    def ask() -> list[dict[str, Any]]:
        try:
            return next(answers)
        except StopIteration:
            raise OSError("the database is gone") from None

    async def run() -> RunResult:
        with serve_in_thread(consumer_app()) as url:
            transport = WireTransport()
            try:
                return await check(
                    f"{url}/hook",
                    transport=transport,
                    settings=Settings(now=NOW, rules=("identity", "responds-200")),
                    probe=CallableProbe(ask),
                )
            finally:
                await transport.aclose()

    result = asyncio.run(run())
    assert not [finding for finding in result.rules if finding.outcome == "fail"]
    assert any("OSError" in (finding.reason or "") for finding in result.rules)
    assert exit_status(result) == 3


def test_an_interrupted_check_reports_what_it_knows() -> None:
    count, reached = 0, threading.Event()
    correct = consumer_app()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal count
        count += scope["type"] == "http"
        if count > 3:
            reached.set()
            await asyncio.sleep(0.2)
        await correct(scope, receive, send)

    with serve_in_thread(app) as url:
        process = subprocess.Popen(
            [sys.executable, "-m", "mockcampaign", "check", f"{url}/hook", "-v", "--no-color"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert reached.wait(30)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "mockcampaign: interrupted\n"), out
    assert "Not reached: interrupted" in out
    assert "ok   responds-200" in out
