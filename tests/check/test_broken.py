"""Something that the consumer needs is broken and restored while batches arrive."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checks import EVENTS, NOW, checked
from judged import breaking
from mockcampaign.check.check import check
from mockcampaign.check.probes.store_probe import UrlProbe
from mockcampaign.check.rules import durability
from mockcampaign.check.settings import Settings
from mockcampaign.judging.fact import (
    Confirmation,
    Confirmed,
    EventBudgetReached,
    LostWhileBroken,
    Needs,
    NotReached,
    Unfinished,
)
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult
from mockcampaign.report.check_text import headline_lines
from mockcampaign.samples.consumer import consumer_app, serve_consumer
from mockcampaign.transport.inprocess import AsgiTransport
from mockcampaign.wallclock import ask_until

RULE = "stores-acknowledged-while-broken"


@pytest.fixture(autouse=True)
def _shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durability, "BROKEN", 60)
    monkeypatch.setattr(durability, "BEFORE_BROKEN", 30)


def found_in(bug: str | None, store: Path, **commands: str) -> Finding:
    given = breaking(str(store)) | commands
    [found] = checked(consumer_app(bug, store=store), rules=(RULE,), **given).rules
    return found


def test_a_consumer_that_rejects_what_it_cannot_store_is_compliant(tmp_path: Path) -> None:
    found = found_in(None, tmp_path / "store")
    assert found.outcome == "pass", found.actual
    assert not found.actual.endswith(": 0")  # the command did break it


def test_what_was_acknowledged_while_the_store_was_broken_is_missing(tmp_path: Path) -> None:
    found = found_in("acknowledges-without-store", tmp_path / "store")
    assert (found.outcome, found.identity) == ("fail", "lost-while-broken")
    [fact] = found.facts
    assert isinstance(fact, LostWhileBroken)
    assert 0 < fact.lost < fact.events
    assert found.actual.startswith(f"{fact.lost} of {fact.events} events that it acknowledged around the fault")
    assert found.reproduce is not None
    assert "--break-cmd" in (found.reproduce.without_curl or "")


@pytest.mark.parametrize(
    ("failing", "said"),
    [
        ("break_command", "Break command false: ended with status 1"),
        (
            "restore_command",
            "Still broken: run the restore command yourself (restore command false: ended with status 1)",
        ),
    ],
)
def test_a_command_that_fails_is_no_violation(tmp_path: Path, failing: str, said: str) -> None:
    # A restore command that fails because nothing was broken is a failure, too.
    commands = {"restore_command": "true"} | {failing: "false"}
    found = found_in(None, tmp_path / "store", **commands)
    assert (found.outcome, found.actual) == ("could-not-tell", said)


@pytest.mark.parametrize("breaking", ["true", "false"])
def test_nothing_is_examined_once_something_stays_broken(tmp_path: Path, breaking: str) -> None:
    commands = {"break_command": breaking, "restore_command": "false", "restart_command": "true"}
    durable = "durable-over-crash"
    first, second = checked(consumer_app(store=tmp_path / "store"), rules=(RULE, durable), **commands).rules
    assert "still broken: run the restore command yourself (restore command false: " in first.actual.lower()
    assert (second.outcome, second.facts) == ("could-not-tell", (NotReached(why="still-broken", rule_id=RULE),))
    assert second.actual == f"Not reached: what {RULE} broke could not be restored"


class Breakable:
    """A correct consumer that responds 503 while it is broken, and to some requests after that."""

    def __init__(self, *, notices: bool = True, rejected_after: int = 0) -> None:
        self._app = consumer_app()
        self._notices = notices
        self._rejected_after = rejected_after
        self._left = 0
        self.is_broken = False
        self.done: list[str] = []
        self.arrived = 0
        """Number of batches."""
        self.while_broken = 0
        self.enough = 0
        """Number of batches after which the command that breaks it ends."""
        self._has_enough = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/hook":
            self.arrived += 1
            self.while_broken += self.is_broken
            if self.arrived >= self.enough:
                self._has_enough.set()
            self._left -= not self.is_broken
            if self._notices and (self.is_broken or self._left >= 0):
                await send({"type": "http.response.start", "status": 503, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
        await self._app(scope, receive, send)

    async def make_broken(self) -> None:
        self.done.append("break")
        self.enough += self.arrived
        self._has_enough.clear()
        if self.enough > self.arrived:
            await self._has_enough.wait()
        self.is_broken = True

    def restore(self) -> None:
        self.done.append("restore")
        self.is_broken = False
        self._left = self._rejected_after

    def checked(self, **more: Any) -> RunResult:
        return checked(self, rules=(RULE,), break_command=self.make_broken, restore_command=self.restore, **more)

    def found(self, **more: Any) -> Finding:
        [found] = self.checked(**more).rules
        return found


def test_batches_go_on_arriving_however_long_the_break_command_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durability, "PAUSE_MAX", 0)
    app = Breakable()
    app.enough = 350
    found = app.found()
    assert found.outcome == "pass", found.actual
    assert app.while_broken
    assert app.done == ["break", "restore"]


def test_the_fault_ends_if_there_are_no_more_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durability, "PAUSE_MAX", 0)
    app = Breakable()
    found = app.found(events=60)
    assert (found.outcome, found.facts) == ("not-exercised", (EventBudgetReached(events=60),))
    assert app.done == ["break", "restore"]


def test_a_fault_that_changes_no_response_is_said_not_to_have_been_noticed() -> None:
    result = Breakable(notices=False).checked()
    [found] = result.rules
    [fact] = found.facts
    assert result.notes == ("fault-not-noticed",)
    assert any(
        "no response changed while something was broken" in text for [(text, _)] in list(headline_lines(result))[1:]
    )
    assert isinstance(fact, Confirmed)
    assert (found.outcome, fact.what) == ("pass", Confirmation.FAULT_NOT_NOTICED)
    assert found.actual.endswith("whether the command (--break-cmd) breaks anything that the consumer needs")


def test_without_a_batch_during_the_fault_the_rule_is_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durability, "RESTART_TIMEOUT", 30)
    monkeypatch.setattr(durability, "PAUSE", 600_000)
    monkeypatch.setattr(durability, "PAUSE_MAX", 600_000)
    app = Breakable()
    found = app.found()
    assert (found.outcome, found.actual) == ("could-not-tell", "No batch was sent within 90 ms of the fault")
    assert app.done == ["break", "restore"]


@pytest.mark.parametrize(("rejected_after", "outcome"), [(5, "pass"), (10**9, "fail")])
def test_a_consumer_may_wait_before_it_uses_again_what_was_broken(
    rejected_after: int, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durability, "RETRY_PAUSE", 1)
    if outcome == "fail":
        monkeypatch.setattr(durability, "RESTART_TIMEOUT", 0)
    found = Breakable(rejected_after=rejected_after).found()
    assert found.outcome == outcome, found.actual
    if outcome == "fail":
        assert found.identity == "503 to restored"


@pytest.mark.slow
def test_a_budget_that_runs_out_meanwhile_restores_and_suspects_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durability, "BROKEN", 600_000)
    app = Breakable()
    found = app.found(budget=3_000)
    assert app.while_broken
    assert app.done == ["break", "restore"]
    [fact] = found.facts
    assert (found.outcome, type(fact)) == ("could-not-tell", Unfinished)


def test_a_cancellation_waits_for_the_function_that_restores() -> None:
    """However often the check is cancelled."""
    app = Breakable()
    reached = asyncio.Event()
    over = asyncio.Event()

    async def restore() -> None:
        reached.set()
        await over.wait()
        app.restore()

    async def cancelled() -> None:
        transport = AsgiTransport(app)
        chosen = Settings(now=NOW, rules=(RULE,), break_command=app.make_broken, restore_command=restore)
        probe = UrlProbe(EVENTS, transport, timeout=5_000)
        task = asyncio.ensure_future(check("http://app/hook", transport=transport, settings=chosen, probe=probe))
        await reached.wait()
        for _ in range(3):
            task.cancel()
            await asyncio.wait((task,), timeout=0)
        assert not task.done()
        over.set()
        await asyncio.wait((task,))
        await transport.aclose()
        assert task.cancelled()

    asyncio.run(cancelled())
    assert app.done == ["break", "restore"]


def test_without_commands_the_rule_is_skipped() -> None:
    [found] = checked(consumer_app(), rules=(RULE,)).rules
    assert found.facts == (Needs(need="break command"),)


HELD = """
import pathlib, sys, time
path = pathlib.Path(sys.argv[1])
path.with_suffix(".begun").touch()
while not path.with_suffix(".go").exists():
    time.sleep(0.01)
path.with_suffix(".done").touch()
"""
"""A command that says when it begins and ends, and goes on when it is let."""


def held(path: Path) -> str:
    return shlex.join([sys.executable, "-c", HELD, str(path)])


def wait_for(path: Path) -> None:
    async def ask() -> bool:
        return path.exists()

    assert asyncio.run(ask_until(ask, bool, 60_000)), path.name


PHASES = {
    "during the break command": ("break.begun", (signal.SIGINT,)),
    "terminated during the break command": ("break.begun", (signal.SIGTERM,)),
    "while it is broken": ("break.done", (signal.SIGINT,)),
    # Different signals, since equal ones that arrive at once count as one.
    "twice while it is broken": ("break.done", (signal.SIGINT, signal.SIGTERM)),
    "twice during the restore command": ("restore.begun", (signal.SIGINT, signal.SIGTERM)),
}


@pytest.mark.slow
@pytest.mark.parametrize("phase", PHASES)
def test_whoever_interrupts_the_check_finds_everything_restored(phase: str, tmp_path: Path) -> None:
    reached, signals = PHASES[phase]
    with serve_consumer() as url:
        commands = ("--break-cmd", held(tmp_path / "break"), "--restore-cmd", held(tmp_path / "restore"))
        if reached != "break.begun":
            (tmp_path / "break.go").touch()
        with interruptible(url, *commands) as process:
            wait_for(tmp_path / reached)
            for number in signals:
                process.send_signal(number)
            wait_for(tmp_path / "restore.begun")
            assert process.poll() is None
            (tmp_path / "restore.go").touch()
            out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "mockcampaign: interrupted\n"), out
    assert (tmp_path / "restore.done").exists()
    assert (tmp_path / "break.done").exists() == (reached != "break.begun")


@pytest.mark.slow
def test_an_interrupted_check_says_what_is_still_broken(tmp_path: Path) -> None:
    with (
        serve_consumer() as url,
        interruptible(url, "--break-cmd", held(tmp_path / "break"), "--restore-cmd", "false") as process,
    ):
        wait_for(tmp_path / "break.begun")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    said = "still broken: run the restore command yourself (restore command false: ended with status 1)"
    assert (process.returncode, err) == (130, f"mockcampaign: interrupted\nmockcampaign: {said}\n"), out
    assert said in " ".join(out.split())


@contextlib.contextmanager
def interruptible(url: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    given = ("check", f"{url}/hook", "--probe", f"{url}/processed", "--rules", RULE, "--no-color", *arguments)
    with subprocess.Popen(
        [sys.executable, "-m", "mockcampaign", *given], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()
