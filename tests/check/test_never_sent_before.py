"""Consumers that lose or alter events with values that no earlier rule sent."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from judged import checked, settings
from mockcampaign import json_text
from mockcampaign.judging.finding import Finding
from mockcampaign.model import NoAuthentication
from mockcampaign.report.json_report import to_json
from mockcampaign.samples.bugs.payload import (
    FailsOnCutCharacters,
    LosesInheritedNames,
    TurnsIdsToFloatsBesideAbsentOnes,
    changing_role,
    changing_text,
    storing_by_shape,
)
from mockcampaign.samples.consumer import application
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Store
from mockcampaign.shape.field import Role
from mockcampaign.transport.inprocess import AsgiTransport


def finding(consumer: type[Consumer], rule: str) -> Finding:
    app = application(consumer(Store(), None))
    chosen = settings(1, rules=(rule,), authentication=NoAuthentication())
    result = checked("http://consumer.test", lambda: AsgiTransport(app), chosen)
    to_json(result, full_journal=True)  # which a lone surrogate must not break
    [one] = result.rules
    return one


def test_a_recipient_called_like_an_inherited_property_is_not_lost() -> None:
    found = finding(LosesInheritedNames, "stores-recipient-id-as-text")
    assert (found.outcome, 'recipientId "constructor"' in found.actual) == ("fail", True)


def test_ids_beside_absent_ones_stay_exact() -> None:
    found = finding(TurnsIdsToFloatsBesideAbsentOnes, "stores-large-ids")
    assert found.outcome == "fail"
    assert "userListId 9007199254740993 as 9007199254740992" in found.actual


def test_a_consumer_that_rejects_events_without_an_id_is_not_blamed_for_that() -> None:
    class Strict(Consumer):
        def validate(self, events: list[Event]) -> None:
            if any(self.shapes.get(event, Role.SUBSCRIPTION) is None for event in events):
                raise ValueError("no subscription")

    assert finding(Strict, "stores-large-ids").outcome == "pass"


@pytest.mark.parametrize("replacement", ["", "\ufffd"])
def test_what_no_store_has_to_hold_may_be_replaced(replacement: str) -> None:
    replacing = changing_text(lambda text: text.replace("\0", replacement).replace("\ufffd", replacement))
    for rule in ("stores-control-characters", "stores-cut-characters"):
        found = finding(replacing, rule)
        assert found.outcome == "pass", found.actual


@pytest.mark.parametrize(
    ("consumer", "outcome"),
    [
        (changing_role(Role.BROWSER, lambda text: text.partition("\0")[0]), "warn"),
        (changing_role(Role.RECIPIENT, lambda text: text.partition("\0")[0]), "fail"),
        (changing_text(lambda text: text.partition("\u2028")[0]), "fail"),
    ],
)
def test_an_altered_text_is_a_hazard_and_an_altered_recipient_a_violation(
    consumer: type[Consumer], outcome: str
) -> None:
    found = finding(consumer, "stores-control-characters")
    assert found.outcome == outcome, found.actual


@pytest.mark.parametrize("character", ["\0", "\n", "\u202e"])
def test_an_acknowledged_event_that_vanishes_is_a_violation(character: str) -> None:
    class Drops(Consumer):
        async def process(self, events: list[Event]) -> None:
            texts = self.shapes.texts
            await super().process([one for one in events if not any(character in text for text in texts(one))])

    found = finding(Drops, "stores-control-characters")
    assert found.outcome == "fail", found.actual
    assert "1 event is missing from the store" in found.actual


class RejectsCutCharacters(Consumer):
    """Parses JSON as strictly as msgspec."""

    def parse(self, body: bytes) -> list[Event]:
        if json_text.without_lone_surrogates(body) != body:
            return super().parse(b"")
        return super().parse(body)


class DropsCutCharacters(Consumer):
    def parse(self, body: bytes) -> list[Event]:
        events = super().parse(body)
        return events if json_text.without_lone_surrogates(body) == body else []


class CannotReportCutCharacters(Consumer):
    is_broken = False

    def parse(self, body: bytes) -> list[Event]:
        self.is_broken = self.is_broken or json_text.without_lone_surrogates(body) != body
        return super().parse(body)

    async def processed(self, request: Request) -> Response:
        return JSONResponse({}, 500) if self.is_broken else await super().processed(request)


@pytest.mark.parametrize(
    ("consumer", "outcome"),
    [
        (Consumer, "pass"),
        (RejectsCutCharacters, "pass"),
        (FailsOnCutCharacters, "warn"),
        (CannotReportCutCharacters, "warn"),
        (DropsCutCharacters, "fail"),
        (storing_by_shape(lambda shapes, event: shapes.with_texts(event, lambda text: text.rstrip("a\ufffd"))), "warn"),
    ],
)
def test_text_that_was_cut_off_within_a_character(consumer: type[Consumer], outcome: str) -> None:
    found = finding(consumer, "stores-cut-characters")
    assert found.outcome == outcome, found.actual
