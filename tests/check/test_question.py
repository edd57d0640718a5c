"""A probe that selects by placeholders is asked for what a rule sent, and one that ignores them still works."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from checks import NOW, checked
from mockcampaign.check.probes.end_state import CallableState
from mockcampaign.check.probes.question import MAIL_IDS_MAX, Question, Selection, Values
from mockcampaign.check.probes.store_probe import (
    CallableProbe,
    CommandProbe,
    command_placeholders,
    filled_url,
    parameters_of,
)
from mockcampaign.errors import InvalidInputError
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.model import EventType
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.field import Event, Role
from mockcampaign.shape.placeholders import PLACEHOLDERS, in_braces, require_roles

OPEN = builtin_shape(EventType.OPEN)
SELECTING = Probe(url="http://app/processed?mailing={mailingId}", events="@")
IGNORED = Probe(url="http://app/processed?mailId={mailIds}&client={clientId}&since={since}", events="@")


def event(mailing: int, mail: str, *, client: int = 1, created: int = NOW) -> Event:
    return {"clientId": client, "mailingId": mailing, "mailId": mail, "created": created}


def asked(events: Iterable[Event], *names: str, ignores: bool = False) -> tuple[list[Any] | int, list[Values]]:
    """Return what a selection of these names finds in a store of these events and one of another rule."""
    events = list(events)
    stored = [event(999, "other", client=999), *events]
    requests: list[Values] = []

    async def fetch(values: Values) -> list[Event]:
        requests.append(values)
        return [one for one in stored if ignores or fits(one, values)]

    question = Question(OPEN, NOW)
    question.add(events, OPEN)
    selection = Selection([PLACEHOLDERS[name] for name in names], fetch)
    return asyncio.run(selection.stored(question)), requests


def fits(one: Event, values: Values) -> bool:
    mails = values.get("mailIds")
    return all(one[name] == values[name] for name in ("clientId", "mailingId") if name in values) and (
        mails is None or (not isinstance(mails, int) and one["mailId"] in mails)
    )


def test_each_mailing_is_asked_for_once() -> None:
    events = [event(1, "a"), event(2, "b"), event(1, "c")]
    found, requests = asked(events, "mailingId")
    assert requests == [{"mailingId": 1}, {"mailingId": 2}]
    assert isinstance(found, list)
    assert sorted(one["mailId"] for one in found) == ["a", "b", "c"]


@pytest.mark.parametrize("names", [("mailingId",), ("clientId", "mailingId"), ("mailIds",), tuple(PLACEHOLDERS)])
@pytest.mark.parametrize("ignores", [False, True])
def test_each_event_is_found_once(names: tuple[str, ...], ignores: bool) -> None:
    events = [event(number % 3, f"m{number}", client=number % 2) for number in range(250)]
    found, requests = asked([*events, event(7, "m0", client=8)], *names, ignores=ignores)
    assert isinstance(found, list)
    own = [one for one in found if one["mailId"] != "other"]
    assert sorted(map(str, own)) == sorted(map(str, [*events, event(7, "m0", client=8)]))
    assert not ignores or len(requests) <= 1 + len(names)


@pytest.mark.parametrize("count", [MAIL_IDS_MAX - 1, MAIL_IDS_MAX, MAIL_IDS_MAX + 1])
def test_a_request_has_a_limited_number_of_mail_ids(count: int) -> None:
    _, requests = asked((event(1, f"m{number}") for number in range(count)), "mailIds")
    assert [len(msgspec.convert(one["mailIds"], tuple[str, ...])) for one in requests] == [
        size for size in (min(count, MAIL_IDS_MAX), count - MAIL_IDS_MAX) if size > 0
    ]


def test_since_is_the_time_of_the_oldest_event() -> None:
    _, requests = asked([event(1, "a", created=NOW - 5), event(1, "b", created=NOW + 5)], "since")
    assert requests == [{"since": NOW - 5}]


def test_values_are_encoded_for_urls() -> None:
    values = {"mailIds": ("a&b", "c,d é"), "clientId": 7}
    assert filled_url("http://x/?m={mailIds}&c={clientId}&s={since}", values) == (
        "http://x/?m=a%26b,c%2Cd%20%C3%A9&c=7&s="
    )


def test_unknown_placeholders_are_refused_with_the_allowed_ones() -> None:
    with pytest.raises(InvalidInputError) as refused:
        in_braces("http://x/{mailingID}", "--probe")
    assert str(refused.value) == (
        "--probe: unknown placeholder '{mailingID}', did you mean '{mailingId}'? "
        "(allowed: {clientId}, {mailingId}, {mailIds}, {since})"
    )
    for text in ("${HOME}", "{{name}}", "{ print }", "{a: b}", "x"):
        assert in_braces(text, "--probe-command") == frozenset()


def test_a_placeholder_needs_a_field_with_its_role() -> None:
    fields = tuple(field for field in OPEN.fields if field.role is not Role.MAILING)
    shape = msgspec.structs.replace(OPEN, fields=fields)
    with pytest.raises(InvalidInputError, match=r"--probe: \{mailingId\} needs a field with the role mailing"):
        require_roles(in_braces("{mailingId}", "--probe"), shape, "--probe")


def test_no_value_becomes_part_of_a_shell_command() -> None:
    with pytest.raises(InvalidInputError) as refused:
        command_placeholders(["sh", "-c", "psql {mailingId}"], "--probe-command")
    assert str(refused.value) == ("--probe-command: {mailingId} in the text of a shell, allowed: $PROBE_MAILING_ID")
    found = command_placeholders(["sh", "-c", 'psql -v m="$PROBE_MAILING_ID"'], "--probe-command")
    assert found == {PLACEHOLDERS["mailingId"]}


def test_a_command_gets_values_as_arguments_and_variables() -> None:
    script = "import json, os, sys; print(json.dumps([{'mailId': os.environ['PROBE_MAIL_IDS'], 'arg': sys.argv[1]}]))"
    probe = CommandProbe(f'{sys.executable} -c "{script}" ={{mailIds}}', events="@", timeout=10_000)
    question = Question(OPEN, NOW)
    question.add([event(1, "$(id) 'x"), event(1, "-y")])
    assert asyncio.run(probe.ask(question)) == [{"mailId": "$(id) 'x,-y", "arg": "=$(id) 'x,-y"}]


def test_a_function_gets_typed_values_by_its_parameters() -> None:
    calls = []

    def stored(mailing_id: int, *, mail_ids: tuple[str, ...]) -> list[Event]:
        calls.append((mailing_id, mail_ids))
        return []

    question = Question(OPEN, NOW)
    question.add([event(1, "a")])
    asyncio.run(CallableProbe(stored).ask(question))
    asyncio.run(CallableState(lambda mailing_id: calls.append((mailing_id, ())) or {}).ask(question))
    assert calls == [(1, ("a",)), (1, ())]
    with pytest.raises(InvalidInputError, match="probe: parameter 'mailing' is unknown, allowed: client_id"):
        parameters_of(lambda mailing: [], "probe")


@pytest.mark.slow
@pytest.mark.parametrize("probe", [SELECTING, IGNORED])
def test_a_correct_consumer_passes_whether_it_selects_or_not(probe: Probe) -> None:
    result = checked(consumer_app(), probe=probe)
    assert {finding.outcome for finding in result.rules} <= {"pass", "not-exercised"}


@pytest.mark.parametrize("bug", ["never-deduplicates", "stores-first-event-only"])
def test_a_bug_is_found_by_a_selecting_probe(bug: str) -> None:
    found = [
        {
            finding.id
            for finding in checked(consumer_app(bug), probe=probe, rules=("batch", "redelivery")).rules
            if finding.outcome == "fail"
        }
        for probe in (SELECTING, Probe(url="http://app/processed", events="@"))
    ]
    assert found[0] == found[1] != set()


@pytest.mark.slow
def test_a_number_can_be_selected_too() -> None:
    result = checked(consumer_app(), probe=Probe(url=SELECTING.url, count="length(@)"))
    assert {finding.outcome for finding in result.rules} <= {"pass", "not-exercised"}
