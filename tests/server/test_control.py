"""The control API, the live stream, and whose requests are rejected."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer
from werkzeug import Response as WerkzeugResponse

from mockcampaign.campaign import SAMPLE_MAILING_ID
from mockcampaign.clocks.clock_file import ClockFile
from mockcampaign.durations import MOMENT_MAX, format_moment
from mockcampaign.events import Rates
from mockcampaign.faults import FAULTS
from mockcampaign.model import EventType
from mockcampaign.policy import DAY, DEFAULT_START, HOUR, SECOND
from mockcampaign.server.control_api.api import API
from mockcampaign.server.control_api.fault_operations import FAULTS_MAX
from mockcampaign.server.control_api.time_operations import SPEED_MAX
from mockcampaign.server.http.guard import PAGE_POLICY
from mockcampaign.server.http.request import BODY_BYTES_MAX
from servers import CLIENT, OTHER_CLIENT, Server, running_server

DEAD = "http://127.0.0.1:9/hook"


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def hook(httpserver: HTTPServer) -> str:
    httpserver.expect_request("/hook").respond_with_data("thanks")
    return httpserver.url_for("/hook")


def test_time_does_not_pass_while_the_consumers_clock_cannot_be_led(tmp_path: Path) -> None:
    folder = tmp_path / "clocks"
    folder.mkdir()
    clock = ClockFile(folder / "clock")
    with running_server(clock=clock) as server:
        server.advance("1m")
        before = server.state()["now"]
        folder.rename(tmp_path / "elsewhere")
        response = server.control("POST", "/clock/advance", {"by": "1d"})
        assert response.status_code == 503
        assert f"clock file {clock.path}: cannot be written: No such file or directory" in response.text
        assert server.state()["now"] == before


def attempts(server: Server) -> list[Any]:
    entries = server.control("GET", "/journal").json()["entries"]
    return [entry for entry in entries if entry["entry"] == "attempted"]


def test_health(server: Server) -> None:
    assert server.control("GET", "/health").json()["status"] == "ok"


def test_events_reach_the_webhooks_of_their_client_and_type(server: Server, httpserver: HTTPServer, hook: str) -> None:
    opens, _ = server.activated(hook), server.activated(hook, "click")
    server.activated(hook, client=OTHER_CLIENT)
    server.create(hook)
    answer = server.control("POST", "/emit", {"type": "open", "count": 250})
    assert answer.json() == {"events": 250, "webhookIds": [opens]}
    server.advance("1s")
    assert [len(request.get_json()) for request, _ in httpserver.log] == [100, 100, 50]
    assert {event["clientId"] for request, _ in httpserver.log for event in request.get_json()} == {CLIENT}


def test_events_spread_over_time_fall_due_over_that_time(server: Server, httpserver: HTTPServer, hook: str) -> None:
    server.activated(hook)
    server.control("POST", "/emit", {"type": "open", "count": 60, "over": "1h"})
    server.advance("30m")
    half = len(httpserver.log)
    assert 0 < half < 60
    server.advance("30m")
    assert sum(len(request.get_json()) for request, _ in httpserver.log) == 60


def test_events_like_a_captured_event_have_its_shape(server: Server, httpserver: HTTPServer, hook: str) -> None:
    server.activated(hook)
    captured = {"type": "open", "recipientId": "A-0042", "created": 1564590054, "extra": {"deep": [1, None]}}
    server.control("POST", "/emit", {"type": "open", "count": 3, "like": captured})
    server.advance("1s")
    events = httpserver.log[0][0].get_json()
    assert [list(event) for event in events] == [list(captured)] * 3
    assert {json.dumps(event["extra"]) for event in events} == {'{"deep": [1, null]}'}
    wrong = server.control("POST", "/emit", {"type": "click", "like": captured})
    assert (wrong.status_code, wrong.json()["error"]) == (
        400,
        "like: its type is not click, allowed: an event of that type",
    )


def test_an_unknown_type_is_rejected_with_the_allowed_types(server: Server) -> None:
    refused = server.control("POST", "/emit", {"type": "opne"})
    types = ", ".join(EventType)
    assert (refused.status_code, refused.json()["error"]) == (
        400,
        f"type: 'opne' is not valid, did you mean 'open'? allowed: {types}",
    )


EMIT = "type, count, over, like, clientId"


@pytest.mark.parametrize(
    ("method", "path", "body", "allowed"),
    [
        ("POST", "/emit", {"type": "open", "number": 2}, EMIT),
        ("POST", "/mailing", {"recipients": 1, "client": 5}, "recipients, rates, clientId"),
        ("POST", "/mailing", {"recipients": 1, "rates": {"opened": 1}}, ", ".join(Rates.__struct_fields__)),
        ("POST", "/outages", {"duration": "1h"}, "kind, for, webhookId"),
        ("POST", "/clock/advance", {"by": "1s", "to": 1}, "by"),
        ("PUT", "/clock/speed", {"Speed": 2}, "speed"),
        ("POST", "/faults", {"kind": "latency", "delay": "1s"}, "time"),
    ],
)
def test_an_unknown_field_is_rejected_with_the_allowed_fields(
    server: Server, method: str, path: str, body: Any, allowed: str
) -> None:
    refused = server.control(method, path, body)
    assert refused.status_code == 400
    line = refused.json()["error"]
    assert line.endswith(f" allowed: {allowed}") or (path == "/faults" and f"allowed: {allowed}" in line)


def test_a_whole_mailing_falls_due_over_time(server: Server, httpserver: HTTPServer, hook: str) -> None:
    server.activated(hook, "sent")
    sent = server.control("POST", "/mailing", {"recipients": 300, "rates": {"filtered": 0, "in_two_lists": 0}}).json()
    assert sent["byType"]["sent"] == 300
    assert sum(sent["byType"].values()) == sent["events"] > 300
    assert server.state()["deliveries"]["delivered"] <= 1  # the first mail is sent at once
    server.advance("1h")
    events = [event for request, _ in httpserver.log for event in request.get_json()]
    assert {(event["type"], event["mailingId"]) for event in events} == {("sent", sent["mailingId"])}
    assert len(events) == 300


def test_a_mailing_of_another_client(server: Server, httpserver: HTTPServer, hook: str) -> None:
    server.activated(hook, "sent", client=OTHER_CLIENT)
    server.control("POST", "/mailing", {"recipients": 5})
    server.advance("1h")
    assert not httpserver.log
    server.control("POST", "/mailing", {"recipients": 5, "clientId": OTHER_CLIENT})
    server.advance("1h")
    assert {event["clientId"] for request, _ in httpserver.log for event in request.get_json()} == {OTHER_CLIENT}


def test_only_an_advance_moves_time_at_speed_0(server: Server) -> None:
    clock = {"now": DEFAULT_START, "speed": 0, "advancing": False}
    assert server.control("GET", "/clock").json() == clock
    assert server.control("POST", "/clock/advance", {"by": "1h30m"}).json()["now"] == DEFAULT_START + 3 * HOUR // 2
    assert server.state()["now"] == DEFAULT_START + 3 * HOUR // 2


def test_the_state_begins_with_what_people_look_for(server: Server, hook: str) -> None:
    server.activated(hook)
    found = server.control("GET", "/state").json()
    assert list(found)[:4] == ["now", "deliveries", "webhooks", "faults"]
    assert list(found["deliveries"])[:2] == ["pending", "delivered"]
    assert list(found["webhooks"][0])[:4] == ["id", "type", "status", "pending"]
    # Lists that are the same in every state have no answer after them.
    constant = ["types", "webhookCommands", "outageKinds", "faultKinds", "operations"]
    assert list(found)[-len(constant) :] == constant


def test_every_call_sees_the_present_even_if_nothing_fell_due(server: Server) -> None:
    server.control("PUT", "/clock/speed", {"speed": SPEED_MAX})
    first, second, third = (server.control("GET", path).json()["now"] for path in ("/clock", "/state", "/clock"))
    assert DEFAULT_START < first < second < third
    server.create()
    [webhook] = server.rest("GET", "/webhooks").json()
    assert webhook["created"] > format_moment(third)


def test_time_moves_by_itself_at_the_speed_that_is_set(server: Server, httpserver: HTTPServer, hook: str) -> None:
    httpserver.clear()
    httpserver.expect_ordered_request("/hook").respond_with_data("", 503)
    httpserver.expect_ordered_request("/hook").respond_with_data("", 200)
    server.activated(hook)
    assert server.control("PUT", "/clock/speed", {"speed": 1000}).json()["speed"] == 1000
    with httpserver.wait(timeout=20) as waiting:
        server.control("POST", "/emit", {"type": "open"})
    assert waiting.result
    server.control("PUT", "/clock/speed", {"speed": 0})
    server.advance("1ms")  # requests in flight end first
    first, second = attempts(server)
    assert second["at"] - (first["at"] + first["took"]) == 10 * SECOND
    assert (first["accepted"], second["accepted"]) == (False, True)


class Held:
    """A target that holds its response back until it is released."""

    def __init__(self, httpserver: HTTPServer) -> None:
        self.asked, self._let_go = threading.Event(), threading.Event()
        httpserver.clear()
        httpserver.expect_request("/hook").respond_with_handler(self._answer)
        self.url = httpserver.url_for("/hook")

    def _answer(self, request: Any) -> Any:
        self.asked.set()
        assert self._let_go.wait(20)
        return WerkzeugResponse("")

    def let_go(self) -> None:
        self._let_go.set()


@pytest.mark.parametrize("speed", [0, SPEED_MAX])
def test_time_stands_still_while_an_advance_waits_for_a_response(
    server: Server, httpserver: HTTPServer, speed: float
) -> None:
    target = Held(httpserver)
    server.activated(target.url)
    server.control("POST", "/emit", {"type": "open", "count": 1})
    server.control("POST", "/faults", {"kind": "latency", "time": "5s"})
    advancing = threading.Thread(target=server.advance, args=("1h",))
    advancing.start()
    assert target.asked.wait(20)
    for _ in range(1_000):  # the batch was sent before time was to pass
        if requests.get(f"{server.url}/__mockcampaign/clock", timeout=20).json()["advancing"]:
            break
    requests.put(f"{server.url}/__mockcampaign/clock/speed", json={"speed": speed}, timeout=20)
    shown = [requests.get(f"{server.url}/__mockcampaign/clock", timeout=20).json() for _ in range(20)]
    assert shown == [{"now": DEFAULT_START, "speed": speed, "advancing": True}] * 20
    target.let_go()
    advancing.join()
    assert server.control("PUT", "/clock/speed", {"speed": 0}).json()["now"] >= DEFAULT_START + HOUR


def test_an_advance_waits_for_requests_in_flight(server: Server, httpserver: HTTPServer) -> None:
    target = Held(httpserver)
    server.activated(target.url)
    server.control("PUT", "/clock/speed", {"speed": 0.001})
    server.control("POST", "/emit", {"type": "open"})
    assert target.asked.wait(20)
    advancing = threading.Thread(target=server.advance, args=("1h",))
    advancing.start()
    for _ in range(20):
        assert requests.get(f"{server.url}/__mockcampaign/clock", timeout=20).json()["now"] < DEFAULT_START + HOUR
    target.let_go()
    advancing.join()
    [entry] = attempts(server)
    assert entry["at"] + entry["took"] < DEFAULT_START + HOUR
    assert server.state()["deliveries"]["delivered"] == 1


def test_an_outage_of_one_webhook_is_retried_and_ended(server: Server, httpserver: HTTPServer, hook: str) -> None:
    broken, whole = server.activated(hook), server.activated(hook)
    outage = {"kind": "unreachable", "for": "2h", "webhookId": broken}
    declared = server.control("POST", "/outages", outage)
    assert (declared.status_code, declared.json()) == (
        201,
        {"kind": "unreachable", "webhookId": broken, "until": DEFAULT_START + 2 * HOUR},
    )
    server.control("POST", "/emit", {"type": "open"})
    server.advance("1m")
    views = {view["id"]: view for view in server.state()["webhooks"]}
    assert views[broken]["outage"] == {"kind": "unreachable", "until": DEFAULT_START + 2 * HOUR}
    assert (views[broken]["pending"], views[broken]["attempts"], views[broken]["attempt"]) == (1, 7, 8)
    assert (views[whole]["pending"], views[whole]["outage"], views[whole]["phase"]) == (0, None, "idle")
    assert len(httpserver.log) == 1
    assert server.control("DELETE", f"/outages?webhookId={broken}").status_code == 204
    assert server.control("POST", f"/webhooks/{broken}/retry").status_code == 204
    server.advance("1s")
    assert len(httpserver.log) == 2
    assert server.state()["deliveries"] == {"attempts": 9, "delivered": 2, "discarded": 0, "pending": 0}


def test_ending_all_outages(server: Server, hook: str) -> None:
    server.activated(hook)
    declared = server.control("POST", "/outages", {"for": "3d"}).json()
    assert declared == {"kind": "refused", "webhookId": None, "until": DEFAULT_START + 3 * DAY}
    server.control("POST", "/emit", {"type": "open"})
    server.advance("5s")
    assert server.state()["deliveries"]["pending"] == 1
    server.control("DELETE", "/outages")
    server.advance("5s")
    assert server.state()["deliveries"] == {"attempts": 2, "delivered": 1, "discarded": 0, "pending": 0}


def test_three_days_of_outage_discard_the_events(server: Server) -> None:
    server.activated(DEAD)
    server.control("POST", "/outages", {"for": "4d"})
    server.control("POST", "/emit", {"type": "open", "count": 100})
    server.advance("3d")
    assert server.state()["deliveries"] == {"attempts": 25_920, "delivered": 0, "discarded": 100, "pending": 0}


def test_a_fault_of_one_webhook_hits_as_often_as_declared(server: Server, httpserver: HTTPServer, hook: str) -> None:
    hit, free = server.activated(hook), server.activated(hook)
    declared = server.control("POST", "/faults", {"kind": "lost-ack", "times": 2, "for": "1h", "webhookId": hit})
    fault = {
        "number": 1,
        "fault": {"kind": "lost-ack", "dropped": "after-headers", "times": 2, "for": "1h"},
        "webhookId": hit,
        "until": DEFAULT_START + HOUR,
        "hits": 0,
    }
    assert (declared.status_code, declared.json()) == (201, fault)
    assert server.control("GET", "/faults").json() == [fault] == server.state()["faults"]
    assert server.control("GET", f"/faults?webhookId={hit}").json() == [fault]
    assert server.control("GET", f"/faults?webhookId={free}").json() == []
    server.control("POST", "/emit", {"type": "open"})
    server.advance("1s")
    assert server.control("GET", "/faults").json() == [{**fault, "hits": 1}]
    server.advance("1m")
    assert server.control("GET", "/faults").json() == []  # over by itself
    assert len(httpserver.log) == 4  # three at one webhook, one at the other
    assert server.state()["deliveries"] == {"attempts": 4, "delivered": 2, "discarded": 0, "pending": 0}
    assert [entry["faults"] for entry in attempts(server)] == [["lost-ack"], [], []]


def test_faults_end_on_request(server: Server, hook: str) -> None:
    number = server.activated(hook)
    for body in ({"kind": "refused"}, {"kind": "timeout", "webhookId": number}, {"kind": "latency", "time": "3s"}):
        assert server.control("POST", "/faults", body).status_code == 201
    assert server.control("DELETE", "/faults/2").status_code == 204
    assert [view["number"] for view in server.control("GET", f"/faults?webhookId={number}").json()] == [1, 3]
    again = server.control("DELETE", "/faults/2")
    assert (again.status_code, again.json()["error"]) == (
        404,
        "fault 2 is not in force: never declared, over, or ended",
    )
    assert server.control("DELETE", "/faults").status_code == 204
    assert server.control("GET", "/faults").json() == []
    server.control("POST", "/emit", {"type": "open"})
    server.advance("1s")
    assert server.state()["deliveries"]["delivered"] == 1


@pytest.mark.parametrize("kind", FAULTS)
def test_every_kind_of_fault_can_be_declared(server: Server, hook: str, kind: str) -> None:
    server.activated(hook)
    declared = server.control("POST", "/faults", {"kind": kind, "times": 1})
    assert (declared.status_code, declared.json()["fault"]["kind"]) == (201, kind)
    # The fault as it is listed declares the same fault again.
    again = server.control("POST", "/faults", declared.json()["fault"])
    assert (again.status_code, again.json()["fault"]) == (201, declared.json()["fault"])


def test_faults_in_force_are_limited(server: Server) -> None:
    for _ in range(FAULTS_MAX):
        assert server.control("POST", "/faults", {"kind": "refused"}).status_code == 201
    full = server.control("POST", "/faults", {"kind": "refused"})
    assert (full.status_code, full.json()["error"]) == (
        400,
        f"{FAULTS_MAX} faults are in force, which is the limit: end one first",
    )
    server.control("DELETE", "/faults/7")
    assert server.control("POST", "/faults", {"kind": "refused"}).status_code == 201


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "duplicate"},
        {"kind": "duplicate", "timing": "concurrent"},
        {"kind": "overlap", "events": 3},
        {"kind": "reorder"},
        {"kind": "refill"},
    ],
)
def test_a_delivery_is_shown_as_it_was_sent_whatever_the_sender_does(
    server: Server, httpserver: HTTPServer, hook: str, fault: Any
) -> None:
    httpserver.clear()
    httpserver.expect_oneshot_request("/hook").respond_with_data("", 503)
    httpserver.expect_request("/hook").respond_with_data("")
    server.activated(hook)
    server.control("POST", "/faults", fault)
    server.control("POST", "/emit", {"type": "open", "count": 50})
    server.advance("1ms")
    server.control("POST", "/emit", {"type": "open", "count": 250})
    server.advance("1m")
    entries = attempts(server)
    shown = [server.control("GET", f"/deliveries/{entry['position']}").json() for entry in entries]
    assert sorted(view["request"]["body"].encode() for view in shown) == sorted(
        request.get_data() for request, _ in httpserver.log
    )
    assert any(fault["kind"] in view["faults"] for view in shown)
    assert all(view["bytesSent"] > view["request"]["bodyBytes"] for view in shown)


def test_a_delivery_is_shown_in_full(server: Server, httpserver: HTTPServer, hook: str) -> None:
    httpserver.clear()
    httpserver.expect_request("/hook").respond_with_data("<script>alert(1)</script>", 500, {"X-Why": "because"})
    server.activated(hook, basicAuthUsername="joe", basicAuthPassword="pw")
    server.control("POST", "/emit", {"type": "open", "count": 2})
    server.advance("15s")
    [entry] = attempts(server)
    assert (entry["count"], entry["first_number"], entry["status_text"]) == (2, 1, "500")
    shown = server.control("GET", f"/deliveries/{entry['position']}").json()
    assert (shown["number"], shown["at"], shown["accepted"]) == (2, DEFAULT_START + 10 * SECOND, False)
    assert shown["wallMilliseconds"] > 0
    request, response = shown["request"], shown["response"]
    assert (request["method"], request["url"]) == ("POST", hook)
    assert request["body"].encode() == httpserver.log[1][0].get_data()
    assert request["bodyBytes"] == len(request["body"])
    assert ["Authorization", "***"] in request["headers"]
    assert (response["status"], response["body"]) == (500, "<script>alert(1)</script>")
    assert ["x-why", "because"] in response["headers"]
    assert shown["curl"].startswith("curl -sS -i -H ")
    assert ' -u "$HOOK_USER:$HOOK_PASSWORD" --data-binary ' in shown["curl"]
    assert shown["curl"].endswith(f" {hook}")
    first = server.control("GET", f"/deliveries/{entry['position']}?number=1").json()
    assert (first["number"], first["at"]) == (1, DEFAULT_START)
    for wrong in ("99999", f"{entry['position'] - 1}", f"{entry['position']}?number=3"):
        assert server.control("GET", f"/deliveries/{wrong}").status_code == 404


def test_an_attempt_is_found_by_position_and_number(server: Server, httpserver: HTTPServer, hook: str) -> None:
    httpserver.clear()
    for status in (500, 500, 503, 200):
        httpserver.expect_ordered_request("/hook").respond_with_data("", status)
    server.activated(hook)
    server.control("POST", "/emit", {"type": "open"})
    server.advance("1m")
    entries = attempts(server)
    assert [(entry["first_number"], entry["count"]) for entry in entries] == [(1, 2), (3, 1), (4, 1)]
    found = {
        (place, number): server.control("GET", f"/deliveries/{entries[place]['position']}?number={number}").status_code
        for place in range(3)
        for number in range(1, 6)
    }
    assert {key for key, status in found.items() if status == 200} == {(0, 1), (0, 2), (1, 3), (2, 4)}
    assert set(found.values()) == {200, 404}


def test_a_delivery_names_the_target_it_went_to(server: Server, hook: str) -> None:
    number = server.activated(DEAD)
    server.control("POST", "/emit", {"type": "open"})
    server.advance("1s")
    server.rest("PUT", f"/webhooks/{number}", {"targetUrl": hook, "type": "open", "format": "json"})
    server.advance("10s")
    shown = [server.control("GET", f"/deliveries/{entry['position']}").json() for entry in attempts(server)]
    assert [view["request"]["url"] for view in shown] == [DEAD, hook]


def test_the_journal_is_returned_in_pages(server: Server) -> None:
    for _ in range(7):
        server.create()
    page = server.control("GET", "/journal?limit=3").json()
    assert (page["first"], page["next"], page["dropped"]) == (0, 15, 0)
    assert [entry["position"] for entry in page["entries"]] == [0, 1, 2]

    def positions(query: str) -> list[int]:
        return [entry["position"] for entry in server.control("GET", f"/journal?{query}").json()["entries"]]

    assert positions("after=2&limit=3") == [3, 4, 5]
    assert positions("after=14") == []
    assert positions("after=100") == []
    assert positions("before=100&limit=2") == [13, 14]
    assert positions("before=2") == [0, 1]
    assert positions("before=0") == []
    for wrong in ("limit=0", "limit=1001", "after=x", "after=1&before=2"):
        assert server.control("GET", f"/journal?{wrong}").status_code == 400


def test_reset_removes_everything(server: Server, hook: str) -> None:
    number = server.activated(hook)
    server.control("POST", "/emit", {"type": "open"})
    server.advance("1h")
    server.control("POST", "/outages", {"for": "1d"})
    assert server.control("POST", "/reset").status_code == 204
    state = server.state()
    assert (state["now"], state["webhooks"], state["deliveries"]["attempts"]) == (DEFAULT_START, [], 0)
    assert server.rest("GET", "/webhooks").json() == []
    assert server.rest("POST", f"/webhooks/{number}/activate").status_code == 404
    assert server.activated(hook) == number + 1
    server.control("POST", "/emit", {"type": "open"})
    server.advance("1s")
    assert server.state()["deliveries"]["delivered"] == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "word"),
    [
        ("POST", "/emit", {}, "type"),
        ("POST", "/emit", {"type": "x"}, "type"),
        ("POST", "/emit", {"type": "open", "count": 0}, "count"),
        ("POST", "/emit", {"type": "open", "count": 1_000_001}, "count"),
        ("POST", "/emit", {"type": "open", "count": 1.5}, "count"),
        ("POST", "/emit", {"type": "open", "over": "soon"}, "over"),
        ("POST", "/emit", {"type": "open", "clientId": 5}, "clientId"),
        ("POST", "/emit", {"type": "open", "unknown": 1}, "unknown"),
        ("POST", "/emit", [], "object"),
        ("POST", "/mailing", {}, "recipients"),
        ("POST", "/mailing", {"recipients": 0}, "recipients"),
        ("POST", "/mailing", {"recipients": 1_000_001}, "recipients"),
        ("POST", "/mailing", {"recipients": 1, "clientId": 5}, "clientId"),
        ("POST", "/mailing", {"recipients": 1, "rates": {"opening": 1.5}}, "opening"),
        ("POST", "/mailing", {"recipients": 1, "rates": {"openning": 1}}, "openning"),
        ("POST", "/mailing", {"recipients": 1, "rates": None}, "rates"),
        ("POST", "/faults", {}, "kind"),
        ("POST", "/faults", {"kind": "x"}, "lost-ack"),
        ("POST", "/faults", {"kind": ["refused"]}, "kind"),
        ("POST", "/faults", {"kind": "refused", "unknown": 1}, "unknown"),
        ("POST", "/faults", {"kind": "refused", "times": 0}, "times"),
        ("POST", "/faults", {"kind": "refused", "for": "soon"}, "for"),
        ("POST", "/faults", {"kind": "refused", "for": 5}, "for"),
        ("POST", "/faults", {"kind": "refused", "every": 2, "probability": 0.5}, "every"),
        ("POST", "/faults", {"kind": "latency", "time": "4d"}, "time"),
        ("POST", "/faults", {"kind": "content-type", "value": "a\r\nX: y"}, "value"),
        ("POST", "/faults", {"kind": "refused", "webhookId": "1"}, "webhookId"),
        ("POST", "/faults", {"kind": "refused", "webhookId": True}, "webhookId"),
        ("POST", "/faults", {"kind": "refused", "webhookId": 0}, "webhookId"),
        ("POST", "/faults", {"kind": "refused", "webhookId": 2**63}, "webhookId"),
        ("POST", "/faults", [], "object"),
        ("GET", "/faults?webhookId=x", None, "webhookId"),
        ("DELETE", "/faults/0", None, "number"),
        ("POST", "/clock/advance", {"by": "-1s"}, "by"),
        ("POST", "/clock/advance", {"by": ""}, "by"),
        ("POST", "/clock/advance", {"by": "367d"}, "366d"),
        ("PUT", "/clock/speed", {"speed": -1}, "speed"),
        ("PUT", "/clock/speed", {"speed": 1e9}, "speed"),
        ("POST", "/outages", {"for": "1h", "kind": "x"}, "connect-timeout"),
        ("POST", "/outages", {"kind": "refused"}, "for"),
        ("POST", "/outages", {"for": "1h", "webhookId": 2**63}, "webhookId"),
        ("DELETE", "/outages?webhookId=0", None, "webhookId"),
        ("POST", "/webhooks/x/retry", None, "webhookId"),
        ("POST", "/webhooks", {"type": "open", "targetUrl": "example.com"}, "targetUrl"),
        ("POST", "/webhooks", {"type": "opened", "targetUrl": "http://127.0.0.1:9"}, "type"),
        ("POST", "/webhooks", {"type": "open", "targetUrl": "http://127.0.0.1:9", "clientId": 5}, "clientId"),
        (
            "POST",
            "/webhooks",
            {"type": "open", "targetUrl": "http://127.0.0.1:9", "authentication": {"type": "basicAuth"}},
            "userName",
        ),
        ("POST", "/mails", {"recipientId": ""}, "recipientId"),
        ("POST", "/mails", {"recipientId": "joe", "transactionalMailId": 7}, "transactional mail"),
        ("POST", "/mails", {"recipientId": "joe", "recipientListId": 7}, "recipientListId"),
        ("GET", "/mails?newestFirst=maybe", None, "newestFirst"),
    ],
)
def test_the_error_for_wrong_input_is_one_line_that_names_the_field(
    server: Server, method: str, path: str, body: Any, word: str
) -> None:
    before = server.state()
    answer = server.control(method, path, body)
    assert answer.status_code == 400
    [(name, line)] = answer.json().items()
    assert name == "error"
    assert word in line
    assert "\n" not in line
    assert server.state() == before


def test_404_for_everything_that_does_not_exist(server: Server) -> None:
    for method, path, body in (
        ("POST", "/webhooks/1/retry", None),
        ("PUT", "/webhooks/1", {}),
        ("POST", "/webhooks/1/activate", None),
        ("POST", "/webhooks/1/verify", {}),
        ("DELETE", "/webhooks/1", None),
        ("DELETE", "/outages?webhookId=1", None),
        ("POST", "/outages", {"for": "1h", "webhookId": 1}),
        ("POST", "/faults", {"kind": "refused", "webhookId": 1}),
        ("GET", "/faults?webhookId=1", None),
        ("DELETE", "/faults/1", None),
        ("GET", "/nothing", None),
    ):
        answer = server.control(method, path, body)
        assert answer.status_code == 404
        assert set(answer.json()) == {"error"}
    assert server.control("DELETE", "/clock").status_code == 405


STATE_CHANGING = (
    ("POST", "/emit", {"type": "open"}),
    ("POST", "/clock/advance", {"by": "1s"}),
    ("PUT", "/clock/speed", {"speed": 2}),
    ("POST", "/mailing", {"recipients": 1}),
    ("POST", "/outages", {"for": "1h"}),
    ("DELETE", "/outages", None),
    ("POST", "/faults", {"kind": "refused"}),
    ("DELETE", "/faults/1", None),
    ("DELETE", "/faults", None),
    ("POST", "/webhooks/1/retry", None),
    ("POST", "/users/rotate", {"password": "n3w"}),
    ("POST", "/check", {"target": DEAD}),
    ("DELETE", "/checks/1", None),
    ("POST", "/expect", {"api": {}}),
    ("POST", "/run", {"scenario": "name: x"}),
    ("POST", "/webhooks/1/suspend", None),
    ("POST", "/webhooks", {"type": "open", "targetUrl": "http://127.0.0.1:9/hook"}),
    ("PUT", "/webhooks/1", {"targetUrl": "http://127.0.0.1:9/other"}),
    ("POST", "/webhooks/1/activate", None),
    ("POST", "/webhooks/1/deactivate", None),
    ("POST", "/webhooks/1/verify", {}),
    ("DELETE", "/webhooks/1", None),
    ("POST", "/mails", {"recipientId": "joe@example.com"}),
    ("POST", "/act", {"mailId": "AAAAAAAA-AAAAAAAA-AAAAAA", "type": "open"}),
    ("POST", "/reset", None),
)


def test_every_call_that_changes_something_is_tried_from_another_site() -> None:
    called = {(method, re.sub(r"/[0-9]+(?=/|$)", "/{}", path)) for method, path, _ in STATE_CHANGING}
    assert called == {
        (operation.method, re.sub(r"{\w+}", "{}", operation.path))
        for operation in API.operations
        if operation.method != "GET"
    }


@pytest.mark.parametrize(("method", "path", "body"), STATE_CHANGING)
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "attacker.example"},
        {"Host": "127.0.0.1.attacker.example"},
        {"Host": "localhost.attacker.example:80"},
        {"Host": ""},
        {"Host": "["},
        {"Origin": "http://attacker.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_changes_nothing(
    server: Server, method: str, path: str, body: Any, headers: dict[str, str]
) -> None:
    server.activated(DEAD)
    before = server.state()
    answer = server.control(method, path, body, headers=headers)
    assert answer.status_code == 403
    assert "allowed" in answer.json()["error"]
    assert server.state() == before


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"])
@pytest.mark.parametrize("path", sorted({path for method, path, _ in STATE_CHANGING if method == "POST"}))
def test_a_form_of_another_site_cannot_be_a_control_call(server: Server, path: str, content_type: str) -> None:
    server.activated(DEAD)
    before = server.state()
    answer = requests.post(
        f"{server.url}/__mockcampaign{path}",
        data=b'{"type":"open"}',
        headers={"Content-Type": f"{content_type}; charset=UTF-8"},
        timeout=10,
    )
    assert (answer.status_code, set(answer.json())) == (415, {"error"})
    assert server.state() == before


def test_the_body_of_a_control_call_must_be_declared_as_json(server: Server) -> None:
    for headers in ({}, {"Content-Type": ""}, {"Content-Type": "application/xml"}):
        answer = requests.post(
            f"{server.url}/__mockcampaign/emit", data=b'{"type":"open"}', headers=headers, timeout=10
        )
        assert answer.status_code == 415


NOT_UTF_8 = "the body is not JSON: it is not UTF-8"
TOO_DEEP = "the body is nested too deeply, allowed: up to 100 levels"


def nested(levels: int) -> bytes:
    """Return a request whose sample makes it so deep."""
    return b'{"type":"open","like":{"type":"open","x":%b}}' % (b"[" * (levels - 2) + b"]" * (levels - 2))


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b'{"type":"\xff"}', NOT_UTF_8),
        (b'{"type":"open","\xff":1}', NOT_UTF_8),
        (b'{"type":"open","\xed\xa0\x80":1}', NOT_UTF_8),
        (nested(50), None),
        (nested(100), "like: nested deeper than 50 levels, which is the limit"),
        (nested(101), TOO_DEEP),
        (nested(900), TOO_DEEP),
        (nested(100_000), TOO_DEEP),
        (b'{"type":"open","like":' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}", TOO_DEEP),
        (b'{"type":"open","like":{"type":"open","x":[%b]}}' % b",".join([b"[]"] * 1_000), None),
        (
            b'{"type":"open","b":1,"a b\\n":1,"":1}',
            "; ".join(f"{name}: unknown field, allowed: {EMIT}" for name in ("''", "'a b\\n'", "b")),
        ),
    ],
)
def test_a_body_that_cannot_be_read_is_rejected_in_one_line(server: Server, body: bytes, line: str | None) -> None:
    headers = {"Content-Type": "application/json"}
    answer = requests.post(f"{server.url}/__mockcampaign/emit", data=body, headers=headers, timeout=20)
    if line is None:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json()["error"]) == (400, line)


@pytest.mark.parametrize(
    ("method", "path", "line"),
    [
        ("GET", "/state?webhookId=1", "'webhookId': unknown query parameter, allowed: none"),
        ("GET", "/journal?since=1", "'since': unknown query parameter, allowed: after, before, limit"),
        ("GET", "/deliveries/1?number=1&%0A=", "'\\n': unknown query parameter, allowed: number"),
        ("DELETE", "/outages?webhook=1", "'webhook': unknown query parameter, allowed: webhookId"),
        ("DELETE", "/faults/1?number=1", "'number': unknown query parameter, allowed: none"),
        ("POST", "/emit?type=open", "'type': unknown query parameter, allowed: none"),
        ("POST", "/reset?", None),
    ],
)
def test_an_unknown_query_parameter_is_rejected_with_the_allowed_ones(
    server: Server, method: str, path: str, line: str | None
) -> None:
    answer = server.control(method, path, {} if method == "POST" else None)
    if line is None:
        assert answer.status_code == 204
    else:
        assert (answer.status_code, answer.json()["error"]) == (400, line)


def test_virtual_time_ends_with_the_year_2999() -> None:
    start = MOMENT_MAX - HOUR
    with running_server(start=start) as server:
        too_far = server.control("POST", "/clock/advance", {"by": "1h1ms"})
        assert (too_far.status_code, too_far.json()["error"]) == (
            400,
            "by: the clock would pass 3000-01-01T00:00:00.000Z, where time ends, allowed: up to 1h, or a reset",
        )
        server.activated(DEAD)
        server.control("POST", "/emit", {"type": "open", "count": 2, "over": "1d"})
        assert server.control("POST", "/outages", {"for": "366d"}).status_code == 201
        server.advance("1h")
        assert server.state()["now"] == MOMENT_MAX
        server.control("PUT", "/clock/speed", {"speed": SPEED_MAX})
        assert server.control("GET", "/clock").json()["now"] == MOMENT_MAX
        assert server.rest("POST", "/smartcampaigns", {"name": "late"}).status_code == 201
        assert server.control("POST", "/reset").status_code == 204
        server.advance("1h")


@pytest.mark.parametrize("size", [BODY_BYTES_MAX, BODY_BYTES_MAX + 1])
def test_a_control_body_above_the_limit_gets_413(server: Server, size: int) -> None:
    answer = requests.post(
        f"{server.url}/__mockcampaign/emit",
        data=b'{"type":"open"}'.ljust(size),
        headers={"Content-Type": "application/json"},
        timeout=10,
    )
    assert answer.status_code == (200 if size == BODY_BYTES_MAX else 413)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST:80", "app.localhost", "[::1]:80", "10.0.0.1", "campaign.test"]
)
def test_own_names_and_addresses_are_accepted(server: Server, host: str) -> None:
    headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    assert server.control("POST", "/clock/advance", {"by": "1s"}, headers=headers).status_code == 200


def test_another_site_cannot_reach_the_rest_api_through_a_browser(server: Server) -> None:
    number = server.create()
    for headers in (
        {"Origin": "http://attacker.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "attacker.example"},
    ):
        answer = server.rest("GET", f"/webhooks/{number}/verify?mailingId={SAMPLE_MAILING_ID}", headers=headers)
        assert answer.status_code == 403


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html"),
        ("/docs", "text/html"),
        ("/__mockcampaign/pages/live.css", "text/css"),
        ("/__mockcampaign/pages/live/store.js", "text/javascript"),
        ("/openapi.json", "application/json"),
    ],
)
def test_pages_run_nothing_foreign(server: Server, path: str, media_type: str) -> None:
    answer = requests.get(server.url + path, timeout=10)
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"] == PAGE_POLICY
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-type"].partition(";")[0] == media_type
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_rejections_of_page_requests_have_the_policy_of_pages(server: Server) -> None:
    for path in ("/", "/docs", "/openapi.json", "/__mockcampaign/pages/live.css"):
        answer = requests.get(server.url + path, headers={"Host": "attacker.example"}, timeout=10)
        assert (answer.status_code, answer.headers["content-security-policy"]) == (403, PAGE_POLICY)


@pytest.mark.parametrize("path", ["/rest", "/rest/", "//rest/1/webhooks", "/__mockcampaign", "/__mockcampaign//state"])
def test_empty_segments_match_no_path(server: Server, path: str) -> None:
    prepared = requests.Request("GET", server.url).prepare()
    prepared.url = f"{server.url}{path}"
    with requests.Session() as session:
        assert session.send(prepared, timeout=10).status_code == 404


@pytest.mark.parametrize(
    "path", ["../control.py", "..%2fcontrol.py", "%2e%2e/control.py", "vendor/../../control.py", "nothing.js"]
)
def test_nothing_but_pages_is_served_as_a_file(server: Server, path: str) -> None:
    prepared = requests.Request("GET", f"{server.url}/__mockcampaign/pages/x").prepare()
    prepared.url = f"{server.url}/__mockcampaign/pages/{path}"
    with requests.Session() as session:
        assert session.send(prepared, timeout=10).status_code == 404


class Watcher:
    """Reads the live stream in a thread."""

    def __init__(self, server: Server, **headers: str) -> None:
        self._answer = requests.get(f"{server.url}/__mockcampaign/stream", headers=headers, stream=True, timeout=20)
        assert self._answer.headers["content-type"].startswith("text/event-stream")
        self.messages: list[tuple[str, str, Any]] = []
        self._arrived = threading.Condition()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        fields: dict[str, str] = {}
        try:
            for line in self._answer.iter_lines(decode_unicode=True):
                name, _, text = line.partition(": ")
                if line:
                    fields[name] = text
                elif "data" in fields:
                    with self._arrived:
                        message = fields.get("event", ""), fields.get("id", ""), json.loads(fields["data"])
                        self.messages.append(message)
                        self._arrived.notify_all()
                    fields = {}
        except (requests.RequestException, AttributeError, ValueError):
            return  # closed while reading

    def until(self, wanted: Any) -> tuple[str, str, Any]:
        """Return the first message that fits."""

        def found() -> Any:
            return next((message for message in self.messages if wanted(*message)), None)

        with self._arrived:
            assert self._arrived.wait_for(found, timeout=20), self.messages[-5:]
            message: tuple[str, str, Any] = found()
            return message

    def close(self) -> None:
        self._answer.close()
        self._thread.join()


@pytest.fixture
def watcher(server: Server) -> Iterator[Watcher]:
    watcher = Watcher(server)
    yield watcher
    server.control("POST", "/outages", {"for": "1s"})  # so that its last read ends
    watcher.close()


def test_the_stream_sends_the_state_first_and_then_entries(server: Server, watcher: Watcher, hook: str) -> None:
    first = watcher.until(lambda event, number, data: True)
    assert (first[0], first[2]["webhooks"]) == ("state", [])
    server.activated(hook)
    server.control("POST", "/emit", {"type": "open", "count": 3})
    server.advance("1s")
    _, number, entry = watcher.until(lambda event, number, data: data.get("entry") == "attempted")
    assert (number, entry["events"], entry["accepted"]) == (str(entry["position"]), 3, True)
    watcher.until(lambda event, number, data: event == "state" and data["deliveries"]["delivered"] == 3)


def test_the_stream_sends_a_state_for_changes_without_an_entry(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockcampaign.server.control_api.stream.PING_SECONDS", 1_000)
    watcher = Watcher(server)
    watcher.until(lambda event, number, data: event == "state")
    server.control("PUT", "/clock/speed", {"speed": 0.5})
    watcher.until(lambda event, number, data: event == "state" and data["speed"] == 0.5)
    server.create()  # so that its last read ends
    watcher.close()


def test_a_run_of_equal_failures_grows_in_the_stream(server: Server, watcher: Watcher) -> None:
    server.activated(DEAD)
    server.control("POST", "/outages", {"for": "1d"})
    server.control("POST", "/emit", {"type": "open"})
    server.advance("1s")
    _, number, _ = watcher.until(lambda event, number, data: data.get("count") == 1 and data["entry"] == "attempted")
    server.advance("1h")
    assert watcher.until(lambda event, number, data: data.get("count") == 361)[1] == number


def test_the_stream_announces_a_reset(server: Server, watcher: Watcher) -> None:
    server.create()
    watcher.until(lambda event, number, data: data.get("command") == "create")
    server.control("POST", "/reset")
    watcher.until(lambda event, number, data: event == "reset")
    watcher.until(lambda event, number, data: data.get("entry") == "began")


def test_the_number_of_open_streams_is_limited(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockcampaign.server.http.event_stream.STREAMS_MAX", 2)
    watchers = [Watcher(server) for _ in range(2)]
    for watcher in watchers:
        watcher.until(lambda event, number, data: event == "state")
    refused = server.control("GET", "/stream")
    assert (refused.status_code, refused.json()) == (503, {"error": "2 streams are open, which is the limit"})
    for watcher in watchers:
        server.create()  # so that its last read ends
        watcher.close()


def test_a_client_that_reconnects_misses_nothing(server: Server) -> None:
    for _ in range(5):
        server.create()
    watcher = Watcher(server, **{"Last-Event-ID": "8"})
    watcher.until(lambda event, number, data: number == "10")
    assert [number for event, number, _ in watcher.messages if event == "entry"] == ["9", "10"]
    server.create()
    watcher.close()


def test_measurements_of_the_latest_attempts_are_kept(
    server: Server, hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mockcampaign.server.pacer.MEASURED_MAX", 3)
    server.activated(hook)
    for _ in range(5):
        server.control("POST", "/emit", {"type": "open"})
        server.advance("1s")
    shown = [server.control("GET", f"/deliveries/{entry['position']}").json() for entry in attempts(server)]
    assert [view["wallMilliseconds"] is None for view in shown] == [True, True, False, False, False]
    assert len(server.campaign.pacer.measured) == 3


def test_growth_of_the_latest_entries_is_kept(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockcampaign.server.hub.GROWN_MAX", 3)
    for _ in range(5):
        server.activated(DEAD)
    server.control("POST", "/outages", {"for": "1d"})
    server.control("POST", "/emit", {"type": "open"})
    server.advance("1m")
    assert len(server.campaign.hub.grown_since(0, 1_000)) == 3


def test_a_delivery_without_its_events_has_no_body_and_no_command(
    server: Server, hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mockcampaign.server.served_campaign.JOURNAL_EVENTS_MAX", 50)
    server.control("POST", "/reset")
    server.activated(hook)
    for _ in range(2):
        server.control("POST", "/emit", {"type": "open", "count": 30})
        server.advance("1s")
    old, new = (server.control("GET", f"/deliveries/{entry['position']}").json() for entry in attempts(server))
    assert (old["request"]["body"], old["request"]["bodyBytes"]) == (None, None)
    assert old["curl"] is None
    assert new["request"]["body"].startswith('[{"type":"open"')
    page = server.control("GET", "/journal").json()
    assert page["first"] > 0
    assert server.control("GET", "/journal?before=1").json()["entries"] == []
    gone = server.control("GET", f"/deliveries/{page['first'] - 1}")
    assert gone.status_code == 404
    assert gone.json()["error"].endswith(f"positions below {page['first']} are dropped")


def test_connections_to_targets_end_with_the_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        with running_server() as server:
            server.activated(f"http://127.0.0.1:{listening.getsockname()[1]}/hook")
            server.control("POST", "/emit", {"type": "open"})
            connection, _ = listening.accept()
            while not connection.recv(65_536).endswith(b"]"):
                pass
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            server.advance("1s")
            assert server.state()["deliveries"]["delivered"] == 1
        with connection:
            connection.settimeout(10)
            assert connection.recv(1) == b""


@pytest.mark.parametrize("path", ["/state", "/verdict", "/discarded", "/checks", "/faults"])
def test_what_people_read_in_a_terminal_is_indented(server: Server, path: str) -> None:
    server.control("POST", "/faults", {"kind": "lost-ack"})
    response = server.control("GET", path)
    assert response.text == json.dumps(response.json(), indent=2, ensure_ascii=False) + "\n"


def test_the_journal_is_compact() -> None:
    with running_server() as server:
        assert "\n" not in server.control("GET", "/journal").text
