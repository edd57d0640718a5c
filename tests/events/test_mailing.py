"""Mailings behave as the reports say that people and machines do, within stated tolerances over a fixed seed."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache
from ipaddress import ip_address
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import Consumer
from mockcampaign.campaign import Campaign
from mockcampaign.errors import InvalidInputError
from mockcampaign.events import (
    AUDIENCE_MAX,
    DEFAULT_RATES,
    Actor,
    Generator,
    Mailing,
    MailingEvent,
    Rates,
    field_values,
)
from mockcampaign.events.behaviour import AUTORESPONDER, LENGTH_MAX, RHYTHM
from mockcampaign.events.people import MACHINES
from mockcampaign.model import EventType
from mockcampaign.policy import DAY, DEFAULT_CLIENT_ID, DEFAULT_START, HOUR, MINUTE
from mockcampaign.shape.builtin import BOUNCE_CATEGORIES

START = DEFAULT_START + 9 * HOUR
"""Start of the mailing: 10 o'clock where most recipients live, as in the reports behind the delays."""

OPEN, CLICK, SENT, BOUNCE = EventType.OPEN, EventType.CLICK, EventType.SENT, EventType.BOUNCE


def mailing(recipients: int, *, types: Any = tuple(EventType), seed: str = "1", **rates: float) -> Mailing:
    generator = Generator(seed, DEFAULT_CLIENT_ID)
    return generator.mailing(recipients, START, rates=Rates(**rates), types=types)


@cache
def large() -> tuple[MailingEvent, ...]:
    return tuple(mailing(40_000, seed="statistics"))


def mail_of(event: MailingEvent) -> tuple[int, int]:
    return event.recipient, event.list_number


def mails(kind: EventType, wanted: Callable[[MailingEvent], bool] = lambda _: True) -> set[tuple[int, int]]:
    return {mail_of(one) for one in large() if one.type is kind and wanted(one)}


def by_recipient(one: MailingEvent) -> bool:
    return one.actor not in {*MACHINES, Actor.FRIEND}


def undelivered() -> set[tuple[int, int]]:
    return mails(BOUNCE, lambda one: one.detail != AUTORESPONDER)


def delivered() -> int:
    return len(mails(SENT)) - len(undelivered())


def first_opens() -> dict[tuple[int, int], int]:
    """Return the recipient's first open of each mail, in milliseconds after it was sent."""
    sent = {mail_of(one): one.at for one in large() if one.type is SENT}
    delays: dict[tuple[int, int], int] = {}
    for one in large():
        if one.type is OPEN and by_recipient(one):
            delays.setdefault(mail_of(one), one.at - sent[mail_of(one)])
    return delays


# Statistics


def test_mails_bounce_at_the_rates_of_the_report() -> None:
    """Within a fifth: some 160 hard and 250 soft bounces and 200 automatic responses vary by a tenth, some 40 unknown
    ones by a sixth."""
    categories = Counter(json.loads(one.payload())["category"] for one in large() if one.type is BOUNCE)
    sent = len(mails(SENT))
    assert set(categories) == set(BOUNCE_CATEGORIES)
    assert categories["hardbounce"] / sent == pytest.approx(DEFAULT_RATES.hard_bouncing, rel=0.2)
    assert categories["softbounce"] / sent == pytest.approx(DEFAULT_RATES.soft_bouncing, rel=0.2)
    assert categories["autoresponder"] / delivered() == pytest.approx(DEFAULT_RATES.autoresponding, rel=0.2)
    assert categories["unknown"] / sent == pytest.approx(DEFAULT_RATES.unknown_bouncing, rel=0.4)


def test_a_recipient_whose_mailbox_responds_gets_the_mail_and_may_read_it() -> None:
    responded = mails(BOUNCE, lambda one: one.detail == AUTORESPONDER)
    assert len(responded & mails(OPEN)) / len(responded) == pytest.approx(0.36, abs=0.1)


def test_a_recipient_whose_tracking_is_switched_off_shows_no_open_or_click() -> None:
    """All other events go on, also those of two mailings to the same people."""
    one, other = mailing(4_000, opening=1, untracked=0.1), mailing(4_000, opening=1, untracked=0)
    tracked = {event.recipient for event in one if event.type in (OPEN, CLICK)}
    untracked = {event.recipient for event in other if event.type in (OPEN, CLICK)} - tracked
    assert one.untracked_count() == pytest.approx(400, abs=60)
    assert len(untracked) == pytest.approx(one.untracked_count(), abs=20)  # those who bounced show none in any case
    kept = [event.payload() for event in other if event.type not in (OPEN, CLICK) or event.recipient not in untracked]
    assert [event.payload() for event in one] == kept
    assert Counter(event.type for event in one if event.recipient in untracked)[EventType.UNSUBSCRIBE] > 0


def test_recipients_open_at_the_rate_of_the_report() -> None:
    """22.71 % read, of whom 18 % sit behind a privacy proxy, and some click with images blocked: within 0.6 points."""
    rates = DEFAULT_RATES
    expected = rates.opening * (1 - rates.prefetched) * (1 - rates.clicking * rates.blocking)
    assert len(first_opens()) / delivered() == pytest.approx(expected, abs=0.006)


def test_mails_show_as_many_opens_as_reports_with_privacy_proxy() -> None:
    """Mailchimp reports 35 to 36 % of delivered mails: within 2 points."""
    assert len(mails(OPEN)) / delivered() == pytest.approx(0.36, abs=0.02)


def test_recipients_click_at_the_rate_of_the_report() -> None:
    """2.91 % of delivered mails, and 12.8 % of those that are read: within 0.25 and 1.2 points."""
    clicked = mails(CLICK, by_recipient)
    assert len(clicked) / delivered() == pytest.approx(0.0291, abs=0.0025)
    opened = first_opens()
    assert len(clicked & set(opened)) / len(opened) == pytest.approx(0.128 * 0.95, abs=0.012)


def test_some_click_without_an_open() -> None:
    """Images are blocked, or the open hid behind the privacy proxy: about a fifth of those who click."""
    clicked = mails(CLICK, by_recipient)
    share = len(clicked - set(first_opens())) / len(clicked)
    rates = DEFAULT_RATES
    assert share == pytest.approx(1 - (1 - rates.prefetched) * (1 - rates.blocking), abs=0.05)


def test_machines_open_and_click_at_the_rates_of_the_reports() -> None:
    """41 % of opens by the privacy proxy within 2 points; 10 to 30 % of clicks by scanners."""
    actors = {kind: Counter(one.actor for one in large() if one.type is kind) for kind in (OPEN, CLICK)}
    assert actors[OPEN][Actor.PRIVACY_PROXY] / actors[OPEN].total() == pytest.approx(0.41, abs=0.02)
    assert 0.10 < actors[CLICK][Actor.SCANNER] / actors[CLICK].total() < 0.30


@pytest.mark.parametrize(("hours", "share"), [(1, 0.215), (3, 0.362), (6, 0.518), (24, 0.789), (7 * 24, 0.95)], ids=str)
def test_first_opens_occur_at_the_times_of_the_reports(hours: int, share: float) -> None:
    """Within 4 points, as a seventh of the recipients live where it is night or evening at the sending."""
    delays = list(first_opens().values())
    assert sum(delay <= hours * HOUR for delay in delays) / len(delays) == pytest.approx(share, abs=0.04)


def test_half_open_within_some_six_hours_and_nine_of_ten_within_some_three_days() -> None:
    """The curve's own are 5.7 hours and 3 days, for those who get the mail at 10 in the morning: within a fifth, and a
    quarter, because few open after three days and these days are long."""
    delays = sorted(first_opens().values())
    assert delays[len(delays) // 2] == pytest.approx(5.7 * HOUR, rel=0.2)
    assert delays[len(delays) * 9 // 10] == pytest.approx(3 * DAY, rel=0.25)


def test_devices_have_the_shares_of_the_report() -> None:
    """Of opens that show the recipient's own client: each device within 3 points."""
    expected: Counter[str] = Counter()
    for weight, (owner, (device, _, _)) in field_values.MAILBOXES:
        if owner == field_values.OWN:
            expected[device] += weight
    seen = Counter(
        json.loads(one.payload())["device"] for one in large() if one.type is OPEN and one.actor is Actor.PERSON
    )
    assert set(seen) == set(expected)
    for device, weight in expected.items():
        assert seen[device] / seen.total() == pytest.approx(weight / expected.total(), abs=0.03)


def test_gmails_proxy_makes_its_share_of_opens() -> None:
    """30.4 of the 51.4 % of opens that Litmus counted outside Apple's proxy: within 3 points."""
    opens = Counter(one.actor for one in large() if one.type is OPEN)
    own = opens[Actor.PERSON] + opens[Actor.IMAGE_PROXY]
    google = sum(weight for weight, (owner, _) in field_values.MAILBOXES if owner == field_values.GOOGLE) / 10_000
    assert opens[Actor.IMAGE_PROXY] / own == pytest.approx(google, abs=0.03)


def test_people_sleep() -> None:
    """In the second night, an hour sees less than half of what an hour of the day after does."""
    hours = Counter((one.at + 60 * MINUTE) // HOUR % 24 for one in large() if one.type is OPEN and by_recipient(one))
    assert sum(hours[hour] for hour in (1, 2, 3)) < 0.5 * sum(hours[hour] for hour in (13, 14, 15))


# What always holds


def test_events_are_in_order_and_within_a_month_after_their_mail() -> None:
    sent: dict[tuple[int, int], int] = {}
    for one, other in pairwise(large()):
        assert one.at <= other.at
    for one in large():
        if one.type in (SENT, EventType.FILTEREDBYBLOCKLIST):
            assert mail_of(one) not in sent
            sent[mail_of(one)] = one.at
        else:
            assert sent[mail_of(one)] <= one.at <= sent[mail_of(one)] + LENGTH_MAX + MINUTE


def test_no_link_is_clicked_before_the_mail_is_read() -> None:
    """The recipient reads the mail, if images show it."""
    opened = {mail_of(one): one.at for one in reversed(large()) if one.type is OPEN and by_recipient(one)}
    late = [one for one in large() if one.type is CLICK and by_recipient(one) and one.at < opened.get(mail_of(one), 0)]
    assert late == []


def test_bounced_and_filtered_mails_have_no_further_events() -> None:
    gone = undelivered() | mails(EventType.FILTEREDBYBLOCKLIST)
    assert gone
    assert not gone & (mails(OPEN) | mails(CLICK) | mails(EventType.UNSUBSCRIBE) | mails(EventType.SPAMCOMPLAINT))


def test_events_fit_together() -> None:
    """A mail has one recipient, list, subscription and mailId; a person one home."""
    mail_ids: dict[str, tuple[Any, ...]] = {}
    homes: dict[str, set[str]] = defaultdict(set)
    addresses: dict[str, set[str]] = defaultdict(set)
    for one in mailing(3_000, opening=1):
        event = json.loads(one.payload())
        assert (event["type"], event["created"], event["clientId"]) == (one.type, one.at, DEFAULT_CLIENT_ID)
        identity = tuple(event[name] for name in ("mailingId", "userListId", "recipientId", "subscriptionId"))
        assert mail_ids.setdefault(event["mailId"], identity) == identity
        if one.type is CLICK and one.actor is Actor.PERSON:
            homes[event["recipientId"]].add(event["remoteAddress"])
        if one.type is not OPEN:
            addresses[event["mediaTypesToAddresses"]["EMAIL"]].add(event["recipientId"])
    assert len(set(mail_ids.values())) == len(mail_ids)
    assert {len(places) for places in homes.values()} == {1}
    assert len(addresses) == 3_000
    assert {len(recipients) for recipients in addresses.values()} == {1}


def test_all_events_of_a_mailing_differ() -> None:
    payloads = [one.payload() for one in mailing(5_000, opening=1, clicking=0.9, reopening=0.9, reloading=0.9)]
    assert len(payloads) > 80_000
    assert len(set(payloads)) == len(payloads)


def test_twins_are_equal_in_all_fields() -> None:
    """The vendor's example has two equal events."""
    plain = Counter(one.payload() for one in mailing(500, opening=0.5))
    twins = Counter(one.payload() for one in mailing(500, opening=0.5, twins=1))
    for payload, count in plain.items():
        assert twins[payload] == count * (1 + (json.loads(payload)["type"] in ("open", "click")))
    assert set(twins) == set(plain)


def test_mailings_of_a_client_go_to_the_same_people_with_different_mails() -> None:
    generator = Generator("1", DEFAULT_CLIENT_ID)
    first, second = ([json.loads(one.payload()) for one in generator.mailing(50, START)] for _ in range(2))
    recipients = [{event["recipientId"] for event in events} for events in (first, second)]
    assert recipients[0] == recipients[1]
    assert not {event["mailId"] for event in first} & {event["mailId"] for event in second}
    assert {event["mailingId"] for event in first} != {event["mailingId"] for event in second}


def test_a_mailing_without_some_types_has_the_same_other_events() -> None:
    whole = [one.payload() for one in mailing(2_000) if one.type in (CLICK, BOUNCE)]
    chosen = mailing(2_000, types=(CLICK, BOUNCE))
    assert [one.payload() for one in chosen] == whole
    assert set(chosen.counts) == {CLICK, BOUNCE}
    assert chosen.events == len(whole)


def test_a_mailing_can_be_iterated_twice() -> None:
    one = mailing(300)
    assert [event.payload() for event in one] == [event.payload() for event in one]


# Rates


def counted(**rates: float) -> Counter[tuple[EventType, Actor]]:
    off = {"filtered": 0, "hard_bouncing": 0, "soft_bouncing": 0, "in_two_lists": 0, "prefetched": 0, "scanned": 0}
    off |= {"unknown_bouncing": 0, "autoresponding": 0, "untracked": 0}
    off |= dict.fromkeys(("opening", "reopening", "reloading", "forwarding", "unsubscribing", "complaining"), 0)
    return Counter((one.type, one.actor) for one in mailing(100, **(off | rates)))


PERSON = Actor.PERSON


@pytest.mark.parametrize(
    ("rates", "kind", "actor", "low", "high"),
    [
        ({}, SENT, PERSON, 100, 100),
        ({"filtered": 1}, EventType.FILTEREDBYBLOCKLIST, PERSON, 100, 100),
        ({"filtered": 1}, SENT, PERSON, 0, 0),
        ({"hard_bouncing": 1}, BOUNCE, PERSON, 100, 100),
        ({"soft_bouncing": 1}, BOUNCE, PERSON, 100, 100),
        ({"unknown_bouncing": 1}, BOUNCE, PERSON, 100, 100),
        ({"unknown_bouncing": 1, "autoresponding": 1, "prefetched": 1}, OPEN, Actor.PRIVACY_PROXY, 0, 0),
        ({"autoresponding": 1}, BOUNCE, PERSON, 100, 100),
        ({"autoresponding": 1, "prefetched": 1}, OPEN, Actor.PRIVACY_PROXY, 100, 100),
        ({"untracked": 1, "prefetched": 1, "scanned": 1}, OPEN, Actor.PRIVACY_PROXY, 0, 0),
        ({"untracked": 1, "scanned": 1}, CLICK, Actor.SCANNER, 0, 0),
        ({"untracked": 1}, SENT, PERSON, 100, 100),
        ({"in_two_lists": 1}, SENT, PERSON, 200, 200),
        ({"prefetched": 1}, OPEN, Actor.PRIVACY_PROXY, 100, 100),
        ({"prefetched": 1, "opening": 1}, OPEN, PERSON, 0, 0),
        ({"scanned": 1}, OPEN, Actor.SCANNER, 100, 100),
        ({"scanned": 1}, CLICK, Actor.SCANNER, 500, 500),
        ({"opening": 1, "clicking": 1, "clicking_on": 0, "blocking": 0}, CLICK, PERSON, 98, 100),
        ({"opening": 1, "clicking": 1, "clicking_on": 0.9, "blocking": 0}, CLICK, PERSON, 500, 1_500),
        ({"opening": 1, "clicking": 1, "blocking": 1}, OPEN, PERSON, 0, 0),
        ({"opening": 1, "reopening": 0.9, "second_device": 1}, OPEN, Actor.ELSEWHERE, 100, 1_500),
        ({"opening": 1, "forwarding": 1}, OPEN, Actor.FRIEND, 100, 400),
        ({"opening": 1, "unsubscribing": 1}, EventType.UNSUBSCRIBE, PERSON, 98, 100),
        ({"opening": 1, "complaining": 1}, EventType.SPAMCOMPLAINT, PERSON, 98, 100),
        ({"opening": 1, "complaining": 1}, EventType.BLOCKLIST, PERSON, 98, 100),
    ],
)
def test_each_rate_does_what_it_says(
    rates: dict[str, float], kind: EventType, actor: Actor, low: int, high: int
) -> None:
    """Events after a month are left out, hence the 98."""
    assert low <= counted(**rates)[kind, actor] <= high


def test_images_are_fetched_again_within_seconds() -> None:
    opens = [
        one for one in mailing(200, opening=1, prefetched=0, reopening=0, reloading=1, clicking=0) if one.type is OPEN
    ]
    moments = defaultdict(list)
    for one in opens:
        if by_recipient(one):
            moments[mail_of(one)].append(one.at)
    assert {len(pair) for pair in moments.values()} == {2}
    assert all(200 <= second - first <= 20_000 for first, second in moments.values())


def test_a_scanner_clicks_every_link_within_seconds_and_few_addresses_serve_all() -> None:
    events = [
        json.loads(one.payload()) for one in mailing(300, scanned=1, opening=0, prefetched=0) if one.type is CLICK
    ]
    links = defaultdict(set)
    for event in events:
        links[event["mailId"]].add(event["link"])
    assert {len(urls) for urls in links.values()} == {len(field_values.LINKS)}
    assert len({event["remoteAddress"] for event in events}) <= len(field_values.SCANNER_ADDRESSES)


def test_a_privacy_proxy_comes_within_minutes_or_hours_from_few_addresses() -> None:
    opens = mailing(500, prefetched=1, opening=0, scanned=0, types=(OPEN,))
    events = [json.loads(one.payload()) for one in opens]
    assert len({event["remoteAddress"] for event in events}) <= len(field_values.PRIVACY_PROXY_ADDRESSES)
    assert {event["device"] for event in events} == {"unknown"}


def test_a_forwarded_mail_is_opened_in_several_places() -> None:
    places = defaultdict(set)
    for one in mailing(100, opening=1, forwarding=1, prefetched=0, reopening=0):
        if one.type is OPEN and one.actor in (PERSON, Actor.FRIEND):
            places[mail_of(one)].add(json.loads(one.payload())["remoteAddress"])
    assert max(len(addresses) for addresses in places.values()) >= 4


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"opening": 1.01}, "rates.opening: 1.01 is out of range, allowed: 0 to 1"),
        ({"opening": -0.01}, "rates.opening: -0.01 is out of range, allowed: 0 to 1"),
        ({"opening": float("nan")}, "rates.opening: nan is out of range, allowed: 0 to 1"),
        ({"reopening": 0.91}, "rates.reopening: 0.91 would never end, allowed: 0 to 0.9"),
        ({"clicking_on": 1}, "rates.clicking_on: 1 would never end, allowed: 0 to 0.9"),
        ({"hard_bouncing": 0.6, "soft_bouncing": 0.5}, "rates.hard_bouncing and rates.soft_bouncing: together above 1"),
    ],
)
def test_impossible_rates_are_rejected(rates: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        Rates(**rates)
    assert str(refused.value) == message


@pytest.mark.parametrize("recipients", [0, AUDIENCE_MAX + 1])
def test_a_number_of_recipients_out_of_range_is_rejected_without_effect(recipients: int) -> None:
    campaign = Campaign(Consumer())  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match=f"{recipients} recipients, allowed: 1 to 5000000"):
        campaign.mailing(recipients)


def test_a_campaign_returns_the_number_of_events_of_a_mailing() -> None:
    campaign = Campaign(Consumer())  # type: ignore[arg-type]
    sent = campaign.mailing(1_000, rates=Rates(opening=1))
    assert sent.events == sum(sent.by_type.values()) > 2_000
    assert 990 <= sent.by_type[SENT] <= 1_040
    assert campaign.mailing(1).mailing_id != sent.mailing_id


@pytest.mark.parametrize("step", [7 * MINUTE, DAY])
def test_the_steps_in_which_time_passes_do_not_matter(step: int) -> None:
    """The events of a mailing fall due one by one, whichever steps move the clock."""

    async def posted(*steps: int) -> list[tuple[int, bytes]]:
        consumer = Consumer()
        campaign = Campaign(consumer, start=START)  # type: ignore[arg-type]
        for kind in (OPEN, BOUNCE):
            campaign.activate(campaign.create(kind, f"http://{kind}.test/"))
        campaign.mailing(150, rates=Rates(soft_bouncing=0.1))
        for duration in steps:
            await campaign.advance(duration)
        assert consumer.requests
        return [(campaign.now, request.body) for request in consumer.requests]

    count = 3 * DAY // step
    assert asyncio.run(posted(*[step] * count)) == asyncio.run(posted(step * count))


# Rhythm


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(-5 * DAY, 40_000 * DAY), st.integers(0, 40 * DAY))
def test_active_time_and_local_time_convert_both_ways(moment: int, active: int) -> None:
    later = RHYTHM.after(moment, active)
    assert later >= moment
    assert abs(RHYTHM.active(later) - RHYTHM.active(moment) - active) <= 2
    assert RHYTHM.active(moment + DAY) == RHYTHM.active(moment) + DAY


def test_an_hour_at_night_counts_less_than_one_at_day() -> None:
    assert RHYTHM.active(3 * HOUR) - RHYTHM.active(2 * HOUR) == HOUR * field_values.ACTIVITY[2] // 100
    assert RHYTHM.active(DAY) == DAY


def test_every_address_is_in_its_short_form() -> None:
    addresses = {json.loads(one.payload())["remoteAddress"] for one in large()[::7] if one.type in (OPEN, CLICK)}
    assert all(str(ip_address(address)) == address for address in addresses)
    assert sum(":" in address for address in addresses) > 100
