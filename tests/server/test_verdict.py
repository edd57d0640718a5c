"""The verdict on what a server has delivered so far, over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from mockcampaign.durations import format_moment
from mockcampaign.engine.journal import Happened
from mockcampaign.samples.consumer import serve_consumer
from mockcampaign.server.consumer_probe import ProbeOptions
from servers import Server, running_server


def probe_of(url: str) -> ProbeOptions:
    return ProbeOptions(url=f"{url}/processed")


def delivered(server: Server, url: str, count: int = 250) -> dict[str, Any]:
    """Deliver events, some of them twice, and return the verdict."""
    server.activated(f"{url}/hook")
    server.control("POST", "/faults", {"kind": "lost-ack", "times": 1})
    server.control("POST", "/emit", {"type": "open", "count": count})
    server.advance("1m")
    return verdict(server)


def verdict(server: Server, query: str = "") -> dict[str, Any]:
    answer = server.control("GET", f"/verdict{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def outcomes(found: dict[str, Any]) -> dict[str, str]:
    return {one["id"]: one["outcome"] for one in found["findings"]}


def test_a_correct_consumer_is_compliant_by_journal_and_store() -> None:
    with serve_consumer() as url, running_server(probe=probe_of(url)) as server:
        found = verdict(server)
        assert (found["verdict"], found["trouble"]) == ("could-not-tell", "no event was exported: none occurred")
        assert set(outcomes(found).values()) == {"not-exercised"}
        found = delivered(server, url)
    assert (found["verdict"], found["trouble"], found["deliveries"]["delivered"]) == ("compliant", None, 250)
    assert set(outcomes(found).values()) == {"pass"}


def test_a_consumer_that_stores_events_twice_is_found_by_its_store_alone() -> None:
    with serve_consumer("never-deduplicates") as url:
        with running_server(probe=probe_of(url)) as server:
            found = delivered(server, url)
            assert (found["verdict"], outcomes(found)["processed"]) == ("violated", "fail")
            assert found["findings"][-1]["actual"].startswith("100 duplicates")
            behind = "The rule behind it, and how to fix it: mockcampaign rules once-after-lost-response"
            assert found["findings"][-1]["fix"] == behind
            [stored] = expected(server, {"consumer": {"processed": "exactly-once"}})["findings"]
            assert (stored["outcome"], stored["fix"]) == ("fail", behind)
            allowed = verdict(server, "?allow=processed")
            assert (allowed["verdict"], allowed["findings"][-1]["known"]) == ("compliant", True)
        with running_server() as server:
            found = verdict(server)
            assert outcomes(found)["processed"] == "not-exercised"
            assert found["findings"][-1]["actual"].startswith("the server has no probe, so the consumer's store was")


def test_rules_about_the_journal_need_no_probe() -> None:
    with serve_consumer("responds-204") as url, running_server() as server:
        found = delivered(server, url)
        assert (found["verdict"], outcomes(found)["responds-200"]) == ("violated", "fail")
        wrong = server.control("GET", "/verdict?allow=responds-204")
    assert (wrong.status_code, wrong.json()["error"].partition(" (")[0]) == (
        400,
        "allow: unknown rule 'responds-204', did you mean 'responds-200'?",
    )


def test_events_that_are_pending_after_rejections_are_inconclusive() -> None:
    with HTTPServer() as consumer, running_server() as server:
        consumer.expect_request("/hook").respond_with_data(status=200)
        server.activated(consumer.url_for("/hook"))
        server.control("POST", "/emit", {"type": "open", "count": 250})
        server.advance("1m")
        consumer.clear()
        consumer.expect_request("/hook").respond_with_data(status=500)
        server.control("POST", "/emit", {"type": "open", "count": 120})
        server.advance("35s")
        found = verdict(server)
        consumer.clear()
        consumer.expect_request("/hook").respond_with_data(status=200)
        server.advance("1m")
        after = verdict(server)
    assert (found["verdict"], found["trouble"]) == (
        "could-not-tell",
        "120 events are pending: the consumer responded 500, in the last 4 attempts",
    )
    status = found["findings"][0]
    assert (status["id"], status["outcome"], status["actual"]) == (
        "responds-200",
        "pass",
        "3 attempts were accepted with 200; 4 were rejected with an error status",
    )
    assert (after["verdict"], after["trouble"]) == ("compliant", None)


def test_what_was_retried_is_in_the_notes() -> None:
    with serve_consumer() as url, running_server() as server:
        server.activated(f"{url}/hook")
        server.control("POST", "/emit", {"type": "open", "count": 250})
        server.advance("1m")
        assert verdict(server)["notes"] == []
        [webhook] = server.state()["webhooks"]
        began = format_moment(server.state()["now"])
        server.control("POST", "/outages", {"for": "2d"})
        server.control("POST", "/emit", {"type": "open", "count": 250})
        server.advance("1d")
        ended = format_moment(server.state()["now"])
        server.control("DELETE", "/outages")
        server.advance("1m")
        found, expected_too = verdict(server), expected(server, {"open": {"delivered": 500}})
        attempts = server.state()["deliveries"]["attempts"]
    outage, retried = found["notes"]
    assert expected_too["notes"] == found["notes"]
    assert outage == f"declared outage (refused) of every webhook from {began} until {ended}"
    whose, _, said = retried.partition(": ")
    assert whose == f"webhook {webhook['id']}"
    failed = attempts - 6
    assert said == (
        f"{failed:,} of {attempts:,} attempts failed, from {began} to {ended} (1d): connection refused "
        f"(declared: refused), in {failed:,}; up to 250 events waited, and 0 are pending now"
    )
    judged = {one["id"]: one["actual"] for one in found["findings"]}
    assert judged["responds-200"] == f"All 6 attempts that got a response comply; {failed:,} others got no response"


def test_discarded_events_violate_nothing_but_are_named_and_listed() -> None:
    with serve_consumer() as url, running_server(probe=probe_of(url)) as server:
        [lost] = delivered(server, url, 10)["notes"]
        assert "1 of 2 attempts failed, at " in lost
        assert lost.endswith("(declared: lost-ack), in 1; up to 10 events waited, and 0 are pending now")
        server.control("POST", "/outages", {"for": "4d"})
        server.control("POST", "/emit", {"type": "open", "count": 250})
        server.advance("3d")
        [webhook] = server.state()["webhooks"]
        found = verdict(server)
        assert (found["verdict"], found["trouble"]) == ("compliant", None)
        why = "discarded 3d after creation, as Campaign had received no 200: see GET /__mockcampaign/discarded"
        assert found["notes"][-1] == f"250 events were {why}"

        pages = [server.control("GET", f"/discarded{query}").json() for query in ("", "?after=200", "?after=250")]
        assert [page["discarded"] for page in pages] == [250, 250, 250]
        events = [event for page in pages for event in page["events"]]
        assert [event["number"] for event in events] == [*range(1, 251)]
        assert {(event["webhookId"], event["at"], event["reason"]) for event in events} == {
            (webhook["id"], server.state()["now"], "expired")
        }
        happened = [one.events for one in server.campaign.campaign.journal.entries if isinstance(one, Happened)]
        assert [event["event"] for event in events] == [json.loads(bytes(payload)) for payload in happened[-1]]

        server.control("POST", "/emit", {"type": "open"})
        server.control("POST", f"/webhooks/{webhook['id']}/deactivate")
        server.control("DELETE", f"/webhooks/{webhook['id']}")
        *_, deleted = verdict(server)["notes"]
        assert deleted == "1 event was discarded when the webhook was deleted: see GET /__mockcampaign/discarded"
        [last] = server.control("GET", "/discarded?after=250&limit=1").json()["events"]
        assert (last["number"], last["reason"]) == (251, "webhook deleted")


def test_a_probe_that_reports_nothing_is_inconclusive_and_shows_no_secret() -> None:
    with serve_consumer() as url, running_server(probe=ProbeOptions(url=f"{url}/nothing?token=s3cret")) as server:
        found = delivered(server, url)
    assert (found["verdict"], "s3cret" in str(found)) == ("could-not-tell", False)
    assert found["trouble"].endswith("responded 404, expected 200")


def test_dropped_entries_make_the_verdict_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockcampaign.server.served_campaign.JOURNAL_ENTRIES_MAX", 3)
    with serve_consumer() as url, running_server() as server:
        found = delivered(server, url)
    assert (found["verdict"], found["dropped"] > 0) == ("could-not-tell", True)
    assert found["trouble"].startswith(f"the server has dropped the oldest {found['dropped']} entries of its journal")


def expected(server: Server, body: Any) -> dict[str, Any]:
    answer = server.control("POST", "/expect", body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_expectations_of_a_scenario_are_judged() -> None:
    with serve_consumer("never-deduplicates") as url, running_server(probe=probe_of(url)) as server:
        server.control("POST", "/webhooks", {"type": "click", "targetUrl": url, "integrationId": "my clicks"})
        delivered(server, url)
        number = str(server.state()["webhooks"][-1]["id"])
        body = {
            "open": {"delivered": 250, "attempts": {"at_least": 4}, "in_order": True, "latest": {"outcome": 200}},
            number: {"pending": 0},
            "my clicks": {"attempts": 0},
            "api": {"operation": "createWebhook"},
        }
        found = expected(server, {**body, "consumer": {"processed": "at-least-once"}})
        assert (found["verdict"], set(outcomes(found).values())) == ("compliant", {"pass"})
        found = expected(server, {"open": {"delivered": 251}, "consumer": {"processed": "exactly-once"}})
    assert found["verdict"] == "violated"
    assert [(one["id"], one["outcome"], one["expected"], one["place"]) for one in found["findings"]] == [
        ("open.delivered", "fail", "251", "expect.open.delivered"),
        ("consumer.processed", "fail", "exactly-once", "expect.consumer.processed"),
    ]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"clicks": {"delivered": 1}}, "expect.clicks: unknown webhook 'clicks' (allowed: open, "),
        ({"open": {"deliverd": 1}}, "expect.open.deliverd: unknown key 'deliverd', did you mean 'delivered'?"),
        ({"open": {"delivered": "x"}}, "expect.open.delivered: "),
        ({"open": {}}, "expect.open: expects nothing, allowed: delivered, "),
        ({"api": [{"count": 1}, {"operation": "create"}]}, "expect.api[1].operation: unknown operation 'create'"),
        ({"consumer": {"processed": 1}}, "expect.consumer: the consumer has no `probe` that reports the stored events"),
        ({}, "expect: expects nothing, allowed: names of webhooks with an expectation each"),
        ([], "the body is not a JSON object, allowed: an object of webhooks, consumer or api,"),
        ({"open": {"latest": {"headers": {"a": [[1]]}}}}, "expect.open.latest.headers.a: "),
    ],
)
def test_expectations_that_nobody_could_judge_are_rejected(body: Any, error: str) -> None:
    with running_server() as server:
        server.create()
        answer = server.control("POST", "/expect", body)
    assert (answer.status_code, answer.json()["error"].startswith(error)) == (400, True), answer.text


def test_an_ambiguous_type_is_said_to_be_so_and_is_still_among_the_names() -> None:
    with running_server() as server:
        first, second, third = server.create(), server.create(), server.create(type="click")
        errors = [
            server.control("POST", "/expect", {name: {"pending": 0}}).json()["error"] for name in ("open", "opne")
        ]
    assert errors == [
        f"expect.open: 'open' is ambiguous, allowed: the id of a webhook, {first} and {second}",
        "expect.opne: unknown webhook 'opne', did you mean 'open'? "
        f"(allowed: open, click, {first}, {second}, {third}, consumer)",
    ]


def test_a_secret_in_the_store_is_masked_and_fields_that_it_lacks_are_named(httpserver: HTTPServer) -> None:
    secret = "unmistakable-5ecret"
    httpserver.expect_request("/hook").respond_with_data("")
    with running_server(probe=ProbeOptions(url=httpserver.url_for("/stored"))) as server:
        given = {"type": "keyAuth", "key": "X-Key", "passphrase": secret}
        webhook = {"type": "open", "targetUrl": httpserver.url_for("/hook"), "authentication": given}
        number = server.control("POST", "/webhooks", webhook).json()["id"]
        server.control("POST", f"/webhooks/{number}/activate")
        server.control("POST", "/emit", {"type": "open", "count": 2})
        server.advance("1m")
        stored = [{**event, "browser": secret} for event in httpserver.log[0][0].get_json()]
        httpserver.expect_request("/stored").respond_with_json(stored)
        found = [verdict(server), expected(server, {"consumer": {"processed": "exactly-once"}})]
        kept = [{"mailId": event["mailId"], "created": event["created"]} for event in stored]
        httpserver.clear_all_handlers()
        httpserver.expect_request("/stored").respond_with_json(kept)
        of_some = [verdict(server), expected(server, {"consumer": {"processed": "exactly-once"}})]
        summary = server.control("GET", "/stored").json()["summary"]
    assert [one["verdict"] for one in found] == ["violated", "violated"]
    assert "***" in found[0]["findings"][-1]["actual"]
    said = [*(one["findings"][-1]["actual"].partition("only some fields, ")[2] for one in of_some), summary]
    assert said[0].startswith("start the server with --probe-fields ")
    assert said[1].startswith("compare only these with fields: [")
    assert said[2].endswith(said[0])
    assert "no stored event" not in str(found)
    assert secret not in str(found)


@pytest.mark.parametrize(("selection", "is_read_first"), [("", True), ("?mailing={mailingId}", False)])
def test_what_is_delivered_while_the_probe_is_read_may_be_in_its_response(selection: str, is_read_first: bool) -> None:
    stored: list[Any] = []

    def hook(request: Request) -> Response:
        stored.extend(request.get_json())
        return Response()

    with HTTPServer(threaded=True) as consumer:
        consumer.expect_request("/hook").respond_with_handler(hook)
        with running_server(probe=ProbeOptions(url=consumer.url_for(f"/stored{selection}"))) as server:

            def probe(request: Request) -> Response:
                before = json.dumps(stored)
                server.control("POST", "/emit", {"type": "open", "count": 3})
                server.advance("1m")
                return Response(before if is_read_first else json.dumps(stored), content_type="application/json")

            consumer.expect_request("/stored").respond_with_handler(probe)
            server.activated(consumer.url_for("/hook"))
            server.control("POST", "/emit", {"type": "open", "count": 2})
            server.advance("1m")
            found = verdict(server)
            [judged] = expected(server, {"consumer": {"processed": "exactly-once"}})["findings"]
            compared = server.control("GET", "/stored").json()
    assert (found["verdict"], found["findings"][-1]["actual"]) == (
        "compliant",
        "2 acknowledged events, each stored once and unaltered",
    )
    assert found["deliveries"]["delivered"] > 2
    assert (judged["outcome"], compared["summary"]) == ("pass", "")
