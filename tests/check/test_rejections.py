"""The response to an ordinary batch that is rejected, and the pseudonyms that may be the cause."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from checks import checked
from mockcampaign.judging.fact import ReplacedFields, ResponseBody
from mockcampaign.judging.finding import Finding
from mockcampaign.model import BasicAuthentication
from mockcampaign.shape.captured import captured_in
from mockcampaign.shape.shape import Shape

CLICK = {
    "event": "CLICK",
    "customer": 48210933,
    "mail_ref": "m-7f3a9c41-0b2e",
    "clicked_at": "2025-03-14T09:26:53.589+01:00",
    "url": "https://shop.example/jacken",
    "tenant": "nordwind-de",
}


def shape(*keep: str) -> Shape:
    return captured_in([{"events": [CLICK]}], keep=keep).shape()


def responding(respond: Callable[[Any], Response]) -> Starlette:
    async def hook(request: Request) -> Response:
        return respond(json.loads(await request.body()))

    return Starlette(routes=[Route("/hook", hook, methods=["POST"])])


def only_finding(app: Starlette, **settings: Any) -> Finding:
    [found] = checked(app, probe=None, rules=("responds-200",), **settings).rules
    return found


def of_one_tenant(body: Any) -> Response:
    known = all(event["tenant"] == "nordwind-de" for event in body["events"])
    return Response() if known else JSONResponse({"detail": "unknown tenant"}, 422)


def test_a_consumer_that_knows_only_its_own_values_is_told_which_ones_were_replaced() -> None:
    found = only_finding(responding(of_one_tenant), shape=shape())
    assert found.outcome == "fail"
    [replaced] = [fact for fact in found.facts if isinstance(fact, ReplacedFields)]
    assert "tenant" in replaced.fields
    # The check makes the ids and times of each event itself, so keeping the captured ones changes nothing.
    assert not {"customer", "mail_ref", "clicked_at", "event"} & set(replaced.fields)
    assert found.fix is not None
    assert "--keep tenant" in found.fix
    assert "pseudonyms replace the captured values of" in found.actual
    assert found.identity == "422 to batch"


def test_keeping_the_field_cures_it() -> None:
    assert only_finding(responding(of_one_tenant), shape=shape("tenant")).outcome == "pass"


def test_nothing_is_said_of_pseudonyms_where_there_are_none() -> None:
    found = only_finding(responding(lambda body: JSONResponse({}, 422)))
    assert not [fact for fact in found.facts if isinstance(fact, ReplacedFields)]


PYDANTIC = {"detail": [{"type": "missing", "loc": ["events", 0, "tenant"], "msg": "Field required"}]}
DJANGO = "<html><head><title>403 Forbidden</title><style>x {}</style></head><body><p>CSRF verification failed.</body>"
FLASK = "<!doctype html><title>422 Unprocessable Entity</title><h1>Unprocessable Entity</h1><p>No such tenant.</p>"
RAILS = "<title>The change you wanted was rejected (422)</title><h1>The change you wanted was rejected.</h1>"


@pytest.mark.parametrize(
    ("response", "says", "advice"),
    [
        (JSONResponse(PYDANTIC, 422), '"msg":"Field required"', "Relax the schema"),
        (JSONResponse(PYDANTIC, 400), '"msg":"Field required"', "Relax the schema"),
        (PlainTextResponse("no\nsuch  field\x1b[2J", 422), "no such field\\x1b[2J", "schema by which the consumer"),
        (HTMLResponse(RAILS, 422), "The change you wanted was rejected (422)", "skip_forgery_protection"),
        (PlainTextResponse("bad", 400), "bad", "could not read the body"),
        (JSONResponse({"detail": "Unsupported"}, 415), "Unsupported", "Accept Content-Type: application/json"),
        (PlainTextResponse("KeyError: 'tenant'", 500), "KeyError: 'tenant'", "Find the exception"),
        (PlainTextResponse("x" * 5_000, 500), "x" * 300 + "…", "Find the exception"),
    ],
)
def test_the_response_is_quoted_and_decides_the_advice(response: Response, says: str | None, advice: str) -> None:
    found = only_finding(responding(lambda body: response))
    quoted = [fact.text for fact in found.facts if isinstance(fact, ResponseBody)]
    assert len(quoted) == (says is not None)
    assert says is None or says in found.actual
    assert found.fix is not None
    assert advice in found.fix


def test_a_page_is_read_as_a_reader_sees_it() -> None:
    authentication = BasicAuthentication(user_name="acme", password="geheim-4711")
    found = only_finding(responding(lambda body: HTMLResponse(DJANGO, 400)), authentication=authentication)
    assert found.actual.endswith("the 400 says: 403 Forbidden: CSRF verification failed.")


@pytest.mark.parametrize(
    ("page", "said"),
    [(FLASK, "the 422 says: No such tenant."), (RAILS, "the 422 says: The change you wanted")],
)
def test_a_page_that_repeats_itself_is_quoted_once(page: str, said: str) -> None:
    actual = only_finding(responding(lambda body: HTMLResponse(page, 422))).actual
    assert said in actual
    assert actual.count(said.partition("says: ")[2]) == 1
    assert "Unprocessable" not in actual.partition("says: ")[2]


def test_an_echoed_secret_is_masked() -> None:
    authentication = BasicAuthentication(user_name="acme", password="geheim-4711")
    found = only_finding(
        responding(lambda body: PlainTextResponse("not geheim-4711", 422)), authentication=authentication
    )
    assert "the 422 says: not ***" in found.actual


def only_clicks(body: Any) -> Response:
    return Response(status_code=200 if all(event["event"] == "CLICK" for event in body["events"]) else 422)


def test_a_consumer_that_rejects_events_nobody_captured_needs_a_captured_one() -> None:
    stored: list[Any] = []

    async def hook(request: Request) -> Response:
        response = only_clicks(body := json.loads(await request.body()))
        if response.status_code == 200:
            stored.extend(event for event in body["events"] if event not in stored)
        return response

    routes = [
        Route("/hook", hook, methods=["POST"]),
        Route("/processed", lambda request: JSONResponse(stored)),
    ]
    rules = ("stores-open-and-click", "stores-click-before-open")
    result = checked(Starlette(routes=routes), shape=shape(), rules=rules)
    for found in result.rules:
        assert found.outcome == "not-exercised"
        assert found.actual == "Needs a captured open, which shows what such events look like (--like)"


@pytest.mark.parametrize(
    "page",
    [
        "Internal Server Error",
        "<title>500 Internal Server Error</title><h1>Internal Server Error</h1><p>The server encountered an internal "
        "error and was unable to complete your request. Either the server is overloaded or there is an error in the "
        "application.</p>",
        "<html><head><title>500 Internal Server Error</title></head><body><center><h1>500 Internal Server Error</h1>"
        "</center><hr><center>nginx/1.22.1</center></body></html>",
    ],
)
def test_a_default_page_is_not_quoted(page: str) -> None:
    found = only_finding(responding(lambda body: HTMLResponse(page, 500)))
    assert not [fact for fact in found.facts if isinstance(fact, ResponseBody)]
