"""Consumers that lose or alter events with values that no earlier rule sent."""

from __future__ import annotations

import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from judged import checked, settings
from mockcampaign import json_text, wallclock
from mockcampaign.judging.finding import Finding
from mockcampaign.model import NoAuthentication
from mockcampaign.policy import DAY
from mockcampaign.report.json_report import to_json
from mockcampaign.samples.bugs import BUGS
from mockcampaign.samples.bugs.order import DropsEventsFromTheFuture, StoresCreatedAsLocalTime
from mockcampaign.samples.bugs.payload import (
    FailsOnCutCharacters,
    LosesInheritedNames,
    TurnsIdsToFloatsBesideAbsentOnes,
    changing_role,
    changing_text,
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


class FailsOnCutRecipients(Consumer):
    """Stores ids as text, which nobody cuts off, and all the rest as bytes."""

    def validate(self, events: list[Event]) -> None:
        for event in events:
            str(self.shapes.get(event, Role.RECIPIENT)).replace("\ufffd", json_text.LONE_SURROGATE).encode()


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
        (FailsOnCutRecipients, "pass"),
        (CannotReportCutCharacters, "warn"),
        (DropsCutCharacters, "fail"),
        (changing_role(Role.BROWSER, lambda text: text.rstrip("a\ufffd")), "warn"),
    ],
)
def test_text_that_was_cut_off_within_a_character(consumer: type[Consumer], outcome: str) -> None:
    found = finding(consumer, "stores-cut-characters")
    assert found.outcome == outcome, found.actual


def test_an_event_ahead_of_the_clock_that_vanishes_is_a_violation() -> None:
    found = finding(DropsEventsFromTheFuture, "accepts-events-ahead-of-clock")
    assert found.outcome == "fail"
    assert "an event 2s ahead of the clock; 2 events are missing from the store" in found.actual


def test_a_rejected_event_ahead_of_the_clock_is_a_hazard_since_its_retry_succeeds() -> None:
    class Rejects(Consumer):
        def validate(self, events: list[Event]) -> None:
            if any(self.shapes.time(event) > wallclock.now() for event in events):
                raise ValueError("from the future")

    assert finding(Rejects, "accepts-events-ahead-of-clock").outcome == "warn"


def test_times_in_the_hour_that_clocks_repeat_stay_exact() -> None:
    found = finding(StoresCreatedAsLocalTime, "stores-times-of-clock-changes")
    assert found.outcome == "fail"
    assert "created=2024-10-27T01:30:00.000Z" in found.actual


def test_a_consumer_that_deletes_old_events_is_not_asked_for_clock_changes() -> None:
    class Forgets(Consumer):
        async def process(self, events: list[Event]) -> None:
            await super().process([one for one in events if self.shapes.time(one) > wallclock.now() - 30 * DAY])

    assert finding(Forgets, "stores-times-of-clock-changes").outcome == "not-exercised"


def test_recipients_whose_ids_a_collation_treats_as_equal_are_two() -> None:
    found = finding(BUGS["dedup-key-collated-recipient"].consumer, "distinguishes-similar-recipients")
    assert found.outcome == "fail"
    assert "4 events are missing from the store" in found.actual


def test_a_recipient_stored_in_another_spelling_is_another_recipient() -> None:
    class Books(Consumer):
        """Looks recipients up by a collation, and stores the spelling that it met first."""

        def prepare(self) -> None:
            self.known: dict[str, str] = {}

        def stored_form(self, event: Event) -> Event:
            recipient = self.shapes.recipient(event)
            return self.shapes.of(event).put(
                event, Role.RECIPIENT, self.known.setdefault(recipient.casefold(), recipient)
            )

    found = finding(Books, "distinguishes-similar-recipients")
    assert found.outcome == "fail"
    assert "2 events are altered" in found.actual


def test_a_key_of_joined_fields_confuses_where_one_ends() -> None:
    found = finding(BUGS["dedup-key-joined-fields"].consumer, "deduplicates-on-all-fields")
    assert found.outcome == "warn"
    assert found.actual.startswith("Deduplicates without the end of recipientId, ")


def test_a_key_of_sums_confuses_exchanged_fields() -> None:
    class Sums(Consumer):
        def key(self, event: Event) -> bytes:
            return repr(sorted(map(repr, event.values()))).encode()

    found = finding(Sums, "deduplicates-on-all-fields")
    assert found.outcome == "warn"
    assert found.actual.startswith("Deduplicates without the place of operatingSystem: ")


class KeysOnText(Consumer):
    """Recognises events by their text as it arrived."""

    def parse(self, body: bytes) -> list[Event]:
        events = super().parse(body)
        raw = msgspec.json.decode(body, type=list[msgspec.Raw])
        self.texts = {id(event): bytes(one) for event, one in zip(events, raw, strict=True)}
        return events

    def key(self, event: Event) -> bytes:
        return self.texts[id(event)]


def test_a_sweep_spells_redelivered_events_otherwise() -> None:
    app = application(KeysOnText(Store(), None))
    chosen = settings(1, rules=("once-after-lost-response",), authentication=NoAuthentication(), sweep=True)
    [found] = checked("http://consumer.test", lambda: AsgiTransport(app), chosen).rules
    assert found.outcome == "warn", found.actual
    assert "with redelivered events in another order and spelling of fields: " in found.actual


def test_a_correct_consumer_recognises_events_however_they_are_spelled() -> None:
    app = application(Consumer(Store(), None))
    chosen = settings(1, rules=("redelivery",), authentication=NoAuthentication(), sweep=True)
    result = checked("http://consumer.test", lambda: AsgiTransport(app), chosen)
    assert not [found.actual for found in result.rules if found.outcome in ("fail", "warn", "could-not-tell")]
