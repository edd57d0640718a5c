"""A failing batch is reduced to one event with one unusual field, by tables and by Hypothesis."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from checks import checked
from culprits import FOUND
from mockcampaign.check.rules import CATALOGUE, payload
from mockcampaign.check.settings import CLIENT_IDS, MAILING_IDS
from mockcampaign.events import field_values
from mockcampaign.judging.fact import EdgeCaseField, Response
from mockcampaign.judging.finding import Finding
from mockcampaign.model import EventType
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.shape import LIST

PAYLOAD = {rule.id for rule in CATALOGUE if rule.family == "payload"}
SEVERAL_FIELDS = {"takes-columns-of-first-event", "turns-ids-to-floats-beside-absent-ones"}
"""Bugs that only several events can show."""
SINGLE_FIELD = sorted(bug for bug, rule in FOUND.items() if rule in PAYLOAD and bug not in SEVERAL_FIELDS)
NOT_TEXT = {"fails-on-cut-characters"}
"""Bugs with characters that the report cannot represent, and the command does."""
NOT_GENERATED = {*NOT_TEXT, "truncates-text-at-nul", "rejects-unknown-types", "drops-unknown-types"}
"""Bugs that generated batches cannot show, since they contain no NUL, which hardly any store can represent, and events
of unknown types may be ignored."""

CLIENTS = {client for _, (_, client) in field_values.MAILBOXES}


def unusual_fields(event: dict[str, Any]) -> list[str]:
    """Return the names of the fields that ordinary events of a check do not have, or not with such values."""
    usual = builtin_shape(EventType.OPEN).top_names
    odd = [name for name in event if name not in usual] + [name for name in usual if name not in event]
    devices, systems, browsers = (set(column) for column in zip(*CLIENTS, strict=True))
    ordinary: dict[str, bool] = {
        "type": event.get("type") == "open",
        "recipientId": len(str(event.get("recipientId"))) == 12 and str(event.get("recipientId")).isdigit(),
        "userListId": event.get("userListId") in MAILING_IDS,
        "remoteAddress": str(event.get("remoteAddress")).startswith("198.51.100."),
        "clientId": event.get("clientId") in CLIENT_IDS,
        "mailingId": event.get("mailingId") in MAILING_IDS,
        "subscriptionId": event.get("subscriptionId") in range(10**6, 10**7),
        "device": event.get("device") in devices,
        "operatingSystem": event.get("operatingSystem") in systems,
        "browser": event.get("browser") in browsers,
    }
    return odd + [name for name, is_so in ordinary.items() if name in event and not is_so]


def edge_cases_of(finding: Finding) -> tuple[EdgeCaseField, ...]:
    """Return what is unusual about the one event that was sent."""
    response = finding.facts[0]
    assert isinstance(response, Response)
    assert response.to.events == 1
    return response.to.edge_cases


def found(bug: str, rule: str, **settings: Any) -> Finding:
    [finding] = checked(consumer_app(bug), rules=(rule,), **settings).rules
    return finding


@pytest.mark.parametrize("bug", SINGLE_FIELD)
def test_a_bug_in_one_field_is_shown_by_one_event_with_one_unusual_field(bug: str) -> None:
    finding = found(bug, FOUND[bug])
    assert finding.outcome in ("fail", "warn")
    assert finding.reproduce is not None
    assert finding.reproduce.case is not None
    [event] = map(msgspec.json.decode, finding.reproduce.case)
    [unusual] = unusual_fields(event)
    assert [case.name for case in edge_cases_of(finding)] == [unusual], finding.actual
    if bug in NOT_TEXT:
        return
    assert LIST.of([event]).decode() in (finding.reproduce.curl or "").replace("'\"'\"'", "'") or "printf" in (
        finding.reproduce.curl or ""
    )


@pytest.mark.parametrize(
    "bug", [pytest.param(bug, marks=pytest.mark.slow) for bug in SINGLE_FIELD if bug not in NOT_GENERATED]
)
def test_hypothesis_reduces_a_bug_to_one_field(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the tables of edge cases, with which the rule would leave known ones to other rules."""

    async def nothing(*args: object) -> None:
        """Find no single edge case that goes wrong."""

    monkeypatch.setattr(payload, "_first_wrong", nothing)
    finding = found(bug, "accepts-generated-batches", examples=300)
    assert finding.outcome == "fail", finding.actual
    assert len(edge_cases_of(finding)) == 1, finding.actual
