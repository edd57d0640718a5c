"""The whole way of a client: it registers webhooks, adds recipients, sends, and gets the events of that very mail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import jsonschema
import pytest
import requests
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from mockcampaign.clients.definitions import ClientDefinition, ListDefinition, MailDefinition
from mockcampaign.clients.recipient_list import ListField
from mockcampaign.server.app import APIS
from mockcampaign.server.http.openapi import document
from servers import CLIENT, OTHER_CLIENT, Server, running_server

DOCUMENT = json.loads(document(APIS, CLIENT))
ANNA = "anna+shop@example.com"


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


class Endpoint:
    """The endpoint of an application, which remembers the events it gets."""

    def __init__(self, httpserver: HTTPServer) -> None:
        self.url = httpserver.url_for("/hook")
        self.events: list[dict[str, Any]] = []
        httpserver.expect_request("/hook").respond_with_handler(self._accept)

    def _accept(self, request: Request) -> Response:
        self.events += json.loads(request.data)
        return Response("", 200)

    def of(self, mail_id: str) -> list[str]:
        """Types of the events of one mail, in the order of their arrival."""
        return [event["type"] for event in self.events if event["mailId"] == mail_id]


@pytest.fixture
def endpoint(httpserver: HTTPServer) -> Endpoint:
    return Endpoint(httpserver)


class Shop:
    """An application that uses the vendor's API, and checks every answer against the published schema."""

    def __init__(self, server: Server, client: int = CLIENT) -> None:
        self.server = server
        self.client = client
        lists = self.get("/recipientlists")["elements"]
        self.mail_list = next(one["id"] for one in lists if one["forTransactionApi"])
        self.list = next(one["id"] for one in lists if not one["forTransactionApi"])
        [mail] = self.get("/transactionalmail?status=running")["elements"]
        self.mail = self.get(f"/transactionalmail/{mail['id']}")

    def call(self, method: str, path: str, form: Any = None, **more: Any) -> requests.Response:
        answer = self.server.rest(method, path, form, client=self.client, **more)
        check_answer(method, path, answer)
        return answer

    def get(self, path: str) -> Any:
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def add(self, recipient: str = ANNA, **form: Any) -> requests.Response:
        return self.call("POST", f"/recipients/{self.list}", {"recipientId": recipient, **form})

    def send(self, recipient: str = ANNA, **data: str) -> str:
        form = {"recipientId": recipient, "recipientListId": self.mail_list}
        form |= {f"data.{name}": text for name, text in data.items()}
        answer = self.call("POST", f"/transactionalmail/{self.mail['id']}/send", form)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["mailId"])

    def status(self, mail_id: str) -> str:
        return str(self.get(f"/transactionalmail/status?mailId={mail_id}")["sendStatus"])

    def report(self) -> Any:
        return self.get(f"/transactionalmail/{self.mail['id']}/report")

    def act(self, mail_id: str, event_type: str, **more: Any) -> Any:
        answer = self.server.control("POST", "/act", {"mailId": mail_id, "type": event_type, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()


def check_answer(method: str, path: str, answer: requests.Response) -> None:
    """See that an answer is one that the OpenAPI document announces, with a body of that schema."""
    segments = urlsplit(path).path.split("/")[1:]
    matching = [
        (template, methods[method.lower()])
        for template, methods in DOCUMENT["paths"].items()
        if template.startswith("/rest/{clientId}/") and method.lower() in methods
        if (parts := template.split("/")[3:]) and len(parts) == len(segments)
        if all(part.startswith("{") or part == segment for part, segment in zip(parts, segments, strict=True))
    ]
    _, operation = min(matching, key=lambda one: one[0].count("{"))
    announced = operation["responses"][str(answer.status_code)]
    if "content" not in announced:
        assert answer.content == b""
        return
    schema = announced["content"]["application/json"]["schema"] | {"components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer.json())


@pytest.fixture
def shop(server: Server) -> Shop:
    return Shop(server)


def activate(server: Server, endpoint: Endpoint, *types: str) -> None:
    for event_type in types:
        server.activated(endpoint.url, event_type)


def test_a_mail_is_sent_and_its_events_come_back(server: Server, endpoint: Endpoint) -> None:
    activate(server, endpoint, "sent", "open", "click", "bounce")
    shop = Shop(server)
    assert shop.add(**{"data.firstname": "Anna"}).status_code == 201
    mail_id = shop.send("click+anna@example.com", order="4711")
    assert shop.status(mail_id) == "enqueued"
    server.advance("1s")
    assert shop.status(mail_id) == "sending"
    assert endpoint.events == []
    server.advance("1s")
    assert (shop.status(mail_id), endpoint.of(mail_id)) == ("sent", ["sent"])
    server.advance("30d")
    assert endpoint.of(mail_id) == ["sent", "open", "click"]
    information = shop.get(f"/mailid/{mail_id}")
    assert {
        (event["mailingId"], event["userListId"], event["recipientId"], event["clientId"]) for event in endpoint.events
    } == {(information["mailingId"], information["recipientListId"], information["recipientId"], CLIENT)}
    assert information["mailingId"] == shop.mail["message"]["mailingId"] != shop.mail["id"]
    assert information["recipientListId"] == shop.mail_list
    report = shop.report()
    assert report["recipients"] == {"net": 1, "total": 1, "skipped": 0, "inQueue": 0}
    assert (report["opens"], report["clicks"]) == ({"total": 1, "unique": 1}, {"total": 1, "unique": 1})
    assert shop.status(mail_id) == "enqueued"  # as it reads after 14 days


@pytest.mark.parametrize(
    ("prefix", "types"),
    [
        ("silent", ["sent"]),
        ("bounce", ["sent", "bounce"]),
        ("softbounce", ["sent", "bounce"]),
        ("autoresponder", ["sent", "bounce"]),
        ("open", ["sent", "open"]),
        ("click", ["sent", "open", "click"]),
        ("unsubscribe", ["sent", "open", "unsubscribe"]),
        ("complaint", ["sent", "open", "spamcomplaint", "blocklist"]),
    ],
)
def test_an_address_decides_what_becomes_of_its_mail(
    server: Server, shop: Shop, endpoint: Endpoint, prefix: str, types: list[str]
) -> None:
    activate(server, endpoint, "sent", "open", "click", "bounce", "unsubscribe", "spamcomplaint", "blocklist")
    mail_id = shop.send(f"{prefix.upper()}+anna@example.com")
    server.advance("60d")
    assert endpoint.of(mail_id) == types


def test_a_scripted_outcome_comes_when_the_test_says(server: Server, shop: Shop, endpoint: Endpoint) -> None:
    activate(server, endpoint, "sent", "open", "click")
    mail_id = shop.send("silent+anna@example.com")
    acted = shop.act(mail_id, "open")  # not yet sent: right after it
    shop.act(mail_id, "click", after="1h", link="https://shop.example/order/4711")
    server.advance("1m")
    assert endpoint.of(mail_id) == ["sent", "open"]
    assert acted["at"] == endpoint.events[-1]["created"] == endpoint.events[0]["created"] + 1
    server.advance("1h")
    assert endpoint.events[-1]["link"] == "https://shop.example/order/4711"
    [mail] = server.control("GET", "/mails?recipientId=silent%2Banna%40example.com").json()["mails"]
    assert mail["mailId"] == mail_id
    assert mail["status"] == "sent"
    assert [event["type"] for event in mail["events"]] == ["sent", "open", "click"]
    for event_type in ("open", "click", "click"):
        shop.act(mail_id, event_type)
    server.advance("1m")
    report = shop.report()
    assert (report["opens"], report["clicks"]) == ({"total": 2, "unique": 1}, {"total": 3, "unique": 1})
    assert server.control("GET", "/mails?recipientId=nobody").json()["mails"] == []


def test_what_cannot_be_scripted_is_rejected_with_what_could(server: Server, shop: Shop) -> None:
    mail_id = shop.send("silent+anna@example.com")
    for body, status, said in (
        ({"mailId": mail_id, "type": "sent"}, 400, "type: sent is not what a recipient does"),
        ({"mailId": mail_id, "type": "doubleoptin"}, 409, "a mail of this kind has no doubleoptin"),
        ({"mailId": "AAAAAAAA-AAAAAAAA-AAAAAA", "type": "open"}, 404, "no client has sent a mail of this id"),
        ({"mailId": mail_id, "type": "bounce", "category": "x"}, 400, "category: 'x'"),
        ({"mailID": mail_id, "type": "open"}, 400, "mailID: unknown field, did you mean 'mailId'? allowed: mailId, "),
        ({"mailId": mail_id, "type": "clik"}, 400, "type: 'clik' is not valid, did you mean 'click'? allowed: "),
        ({"mailId": mail_id, "type": "open"}, 200, f'"mailId": "{mail_id}"'),
        ({"mailId": mail_id, "type": "open"}, 200, '"recipientId": "silent+anna@example.com"'),
    ):
        answer = server.control("POST", "/act", body)
        assert (answer.status_code, said in answer.text) == (status, True), answer.text
    shop.call("POST", "/blacklistentries", {"entry": "*@example.com"})
    blocked = shop.send("silent+anna@example.com")
    answer = server.control("POST", "/act", {"mailId": blocked, "type": "open"})
    assert (answer.status_code, answer.json()["error"]) == (
        409,
        "the mail is not sent (blacklisted), so nothing can become of it",
    )


@pytest.mark.parametrize(
    ("name", "status", "event_type"),
    [("single", 201, "singleoptin"), ("confirmed", 201, "confirmedoptin"), ("double", 202, "doubleoptin")],
)
def test_an_opt_in_has_its_event(
    server: Server, shop: Shop, endpoint: Endpoint, name: str, status: int, event_type: str
) -> None:
    activate(server, endpoint, "singleoptin", "confirmedoptin", "doubleoptin")
    processes = shop.get("/optinprocesses")["elements"]
    [process] = [one for one in processes if one["type"] == name]
    assert shop.get(f"/optinprocesses/{process['id']}") == process
    answer = shop.add(optinProcessId=process["id"], returnOptInMailId="true")
    assert answer.status_code == status
    mail_id, path = answer.json()["optInMailId"], f"/recipients/{shop.list}/{quote(ANNA)}"
    server.advance("1d")
    if name == "double":
        assert endpoint.events == []
        assert shop.call("GET", path).status_code == 404
        shop.act(mail_id, "doubleoptin")
        server.advance("1s")
    assert endpoint.of(mail_id) == [event_type]
    assert endpoint.events[0]["recipientId"] == shop.get(path)["id"] == ANNA
    assert shop.get(f"/mailid/{mail_id}")["recipientListId"] == shop.list


def test_an_address_confirms_its_opt_in_by_itself(server: Server, shop: Shop, endpoint: Endpoint) -> None:
    activate(server, endpoint, "doubleoptin")
    [process] = [one for one in shop.get("/optinprocesses")["elements"] if one["type"] == "double"]
    assert shop.add("confirm+anna@example.com", optinProcessId=process["id"]).status_code == 202
    server.advance("10m")
    assert [event["type"] for event in endpoint.events] == ["doubleoptin"]


def test_who_is_blocked_gets_nothing(server: Server, shop: Shop, endpoint: Endpoint) -> None:
    activate(server, endpoint, "sent", "blocklist", "filteredbyblocklist")
    entry = shop.call("POST", "/blacklistentries", {"entry": "*@Example.com", "reason": "a test"})
    assert (entry.status_code, entry.json()["pattern"]) == (201, "*@Example.com")
    assert shop.get("/blacklistentries/blacklisted?address=anna@example.com") == {
        "blacklisted": True,
        "pattern": "*@Example.com",
    }
    assert shop.add().status_code == 409
    mail_id = shop.send()
    server.advance("1m")
    assert (shop.status(mail_id), endpoint.of(mail_id)) == ("blacklisted", ["filteredbyblocklist"])
    assert [event["type"] for event in endpoint.events] == ["blocklist", "filteredbyblocklist"]
    assert shop.report()["recipients"] == {"net": 0, "total": 1, "skipped": 1, "inQueue": 0}
    path = f"/blacklistentries/{quote('*@example.com')}"
    assert shop.get(path)["reason"] == "a test"
    assert shop.get("/blacklistentries?reason=a+test")["count"] == 1
    assert [shop.call("DELETE", path).status_code for _ in range(2)] == [204, 404]
    assert shop.get("/blacklistentries/blacklisted?address=anna@example.com") == {"blacklisted": False}
    assert shop.add().status_code == 201


def test_who_has_unsubscribed_gets_nothing(server: Server, shop: Shop, endpoint: Endpoint) -> None:
    activate(server, endpoint, "sent", "unsubscribe")
    shop.add()
    first = shop.send("silent+bob@example.com")
    server.advance("1m")
    answer = shop.call(
        "POST", "/unsubscribes", {"recipientIds": f"{ANNA}", "mailIds": [first, "AAAAAAAA-AAAAAAAA-AAAAAA"]}
    )
    assert answer.json() == {"successfulIds": [ANNA, first], "unsuccessfulIds": ["AAAAAAAA-AAAAAAAA-AAAAAA"]}
    again = shop.send("silent+bob@example.com")
    server.advance("1m")
    assert (shop.status(again), endpoint.of(again)) == ("unsubscribed", [])
    assert endpoint.of(first) == ["sent", "unsubscribe"]
    assert shop.get(f"/recipients/{shop.list}/{quote(ANNA)}/valid") == {
        "valid": False,
        "recipientListId": shop.list,
        "validationFailedReason": "unsubscribed",
        "links": [],
    }
    assert {one["recipientId"] for one in shop.get("/unsubscribes")["elements"]} == {ANNA, "silent+bob@example.com"}
    path = f"/unsubscribes?recipientIds={quote(ANNA)}"
    assert shop.get(path)["count"] == 1
    assert [shop.call("DELETE", path).status_code for _ in range(2)] == [204, 404]
    assert shop.get(f"/recipients/{shop.list}/{quote(ANNA)}/valid")["valid"]


def test_an_unsubscribe_of_the_model_counts_like_one_by_a_call(server: Server, shop: Shop) -> None:
    mail_id = shop.send("unsubscribe+bob@example.com")
    server.advance("60d")
    [entry] = shop.get("/unsubscribes")["elements"]
    assert (entry["recipientId"], entry["mailingId"]) == (
        "unsubscribe+bob@example.com",
        shop.get(f"/mailid/{mail_id}")["mailingId"],
    )
    assert shop.add("unsubscribe+bob@example.com").status_code == 409
    assert shop.report()["unsubscribes"] == 1


def test_who_bounces_too_often_gets_nothing(server: Server, shop: Shop) -> None:
    recipient = "bounce+anna@example.com"
    path = f"/responses/bounces/{quote(recipient)}?category=hardbounce"
    for count in range(3):
        assert shop.get(path)["count"] == count
        shop.send(recipient)
        server.advance("2d")
    assert shop.get(path.replace("hard", "soft"))["count"] == 0
    refused = shop.send(recipient)
    server.advance("1m")
    assert shop.status(refused) == "too_many_bounces"
    assert shop.report()["bounces"] == {"hard": 3, "soft": 0}
    assert shop.call("DELETE", path.partition("?")[0]).status_code == 204
    assert shop.get(path)["count"] == 0
    again = shop.send(recipient)
    server.advance("1m")
    assert shop.status(again) == "sent"


def test_a_mail_that_is_not_running_is_not_sent(server: Server, shop: Shop, endpoint: Endpoint) -> None:
    activate(server, endpoint, "sent")
    path = f"/transactionalmail/{shop.mail['id']}"
    assert shop.call("POST", f"{path}/start").status_code == 409
    assert shop.call("POST", f"{path}/stop").json()["status"] == "finished"
    assert shop.call("POST", f"{path}/stop").status_code == 409
    mail_id = shop.send()
    server.advance("1m")
    assert (shop.status(mail_id), endpoint.events) == ("wrong_mailing_status", [])
    assert shop.call("DELETE", path).status_code == 409


def test_a_transactional_mail_is_created_and_started(server: Server, shop: Shop, endpoint: Endpoint) -> None:
    activate(server, endpoint, "sent")
    form = {"content": "Hello", "subject": "Hi", "senderAddress": "shop@example.com", "mediaType": "EMAIL"}
    assert shop.call("POST", "/transactionalmail", form).status_code == 400
    assert shop.call("POST", "/transactionalmail", {**form, "recipientListIds": "1"}).status_code == 400
    made = shop.call("POST", "/transactionalmail", {**form, "recipientListIds": [shop.list, shop.mail_list]})
    assert (made.status_code, made.json()["status"], made.json()["type"]) == (201, "activated", "event")
    assert made.json()["recipientLists"]["recipientListIds"] == [shop.list, shop.mail_list]
    path = f"/transactionalmail/{made.json()['id']}"
    assert shop.call("POST", f"{path}/start").json()["status"] == "running"
    shop.mail = shop.get(path)
    mail_id = shop.send("silent+anna@example.com")
    server.advance("1m")
    [event] = endpoint.events
    assert (event["mailId"], event["mailingId"]) == (mail_id, made.json()["message"]["mailingId"])
    unused = shop.call("POST", "/transactionalmail", {**form, "recipientListIds": shop.list}).json()["id"]
    assert shop.call("DELETE", f"/transactionalmail/{unused}").status_code == 204
    assert shop.call("GET", f"/transactionalmail/{unused}").status_code == 404


def test_a_mailing_is_started_by_rest(server: Server, shop: Shop, endpoint: Endpoint) -> None:
    activate(server, endpoint, "sent")
    names = [f"silent+{number}@example.com" for number in range(5)]
    body = {"recipients": [{"id": name, "data": {"points": 7}} for name in names]}
    answer = shop.call("PUT", f"/recipients/{shop.list}", json=body)
    assert answer.json() == {"count": 5, "failedIds": []}
    assert shop.call("PUT", f"/recipients/{shop.list}", json=body).json() == {"count": 0, "failedIds": names}
    nobody = {"recipients": [{"id": "", "address": "a@example.com"}, {"id": "no address"}]}
    assert shop.call("PUT", f"/recipients/{shop.list}", json=nobody).json()["failedIds"] == ["", "no address"]
    assert shop.get(f"/recipients/{shop.list}/count")["count"] == 5
    campaign = shop.call("POST", "/smartcampaigns", {"name": "news"}).json()["id"]
    path = f"/smartcampaigns/{campaign}"
    message = shop.call("POST", f"{path}/messages", {"name": "mail"}).json()
    assert shop.call("POST", f"{path}/recipientLists", {"recipientListIds": shop.list}).status_code == 201
    assert shop.call("POST", f"{path}/recipientLists", {"recipientListIds": shop.list}).status_code == 200
    assert shop.get(f"{path}/recipientLists")["recipientListIds"] == [shop.list]
    assert shop.call("POST", f"{path}/start").json()["status"] == "running"
    server.advance("1m")
    assert [event["recipientId"] for event in endpoint.events] == names
    assert {event["mailingId"] for event in endpoint.events} == {message["mailingId"]}
    assert shop.get(path)["status"] == "finished"
    assert shop.call("POST", f"{path}/start").status_code == 409
    assert shop.get(f"{path}/messages/{message['mailingId']}")["status"] == "finished"
    assert shop.call("DELETE", f"{path}/messages/{message['mailingId']}").status_code == 409
    assert shop.call("DELETE", path).status_code == 400


def test_recipients_are_added_found_changed_and_removed(shop: Shop) -> None:
    path = f"/recipients/{shop.list}/{quote(ANNA)}"
    assert shop.call("GET", path).status_code == 404
    assert shop.call("POST", path, {"data.firstname": "A"}).status_code == 404
    assert shop.add(**{"data.firstname": "Anna", "data.lastname": ""}).status_code == 201
    assert shop.add().status_code == 409
    assert shop.get(f"{path}?attributeNames=firstname,lastname")["firstname"] == "Anna"
    changes = [("append", "bel"), ("prepend", "Ms "), ("SET", "Bob")]
    seen = []
    for mode, text in changes:
        form = {"recipientId": ANNA, "data.firstname": text, "mode": mode}
        assert shop.call("POST", path, form).json()["id"] == ANNA
        seen.append(shop.get(f"{path}?attributeNames=firstname")["firstname"])
    assert seen == ["Annabel", "Ms Annabel", "Bob"]
    assert [shop.call("DELETE", path).status_code for _ in range(2)] == [204, 404]


@pytest.mark.parametrize("recipient", ["007", "a/b", "100% ännä", "+1 2", "a%2Fb", "1e3"])
def test_a_recipient_id_is_any_text(shop: Shop, recipient: str) -> None:
    assert shop.add(recipient).status_code == 400  # an address is missing
    assert shop.add(recipient, address="anna@example.com").json()["id"] == recipient
    assert shop.get(f"/recipients/{shop.list}/{quote(recipient, safe='')}")["id"] == recipient
    assert shop.call("DELETE", f"/recipients/{shop.list}/{quote(recipient, safe='')}").status_code == 204


def test_fields_that_a_list_requires_are_required_of_each_call() -> None:
    required = tuple(ListField(name=name, required=True) for name in ("customer", "plan", "region"))
    lists = (ListDefinition(name="Shop", id=7, fields=required), ListDefinition(name="News", id=8))
    mail = MailDefinition(name="Renewal", lists=("Shop", "News"), id=9)
    with running_server(clients={CLIENT: ClientDefinition(lists=lists, mails=(mail,))}) as server:

        def call(method: str, path: str, form: Any, **more: Any) -> tuple[int, Any]:
            answer = server.rest(method, path, form, **more)
            check_answer(method, path, answer)
            return answer.status_code, answer.json().get("violations", answer.json())

        missing = [
            f"data.{name}: missing, allowed: text, as recipient list 7 requires it" for name in ("plan", "region")
        ]
        new = {"recipientId": "42", "address": "anna@example.com"}
        complete = {"data.plan": "gold", "data.region": "EU"}
        assert call("POST", "/recipients/7", new) == (400, missing)
        assert call("POST", "/recipients/7", new | {"data.plan": "gold", "data.region": ""}) == (400, missing[1:])
        assert call("POST", "/recipients/7", new | complete)[0] == 201
        assert call("POST", "/recipients/7/42", {"data.region": "", "data.other": ""}) == (400, missing[1:])
        assert call("GET", "/recipients/7/42?attributeNames=customer,region", None)[1]["region"] == "EU"
        bulk = [
            {"id": "43", "address": "b@example.com", "data": {"plan": 1, "region": None}},
            {"id": "44", "address": "c@example.com", "data": {"plan": 1, "region": "US"}},
        ]
        found = call("PUT", "/recipients/7", None, json={"recipients": bulk})
        assert found == (200, {"count": 1, "failedIds": ["43"]})
        # One mail to two lists: each recipient has what its own list requires.
        sends = [
            call(
                "POST",
                "/transactionalmail/9/send",
                {"recipientId": "45@example.com", "recipientListId": number, **data},
            )
            for number, data in ((7, {}), (8, {}), (7, complete), (7, {}), (7, {"data.plan": ""}))
        ]
        assert [status for status, _ in sends] == [400, 202, 202, 202, 400]
        assert (sends[0][1], sends[4][1]) == (missing, missing[:1])
        assert server.rest("GET", "/recipients/7/count").json()["count"] == 3


def test_what_belongs_to_another_client_is_a_conflict(server: Server, shop: Shop) -> None:
    other = Shop(server, OTHER_CLIENT)
    assert {shop.list, shop.mail_list, shop.mail["id"]}.isdisjoint({other.list, other.mail_list, other.mail["id"]})
    mail_id = other.send()
    process = other.get("/optinprocesses")["elements"][0]["id"]
    for method, path, status in (
        ("GET", f"/recipientlists/{other.list}", 409),
        ("GET", f"/recipientlists/{other.list}/fields", 409),
        ("POST", f"/recipients/{other.list}/{quote(ANNA)}", 409),
        ("GET", f"/optinprocesses/{process}", 409),
        ("GET", f"/mailid/{mail_id}", 409),
        ("GET", "/mailid/nonsense", 400),
        ("GET", "/mailid/AAAAAAAA-AAAAAAAA-AAAAAA", 400),
        ("GET", "/transactionalmail/status?mailId=nonsense", 400),
        ("GET", f"/transactionalmail/{other.mail['id']}", 404),
    ):
        answer = shop.call(method, path)
        assert (answer.status_code, answer.json()["httpStatusCode"]) == (status, status), path
    form = {"recipientId": ANNA, "recipientListId": shop.list}
    assert shop.call("POST", f"/transactionalmail/{shop.mail['id']}/send", form).status_code == 400


def test_clients_page_by_links_under_the_name_they_used(shop: Shop) -> None:
    for number in range(7):
        shop.add(f"r{number}@example.com")
    seen: list[str] = []
    path: str | None = f"/recipients/{shop.list}?limit=3&attributeNames=firstname"
    while path is not None:
        answer = shop.call("GET", path, headers={"Host": "campaign.test:8080"}).json()
        assert answer["count"] == len(answer["elements"])
        seen += [one["id"] for one in answer["elements"]]
        following = [link["href"] for link in answer["links"] if link["rel"] == "next"]
        base = f"http://campaign.test:8080/rest/{CLIENT}"
        assert all(one.startswith(f"{base}/") and "attributeNames=firstname" in one for one in following)
        path = following[0].removeprefix(base) if following else None
    assert seen == [f"r{number}@example.com" for number in range(7)]


@pytest.mark.parametrize(
    ("path", "limit", "status"),
    [
        ("/recipientlists", 10_000, 200),
        ("/recipientlists", 10_001, 400),
        ("/smartcampaigns", 10_000, 200),
        ("/transactionalmail", 10_001, 400),
        ("/optinprocesses", 0, 400),
    ],
)
def test_pages_are_limited(shop: Shop, path: str, limit: int, status: int) -> None:
    assert shop.call("GET", f"{path}?limit={limit}&unknown=1").status_code == status


def test_a_recipient_page_may_be_as_large_as_a_public_client_asks_for(shop: Shop) -> None:
    assert shop.call("GET", f"/recipients/{shop.list}?limit=500000").status_code == 200
    assert shop.call("GET", f"/recipients/{shop.list}?limit=500001").status_code == 400


def test_the_calls_of_the_vendors_own_client(server: Server, endpoint: Endpoint) -> None:
    """Each call as the vendor's client sends it, in the order in which its user meets them."""
    assert server.rest("GET", "/users/authenticated").json().keys() == {"id", "username", "email"}
    label = {"integrationId": "flow-7"}
    number = server.activated(endpoint.url, "open", **label)
    listed = server.rest("GET", "/webhooks?integrationId=flow-7&sort=CREATED&direction=DESC").json()
    assert [webhook["id"] for webhook in listed] == [number]
    shop = Shop(server)
    # Find or make a mailing, and verify with it.
    assert shop.get("/smartcampaigns?sort=CREATED&direction=DESC&limit=1")["elements"] == []
    campaign = shop.call("POST", "/smartcampaigns", {"name": "Webhook test"}).json()["id"]
    assert shop.get(f"/smartcampaigns/{campaign}/messages") == []
    mailing = shop.call("POST", f"/smartcampaigns/{campaign}/messages", {"name": "Webhook test"}).json()["mailingId"]
    verified = server.rest("GET", f"/webhooks/{number}/verify?mailingId={mailing}&numberOfEvents=1").json()
    assert (verified["id"], verified["httpStatusCode"], len(endpoint.events)) == (number, 200, 1)
    assert shop.call("DELETE", f"/smartcampaigns/{campaign}").status_code == 204
    # Look up lists over two pages, fields, processes and running mails.
    first = shop.get("/recipientlists?sort=created&direction=desc&offset=0&limit=1")
    [following] = [link for link in first["links"] if link["rel"] == "next"]
    second = requests.get(following["href"], auth=("acme", "s3cret-of-acme"), timeout=30).json()
    assert {one["id"] for one in (*first["elements"], *second["elements"])} == {shop.list, shop.mail_list}
    assert not [link for link in second["links"] if link["rel"] == "next"]
    required = [one for one in shop.get(f"/recipientlists/{shop.list}/fields?limit=100")["elements"] if one["required"]]
    assert [one["internalName"] for one in required] == ["email"]
    processes = {one["type"]: one["id"] for one in shop.get("/optinprocesses?offset=0&limit=100")["elements"]}
    assert shop.get("/transactionalmail?resultView=SUMMARY&status=running")["elements"][0]["id"] == shop.mail["id"]
    assert shop.mail["recipientLists"]["recipientListIds"] == [shop.mail_list]
    # Create recipients: new, pending, and one that exists and is updated instead.
    assert shop.add(**{"data.firstname": "Anna"}).status_code == 201
    assert shop.add("bob@example.com", optinProcessId=processes["double"]).status_code == 202
    assert shop.add().json()["httpStatusCode"] == 409
    path = f"/recipients/{shop.list}/{quote(ANNA, safe='')}"
    update = {"recipientId": ANNA, "data.firstname": "Anne", "mode": "set"}
    assert shop.call("POST", path, update).json()["id"] == ANNA
    # Get recipients: one that is there, and one that is not.
    assert shop.get(f"{path}?attributeNames=firstname")["firstname"] == "Anne"
    assert shop.call("GET", f"/recipients/{shop.list}/nobody%40example.com").json()["httpStatusCode"] == 404
    # Send, and stop listening.
    assert shop.send("open+anna@example.com", firstname="Anna")
    server.advance("30d")
    assert [event["type"] for event in endpoint.events] == ["open", "open"]
    assert server.rest("POST", f"/webhooks/{number}/deactivate").json()["status"] == "deactivated"
    assert server.rest("DELETE", f"/webhooks/{number}").status_code == 204


def test_words_are_taken_in_any_case(shop: Shop) -> None:
    for path in (
        "/smartcampaigns?sort=CREATED&direction=asc&resultView=detailed",
        "/recipientlists?sort=NAME&includeTestLists=FALSE",
        "/transactionalmail?status=RUNNING&sort=Started&resultView=SUMMARY&mediaType=EMAIL",
        "/confirmations?limit=1",
        "/unsubscribes?sort=recipientlistid&mediaType=email",
        "/blacklistentries?sort=PATTERN",
        "/optinprocesses?hasMailing=TRUE",
    ):
        shop.get(path)


def test_a_summary_has_no_nodes_and_a_detailed_view_has_all(shop: Shop) -> None:
    shop.call("POST", "/smartcampaigns", {"name": "news", "recipientListIds": str(shop.list)})
    for path, node in (("/smartcampaigns", "messages"), ("/transactionalmail", "message")):
        [summary] = shop.get(path)["elements"]
        assert {"recipientLists", "targetGroups", "messages", "message"}.isdisjoint(summary)
        assert summary["mailingGroupId"] == CLIENT
        assert summary["links"] == []
        [detailed] = shop.get(f"{path}?resultView=DETAILED")["elements"]
        assert {"recipientLists", "targetGroups", node} <= set(detailed)
    assert shop.get("/smartcampaigns?folderId=7")["elements"] == []
    assert shop.get("/transactionalmail?mediaType=sms")["elements"] == []


def test_every_list_has_a_field_that_can_be_the_id(shop: Shop) -> None:
    for one in shop.get("/recipientlists")["elements"]:
        fields = shop.get(f"/recipientlists/{one['id']}/fields?limit=100")["elements"]
        assert [field["internalName"] for field in fields if field["required"]] == ["email"]
        names = shop.get(f"/recipientlists/{one['id']}/attributeNames")["attributeNames"]
        assert names == [field["internalName"] for field in fields]
        assert shop.get(f"/recipientlists/{one['id']}") == one


def test_nobody_is_shown_where_nobody_asked(server: Server, shop: Shop) -> None:
    secret = "zoe.unmistakable"
    recipient = f"{secret}@example.com"
    shop.add(recipient, **{"data.firstname": secret})
    failures = [shop.add(recipient).text, shop.call("GET", f"/recipients/{shop.list}/{secret}x").text]
    mail_id = shop.send(recipient)
    shop.call("POST", "/unsubscribes", {"recipientIds": recipient})
    shop.call("POST", "/blacklistentries", {"entry": recipient})
    failures += [shop.add(f"x{secret}").text, shop.call("GET", f"/blacklistentries/{secret}").text]
    client = server.campaign.campaign.client(CLIENT)
    texts = [
        *failures,
        *map(repr, (client.get_mail(mail_id), *client.state.blocklist, *client.state.unsubscribes.values())),
        server.control("GET", "/state").text,
        server.control("GET", "/journal").text,
    ]
    assert [text for text in texts if secret in text] == []


def test_ids_are_not_used_again_after_a_reset(server: Server, shop: Shop) -> None:
    first = shop.call("POST", "/smartcampaigns", {"name": "a"}).json()["id"]
    server.control("POST", "/reset")
    second = shop.call("POST", "/smartcampaigns", {"name": "a"}).json()["id"]
    assert second > first > 2**31


def test_a_suspended_webhook_is_activated_again_by_rest(server: Server, endpoint: Endpoint) -> None:
    number = server.activated(endpoint.url, "open")
    assert server.control("POST", f"/webhooks/{number}/suspend").status_code == 204
    assert server.control("POST", f"/webhooks/{number}/suspend").status_code == 400
    assert server.control("POST", "/webhooks/1/suspend").status_code == 404
    [webhook] = server.rest("GET", "/webhooks").json()
    assert webhook["status"] == "suspended"
    server.control("POST", "/emit", {"type": "open"})
    server.advance("1m")
    assert server.rest("POST", f"/webhooks/{number}/deactivate").status_code == 400
    assert server.rest("POST", f"/webhooks/{number}/activate").json()["status"] == "activated"
    server.control("POST", "/emit", {"type": "open"})
    server.advance("1m")
    assert len(endpoint.events) == 1
