"""Unusual values stand in fields that are compared, so that a consumer of few columns cannot pass by ignoring them."""

from __future__ import annotations

import json

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from checks import checked
from mockcampaign.check.edge_cases import ALL, EdgeCases, chosen, control_characters, cut_characters, texts
from mockcampaign.judging.finding import Finding
from mockcampaign.model import EventType
from mockcampaign.samples.consumer import application
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Store
from mockcampaign.shape.builtin import builtin_shape

KEPT = ("recipientId", "mailId", "created", "link", "device")
IDS = ("recipientId", "mailId", "created")


class FewColumns(Consumer):
    """Stores some of the fields, and reads no others."""

    columns: tuple[str, ...] = KEPT

    def stored_form(self, event: Event) -> Event:
        return {name: self.stored_text(event.get(name)) for name in self.columns}

    def stored_text(self, value: object) -> object:
        """Return what is stored of a value."""
        return value


class FewIds(FewColumns):
    columns = IDS


class AllColumns(FewColumns):
    columns = builtin_shape(EventType.OPEN).top_names


class FailsToBindCutText(FewColumns):
    """Stores its columns in a database that knows no lone surrogates."""

    def parse(self, body: bytes) -> list[Event]:
        for event in json.loads(body):
            "".join(str(event.get(name)) for name in self.columns).encode()
        return super().parse(body)


class FailsToBindNul(FewColumns):
    """Loses what it cannot bind, and acknowledges it."""

    async def process(self, events: list[Event]) -> None:
        await super().process([one for one in events if "\0" not in str(one.get("device")) + str(one.get("link"))])


class Narrow(FewColumns):
    def stored_text(self, value: object) -> object:
        return value[:100] if isinstance(value, str) and "@" not in value and "://" not in value else value


class DecodesPieces(FewColumns):
    """Decodes each piece of a body by itself."""

    async def read_body(self, request: Request) -> bytes:
        return "".join([piece.decode(errors="replace") async for piece in request.stream()]).encode()


class ChecksLinks(DecodesPieces):
    """Stores no text but links, and rejects those that are none."""

    columns = (*IDS, "link")

    def parse(self, body: bytes) -> list[Event]:
        events = super().parse(body)
        if not all(event["link"].startswith("https://") for event in events):
            raise HTTPException(400, "no link")
        return events


def finding(consumer: type[FewColumns], rule: str, kind: EventType) -> Finding:
    app = application(consumer(Store(), None))
    fields = tuple(name for name in consumer.columns if name in builtin_shape(kind).top_names)
    [found] = checked(app, rules=(rule,), shape=builtin_shape(kind), probe_fields=fields).rules
    return found


@pytest.mark.parametrize("kind", [EventType.OPEN, EventType.CLICK])
@pytest.mark.parametrize(
    ("consumer", "rule"),
    [
        (FailsToBindCutText, "stores-cut-characters"),
        (FailsToBindNul, "stores-control-characters"),
        (Narrow, "stores-text-unchanged"),
        (DecodesPieces, "stores-chunked-body"),
    ],
)
def test_a_consumer_that_fails_only_at_its_columns_is_found(
    consumer: type[FewColumns], rule: str, kind: EventType
) -> None:
    found = finding(consumer, rule, kind)
    assert found.outcome in ("fail", "warn"), found.actual
    assert "device" in found.actual


def test_characters_that_pieces_of_a_body_divide_stand_in_a_link_if_no_other_text_is_compared() -> None:
    found = finding(ChecksLinks, "stores-chunked-body", EventType.CLICK)
    assert found.outcome == "fail", found.actual
    assert "link" in found.actual


@pytest.mark.parametrize(
    ("consumer", "rule", "actual"),
    [
        (FewColumns, "stores-cut-characters", "Stored 1 event with one unusual field each (device)"),
        (
            FewColumns,
            "stores-control-characters",
            "Stored 12 events with one unusual field each (device and recipientId)",
        ),
        (FewIds, "stores-cut-characters", "Stored 1 event with one unusual field each (not compared: browser)"),
        (
            FewIds,
            "stores-control-characters",
            "Stored 12 events with one unusual field each (recipientId; not compared: browser)",
        ),
        (AllColumns, "stores-cut-characters", "Stored 1 event with one unusual field each (browser)"),
    ],
)
def test_a_pass_names_the_fields_that_were_tried(consumer: type[FewColumns], rule: str, actual: str) -> None:
    found = finding(consumer, rule, EventType.OPEN)
    assert (found.outcome, found.actual) == ("pass", actual)


@pytest.mark.parametrize("kind", [EventType.OPEN, EventType.CLICK])
@pytest.mark.parametrize("make", [*ALL, control_characters, cut_characters])
def test_where_all_fields_are_compared_nothing_is_tried_in_place_of_names(make: EdgeCases, kind: EventType) -> None:
    shape = builtin_shape(kind)
    cases = chosen(make(shape), shape.top_names)
    assert cases == chosen(make(shape), ())
    if make is not texts:
        assert {case.path for case in make(shape) if case.rank is None} <= {case.path for case in cases}
