"""Control operations by which the live page manages webhooks and single mails, without the client's credentials."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from servers import CLIENT, FIRST_ID, OTHER_CLIENT, Server, running_server

SECRET = "s3cret-0f-the-hook"
BASIC = {"type": "basicAuth", "userName": "joe", "password": SECRET}
KEY = {"type": "keyAuth", "key": "X-Api-Key", "passphrase": SECRET}
TARGET = "http://127.0.0.1:9/hook"


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


def created(server: Server, **more: Any) -> Any:
    answer = server.control("POST", "/webhooks", {"type": "open", "targetUrl": TARGET, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def commanded(server: Server, command: str, number: int = FIRST_ID) -> Any:
    return server.control("POST", f"/webhooks/{number}/{command}")


def test_the_life_of_a_webhook(server: Server) -> None:
    webhook = created(server, integrationId="orders")
    assert (webhook["id"], webhook["clientId"], webhook["status"]) == (FIRST_ID, CLIENT, "created")
    assert (webhook["integrationId"], webhook["authentication"]) == ("orders", "none")
    assert commanded(server, "activate").json()["status"] == "activated"
    assert commanded(server, "deactivate").json()["status"] == "deactivated"
    assert server.control("DELETE", f"/webhooks/{FIRST_ID}").status_code == 204
    assert server.state()["webhooks"] == []


def test_a_webhook_of_another_client_is_its_own(server: Server) -> None:
    number = created(server, clientId=OTHER_CLIENT)["id"]
    assert [one["id"] for one in server.rest("GET", "/webhooks", client=OTHER_CLIENT).json()] == [number]
    assert server.rest("GET", "/webhooks").json() == []


def test_what_campaign_refuses_is_refused_and_the_state_says_which_statuses_allow_it(server: Server) -> None:
    created(server)
    allowed = server.state()["webhookCommands"]
    for command, statuses in allowed.items():
        if "created" in statuses or command == "delete":
            continue
        answer = commanded(server, command)
        assert answer.status_code == 400
        assert (
            f"cannot {command} webhook {FIRST_ID} in status created, allowed in: {', '.join(statuses)}" in answer.text
        )
    commanded(server, "activate")
    refused = server.control("DELETE", f"/webhooks/{FIRST_ID}")
    assert refused.json() == {"error": f"cannot delete webhook {FIRST_ID} in status activated, allowed in: deactivated"}
    assert allowed["delete"] == ["deactivated"]


def test_a_change_leaves_the_rest_as_it_is(server: Server, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/new").respond_with_data("")
    created(server, authentication=KEY)
    changed = server.control("PUT", f"/webhooks/{FIRST_ID}", {"targetUrl": httpserver.url_for("/new")}).json()
    assert (changed["targetUrl"], changed["authentication"]) == (httpserver.url_for("/new"), "keyAuth")
    server.control("POST", f"/webhooks/{FIRST_ID}/verify", {})
    changed = server.control("PUT", f"/webhooks/{FIRST_ID}", {"authentication": {"type": "none"}}).json()
    assert (changed["targetUrl"], changed["authentication"]) == (httpserver.url_for("/new"), "none")
    server.control("POST", f"/webhooks/{FIRST_ID}/verify", {})
    assert [request.headers.get("X-Api-Key") for request, _ in httpserver.log] == [SECRET, None]


def test_verify_sends_sample_events_and_says_what_came_back(server: Server, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("no", 503)
    created(server, targetUrl=httpserver.url_for("/hook"))
    answer = server.control("POST", f"/webhooks/{FIRST_ID}/verify", {"numberOfEvents": 3}).json()
    assert (answer["httpStatusCode"], answer["responseBody"], answer["numberOfEvents"]) == (503, "no", 3)
    assert len(httpserver.log[0][0].get_json()) == 3
    assert server.control("POST", f"/webhooks/{FIRST_ID}/verify", {"mailingId": 5}).status_code == 400


@pytest.mark.parametrize("authentication", [BASIC, KEY], ids=["basic", "key"])
def test_no_response_repeats_credentials(server: Server, authentication: dict[str, str]) -> None:
    texts = [json.dumps(created(server, authentication=authentication))]
    texts += [server.control("PUT", f"/webhooks/{FIRST_ID}", {"authentication": authentication}).text]
    wrong = {**authentication, "type": "none"}
    texts += [server.control("PUT", f"/webhooks/{FIRST_ID}", {"authentication": wrong}).text]
    texts += [server.control("GET", path).text for path in ("/state", "/journal")]
    assert "unknown field" in texts[2]
    assert not any(SECRET in text for text in texts)


def test_a_mail_is_sent_to_a_recipient_who_opens_it(server: Server) -> None:
    choices = server.control("GET", "/mails/choices").json()
    mail, *_ = (one for one in choices["transactionalMails"] if one["clientId"] == CLIENT)
    body = {
        "recipientId": "joe@example.com",
        "transactionalMailId": mail["id"],
        "recipientListId": mail["lists"][0]["id"],
    }
    sent = server.control("POST", "/mails", body)
    assert sent.status_code == 201
    assert sent.json()["acts"] == ["open", "click", "unsubscribe", "spamcomplaint", "bounce"]
    mail_id = sent.json()["mailId"]
    server.advance("1h")
    for act in ({"type": "open"}, {"type": "click", "link": choices["links"][1]}):
        assert server.control("POST", "/act", {"mailId": mail_id, **act}).status_code == 200
    [shown] = server.control("GET", "/mails?newestFirst=true").json()["mails"]
    assert shown["status"] == "sent"
    assert {"open", "click"} <= {event["type"] for event in shown["events"]}


def test_the_newest_mails_come_first_on_request(server: Server) -> None:
    ids = [server.control("POST", "/mails", {"recipientId": f"{n}@example.com"}).json()["mailId"] for n in range(3)]
    oldest = server.control("GET", "/mails").json()["mails"]
    newest = server.control("GET", "/mails?newestFirst=true&limit=2").json()["mails"]
    assert [mail["mailId"] for mail in oldest] == ids
    assert [mail["mailId"] for mail in newest] == [ids[2], ids[1]]


def test_nothing_can_become_of_a_mail_to_somebody_on_the_blocklist(server: Server) -> None:
    server.rest("POST", "/blacklistentries", {"entry": "joe@example.com"})
    sent = server.control("POST", "/mails", {"recipientId": "joe@example.com"}).json()
    assert sent["acts"] == []
    assert server.control("POST", "/act", {"mailId": sent["mailId"], "type": "open"}).status_code == 409


def test_the_journal_says_which_failures_are_simulated(server: Server, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/hook").respond_with_data("", 500)
    number = server.activated(httpserver.url_for("/hook"))

    def attempted(*faults: dict[str, Any]) -> list[bool]:
        for fault in faults:
            server.control("POST", "/faults", fault)
        server.control("POST", "/emit", {"type": "open"})
        server.control("POST", f"/webhooks/{number}/retry")
        server.advance("1s")
        entries = server.control("GET", "/journal").json()["entries"]
        server.control("DELETE", "/faults")
        return [entry["simulated_failure"] for entry in entries if entry["entry"] == "attempted"]

    assert attempted()[-1] is False
    assert attempted({"kind": "refused"})[-1] is True
    assert attempted({"kind": "latency", "time": "1ms"}, {"kind": "chunked"})[-1] is False
    server.control("POST", "/faults", {"kind": "api-error", "times": 1})
    server.rest("GET", "/webhooks")
    server.rest("GET", "/webhooks")
    server.rest("GET", "/webhooks/1/verify")
    entries = server.control("GET", "/journal").json()["entries"]
    assert [entry["simulated_failure"] for entry in entries if entry["entry"] == "called"][-3:] == [True, False, False]
