"""What the faults cost while there are none, and what TLS costs.

The bare sender is the same one with everything taken out that only faults need. It and the sender as it is deliver in
turns to the same receiver, so that whatever else the machine does meets both alike; so do a plain and a TLS receiver.
Debian's package `nginx-light` has the second receiver; rows without it are skipped.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any

import trustme
from deliveries import event_loop, free_port, nginx_command, running, uvicorn_command
from harness import Row, Skipped, rounds_of

from mockcampaign.campaign import Campaign
from mockcampaign.engine.exporter import Exporter
from mockcampaign.engine.outbox import Attempt
from mockcampaign.model import EventType, Outcome, Request
from mockcampaign.policy import Policy
from mockcampaign.transport import connection, wire
from mockcampaign.transport.wire import WireTransport

WEBHOOKS, LISTS_EACH = 8, 60
ROUNDS = 20
"""Many short ones: a neighbour that takes the processor for a while spoils few pairs, and their median none."""
IDLE_RATIO_MIN, TLS_RATIO_MIN = 0.97, 0.5


class BareExporter(Exporter):
    """Asks nobody about faults and outages."""

    def start_due(self) -> list[Attempt]:
        now = self.clock.now
        attempts = []
        for outbox in self._due_outboxes:
            attempt = outbox.start(now)
            if attempt is not None:
                attempts.append(attempt)
            self._arrange(outbox)
        self._due_outboxes.clear()
        return attempts

    def predetermined_outcome(self, attempt: Attempt) -> Outcome | None:
        return None

    def request_of(self, attempt: Attempt) -> Request:
        return self.requests.for_events(attempt.webhook_id, attempt.events)


class BareConnection(connection.Connection):
    """Follows no script, and measures nothing."""

    def exchange(self, request: Request, head: bytes, began: float) -> asyncio.Future[Outcome]:
        outcome = self._expect(request, began)
        if self._gathers:
            self._transport.writelines((head, request.body))
        else:
            self._transport.write(head + request.body)
        return outcome

    def data_received(self, data: bytes) -> None:
        if self._outcome is None:
            self._transport.abort()
            return
        outcome = self._response.feed(data)
        if outcome is not None:
            self._end(outcome, reusable=not self._buffered_bytes and self._response.reusable)

    def _end(self, outcome: Outcome, *, reusable: bool = False, reset: bool = False) -> None:
        future, self._outcome = self._outcome, None
        if future is not None and not future.done():
            future.remove_done_callback(self._on_cancelled)
            future.set_result(outcome)
        if reusable and not self._transport.is_closing():
            self.idle_since = time.monotonic()
            self._idle.append(self)
        else:
            self._transport.abort()


class BareTransport(WireTransport):
    """Knows plain requests only."""

    def send(self, request: Request) -> Awaitable[Outcome]:
        address, head = wire.encode_head(request.method, request.url, request.headers)
        head = b"%b%d\r\n\r\n" % (head, len(request.body))
        began = time.monotonic()
        kept = self._take_idle((address.tls, address.host, address.port), began - wire.IDLE_SECONDS_MAX)
        if kept is None:
            return self._task(self._send_anew(address, request, head, began))
        return kept.exchange(request, head, began)


async def deliver(url: str, *, bare: bool = False, declared: bool = False) -> tuple[float, float]:
    """Lists each second, and the sender's own processor time for each. Making the events is not counted."""
    transport = BareTransport(verify=False) if bare else WireTransport(verify=False)
    wire.Connection = BareConnection if bare else connection.Connection  # type: ignore[misc]
    campaign = Campaign(transport, policy=Policy(webhooks_per_client_max=WEBHOOKS + 1))
    if bare:
        # One that is created anew knows nothing yet, so that it can change its class.
        campaign._exporter.__class__ = BareExporter
    idle = campaign.create(EventType.OPEN, url)
    for _ in range(WEBHOOKS):
        campaign.activate(campaign.create(EventType.OPEN, url))
    if declared:
        campaign.fault("lost-ack", idle)
    campaign.emit(EventType.OPEN, LISTS_EACH * 100)
    # Connections are made, and shake hands, before time is taken.
    await asyncio.gather(*(transport.send(campaign.request(idle, ())) for _ in range(WEBHOOKS)))
    began, began_busy = time.perf_counter(), time.process_time()
    await campaign.run()
    seconds, busy = time.perf_counter() - began, time.process_time() - began_busy
    await transport.aclose()
    lists = WEBHOOKS * LISTS_EACH
    return lists / seconds, busy / lists


def compared(what: str, one: dict[str, Any], other: dict[str, Any], beside: str, aim: float | None, room: float) -> Row:
    """Compare one way to deliver with the other, in turns, and each first in every second pair."""
    rates: list[float] = []
    times: list[float] = []
    best, loop = 0.0, event_loop()
    for number in range(len(rounds_of(ROUNDS, brief=6)) + 1):
        measured = {}
        for which in ("one", "other") if number % 2 else ("other", "one"):
            with asyncio.Runner(loop_factory=loop) as runner:
                measured[which] = runner.run(deliver(**(one if which == "one" else other)))
        if number:  # the first warms up
            rates.append(measured["one"][0] / measured["other"][0])
            times.append(measured["one"][1] / measured["other"][1])
            best = max(best, measured["one"][0])
    return Row(
        what=what,
        measured=f"{best:,.0f} lists/s, {sorted(times)[len(times) // 2]:.3f} of the processor time",
        yardstick=beside,
        ratios=tuple(rates),
        at_least=aim,
        room=room,
    )


def measure() -> Iterator[Row | Skipped]:
    for name, command in (("uvicorn", uvicorn_command), ("nginx", nginx_command)):
        if name == "nginx" and shutil.which("nginx") is None:
            yield Skipped(name, "nginx not installed")
            continue
        with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as tls_place:
            folder, tls_folder, port, tls_port = Path(place), Path(tls_place), free_port(), free_port()
            secured = with_tls(command(tls_port, tls_folder), name, tls_folder)
            with running(command(port, folder), port, folder), running(secured, tls_port, tls_folder):
                url, tls_url = f"http://127.0.0.1:{port}/", f"https://127.0.0.1:{tls_port}/"
                bare = {"url": url, "bare": True}
                yield compared(f"no fault, {name}", {"url": url}, bare, "the bare sender", IDLE_RATIO_MIN, 1.25)
                declared = {"url": url, "declared": True}
                yield compared(f"a fault for others, {name}", declared, bare, "the bare sender", None, 1.0)
                yield compared(f"TLS, kept alive, {name}", {"url": tls_url}, {"url": url}, "plain", TLS_RATIO_MIN, 2.0)


def with_tls(command: list[str], name: str, folder: Path) -> list[str]:
    """The receiver's command, for TLS."""
    certificate = trustme.CA().issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(str(folder / "chain.pem"), append=True)
    if name == "uvicorn":
        return [*command, "--ssl-keyfile", str(folder / "key.pem"), "--ssl-certfile", str(folder / "chain.pem")]
    configuration = folder / "nginx.conf"
    files = f"ssl_certificate {folder}/chain.pem; ssl_certificate_key {folder}/key.pem;"
    configuration.write_text(configuration.read_text().replace("; location", f" ssl; {files} location"))
    return command
