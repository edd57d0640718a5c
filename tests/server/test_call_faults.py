"""Faults of calls: the REST API fails as declared, before or after the effect, and says so in the journal."""

from __future__ import annotations

import base64
import itertools
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import requests

from mockcampaign.engine.journal import Called, FaultDeclared
from mockcampaign.policy import Policy
from mockcampaign.server.users import Users, users_of
from servers import CLIENT, OTHER_CLIENT, PASSWORD, USER, Server, running_server

FORM = {"targetUrl": "http://127.0.0.1:9/hook", "type": "open", "format": "json"}


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


def declare(server: Server, **fault: Any) -> None:
    answer = server.control("POST", "/faults", fault)
    assert answer.status_code == 201, answer.text


def create(server: Server) -> int | None:
    """Return the status of the response; None if there is no complete one."""
    try:
        return server.rest("POST", "/webhooks", FORM).status_code
    except requests.exceptions.RequestException:
        return None


def created(server: Server) -> int:
    return len(server.campaign.campaign.webhooks.all())


def calls(server: Server) -> list[tuple[str, int | None, tuple[str, ...]]]:
    entries = server.campaign.campaign.journal.entries
    return [(entry.operation, entry.status, entry.faults) for entry in entries if isinstance(entry, Called)]


@pytest.mark.parametrize(
    ("fault", "status", "effects"),
    [
        ({"kind": "api-unauthorized"}, 401, 0),
        ({"kind": "api-forbidden"}, 403, 0),
        ({"kind": "api-conflict"}, 409, 0),
        ({"kind": "api-too-many-requests"}, 429, 0),
        ({"kind": "api-error"}, 500, 0),
        ({"kind": "api-error", "timing": "after-effect"}, 500, 1),
        ({"kind": "api-timeout", "hold": "0s"}, None, 0),
        ({"kind": "api-timeout", "hold": "0s", "timing": "after-effect"}, None, 1),
        ({"kind": "api-cut-response"}, None, 1),
        ({"kind": "api-slow", "time": "1ms"}, 201, 1),
    ],
)
def test_each_fault_hits_one_call_and_the_next_one_succeeds(
    server: Server, fault: dict[str, Any], status: int | None, effects: int
) -> None:
    declare(server, times=1, **fault)
    assert (create(server), created(server)) == (status, effects)
    assert (create(server), created(server)) == (201, effects + 1)
    assert calls(server) == [("createWebhook", status, (fault["kind"],)), ("createWebhook", 201, ())]


def test_an_injected_rejection_has_the_form_of_the_others(server: Server) -> None:
    declare(server, kind="api-unauthorized", times=1)
    answer, real = server.rest("GET", "/webhooks"), server.rest("GET", "/webhooks", auth=(USER, "wrong"))
    assert answer.json() == {
        "httpStatusCode": 401,
        "errorMessage": "no valid credentials for this client (injected fault api-unauthorized)",
        "violations": [],
    }
    assert answer.headers["WWW-Authenticate"] == real.headers["WWW-Authenticate"]


def test_a_fault_hits_every_nth_call_of_its_operation(server: Server) -> None:
    declare(server, kind="api-error", operation="createWebhook", every=3)
    statuses = []
    for _ in range(7):
        assert server.rest("GET", "/webhooks").status_code == 200
        statuses.append(create(server))
    assert statuses == [201, 201, 500, 201, 201, 500, 201]
    [view] = server.control("GET", "/faults").json()
    assert view["hits"] == 2
    assert view["fault"] == {"kind": "api-error", "operation": "createWebhook", "timing": "before-effect", "every": 3}


def test_a_fault_lasts_for_its_time_on_the_clock_of_the_campaign(server: Server) -> None:
    declare(server, kind="api-conflict", **{"for": "5m"})
    assert create(server) == 409
    server.advance("4m")
    assert create(server) == 409
    server.advance("1m")
    assert create(server) == 201


def test_without_permission_for_webhooks_only_their_operations_fail(server: Server) -> None:
    declare(server, kind="api-forbidden")
    assert server.rest("GET", "/users/authenticated").status_code == 200
    assert server.rest("GET", "/smartcampaigns").status_code == 200
    for method, path in (("GET", "/webhooks"), ("POST", "/webhooks"), ("DELETE", "/webhooks/1")):
        assert server.rest(method, path).status_code == 403


def test_of_several_faults_the_one_declared_last_decides_and_a_pause_comes_before_it(server: Server) -> None:
    for kind in ("api-conflict", "api-error", "api-slow"):
        declare(server, kind=kind, times=1, **({"time": "1ms"} if kind == "api-slow" else {}))
    assert create(server) == 500
    assert create(server) == 201
    assert calls(server)[0] == ("createWebhook", 500, ("api-conflict", "api-error", "api-slow"))


def test_what_is_no_operation_is_hit_by_no_fault(server: Server) -> None:
    declare(server, kind="api-error")
    assert server.rest("GET", "/unknownthings/5").status_code == 501
    assert server.rest("PATCH", "/webhooks").status_code == 405
    [view] = server.control("GET", "/faults").json()
    assert view["hits"] == 0


def test_faults_of_calls_hit_no_attempt_and_those_of_attempts_no_call(server: Server) -> None:
    server.activated("http://127.0.0.1:9/hook")
    declare(server, kind="api-error")
    declare(server, kind="unreachable", times=1)
    server.control("POST", "/emit", {"type": "open"})
    server.advance("15s")
    assert [view["hits"] for view in server.control("GET", "/faults").json()] == [0]
    assert create(server) == 500


def test_a_response_without_a_body_is_cut_before_it_begins(server: Server) -> None:
    number = server.activated("http://127.0.0.1:9/hook")
    server.rest("POST", f"/webhooks/{number}/deactivate")
    declare(server, kind="api-cut-response", times=1)
    with pytest.raises(requests.exceptions.ConnectionError):
        server.rest("DELETE", f"/webhooks/{number}")
    assert server.rest("GET", "/webhooks").json() == []


def test_a_caller_that_gives_up_ends_the_time_out(server: Server) -> None:
    declare(server, kind="api-timeout", times=1, hold="1h")
    with pytest.raises(requests.exceptions.Timeout):
        requests.get(f"{server.url}/rest/{CLIENT}/webhooks", auth=(USER, PASSWORD), timeout=0.05)
    assert calls(server) == [("selectWebhooks", None, ("api-timeout",))]
    assert server.rest("GET", "/webhooks").status_code == 200


def test_the_end_of_the_server_ends_a_time_out() -> None:
    with running_server() as server:
        declare(server, kind="api-timeout", times=1, hold="1h")
        with pytest.raises(requests.exceptions.Timeout):
            requests.get(f"{server.url}/rest/{CLIENT}/webhooks", auth=(USER, PASSWORD), timeout=0.05)
        declare(server, kind="api-slow", times=1, time="1h")
        with pytest.raises(requests.exceptions.Timeout):
            requests.get(f"{server.url}/rest/{CLIENT}/webhooks", auth=(USER, PASSWORD), timeout=0.05)


def test_a_declared_fault_is_in_the_journal(server: Server) -> None:
    declare(server, kind="api-slow", operation="verifyWebhook", time="3s")
    [entry] = [one for one in server.campaign.campaign.journal.entries if isinstance(one, FaultDeclared)]
    assert (entry.fault.kind, entry.webhook_ids) == ("api-slow", ())


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"kind": "api-error", "operation": "createHook"}, "unknown operation 'createHook', did you mean 'createWebh"),
        (
            {"kind": "api-error", "timing": "never"},
            "timing: 'never' does not fit, allowed: after-effect, before",
        ),
        ({"kind": "api-slow", "time": "2h"}, "time: 7200000 does not fit, allowed: a duration of 0 ms to 1h"),
        ({"kind": "api-conflict", "every": 2, "probability": 0.5}, "allowed: one of 'every' and 'probability'"),
    ],
)
def test_a_fault_that_cannot_be_declared_is_explained(server: Server, fault: dict[str, Any], message: str) -> None:
    answer = server.control("POST", "/faults", fault)
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert server.control("GET", "/faults").json() == []


def test_a_fault_of_calls_concerns_no_webhook(server: Server) -> None:
    number = server.create()
    answer = server.control("POST", "/faults", {"kind": "api-error", "webhookId": number})
    assert answer.json() == {"error": "fault api-error: hits calls, not webhooks, allowed: 'operation' instead"}


def test_more_connections_of_a_client_than_allowed_get_429() -> None:
    with running_server(policy=Policy(connections_per_client_max=3)) as server:
        url = f"{server.url}/rest/{CLIENT}/webhooks"
        sessions = [requests.Session() for _ in range(4)]
        try:
            statuses = [session.get(url, auth=(USER, PASSWORD), timeout=30).status_code for session in sessions]
            assert statuses == [200, 200, 200, 429]
            assert sessions[0].get(url, auth=(USER, PASSWORD), timeout=30).status_code == 200
            assert server.rest("GET", "/webhooks", client=OTHER_CLIENT).status_code == 200
            assert calls(server)[3] == ("selectWebhooks", 429, ())
            sessions[1].close()
            # The server sees the end of a connection when it looks at the next ones.
            again = (sessions[3].get(url, auth=(USER, PASSWORD), timeout=30).status_code for _ in itertools.count())
            assert next(status for status in again if status != 429) == 200
        finally:
            for session in sessions:
                session.close()


def test_a_client_that_reads_too_many_recipients_at_once_gets_429() -> None:
    with running_server(policy=Policy(recipient_reads_per_client_max=2)) as server:
        [first, second] = [
            f"/recipients/{one['id']}" for one in server.rest("GET", "/recipientlists").json()["elements"]
        ]
        others = server.rest("GET", "/recipientlists", client=OTHER_CLIENT).json()["elements"]
        declare(server, kind="api-timeout", times=2, hold="1h", operation="selectRecipients")
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        address = (urlsplit(server.url).hostname, urlsplit(server.url).port)
        held = [socket.create_connection(address) for _ in range(2)]
        try:
            for connection, path in zip(held, (first, second), strict=True):
                head = f"GET /rest/{CLIENT}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {basic}"
                connection.sendall(f"{head}\r\n\r\n".encode())
            next(None for _ in itertools.count() if server.state() and len(calls(server)) == 4)
            answers = [server.rest("GET", path) for path in (first, f"{second}/count", second)]
            assert [answer.status_code for answer in answers] == [429] * 3
            assert answers[0].json()["errorMessage"].startswith("more than 2 calls of this kind by this client at once")
            assert server.rest("GET", f"{first}/nobody").status_code == 404
            assert server.rest("GET", f"/recipients/{others[0]['id']}", client=OTHER_CLIENT).status_code == 200
        finally:
            for connection in held:
                connection.close()
        # The server sees the end of a connection when it looks at the next ones.
        again = (server.rest("GET", first).status_code for _ in itertools.count())
        assert next(status for status in again if status != 429) == 200
        assert [server.rest("GET", f"{first}/count").status_code for _ in range(3)] == [200] * 3


def test_a_rotated_password_is_valid_minutes_later(server: Server) -> None:
    def statuses() -> tuple[int, int]:
        old, new = (
            server.rest("GET", "/users/authenticated", auth=(USER, word)).status_code for word in (PASSWORD, "n3w")
        )
        return old, new

    assert statuses() == (200, 401)
    assert server.rest("POST", "/users/rotatepassword", {"newPassword": "n3w"}).status_code == 202
    server.advance("4m59s")
    assert statuses() == (200, 401)
    server.advance("1s")
    assert statuses() == (401, 200)
    assert server.rest("POST", "/users/rotatepassword", {}, auth=(USER, "n3w")).status_code == 400
    assert "n3w" not in server.campaign.campaign.journal.to_json_lines().decode()
    server.control("POST", "/reset", {})
    assert statuses() == (200, 401)


def test_the_control_api_rotates_a_password(server: Server) -> None:
    assert server.control("POST", "/users/rotate", {"password": "n3w", "after": "10s"}).status_code == 204
    assert server.control("POST", "/users/rotate", {"password": "x", "username": "nobody"}).status_code == 404
    other = {"clientId": OTHER_CLIENT, "password": "other", "after": "0s"}
    assert server.control("POST", "/users/rotate", other).status_code == 204
    assert server.rest("GET", "/webhooks", client=OTHER_CLIENT).status_code == 401
    assert server.rest("GET", "/webhooks").status_code == 200
    server.advance("10s")
    assert server.rest("GET", "/webhooks").status_code == 401
    assert server.rest("GET", "/webhooks", auth=(USER, "n3w")).status_code == 200


def test_no_representation_of_users_shows_a_password() -> None:
    users = Users({1: users_of(1, [("joe", "s3cret")])})
    user = users.named(1)
    assert user is not None
    users.rotate(1, user, "n3w", 5)
    assert users.named(1, "ann") is None
    assert "n3w" not in repr(users._rotations) + repr([msgspec.structs.asdict(one) for one in users._rotations])
    assert "s3cret" not in repr(user)
