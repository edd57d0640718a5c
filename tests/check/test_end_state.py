"""The state probe: the forms of states, and what it finds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from mockcampaign.check.check import check
from mockcampaign.check.probes.end_state import (
    OPEN,
    CallableState,
    Stale,
    StateSource,
    UrlState,
    distinguishes_events,
    stale,
    states_in,
)
from mockcampaign.check.probes.store_probe import UrlProbe
from mockcampaign.check.settings import Settings
from mockcampaign.cli import cli
from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.judging.fact import Needs, Precondition, StateIsStale, Unmet
from mockcampaign.judging.finding import Finding
from mockcampaign.report import sentences
from mockcampaign.samples.consumer import application, consumer_app
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Store
from mockcampaign.serving import serve_in_thread
from mockcampaign.transport import Transport
from mockcampaign.transport.inprocess import AsgiTransport

RULES = ("newest-event-wins",)
AT = 1_564_590_054_000
NEWEST = {"mailId": "M", "recipientId": "R", "created": AT, "remoteAddress": "192.0.2.1", "browser": "Firefox"}


def finding(app: Any, state: Callable[[Transport], StateSource | None]) -> Finding:
    async def run() -> Finding:
        transport = AsgiTransport(app)
        source = UrlProbe(Probe(url="http://app/processed", events="@"), transport, timeout=5_000)
        settings = Settings(now=1_750_000_000_000, seed=1, rules=RULES)
        try:
            result = await check(
                "http://app/hook", transport=transport, settings=settings, probe=source, state=state(transport)
            )
        finally:
            await transport.aclose()
        [found] = result.rules
        return found

    return asyncio.run(run())


def url_state(states: str = "@") -> Callable[[Transport], StateSource]:
    return lambda transport: UrlState("http://app/state", transport, states=states, timeout=5_000)


class Repeating(Consumer):
    """Stores nothing twice, but lets redelivered events change the state again."""

    def __init__(self) -> None:
        super().__init__(Store(), None)
        self.last: dict[str, Event] = {}

    async def process(self, events: list[Event]) -> None:
        for event in events:
            known = self.last.get(event["mailId"])
            repeated = event in self.store.events()
            if known is None or repeated or event["created"] >= known["created"]:
                self.last[event["mailId"]] = event
        await super().process(events)

    def end_state(self) -> dict[str, Event]:
        return self.last


def test_the_end_state_is_the_newest_event_not_the_last_to_arrive() -> None:
    assert finding(consumer_app(), url_state()).outcome == "pass"
    late = finding(consumer_app("last-arrival-wins"), url_state())
    assert late.outcome == "fail"
    said = (
        "After older events arrived late, {} of 8 end states are not the newest event's: for the first, its created is "
    )
    assert late.actual.startswith(said.format(8))
    again = finding(application(Repeating()), url_state())
    assert again.actual.startswith(said.format(4))
    assert late.identity == again.identity == "stale-state"
    for found, count in ((late, 8), (again, 4)):
        [fact] = found.facts
        assert isinstance(fact, StateIsStale)
        assert (fact.stale, fact.states, fact.field) == (count, 8, "created")
        assert int(fact.stated) < int(fact.newest)


@pytest.mark.parametrize(
    "states",
    [
        "map(&{recipientId: recipientId, created: created}, values(@))",
        "map(&{mailId: mailId, remoteAddress: remoteAddress}, values(@))",
    ],
)
def test_rows_are_enough_with_a_field_that_distinguishes_events(states: str) -> None:
    assert finding(consumer_app(), url_state(states)).outcome == "pass"
    assert finding(consumer_app("last-arrival-wins"), url_state(states)).outcome == "fail"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_function_may_report_only_times_by_recipient(asynchronous: bool) -> None:
    for wrong in (False, True):
        consumer = Repeating() if wrong else Consumer(Store(), None)

        def moments(consumer: Consumer = consumer) -> dict[str, int]:
            return {event["recipientId"]: event["created"] for event in consumer.end_state().values()}

        async def later(moments: Callable[[], dict[str, int]] = moments) -> dict[str, int]:
            return moments()

        asked: Callable[[], Any] = later if asynchronous else moments
        found = finding(application(consumer), lambda transport, asked=asked: CallableState(asked))  # type: ignore[misc]
        assert found.outcome == ("fail" if wrong else "pass")


def test_without_a_state_probe_the_rule_says_why_it_is_skipped() -> None:
    found = finding(consumer_app(), lambda transport: None)
    assert found.outcome == "not-exercised"
    assert found.facts == (Needs(need="state"),)
    assert found.reason == (
        "Needs `--probe-state` (a URL that reports each mail's current state): stored events do not say which one "
        "counts"
    )


def test_a_state_that_distinguishes_no_events_proves_nothing() -> None:
    found = finding(consumer_app(), url_state("map(&{mailId: mailId, browser: browser}, values(@))"))
    assert found.outcome == "not-exercised"
    assert found.facts == (Unmet(why=Precondition.STATE_LACKS_FIELDS),)
    assert found.reason == "The end state has neither the time nor the address, in which the events of a mail differ"


@pytest.mark.parametrize(
    ("state", "found"),
    [
        (NEWEST, None),
        (AT, None),
        (AT - 1, Stale(field="created", stated=f"{AT - 1}", newest=f"{AT}")),
        ("2019-07-31T16:20:54Z", None),
        ("2019-07-31T16:20:54", None),
        ("2019-07-31T18:20:54+02:00", None),
        ("2019-07-31T16:20:54.001Z", Stale(field="created", stated=f"{AT + 1}", newest=f"{AT}")),
        (
            {"created": AT, "remoteAddress": "192.0.2.2"},
            Stale(field="remoteAddress", stated="192.0.2.2", newest="192.0.2.1"),
        ),
        ({"remoteAddress": "192.0.2.1", "browser": "Edge"}, None),
    ],
)
@pytest.mark.parametrize("key", ["M", "R"])
def test_a_state_is_compared_with_the_newest_event(key: str, state: Any, found: Stale | None) -> None:
    assert stale(NEWEST, {key: state}, OPEN) == found
    assert distinguishes_events(NEWEST, {key: state}, OPEN)


def test_a_stale_state_is_reported_with_the_first_field_that_shows_it() -> None:
    fact = StateIsStale(stale=1, states=2, field="remoteAddress", stated="192.0.2.2", newest="192.0.2.1")
    said = "After older events arrived late, 1 of 2 end states are not the newest event's: for the first, "
    assert sentences.actual([fact]) == f"{said}its remoteAddress is 192.0.2.2, not 192.0.2.1"
    assert sentences.actual([StateIsStale(stale=1, states=2, field=None)]) == f"{said}there is none"


def test_a_missing_state_is_stale_and_an_empty_one_is_not() -> None:
    assert stale(NEWEST, {"another": AT}, OPEN) == Stale()
    for state in ({}, {"browser": "Edge"}, "yesterday", {"created": None}):
        assert stale(NEWEST, {"M": state}, OPEN) is None
        assert not distinguishes_events(NEWEST, {"M": state}, OPEN)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (3, "3, expected an object by mailId or recipientId, or a list of objects with one of them"),
        ([1], "[1], expected an object by mailId or recipientId, or a list of objects with one of them"),
        (None, "null, expected an object by mailId or recipientId, or a list of objects with one of them"),
        ({"M": [1]}, "[1] is no state, expected fields of an event or its created"),
        ({"M": True}, "true is no state, expected fields of an event or its created"),
    ],
)
def test_an_invalid_state_is_an_error(found: Any, said: str) -> None:
    with pytest.raises(CouldNotTellError) as refused:
        states_in(found, "state probe")
    assert str(refused.value) == f"state probe: {said}"


def test_an_end_state_that_cannot_be_read_is_inconclusive_from_the_start() -> None:
    with pytest.raises(CouldNotTellError, match="state probe http://app/state: 3, expected an object"):
        finding(consumer_app(), url_state("`3`"))
    with pytest.raises(CouldNotTellError, match=r"http://app/none: responded 404, expected 200"):
        finding(consumer_app(), lambda transport: UrlState("http://app/none", transport, timeout=5_000))


@pytest.mark.parametrize(
    ("bug", "status", "said"), [(None, 0, r"1 passed +order 1\n"), ("last-arrival-wins", 1, r"newest-event-wins")]
)
def test_the_command_checks_the_end_state(
    bug: str | None, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve_in_thread(consumer_app(bug)) as url:
        more = ("--probe-state", f"{url}/state", "--probe-states", "values(@)", "--rules", "newest-event-wins")
        arguments = ["check", f"{url}/hook", "--probe", f"{url}/processed", *more]
        assert cli.main(arguments, standalone_mode=False) == status
    assert re.search(said, capsys.readouterr().out)
