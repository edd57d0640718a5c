"""Consumers that store elements that are no events: a hazard, which spoils no later check."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mockcampaign.check import examiner
from mockcampaign.check.check import check
from mockcampaign.check.probes.store_probe import CallableProbe, Found, UrlProbe
from mockcampaign.check.settings import Settings
from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.consumer_store import Probe, ProbeReading
from mockcampaign.judging.verdict import RunResult
from mockcampaign.model import Responded
from mockcampaign.samples.consumer import application, consumer_app
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Store
from mockcampaign.transport.inprocess import AsgiTransport

PROBE = Probe(url="http://app/processed", events="@")
EVENT = {"mailId": "A"}


def checked(app: Any, *, seed: int = 1, probe: Probe = PROBE, **settings: Any) -> RunResult:
    async def run() -> RunResult:
        transport = AsgiTransport(app)
        try:
            chosen = Settings(now=1_750_000_000_000, seed=seed, **settings)
            source = UrlProbe(probe, transport, timeout=5_000)
            return await check("http://app/hook", transport=transport, settings=chosen, probe=source)
        finally:
            await transport.aclose()

    return asyncio.run(run())


def outcomes(result: RunResult) -> dict[str, str]:
    return {finding.id: finding.outcome for finding in result.rules}


class Skips(Consumer):
    """Leaves out elements that are no events, and acknowledges the rest."""

    def parse(self, body: bytes) -> list[Event]:
        return [element for element in msgspec.json.decode(body) if isinstance(element, dict)]


class SkipsAll(Skips):
    """Acknowledges a batch with an element that is no event, and stores nothing of it."""

    def parse(self, body: bytes) -> list[Event]:
        events = super().parse(body)
        return events if len(events) == len(msgspec.json.decode(body)) else []


def rows_for(kind: type) -> type[Consumer]:
    """Return a consumer that reads its columns from anything of this type, in which it finds nothing."""

    class Rows(Consumer):
        def parse(self, body: bytes) -> list[Event]:
            elements = msgspec.json.decode(body)
            others = [element for element in elements if not isinstance(element, dict)]
            if not all(isinstance(element, kind) for element in others):
                raise HTTPException(400, "an element is no event")
            return [element if isinstance(element, dict) else dict.fromkeys(COLUMNS) for element in elements]

    return Rows


COLUMNS = ("mailId", "created", "type")
ROWS = {"list": rows_for(list), "text": rows_for(str), "null": rows_for(type(None))}


def test_a_consumer_that_stores_garbage_can_be_checked_and_checked_again() -> None:
    consumer = consumer_app("stores-any-json")
    for seed in (1, 2):
        rules = ("acknowledgement", "stores-only-events", "recovers-from-bad-requests", "rejects-atomically")
        result = checked(consumer, seed=seed, rules=rules)
        assert {finding.id: finding.reason for finding in result.rules if finding.outcome == "could-not-tell"} == {}
        wrong = {finding.id: finding.outcome for finding in result.rules if finding.outcome in ("fail", "warn")}
        assert wrong == {"stores-only-events": "warn"}
        assert outcomes(result)["rejects-atomically"] == "pass"


@pytest.mark.parametrize(
    ("consumer", "outcome", "identity", "actual"),
    [
        (consumer_app(), "pass", None, "Responded 400 to a batch of a good event and a number"),
        (
            application(Skips(Store(), None)),
            "pass",
            None,
            "Responded 200 to a batch of a good event and a number, a batch of a good event and a list, a batch of a "
            "good event and a text and a batch of a good event and null; stored the events alone",
        ),
        (
            application(SkipsAll(Store(), None)),
            "warn",
            "200 to event-and-number; missing",
            "to a batch of a good event and a number; 1 event is missing from the store",
        ),
        (
            consumer_app("stores-any-json"),
            "warn",
            "200 to event-and-number; stored-non-event",
            "; stored an element that is not an event",
        ),
        *(
            (
                application(one(Store(), None)),
                "warn",
                f"200 to event-and-{name}; stored-non-event",
                "; stored an element that is not an event",
            )
            for name, one in ROWS.items()
        ),
    ],
)
def test_an_element_that_is_no_event_is_rejected_skipped_or_stored(
    consumer: Any, outcome: str, identity: str | None, actual: str
) -> None:
    [finding] = checked(consumer, rules=("stores-only-events",)).rules
    assert (finding.outcome, finding.identity) == (outcome, identity)
    assert actual in finding.actual
    if outcome == "warn":
        assert finding.reproduce is not None
        assert finding.reproduce.curl is not None


class ReportsItsState(Skips):
    """Reports beside its events what changes with each of them."""

    async def processed(self, request: Request) -> Response:
        stored = msgspec.json.decode((await super().processed(request)).body)
        return Response(msgspec.json.encode([{"stored": len(stored)}, *stored]))


def test_an_element_that_changes_is_none_that_was_added() -> None:
    [finding] = checked(application(ReportsItsState(Store(), None)), rules=("stores-only-events",)).rules
    assert finding.outcome == "pass"


SELECTING = Probe(url="http://app/processed?mailing={mailingId}", events="@")


@pytest.mark.parametrize(
    ("bug", "outcome", "said"),
    [
        ("stores-any-json", "not-exercised", "the probe selects events, so it does not report what else is stored"),
        (None, "pass", "responded 400 to a batch of a good event and a number"),
    ],
)
def test_a_probe_that_selects_events_does_not_show_what_else_is_stored(
    bug: str | None, outcome: str, said: str
) -> None:
    [finding] = checked(consumer_app(bug), probe=SELECTING, rules=("stores-only-events",)).rules
    assert finding.outcome == outcome
    assert said in (finding.reason or finding.actual).casefold()


@pytest.mark.parametrize("bug", ["stores-any-json", "stores-lists-as-events"])
def test_it_is_found_in_a_full_store_too(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examiner, "ELEMENTS_MANY", 0)
    [finding] = checked(consumer_app(bug), rules=("stores-only-events",)).rules
    assert (finding.outcome, "stored-non-event" in str(finding.identity)) == ("warn", True)


@pytest.mark.parametrize("kind", ROWS)
def test_no_more_is_said_of_a_full_store_than_was_looked_for(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examiner, "ELEMENTS_MANY", 0)
    [finding] = checked(application(ROWS[kind](Store(), None)), rules=("stores-only-events",)).rules
    assert "stored the events alone" not in finding.actual


def response_with(stored: list[Any]) -> Responded:
    body = msgspec.json.encode(stored)
    return Responded(status=200, body=body, body_bytes=len(body))


def test_a_probe_skips_elements_that_are_no_events() -> None:
    assert PROBE.read(response_with([42, EVENT, [1], None])) == ProbeReading(1, (b'{"mailId":"A"}',))
    assert PROBE.read(response_with([])) == ProbeReading(0, ())


def test_a_list_without_any_event_is_an_error() -> None:
    with pytest.raises(CouldNotTellError, match=r"the response is a list whose element 0 is \[1\], expected a list of"):
        PROBE.read(response_with([[1], 42]))


def test_a_callable_probe_may_report_garbage_too() -> None:
    found: Found = [EVENT, 42]
    assert asyncio.run(CallableProbe(lambda: found).ask()) == found
