"""A finding says what was shown and no more, and where others follow from it, it comes first."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from checks import checked
from mockcampaign.check.result import RunResult
from mockcampaign.judging.fact import KeysOn
from mockcampaign.judging.finding import Finding
from mockcampaign.report.check_text import summary_lines
from mockcampaign.shape.captured import captured_in

CLICK = {
    "event": "CLICK",
    "customer": 48210933,
    "mail_ref": "m-7f3a9c41-0b2e",
    "campaign": 5512087,
    "clicked_at": "2025-03-14T09:26:53.589+01:00",
    "url": "https://shop.example/jacken",
    "address": {"email": "Katharina.Brandt@web-mail.example"},
}
SHAPE = captured_in([{"events": [CLICK]}]).shape()


def whole(event: Any) -> Any:
    return json.dumps(event, sort_keys=True)


def consumer(key: Callable[[Any], Any] = whole, kept: Callable[[Any], Any] = lambda event: event) -> Starlette:
    """A consumer that deduplicates on a key, stores what it keeps of an event, and drops an invalid batch with 200."""
    stored: dict[Any, Any] = {}

    async def hook(request: Request) -> Response:
        events = json.loads(await request.body())["events"]
        if all(all(isinstance(event.get(name), int) for name in ("customer", "campaign")) for event in events):
            for event in events:
                stored.setdefault(key(event), kept(event))
        return Response()

    async def processed(request: Request) -> Response:
        return JSONResponse(list(stored.values()))

    return Starlette(routes=[Route("/hook", hook, methods=["POST"]), Route("/processed", processed)])


def examined(app: Starlette, *rules: str) -> dict[str, Finding]:
    return {finding.id: finding for finding in result_of(app, *rules).rules}


def result_of(app: Starlette, *rules: str) -> RunResult:
    return checked(app, shape=SHAPE, rules=rules)


def test_a_key_is_said_to_hold_only_what_was_shown_and_comes_first() -> None:
    app = consumer(lambda event: (event["customer"], event["clicked_at"][:19]))
    result = result_of(app, "stores-batches-that-share-rows", "stores-same-millisecond", "deduplicates-on-all-fields")
    found = {finding.id: finding for finding in result.rules}
    keyed = found["deduplicates-on-all-fields"]
    [fact] = [fact for fact in keyed.facts if isinstance(fact, KeysOn)]
    assert set(fact.fields) == {"customer", "clicked_at"}
    assert "mail_ref" in fact.ignored
    assert keyed.fix is not None
    assert keyed.fix.startswith("Deduplicate on all fields, or on a hash of them in one column")
    shared = found["stores-batches-that-share-rows"]
    assert (shared.outcome, shared.actual) == (
        "not-exercised",
        "Treats different events as one, see the rules on identity",
    )
    lines = ["".join(text for text, _ in line) for line in summary_lines(result)]
    wrong = [line.split()[1] for line in lines if line.startswith(("  FAIL", "  warn"))]
    assert wrong[0] == "deduplicates-on-all-fields"


def test_a_consumer_without_any_deduplication_is_said_to_recognise_nothing() -> None:
    numbers = iter(range(10**9))
    found = examined(consumer(lambda event: next(numbers)), "deduplicates-on-all-fields")["deduplicates-on-all-fields"]
    assert found.outcome == "warn"
    assert found.actual == (
        "Recognised no event of a batch that was redelivered unchanged, and stored 40 of 40 realistic clicks twice "
        "when they were redelivered in a longer batch"
    )
    assert "holds more than the event" not in found.actual


def test_a_dropped_batch_is_not_blamed_on_large_ids() -> None:
    found = examined(consumer(), "stores-large-ids")["stores-large-ids"]
    assert found.outcome == "pass", found.actual


@pytest.mark.parametrize(
    ("kept", "lost"),
    [
        (lambda at: at[:19], "its fraction of a second and its zone"),
        (lambda at: at[:23], "its zone"),
        (lambda at: at[:19] + at[23:], "its fraction of a second"),
    ],
)
def test_a_time_that_lost_a_part_is_not_said_to_be_too_long(kept: Callable[[str], str], lost: str) -> None:
    app = consumer(kept=lambda event: {**event, "clicked_at": kept(event["clicked_at"])})
    [found] = examined(app, "stores-created-exactly").values()
    assert found.fix is not None
    assert f"clicked_at lost {lost}: " in found.fix
    assert "column" not in found.fix


def test_an_address_in_another_case_is_found() -> None:
    app = consumer(kept=lambda event: {**event, "address": {"email": event["address"]["email"].lower()}})
    [found] = examined(app, "stores-text-unchanged").values()
    assert found.outcome == "fail"
    assert found.fix == "Do not change the case of address.email."
    assert 'address "Anna.Meier+News@example.com"' in found.actual or "address.email" in found.actual
