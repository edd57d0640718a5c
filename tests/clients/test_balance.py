"""The balance of mails: whatever calls, recipients and webhooks do, reports and events agree."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mockcampaign.clients.sent_mail import SendStatus
from mockcampaign.clients.smart_campaign import CampaignKind
from mockcampaign.engine.journal import Happened, MailSent, comparable
from mockcampaign.engine.journal_file import Heading, JournalWriter
from mockcampaign.judging.recorded import load_journals
from mockcampaign.model import EventType
from mockcampaign.policy import HOUR, MINUTE
from sent_mails import STEPS, play


@given(st.lists(STEPS, max_size=25), st.integers(0, 100))
@example([("send", "", 0), ("unsubscribe", 0)], 0)  # before the mail is sent
@example([("unsubscribe", 0), ("send", "", 0), ("block", 1), ("send", "", 1), ("advance", MINUTE)], 0)
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
    assert counts.hard_bounces + counts.soft_bounces <= counts.count(EventType.BOUNCE)
    for one in client.mails():
        occurred = types[one.facts.mail_id]
        assert occurred == [event.type for event in one.events_until(campaign.now)]
        assert occurred.count(EventType.SENT) <= 1
        if one.result is SendStatus.SENT:
            assert not occurred or occurred[0] is EventType.SENT
        else:
            assert set(occurred) <= {EventType.FILTEREDBYBLOCKLIST, EventType.BLOCKLIST, EventType.UNSUBSCRIBE}
        is_filtered = one.result is SendStatus.BLACKLISTED and one.sent_at <= campaign.now
        assert (EventType.FILTEREDBYBLOCKLIST in occurred) is is_filtered
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
@example([("send", "silent+", 0), *[("act", EventType.OPEN)] * 2, ("advance", HOUR)], 0)
@example([("send", "silent+", 0), *[("act", EventType.CLICK)] * 2, ("advance", HOUR)], 0)
@settings(deadline=None, max_examples=30)
def test_unique_numbers_count_mails(steps: list[Any], seed: int) -> None:
    campaign = play(steps, seed)
    client = campaign.client()
    [mail] = client.state.campaigns_of(CampaignKind.EVENT)
    counts = client.state.counts(mail.id)
    occurred = [{event.type for event in one.events_until(campaign.now)} for one in client.mails()]
    assert counts.unique_opens == sum(EventType.OPEN in types for types in occurred)
    assert counts.unique_clicks == sum(EventType.CLICK in types for types in occurred)
