"""The balance of mails: whatever calls, recipients and webhooks do, reports and events agree."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from mockcampaign.campaign import Campaign
from mockcampaign.clients.definitions import ClientDefinition
from mockcampaign.clients.mail_commands import ACTS
from mockcampaign.clients.sent_mail import SendStatus
from mockcampaign.clients.smart_campaign import CampaignKind
from mockcampaign.engine.journal import Happened, MailSent, comparable
from mockcampaign.engine.journal_file import Heading, JournalWriter
from mockcampaign.errors import RejectedError
from mockcampaign.events import Rates
from mockcampaign.judging.recorded import load_journals
from mockcampaign.model import EventType
from mockcampaign.policy import DAY, DEFAULT_CLIENT_ID, HOUR, MINUTE, SECOND
from mockcampaign.transport.always_ok import AlwaysOkTransport

LIVELY = Rates(opening=0.8, clicking=0.6, unsubscribing=0.2, complaining=0.1, hard_bouncing=0.1, soft_bouncing=0.1)
PREFIXES = ("", "silent+", "bounce+", "softbounce+", "open+", "click+", "unsubscribe+", "complaint+", "other+")

SENDS = st.tuples(st.just("send"), st.sampled_from(PREFIXES), st.integers(0, 3))
STEPS = st.one_of(
    SENDS,
    SENDS,
    st.tuples(st.just("act"), st.sampled_from([kind for kind in ACTS if kind is not EventType.DOUBLEOPTIN])),
    st.tuples(st.just("advance"), st.sampled_from([1, SECOND, 2 * SECOND, MINUTE, HOUR, DAY, 20 * DAY])),
    st.tuples(st.just("webhook"), st.sampled_from(list(EventType))),
    st.tuples(st.just("block"), st.integers(0, 3)),
    st.tuples(st.just("unsubscribe"), st.integers(0, 3)),
    st.tuples(st.just("stop")),
)


def play(steps: list[Any], seed: int) -> Campaign:
    """Carry out the steps; those that do not fit the state are rejected."""
    definition = ClientDefinition(rates=LIVELY)
    campaign = Campaign(AlwaysOkTransport(), seed=seed, clients={DEFAULT_CLIENT_ID: definition})
    [mail] = campaign.client().state.campaigns_of(CampaignKind.EVENT)
    for name, *arguments in steps:
        client = campaign.client()
        try:
            match name:
                case "send":
                    prefix, number = arguments
                    client.send(mail.id, mail.list_ids[0], f"{prefix}r{number}@example.com")
                case "act":
                    client.act(client.mails()[-1].facts.mail_id, arguments[0], after=MINUTE) if client.mails() else None
                case "advance":
                    asyncio.run(campaign.advance(arguments[0]))
                case "webhook":
                    found = [one for one in campaign.webhooks.all() if one.type == arguments[0]]
                    if found:
                        campaign.deactivate(found[0])
                    else:
                        campaign.activate(campaign.create(arguments[0], "http://consumer/"))
                case "block":
                    client.block(f"*r{arguments[0]}@example.com")
                case "unsubscribe":
                    client.unsubscribe([f"r{arguments[0]}@example.com"])
                case "stop":
                    client.stop_transactional_mail(mail.id)
        except RejectedError:
            pass
    return campaign


@given(st.lists(STEPS, max_size=25), st.integers(0, 100))
@settings(deadline=None, max_examples=30)
def test_reports_are_what_was_exported_and_what_nobody_wanted(steps: list[Any], seed: int) -> None:
    campaign = play(steps, seed)
    client = campaign.client()
    [mail] = client.state.campaigns_of(CampaignKind.EVENT)
    types: dict[str, list[EventType]] = defaultdict(list)
    exported: Counter[EventType] = Counter()
    unwanted: Counter[EventType] = Counter()
    sent = {entry.mail_id for entry in campaign.journal.entries if isinstance(entry, MailSent)}
    for entry in campaign.journal.entries:
        if isinstance(entry, Happened):
            for raw in entry.events:
                mail_id = msgspec.json.decode(raw)["mailId"]
                types[mail_id].append(entry.type)
                if mail_id in sent:
                    (exported if entry.webhook_ids else unwanted)[entry.type] += 1
    counts = client.state.counts(mail.id)
    assert counts.events == exported + unwanted
    assert counts.mails == len(sent) == len(client.mails())
    assert counts.hard_bounces + counts.soft_bounces <= counts.events[EventType.BOUNCE]
    for one in client.mails():
        occurred = types[one.facts.mail_id]
        assert occurred == [event.type for event in one.events_until(campaign.now)]
        assert occurred.count(EventType.SENT) <= 1
        if one.result is SendStatus.SENT:
            assert not occurred or occurred[0] is EventType.SENT
        else:
            assert set(occurred) <= {EventType.FILTEREDBYBLOCKLIST, EventType.BLOCKLIST, EventType.UNSUBSCRIBE}
        assert (one.status(campaign.now) is SendStatus.SENT) <= (EventType.SENT in occurred)


@given(st.lists(STEPS, max_size=12))
@settings(deadline=None, max_examples=20)
def test_a_journal_with_mails_is_one_that_can_be_judged(tmp_path_factory: Any, steps: list[Any]) -> None:
    campaign = play(steps, 1)
    path = tmp_path_factory.mktemp("journals") / "journal.jsonl"
    with path.open("wb", buffering=0) as file:
        JournalWriter(file, lambda: 0.0).write(
            campaign.journal.entries, Heading(name="mails", target="http://consumer/")
        )
    [journal] = load_journals(path)
    assert comparable(journal.entries) == comparable(campaign.journal.entries)


@given(st.lists(STEPS, max_size=12), st.integers(0, 3))
@settings(deadline=None, max_examples=20)
def test_equal_seeds_have_equal_mails(steps: list[Any], seed: int) -> None:
    assert play(steps, seed).journal.entries == play(steps, seed).journal.entries


@given(st.lists(STEPS, max_size=25), st.integers(0, 100))
@settings(deadline=None, max_examples=30)
def test_unique_numbers_count_mails(steps: list[Any], seed: int) -> None:
    campaign = play(steps, seed)
    client = campaign.client()
    [mail] = client.state.campaigns_of(CampaignKind.EVENT)
    counts = client.state.counts(mail.id)
    occurred = [{event.type for event in one.events_until(campaign.now)} for one in client.mails()]
    assert counts.unique_opens == sum(EventType.OPEN in types for types in occurred)
    assert counts.unique_clicks == sum(EventType.CLICK in types for types in occurred)
