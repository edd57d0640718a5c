"""One consumer, judged by the whole check, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from checks import PATIENCE
from consumers.started import COMMANDS, PASSWORD, USER, started
from endpoints import unused_port
from mockcampaign import wallclock
from mockcampaign.check.check import check
from mockcampaign.check.probes.end_state import UrlState
from mockcampaign.check.probes.store_probe import UrlProbe, counter_at
from mockcampaign.check.settings import Settings
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.judging.verdict import RunResult
from mockcampaign.model import BasicAuthentication
from mockcampaign.policy import SECOND
from mockcampaign.samples.consumer import BUGS, consumer_app, serve_consumer
from mockcampaign.transport import Transport
from mockcampaign.transport.inprocess import AsgiTransport
from mockcampaign.transport.wire import WireTransport, wait_until_reachable
from places import TESTS
from restarted import end

CREDENTIALS = BasicAuthentication(USER, PASSWORD)
"""With a space, a colon and a letter beyond ASCII."""

CORRECT = ("sample", *COMMANDS)
"""Consumers that nothing is wrong with."""


SHOWN_BY_CRASHES = frozenset(
    {
        "acknowledges-without-store",
        "commits-every-ten-batches",
        "writes-behind",
        "keeps-dedup-keys-in-memory",
        "stores-in-memory-only",
    }
)
"""Bugs that need the consumer to be killed and started again, or its store to be broken."""


@dataclass(frozen=True)
class Judged:
    """What a check said of one consumer."""

    name: str
    seed: int
    violated: tuple[str, ...]
    """Must-rules."""
    hazards: tuple[str, ...]
    """Should-rules."""
    inconclusive: tuple[str, ...]
    not_exercised: tuple[str, ...]
    said: tuple[str, ...]
    """What was seen of these rules, or why they were skipped or inconclusive."""
    milliseconds: int

    @property
    def caught(self) -> bool:
        """Whether anything was found."""
        return bool(self.violated or self.hazards)


def judged(name: str, seed: int, result: RunResult, milliseconds: int = 0) -> Judged:
    """The result as one line."""

    def of(*outcomes: str) -> tuple[str, ...]:
        return tuple(finding.id for finding in result.rules if finding.outcome in outcomes)

    said = tuple(f"{one.id}: {one.reason or one.actual}" for one in result.rules if one.outcome != "pass")
    inconclusive, not_exercised = of("could-not-tell"), of("not-exercised")
    return Judged(name, seed, of("fail"), of("warn"), inconclusive, not_exercised, said, milliseconds)


def settings(seed: int, **changes: Any) -> Settings:
    """Of a check of a consumer on this machine."""
    given: dict[str, Any] = {
        "now": wallclock.now() // SECOND * SECOND,
        "authentication": CREDENTIALS,
        "seed": seed,
        "budget": PATIENCE,
    }
    return Settings(**(given | changes))


SLOW_CONSUMERS = frozenset(
    {"slow-first-full-batch", "slow-per-event", "waits-on-the-loop", "never-responds-to-bad-event"}
)
"""Bugs that nobody waits for longer than needed."""


def few(name: str, examples: int = 20) -> dict[str, int]:
    """Few examples; and patience for a busy machine, but not for those whose bug is that they are slow."""
    return {"examples": examples, "timeout": 1_000 if name in SLOW_CONSUMERS else 10_000}


SHOWN_BY_COUNTS = frozenset({"counts-redelivered-events"})
"""Bugs of a number that a consumer reports besides its events."""


def checked(
    url: str, transport: Any, chosen: Settings, *, query: str = "", tells_state: bool = False, counts: bool = False
) -> RunResult:
    """The check of a consumer; `transport` makes one. `tells_state` and `counts` where it has addresses for these."""

    async def run() -> RunResult:
        one: Transport = transport()
        try:
            source = UrlProbe(Probe(url=f"{url}/processed{query}", events="@"), one, timeout=30 * SECOND)
            state = UrlState(f"{url}/state", one, timeout=30 * SECOND) if tells_state else None
            counters = (counter_at(f"{url}/count#events", one, timeout=30 * SECOND),) if counts else ()
            return await check(
                f"{url}/hook", transport=one, settings=chosen, probe=source, state=state, counters=counters
            )
        finally:
            await one.aclose()

    return asyncio.run(run())


def checked_by_url(url: str, **changes: Any) -> RunResult:
    """The check of a consumer behind a socket, with these settings."""
    return checked(url, WireTransport, settings(**({"seed": 1} | changes)))


def checked_in_process(bug: str | None, chosen: Settings, *, query: str = "") -> RunResult:
    """The check of a sample consumer in this process."""
    app = consumer_app(bug, basic_authentication=CREDENTIALS)
    counts = bug in SHOWN_BY_COUNTS
    return checked(
        "http://consumer.test", lambda: AsgiTransport(app), chosen, query=query, tells_state=True, counts=counts
    )


@contextlib.contextmanager
def running(name: str) -> Iterator[str]:
    """The base URL of the consumer of that name, a correct one or one with that bug."""
    if name in COMMANDS:
        with tempfile.TemporaryDirectory() as folder, started(name, Path(folder) / "store") as consumer:
            yield consumer.url
        return
    with serve_consumer(None if name == "sample" else name, basic_authentication=CREDENTIALS) as url:
        yield url


def checked_over_loopback(name: str, chosen: Settings) -> RunResult:
    """The check of a consumer behind a socket."""
    if name == "sample" or name in SHOWN_BY_CRASHES:
        with restartable(name) as (url, command):
            chosen = msgspec.structs.replace(chosen, restart_command=command, **breaking(store_of(command)))
            return checked(url, WireTransport, chosen, tells_state=True)
    with running(name) as url:
        counts = name in SHOWN_BY_COUNTS
        return checked(url, WireTransport, chosen, tells_state=name not in COMMANDS, counts=counts)


@contextlib.contextmanager
def restartable(name: str) -> Iterator[tuple[str, str]]:
    """A sample consumer in a process of its own: its base URL, and a command that kills and starts it again."""
    port = unused_port()
    with tempfile.TemporaryDirectory() as folder:
        consumer = [sys.executable, "-m", "mockcampaign", "consumer", "--port", str(port), "--store", f"{folder}/store"]
        consumer += ["--basic-auth", f"{USER}:{PASSWORD}", *(() if name == "sample" else ("--bug", name))]
        restarting = [sys.executable, str(TESTS / "helpers" / "restarted.py"), folder, *consumer]
        subprocess.run(restarting, check=True)
        url = f"http://127.0.0.1:{port}"
        try:
            assert asyncio.run(wait_until_reachable(url, 60 * SECOND))
            yield url, shlex.join(restarting)
        finally:
            end(Path(folder))


def store_of(command: str) -> str:
    """The file in which the consumer stores events that this command starts."""
    words = shlex.split(command)
    return words[words.index("--store") + 1]


def breaking(store: str) -> dict[str, str]:
    """Commands as settings: one leaves the store's file where nothing can be written, and one puts it back."""
    kept, link = f"{store}.kept", f"{store}.link"
    broken = f"ln {store} {kept} && ln -s {store}.nowhere/x {link} && mv -T {link} {store}"
    return {
        "break_command": shlex.join(["sh", "-c", broken]),
        "restore_command": shlex.join(["mv", "-T", kept, store]),
    }


__all__ = ["BUGS", "CORRECT", "Judged", "checked_in_process", "checked_over_loopback", "judged", "settings"]
