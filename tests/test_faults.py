"""Faults at the doors: how they are written, refused, declared and carried out in-process and in scenarios."""

from __future__ import annotations

import asyncio
import logging
import re
from pathlib import Path
from typing import Any

import flask
import jsonschema
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from endpoints import BODY, request_to
from mockcampaign.campaign import Campaign
from mockcampaign.engine.declared_faults import When, fault_schema, make_fault, read_fault, write_fault
from mockcampaign.engine.journal import Attempted, FaultDeclared, FaultEnded
from mockcampaign.errors import InvalidInputError
from mockcampaign.faults import (
    FAULTS,
    LOST,
    OUTAGES,
    WIRE_FAULTS,
    BeforeConsumer,
    CallFault,
    Chunked,
    ContentType,
    CutBody,
    HeaderCase,
    Http10,
    LostAck,
    SenderFault,
    StallBody,
    TrickleBody,
    WireFault,
)
from mockcampaign.judging.journal_rules import JOURNAL_RULES
from mockcampaign.model import EventType, Fault, NoResponse, Outcome, Responded, TimedOut
from mockcampaign.report import sentences
from mockcampaign.report.timeline import timeline
from mockcampaign.scenario.load import load
from mockcampaign.scenario.play import Player
from mockcampaign.transport.inprocess import AsgiTransport, WsgiTransport
from mockcampaign.transport.wire import WireTransport
from old_fold import tally
from places import documentation

KINDS = ", ".join(FAULTS)
A_STATUS = (
    "a status is the consumer's own response, so let your consumer respond so, or try "
    "`mockcampaign consumer --bug always-responds-503`"
)

# How it is written


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_can_be_written_with_its_kind_alone(kind: str) -> None:
    assert read_fault({"kind": kind}) == (FAULTS[kind](), When())
    assert make_fault(kind) == (FAULTS[kind](), When())
    assert FAULTS[kind]().kind == kind


@pytest.mark.parametrize("kind", FAULTS)
def test_written_faults_are_read_back_and_fit_their_schema(kind: str) -> None:
    schema = fault_schema(kind, {"type": "string"})
    for when in (When(), When(times=2, duration=90_000, every=3), When(probability=0.25)):
        written = write_fault(FAULTS[kind](), when)
        assert read_fault(written) == (FAULTS[kind](), when)
        jsonschema.validate(written, schema)
    assert write_fault(StallBody(pause=2_000), When(duration=5_400_000)) == {
        "kind": "stall-body",
        "pause": "2s",
        "for": "1h30m",
    }
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"kind": kind, "unknown": 1}, schema)


def test_every_fault_belongs_to_one_family() -> None:
    families = [
        [family.__name__ for family in (BeforeConsumer, SenderFault, CallFault) if issubclass(fault, family)]
        + ["WireFault"] * (fault in WIRE_FAULTS)
        for fault in FAULTS.values()
    ]
    assert all(len(found) == 1 for found in families)
    assert list(OUTAGES) == ["refused", "unreachable", "dns-failure", "tls-failure", "connect-timeout"]


def test_the_readme_batches_every_fault_by_its_family() -> None:
    readme = documentation()
    listed = {
        family: re.findall(r"`([a-z0-9.-]+)`", row)
        for family, row in re.findall(
            r"^\| (before the consumer|on the wire|of the sender|of the REST API) \| (.*) \|$", readme, re.M
        )
    }
    families = {"before the consumer": BeforeConsumer, "on the wire": WireFault, "of the sender": SenderFault}
    families["of the REST API"] = CallFault
    assert listed == {
        name: [kind for kind, fault in FAULTS.items() if issubclass(fault, family)] for name, family in families.items()
    }


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (
            {"kind": "lost-ack", "times": 2, "dropped": "before-response"},
            (LostAck(dropped="before-response"), When(times=2)),
        ),
        ({"kind": "stall-body", "pause": "2s", "for": "3h"}, (StallBody(pause=2_000), When(duration=10_800_000))),
        ({"kind": "stall-body", "pause": None, "at_fraction": 0}, (StallBody(at_fraction=0.0), When())),
        ({"kind": "cut-body", "at_fraction": 0.25, "every": 3}, (CutBody(at_fraction=0.25), When(every=3))),
        ({"kind": "chunked", "probability": 0.1}, (Chunked(), When(probability=0.1))),
    ],
)
def test_what_is_written_is_meant(written: dict[str, Any], meant: tuple[Fault, When]) -> None:
    assert read_fault(written) == meant


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({}, f"fault: key 'kind' is missing (allowed: {KINDS})"),
        ({"kind": "lost"}, f"fault: unknown kind 'lost', did you mean 'lost-ack'? (allowed: {KINDS})"),
        ({"kind": "503"}, f"fault: unknown kind '503': {A_STATUS} (allowed: {KINDS})"),
        ({"kind": 503}, f"fault: unknown kind '503': {A_STATUS} (allowed: {KINDS})"),
        ({"kind": ["lost-ack"]}, f"fault: unknown kind \"['lost-ack']\", did you mean 'lost-ack'? (allowed: {KINDS})"),
        (
            {"kind": "lost-ack", "often": 1},
            "fault lost-ack: unknown key 'often' (allowed: dropped, times, for, every, probability)",
        ),
        (
            {"kind": "refused", "often": 1},
            "fault refused: unknown key 'often' (allowed: times, for, every, probability)",
        ),
        ({"kind": "lost-ack", "times": 0}, "fault lost-ack: times: 0 does not fit, allowed: a whole number from 1"),
        (
            {"kind": "lost-ack", "times": True},
            "fault lost-ack: times: True does not fit, allowed: a whole number from 1",
        ),
        ({"kind": "lost-ack", "every": 1.5}, "fault lost-ack: every: 1.5 does not fit, allowed: a whole number from 1"),
        (
            {"kind": "lost-ack", "probability": 0},
            "fault lost-ack: probability: 0 does not fit, allowed: a number above 0, up to 1",
        ),
        (
            {"kind": "lost-ack", "probability": 1.01},
            "fault lost-ack: probability: 1.01 does not fit, allowed: a number above 0, up to 1",
        ),
        (
            {"kind": "lost-ack", "probability": 0.5, "every": 2},
            "fault: allowed: one of 'every' and 'probability', found both",
        ),
        (
            {"kind": "lost-ack", "for": 90},
            "fault lost-ack: for: '90' is not a duration, allowed: 500ms, 90s, 10m, 2h, 3d or 1d12h",
        ),
        (
            {"kind": "stall-body", "pause": "1h1ms"},
            "fault stall-body: pause: 3600001 does not fit, allowed: a duration of 0 ms to 1h",
        ),
        (
            {"kind": "lost-ack", "dropped": "never"},
            "fault lost-ack: dropped: 'never' does not fit, allowed: after-headers, after-status, before-response",
        ),
        (
            {"kind": "cut-body", "at_fraction": 1},
            "fault cut-body: at_fraction: 1 does not fit, allowed: a number from 0 to less than 1",
        ),
        (
            {"kind": "cut-body", "at_fraction": 0.5, "after_bytes": 1},
            "fault cut-body: allowed: one of 'after_bytes' and 'at_fraction', found both",
        ),
        (
            {"kind": "content-type", "value": "a\r\nX: b"},
            "fault content-type: value: 'a\\r\\nX: b' does not fit, allowed: a line of printable ASCII text",
        ),
        (
            {"kind": "overlap", "events": 100},
            "fault overlap: events: 100 does not fit, allowed: a whole number from 1 to 99",
        ),
    ],
)
def test_an_invalid_fault_is_rejected_in_one_line(written: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_fault(written)
    assert str(refused.value) == message


# In Python


class Answering:
    """A transport that responds at once, and keeps the requests."""

    faults = WIRE_FAULTS

    def __init__(self, *outcomes: Outcome) -> None:
        self.requests: list[Any] = []
        self._outcomes = list(outcomes)

    async def send(self, request: Any) -> Outcome:
        self.requests.append(request)
        return self._outcomes.pop(0) if self._outcomes else Responded(200)

    async def aclose(self) -> None:
        pass


def campaign_with(transport: Any, webhooks: int = 1) -> tuple[Campaign, list[Any]]:
    campaign = Campaign(transport)
    made = [campaign.activate(campaign.create(EventType.OPEN, "http://consumer/hook")) for _ in range(webhooks)]
    campaign.emit(EventType.OPEN, 3)
    return campaign, made


def test_a_fault_lasts_as_long_as_its_with_statement() -> None:
    transport = Answering(Responded(200), Responded(500))
    campaign, [opens] = campaign_with(transport)
    with campaign.fault("chunked", chunk_bytes=5) as fault:
        asyncio.run(campaign.run())
        assert fault.hits == 1
    campaign.emit(EventType.OPEN)
    asyncio.run(campaign.run())
    assert [request.faults for request in transport.requests] == [(Chunked(chunk_bytes=5),), (), ()]
    entries = campaign.journal.entries
    assert [entry.webhook_ids for entry in entries if isinstance(entry, FaultDeclared)] == [()]
    assert [entry.kind for entry in entries if isinstance(entry, FaultEnded)] == ["chunked"]
    assert opens.id == 1


def test_a_fault_is_a_value_as_well() -> None:
    transport = Answering()
    campaign, [_, second] = campaign_with(transport, 2)
    campaign.fault(LostAck(dropped="after-status"), second, times=1, duration=10)
    asyncio.run(campaign.run())
    assert [request.faults for request in transport.requests] == [(), (LostAck(dropped="after-status"),)]


def test_a_fault_of_python_is_checked_like_any_other() -> None:
    campaign, _ = campaign_with(Answering())
    for arguments, message in (
        ({"times": 0}, "fault lost-ack: times: 0 does not fit, allowed: a whole number from 1"),
        ({"duration": 0}, "fault lost-ack: for: 0 does not fit, allowed: a duration of 1 ms to 366d"),
        ({"dropped": 1}, "fault lost-ack: dropped: 1 does not fit, allowed: after-headers,"),
        (
            {"drop": 1},
            "fault lost-ack: unknown key 'drop', did you mean 'dropped'? "
            "(allowed: dropped, times, for, every, probability)",
        ),
    ):
        with pytest.raises(InvalidInputError) as refused:
            campaign.fault("lost-ack", **arguments)  # type: ignore[arg-type]
        assert str(refused.value).startswith(message)
    assert not [entry for entry in campaign.journal.entries if isinstance(entry, FaultDeclared)]


def test_a_first_attempt_with_a_fault_may_fail_to_connect() -> None:
    transport = Answering(NoResponse("connect", "connection refused"))
    campaign, _ = campaign_with(transport)
    campaign.fault("chunked", times=1)
    asyncio.run(campaign.run())
    assert tally(campaign.journal.entries, [1]).delivered == [1, 2, 3]


# In-process


def outcome_of(app: Any, *faults: Fault, wsgi: bool = False, **changes: Any) -> Outcome:
    async def main() -> Outcome:
        transport = WsgiTransport(app) if wsgi else AsgiTransport(app)
        try:
            return await transport.send(request_to("http://consumer/hook", body=BODY, faults=faults, **changes))
        finally:
            await transport.aclose()

    return asyncio.run(main())


class App:
    """An application that returns what it received."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.requests: list[Request] = []
        self.disconnects = 0
        self.after = 0
        self.asgi = Starlette(routes=[Route("/hook", self._hook, methods=["POST"])])

    async def _hook(self, request: Request) -> PlainTextResponse:
        self.requests.append(request)
        received = b""
        try:
            async for piece in request.stream():
                received += piece
        except ClientDisconnect:
            self.disconnects += 1
        self.bodies.append(received)
        return PlainTextResponse("ok", background=BackgroundTask(self._after))

    async def _after(self) -> None:
        await asyncio.sleep(0.01)
        self.after += 1


@pytest.mark.parametrize(
    ("fault", "header", "value"),
    [
        (Chunked(), "transfer-encoding", "chunked"),
        (ContentType(value="text/json"), "content-type", "text/json"),
        (HeaderCase(case="upper"), "x-key", "value"),
        (Http10(), "content-length", "17"),
    ],
)
def test_an_application_sees_what_a_server_would_pass_on(fault: Fault, header: str, value: str) -> None:
    app = App()
    headers = (("Content-Type", "application/json"), ("X-Key", "value"))
    outcome = outcome_of(app.asgi, fault, headers=headers)
    assert isinstance(outcome, Responded)
    assert (outcome.status, app.bodies) == (200, [BODY])
    [request] = app.requests
    assert request.headers[header] == value
    assert ("content-length" in request.headers) == (fault != Chunked())
    assert request.scope["http_version"] == ("1.0" if fault == Http10() else "1.1")


@pytest.mark.parametrize("chunk_bytes", [1, 16, 17, 18])
def test_chunks_arrive_one_by_one(chunk_bytes: int) -> None:
    pieces = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        more = scope["type"] == "http"
        while more:
            message = await receive()
            pieces.append(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    assert outcome_of(app, Chunked(chunk_bytes=chunk_bytes)) == Responded(200)
    assert pieces == [BODY[at : at + chunk_bytes] for at in range(0, 17, chunk_bytes)]


@pytest.mark.parametrize("after_bytes", [1, 16])
def test_an_application_sees_a_cut_body_and_then_a_disconnect(after_bytes: int) -> None:
    app = App()
    outcome = outcome_of(app.asgi, CutBody(after_bytes=after_bytes))
    assert outcome == NoResponse("send", f"the body was cut after {after_bytes} of 17 bytes")
    assert (app.bodies, app.disconnects) == ([BODY[:after_bytes]], 1)


@pytest.mark.parametrize(
    ("dropped", "outcome"),
    [
        ("before-response", NoResponse("wait", "connection dropped before the response")),
        ("after-status", NoResponse("headers", "connection dropped after the response's status line")),
        ("after-headers", NoResponse("body", "connection dropped after the response headers")),
    ],
)
def test_a_response_in_process_is_lost_after_the_application_has_done_its_work(dropped: Any, outcome: Outcome) -> None:
    app = App()
    assert outcome_of(app.asgi, LostAck(dropped=dropped)) == outcome
    assert (app.bodies, app.after) == ([BODY], 1)


def test_an_application_that_fails_while_its_response_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("broken")

    with caplog.at_level(logging.CRITICAL):
        for dropped in ("after-status", "after-headers"):
            outcome = outcome_of(app, LostAck(dropped=dropped))
            assert isinstance(outcome, Responded)
            assert outcome.status == 500
        assert outcome_of(app, LostAck(dropped="before-response")) == LOST["before-response"]


@pytest.mark.parametrize("status", [201, 204, 401, 503])
@pytest.mark.parametrize("dropped", ["after-status", "after-headers"])
def test_a_response_that_acknowledges_nothing_is_not_lost(status: int, dropped: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body"})

    assert outcome_of(app, LostAck(dropped=dropped)) == Responded(status)


def test_an_application_that_hangs_while_its_response_is_lost() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await asyncio.Event().wait()

    assert outcome_of(app, LostAck(), timeout=30) == TimedOut("wait")


@pytest.mark.parametrize("fault", [Chunked(chunk_bytes=4), LostAck(), Http10(), HeaderCase()])
def test_a_wsgi_application_with_faults(fault: Fault) -> None:
    app = flask.Flask(__name__)
    bodies = []

    @app.post("/hook")
    def hook() -> str:
        bodies.append(flask.request.get_data())
        return "ok"

    outcome = outcome_of(app, fault, wsgi=True)
    assert outcome.accepted == (not isinstance(fault, LostAck))
    if not isinstance(fault, Chunked):
        assert bodies == [BODY]


@pytest.mark.parametrize("fault", sorted(WIRE_FAULTS - AsgiTransport.faults, key=lambda fault: fault.__name__))
def test_a_fault_that_needs_a_connection_is_rejected_in_process_before_anything_acts(fault: type[Fault]) -> None:
    campaign, _ = campaign_with(AsgiTransport(App().asgi))
    before = list(campaign.journal.entries)
    with pytest.raises(InvalidInputError) as refused:
        campaign.fault(fault())
    assert str(refused.value) == (
        f"fault {fault().kind} needs a connection, which an in-process application does not have, allowed: "
        "refused, unreachable, dns-failure, tls-failure, connect-timeout, cut-body, chunked, http-1.0, header-case, "
        "content-type, lost-ack, duplicate, reorder, refill, overlap, latency, timeout, or the consumer's URL as target"
    )
    assert campaign.journal.entries == before


# In scenarios

SCENARIO = """\
name: a fault
consumer:
  url: http://consumer/hook
webhooks:
  opens: {type: open}
  clicks: {type: click}
steps:
  - activate: opens
  - activate: clicks
  - fault: FAULT
  - emit: {type: open, count: 3}
  - emit: {type: click, count: 3}
  - run: until-idle
"""


def scenario(folder: Path, fault: str) -> Path:
    path = folder / "fault.scenario.yaml"
    path.write_text(SCENARIO.replace("FAULT", fault))
    return path


def test_a_scenario_declares_a_fault(tmp_path: Path) -> None:
    plan = load(scenario(tmp_path, "{kind: lost-ack, webhook: clicks, times: 1, dropped: after-status}"))
    transport = Answering(Responded(200), LOST["after-status"])
    player = Player.with_campaign(plan, transport, seed=1)
    asyncio.run(player.play())
    assert [request.faults for request in transport.requests] == [(), (LostAck(dropped="after-status"),), ()]
    [declared] = [entry for entry in player.campaign.journal.entries if isinstance(entry, FaultDeclared)]
    assert (declared.fault, declared.when) == (LostAck(dropped="after-status"), When(times=1))
    lines = [line.what for line in timeline(player.campaign.journal.entries, {1: "opens", 2: "clicks"})]
    assert "fault lost-ack, 1 time" in lines
    assert "batch of 3 (lost-ack)" in lines


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("lost-ack", ":10:12: expected a mapping of kind, webhook, times, for, every and so on, found text 'lost-ack'"),
        ("{times: 1}", ":10:12: fault: key 'kind' is missing (allowed: refused,"),
        ("{kind: status, status: 503}", f":10:19: fault: unknown kind 'status': {A_STATUS} (allowed: refused,"),
        ("{kind: 503}", f":10:19: fault: unknown kind '503': {A_STATUS} (allowed: refused,"),
        ("{kind: lost}", ":10:19: fault: unknown kind 'lost', did you mean 'lost-ack'? (allowed: refused,"),
        ("{kind: lost-ack, times: 0}", ":10:36: fault lost-ack: times: 0 does not fit, allowed: a whole number from 1"),
        ("{kind: lost-ack, times: [1]}", ":10:36: expected a plain value, found a list"),
        ("{kind: lost-ack, for: 90}", ":10:34: fault lost-ack: for: '90' is not a duration, allowed: 500ms,"),
        ("{kind: lost-ack, probability: .inf}", ":10:42: expected a number such as 0.25, found a number '.inf'"),
        ("{kind: lost-ack, webhook: 5}", ":10:38: fault: webhook: 5 is not text, allowed: the name of a webhook"),
        ("{kind: lost-ack, webhook: click}", ":10:38: unknown webhook 'click', did you mean 'clicks'?"),
        ("{kind: lost-ack, kind: chunked}", ":10:29: duplicate key 'kind', first in line 10"),
        ("{kind: cut-body, at_fraction: 0.5, after_bytes: 5}", ":10:12: fault cut-body: allowed: one of"),
    ],
)
def test_a_scenario_with_a_broken_fault_is_rejected(tmp_path: Path, fault: str, message: str) -> None:
    path = scenario(tmp_path, fault)
    with pytest.raises(InvalidInputError) as refused:
        load(path)
    assert str(refused.value).removeprefix(str(path)).startswith(message)


@pytest.mark.parametrize(
    "kind",
    ["503", "5xx", "status", "http-503", "HTTP 503", "http_status", "status-503", "error", "server-error", "rejected"],
)
def test_whoever_looks_for_a_fault_that_makes_a_status_learns_what_to_do_instead(kind: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_fault({"kind": kind, "status": 503})
    assert str(refused.value) == f"fault: unknown kind {kind!r}: {A_STATUS} (allowed: {KINDS})"
    campaign, _ = campaign_with(Answering())
    with pytest.raises(InvalidInputError) as refused:
        campaign.outage(1_000, kind)
    assert str(refused.value) == f"outage: unknown kind {kind!r}: {A_STATUS} (allowed: {', '.join(OUTAGES)})"


@pytest.mark.parametrize("kind", ["refusd", "http", "server", "5", "9000", "api-eror", "503" * 40])
def test_no_other_unknown_kind_is_taken_for_a_status(kind: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_fault({"kind": kind})
    assert "status" not in str(refused.value)


def test_a_scenario_whose_fault_the_transport_cannot_carry_out_does_not_begin(tmp_path: Path) -> None:
    path = scenario(tmp_path, "{kind: trickle-body}")
    player = Player.with_campaign(load(path), AsgiTransport(App().asgi), seed=1)
    with pytest.raises(InvalidInputError) as refused:
        asyncio.run(player.play())
    assert str(refused.value).startswith(f"{path}:10:12: fault trickle-body needs a connection")
    assert len(player.campaign.journal.entries) == 1


# In verdicts


@pytest.mark.parametrize(
    ("fault", "outcome", "blamed"),
    [
        (LostAck(), LOST["after-headers"], []),
        (TrickleBody(), TimedOut("send"), []),
        (Chunked(), NoResponse("wait", "connection closed before a response"), ["sends-complete-response"]),
        (Chunked(), TimedOut("wait"), ["responds-in-time"]),
        (Chunked(), Responded(204), ["responds-200"]),
    ],
)
def test_a_consumer_is_not_blamed_for_what_a_fault_did(fault: Fault, outcome: Outcome, blamed: list[str]) -> None:
    campaign, _ = campaign_with(Answering(outcome))
    campaign.fault(fault, times=1)
    asyncio.run(campaign.run())
    findings = [rule.judge(campaign.journal.entries, sentences.actual) for rule in JOURNAL_RULES]
    assert [finding.id for finding in findings if finding.outcome in ("warn", "fail")] == blamed
    assert [entry.faults for entry in campaign.journal.entries if isinstance(entry, Attempted)] == [(fault.kind,), ()]


def test_a_consumer_is_blamed_for_a_response_that_a_fault_let_pass() -> None:
    campaign, _ = campaign_with(Answering(Responded(204)))
    fault = campaign.fault(LostAck(), times=2)
    asyncio.run(campaign.run())
    findings = [rule.judge(campaign.journal.entries, sentences.actual) for rule in JOURNAL_RULES]
    assert [finding.id for finding in findings if finding.outcome in ("warn", "fail")] == ["responds-200"]
    assert [entry.faults for entry in campaign.journal.entries if isinstance(entry, Attempted)] == [(), ("lost-ack",)]
    assert fault.hits == 1


def test_a_wire_transport_carries_out_all() -> None:
    assert WireTransport.faults == WIRE_FAULTS
