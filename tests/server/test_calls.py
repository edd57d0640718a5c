"""Calls of the REST API in the journal: each once, in order, and without persons and credentials."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
import requests

from mockcampaign.engine.journal import Called
from mockcampaign.judging.ledger import CALL_KINDS_MAX, OTHER_CALLS, CallCount, Totals
from mockcampaign.server.http.operation import Operation
from mockcampaign.server.http.request_fields import Id, about
from mockcampaign.server.http.routes import Performer
from mockcampaign.server.vendor_api.api import API
from mockcampaign.server.vendor_api.client_fields import ClientFields
from servers import CLIENT, FIRST_ID, OTHER_CLIENT, PASSWORD, USER, Server, running_server

TARGET = "http://127.0.0.1:9/hook"
FORM = {"targetUrl": TARGET, "type": "open", "format": "json"}


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


def calls(server: Server) -> list[Called]:
    return [entry for entry in server.campaign.campaign.journal.entries if isinstance(entry, Called)]


def seen(server: Server) -> list[tuple[str, str, int | None]]:
    return [(call.operation, call.shown_path, call.status) for call in calls(server)]


def test_every_call_is_in_the_journal_when_the_caller_has_its_response(server: Server) -> None:
    number = server.create()
    assert seen(server) == [("createWebhook", "/webhooks", 201)]
    for method, path in (
        ("GET", "/webhooks?sort=CREATED&secret=1"),
        ("POST", f"/webhooks/{number}/activate"),
        ("POST", f"/webhooks/{number}/activate"),
        ("DELETE", "/webhooks/7"),
        ("HEAD", "/users/authenticated"),
    ):
        server.rest(method, path)
    assert seen(server)[1:] == [
        ("selectWebhooks", "/webhooks", 200),
        ("activateWebhook", f"/webhooks/{number}/activate", 200),
        ("activateWebhook", f"/webhooks/{number}/activate", 400),
        ("deleteWebhook", "/webhooks/7", 404),
        ("getAuthenticatedUser", "/users/authenticated", 200),
    ]
    assert {call.client_id for call in calls(server)} == {CLIENT}
    assert calls(server)[-1].method == "HEAD"
    assert calls(server)[2].ids == {"webhookId": number}


def test_what_a_call_causes_comes_before_it(server: Server) -> None:
    server.activated(TARGET)
    tags = [type(entry).__name__ for entry in server.campaign.campaign.journal.entries]
    assert tags == ["Began", "WebhookChanged", "Called", "WebhookChanged", "Called"]


def test_rejected_calls_are_in_the_journal(server: Server) -> None:
    server.rest("POST", "/webhooks", {"type": "open"})
    server.rest("GET", "/webhooks", auth=("nobody", "wrong"))
    server.rest("POST", "/webhooks", FORM, client=3)
    server.rest("PATCH", "/webhooks")
    server.rest("GET", "/recipients/5/joe%40example.com?attributeNames=email")
    server.rest("GET", "/imports/5/joe%40example.com")
    server.rest("GET", "/webhooks", client="acme")
    server.rest("POST", "/webhooks", FORM, headers={"Sec-Fetch-Site": "cross-site"})
    requests.get(f"{server.url}/rest", timeout=30)
    assert [(call.client_id, call.operation, call.shown_path, call.status) for call in calls(server)] == [
        (CLIENT, "createWebhook", "/webhooks", 400),
        (CLIENT, "selectWebhooks", "/webhooks", 401),
        (3, "createWebhook", "/webhooks", 401),
        (CLIENT, "", "/webhooks", 405),
        (CLIENT, "getRecipient", "/recipients/5/{recipientId}", 409),
        (CLIENT, "", "/imports/…", 501),
        (None, "selectWebhooks", "/webhooks", 400),
        (CLIENT, "", "/webhooks", 403),
        (None, "", "/…", 404),
    ]


def test_control_calls_and_pages_are_no_calls(server: Server) -> None:
    server.control("GET", "/state")
    server.control("POST", "/emit", {"type": "open"})
    requests.get(server.url, timeout=30)
    assert calls(server) == []


def test_no_credentials_are_in_the_journal(server: Server) -> None:
    server.create(basicAuthUsername="acme-user", basicAuthPassword="pass-of-hook")
    server.rest("GET", "/webhooks?integrationId=joe@example.com")
    server.rest("GET", "/webhooks", auth=("some-user", "some-password"))
    text = server.campaign.campaign.journal.to_json_lines().decode()
    for secret in (USER, PASSWORD, "acme-user", "pass-of-hook", "joe", "some-user", "some-password"):
        assert secret not in text


class RecipientFields(ClientFields, frozen=True, kw_only=True):
    list_id: Annotated[Id, about("Id of a list.")]
    recipient_id: Annotated[str, about("Id of a recipient, which may be its address.")]


def test_text_in_a_path_is_not_shown_even_if_it_is_a_number() -> None:
    operation: Operation[Any] = Operation(
        id="getRecipient",
        title="Get a recipient",
        tag="Recipients",
        method="GET",
        path="/recipients/{listId}/{recipientId}",
        fields=RecipientFields,
        success_description="The recipient.",
        handle=lambda call, fields: None,
    )
    performer = Performer(API, operation)
    path: dict[str, object] = {"clientId": 3, "listId": 4, "recipientId": 491701234567}
    assert performer.ids_in(path) == (3, {"listId": 4})
    assert performer.ids_in({"clientId": "x", "listId": 2**63, "recipientId": "joe"}) == (None, {})


def test_a_call_that_waits_belongs_to_the_campaign_of_its_beginning(server: Server) -> None:
    old = server.campaign.campaign
    server.create(client=OTHER_CLIENT)
    server.control("POST", "/reset", {})
    assert calls(server) == []
    assert len([entry for entry in old.journal.entries if isinstance(entry, Called)]) == 1


def test_calls_do_not_unfold_the_attempts_of_an_outage(server: Server) -> None:
    server.activated(TARGET)
    server.control("POST", "/outages", {"for": "1d"})
    server.control("POST", "/emit", {"type": "open"})
    for _ in range(5):
        server.advance("1m")
        server.rest("GET", "/webhooks")
    entries = server.campaign.campaign.journal.entries
    assert [entry.count for entry in entries if hasattr(entry, "count")] == [31]
    assert len(calls(server)) == 7


def test_the_state_counts_calls_by_operation_and_status(server: Server) -> None:
    for _ in range(3):
        server.create()
    server.rest("GET", "/webhooks/5")
    assert server.state()["calls"] == [
        {"operation": "createWebhook", "status": 201, "calls": 3},
        {"operation": "GET /webhooks/…", "status": 405, "calls": 1},
    ]


def test_the_journal_shows_a_call_in_words(server: Server) -> None:
    server.activated(TARGET)
    *_, entry = server.control("GET", "/journal").json()["entries"]
    assert entry["entry"] == "called"
    assert entry["path"] == f"/webhooks/{FIRST_ID}/activate"
    assert (entry["operation_text"], entry["status_text"], entry["status"]) == ("activateWebhook", "200", 200)


def test_kinds_of_calls_are_bounded() -> None:
    totals = Totals()
    for number in range(CALL_KINDS_MAX + 5):
        totals.note(number, Called(at=0, client_id=1, method="GET", operation="", path=f"/area{number}", status=501))
    assert len(totals.calls) == CALL_KINDS_MAX + 1
    assert totals.calls[-1] == CallCount(operation=OTHER_CALLS, status=501, count=5)
