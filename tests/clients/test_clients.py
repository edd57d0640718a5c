"""What clients have, and what becomes of their mails, without any server."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockcampaign.campaign import Campaign
from mockcampaign.clients.client_store import ClientStore
from mockcampaign.clients.definitions import ClientDefinition, ListDefinition, MailDefinition, RecipientDefinition
from mockcampaign.clients.mail_planner import MailPlanner
from mockcampaign.clients.recipient_list import AttributeMode, FieldType, ListField, RecipientList
from mockcampaign.clients.sent_mail import STATUS_KEPT, SendStatus
from mockcampaign.clients.smart_campaign import CampaignKind
from mockcampaign.engine.journal import Happened
from mockcampaign.errors import ConflictError, InvalidInputError, NotFoundError, WrongFieldsError
from mockcampaign.events.behaviour import Behaviour, PlannedEvent
from mockcampaign.events.rates import DEFAULT_RATES
from mockcampaign.model import EventType
from mockcampaign.policy import DAY, DEFAULT_CLIENT_ID, SECOND, Policy
from mockcampaign.shape.infer import infer_shape
from mockcampaign.transport.always_ok import AlwaysOkTransport

NOW = 1_750_000_000_000


def sending(**more: object) -> tuple[Campaign, int, int]:
    """Return a campaign, its transactional mail and the list of that."""
    campaign = Campaign(AlwaysOkTransport(), **more)  # type: ignore[arg-type]
    mail = campaign.client().state.find_transactional_mail()
    return campaign, mail.id, mail.list_ids[0]


def send(campaign: Campaign, recipient: str) -> str:
    client = campaign.client()
    mail = client.state.find_transactional_mail()
    return client.send(mail.id, mail.list_ids[0], recipient).facts.mail_id


@pytest.mark.parametrize(
    ("after", "status"),
    [
        (0, "enqueued"),
        (SECOND - 1, "enqueued"),
        (SECOND, "sending"),
        (2 * SECOND - 1, "sending"),
        (2 * SECOND, "sent"),
        (STATUS_KEPT - 1, "sent"),
        (STATUS_KEPT, "enqueued"),
    ],
)
def test_the_status_of_a_mail_follows_from_the_clock(after: int, status: str) -> None:
    campaign, *_ = sending()
    mail = campaign.client().get_mail(send(campaign, "silent+anna@example.com"))
    assert mail.status(mail.accepted_at + after) == status


def test_a_mail_may_be_sent_at_once() -> None:
    campaign, *_ = sending(policy=Policy(send_delay=0))
    mail_id = send(campaign, "silent+anna@example.com")
    assert campaign.client().get_mail(mail_id).status(campaign.now) is SendStatus.SENT
    assert [entry.type for entry in campaign.journal.entries if isinstance(entry, Happened)] == [EventType.SENT]


@pytest.mark.parametrize(("hard", "soft", "prefix", "mails"), [(1, 9, "bounce", 1), (3, 2, "softbounce", 2)])
def test_the_limits_of_bounces_are_those_of_the_policy(hard: int, soft: int, prefix: str, mails: int) -> None:
    campaign, *_ = sending(policy=Policy(hard_bounces_max=hard, soft_bounces_max=soft))
    results = []
    for _ in range(mails + 1):
        mail_id = send(campaign, f"{prefix}+anna@example.com")
        asyncio.run(campaign.advance(10 * DAY))
        results.append(campaign.client().get_mail(mail_id).result)
    assert results == [SendStatus.SENT] * mails + [SendStatus.TOO_MANY_BOUNCES]


@pytest.mark.parametrize(
    ("prefix", "counted"), [("bounce", (1, 0)), ("softbounce", (0, 1)), ("autoresponder", (0, 0)), ("open", (0, 0))]
)
def test_bounces_count_by_category_and_address_in_any_case(prefix: str, counted: tuple[int, int]) -> None:
    campaign, number, _ = sending()
    send(campaign, f"{prefix}+Anna@Example.com")
    asyncio.run(campaign.advance(10 * DAY))
    client, address = campaign.client(), f"{prefix}+anna@example.COM"
    counts = client.state.counts(number)
    assert counts.count(EventType.BOUNCE) == (prefix != "open")
    assert client.state.bounces(address) == (counts.hard_bounces, counts.soft_bounces) == counted
    client.reset_bounces(address)
    assert client.state.bounces(f"{prefix}+Anna@Example.com") == (0, 0)


@pytest.mark.parametrize(("blocked", "is_blocked"), [("A@example.com", True), ("4711", True), ("b@example.com", False)])
def test_a_recipient_is_blocked_by_address_and_by_id(blocked: str, is_blocked: bool) -> None:
    campaign, mail, number = sending()
    client = campaign.client()
    client.block(blocked)
    sent = client.send(mail, number, "4711", data={"email": "a@example.com"})
    assert (sent.result is SendStatus.BLACKLISTED) is is_blocked


def test_a_mail_is_sent_before_anything_else_of_the_same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(self: Behaviour, planned: list[PlannedEvent], *arguments: object) -> None:
        planned += [PlannedEvent(0, EventType.OPEN, 0), PlannedEvent(0, EventType.SENT, 0)]

    monkeypatch.setattr(Behaviour, "plan", plan)
    events = MailPlanner("seed", DEFAULT_RATES).plan("anna@example.com", 1 << 31, 1, NOW)
    assert [(event.at, event.type) for event in events] == [(NOW, EventType.SENT), (NOW, EventType.OPEN)]


def occurred(campaign: Campaign, event_type: EventType) -> int:
    entries = campaign.journal.entries
    return sum(len(entry.events) for entry in entries if isinstance(entry, Happened) and entry.type is event_type)


def test_a_repeated_unsubscribe_or_blocklist_entry_causes_no_event() -> None:
    campaign, _, number = sending()
    client = campaign.client()
    assert client.unsubscribe(["anna@example.com"], list_id=number) == (["anna@example.com"], [])
    assert client.unsubscribe(["anna@example.com", "bob@example.com"]) == (["bob@example.com"], ["anna@example.com"])
    assert client.state.unsubscribes["anna@example.com"].list_id == number
    assert [client.block("carl@example.com", reason).reason for reason in ("first", "second")] == ["first", "second"]
    assert (occurred(campaign, EventType.UNSUBSCRIBE), occurred(campaign, EventType.BLOCKLIST)) == (2, 1)
    with pytest.raises(NotFoundError):
        client.remove_unsubscribes(["anna@example.com", "nobody@example.com"])
    assert set(client.state.unsubscribes) == {"anna@example.com", "bob@example.com"}


def test_a_complaint_puts_the_address_on_the_blocklist_and_no_two_acts_are_equal() -> None:
    campaign, *_ = sending()
    client, mail_id = campaign.client(), send(campaign, "silent+anna@example.com")
    moments = [client.act(mail_id, EventType.OPEN).at for _ in range(3)]
    assert len(set(moments)) == 3
    client.act(mail_id, EventType.SPAMCOMPLAINT)
    asyncio.run(campaign.advance(DAY))
    assert occurred(campaign, EventType.BLOCKLIST) == 1
    assert campaign.client().state.blocklist.match("SILENT+anna@example.com") is not None
    assert campaign.client().get_mail(send(campaign, "silent+anna@example.com")).result is SendStatus.BLACKLISTED


def test_a_mailing_goes_to_all_recipients_of_all_its_lists_but_pending_ones() -> None:
    campaign, *_ = sending()
    client = campaign.client()
    first, second = client.state.lists
    [process] = [one.id for one in client.state.optin_processes.values() if one.type == "double"]
    for number, name in ((first, "anna"), (first, "bob"), (second, "anna"), (second, "carl")):
        client.add_recipient(number, f"silent+{name}@example.com")
    client.add_recipient(second, "dora@example.com", optin_process_id=process)
    mailing = client.create_campaign(CampaignKind.REGULAR, list_ids=(first, second))
    client.add_message(mailing, subject="News")
    client.start_mailing(mailing.id)
    sent = [(mail.facts.list_id, mail.facts.recipient_id.partition("@")[0]) for mail in client.mails()]
    expected = [(first, "anna"), (first, "bob"), (second, "anna"), (second, "carl")]
    assert sent == [(number, f"silent+{name}") for number, name in expected]


def test_an_opt_in_is_confirmed_in_one_list() -> None:
    client = Campaign(AlwaysOkTransport()).client()
    [process] = [one for one in client.state.optin_processes.values() if one.type == "double"]
    first, second = client.state.lists
    for number in (first, second):
        client.add_recipient(number, "anna@example.com", optin_process_id=process.id)
    client.confirm_optin("anna@example.com", list_id=second)
    assert client.state.get_recipient(second, "anna@example.com").id == "anna@example.com"
    with pytest.raises(NotFoundError):
        client.state.get_recipient(first, "anna@example.com")


def test_a_mail_to_the_same_recipient_has_another_id() -> None:
    campaign, *_ = sending()
    ids = [send(campaign, "silent+anna@example.com") for _ in range(50)]
    assert len(set(ids)) == 50
    client = campaign.client()
    mailing = client.state.find_transactional_mail().messages[0].mailing_id
    assert {one.partition("-")[0] for one in ids} == {ids[0].partition("-")[0]}
    assert client.get_mail(ids[0]).facts.mailing_id == mailing


def test_a_forgotten_mail_keeps_its_effects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockcampaign.clients.client_store.MAILS_MAX", 2)
    campaign, number, _ = sending()
    first = send(campaign, "bounce+anna@example.com")
    for _ in range(3):
        send(campaign, "open+bob@example.com")
    with pytest.raises(NotFoundError):
        campaign.client().get_mail(first)
    with pytest.raises(NotFoundError):
        campaign.client_of_mail(first)
    asyncio.run(campaign.advance(40 * DAY))
    client = campaign.client()
    assert len(client.mails()) == 2
    counts = client.state.counts(number)
    assert (counts.mails, counts.hard_bounces, counts.unique_opens) == (4, 1, 3)
    assert client.state.bounces("bounce+anna@example.com") == (1, 0)


def test_mails_have_the_shape_of_captured_events() -> None:
    captured = {
        "kind": "sent",
        "mailRef": "AAAA-1111",
        "mailing": 481516,
        "who": {"id": "4711"},
        "at": 1_735_689_600_000,
    }
    shape = infer_shape(
        [captured, {**captured, "mailRef": "BBBB-2222", "who": {"id": "4712"}}], event_type=EventType.SENT
    )
    campaign, *_ = sending(shapes={EventType.SENT: shape})
    mail_id = send(campaign, "silent+anna@example.com")
    asyncio.run(campaign.advance(SECOND * 2))
    [entry] = [entry for entry in campaign.journal.entries if isinstance(entry, Happened)]
    event = msgspec.json.decode(entry.events[0])
    assert event.keys() == captured.keys()
    assert event["at"] == campaign.now
    assert mail_id in event.values()


def test_recipients_of_a_definition_are_in_their_list() -> None:
    anna = RecipientDefinition(id="4711", address="a@example.com")
    definition = ClientDefinition(lists=(ListDefinition(name="Shop", id=7, recipients=(anna,)),))
    campaign, *_ = sending(clients={DEFAULT_CLIENT_ID: definition})
    client = campaign.client()
    assert client.state.get_recipient(7, "4711").address == "a@example.com"
    with pytest.raises(ConflictError, match="exists already"):
        client.add_recipient(7, "4711", address="b@example.com")
    with pytest.raises(InvalidInputError, match="unknown recipient list 'Shap', did you mean 'Shop'"):
        client.state.find_list("Shap")


REQUIRED = RecipientList(
    id=7,
    name="Shop",
    fields=(
        ListField(name="created", type=FieldType.TIMESTAMP, required=True),
        ListField(name="customer", required=True),
        ListField(name="email", required=True),
        ListField(name="plan", required=True),
        ListField(name="firstname"),
    ),
    created=0,
    modified=0,
)


def test_the_first_required_field_is_the_id_and_campaign_sets_its_own_fields() -> None:
    assert (REQUIRED.required, REQUIRED.id_field) == (["customer", "email", "plan"], "customer")
    assert msgspec.structs.replace(REQUIRED, fields=()).id_field == "email"


def shop() -> Campaign:
    """Return a campaign with a list whose recipients need a plan, and a mail to that list and to an ordinary one."""
    lists = (ListDefinition(name="Shop", id=7, fields=REQUIRED.fields), ListDefinition(name="News", id=8))
    definition = ClientDefinition(lists=lists, mails=(MailDefinition(name="Order", lists=("Shop", "News"), id=9),))
    return sending(clients={DEFAULT_CLIENT_ID: definition})[0]


FIELDS = ("customer", "email", "plan", "firstname")


@given(st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(["", "a", "b@example.com"])), st.booleans())
def test_a_recipient_has_every_required_field_however_it_was_added(data: dict[str, str], by_mail: bool) -> None:
    """Adding, sending and changing agree: a recipient with an empty required field never comes into being."""
    client = shop().client()
    empty = [name for name in ("customer", "email", "plan") if not data.get(name, "" if name == "plan" else "given")]

    def add() -> None:
        if by_mail:
            client.send(9, 7, "42", data=data)
        else:
            client.add_recipient(7, "42", address="a@example.com", data=data)

    if empty:
        with pytest.raises(WrongFieldsError) as refused:
            add()
        assert refused.value.violations == [
            f"data.{name}: missing, allowed: text, as recipient list 7 requires it" for name in empty
        ]
        assert (client.state.recipients[7], client.mails()) == ({}, [])
    else:
        add()
        known = client.state.get_recipient(7, "42")
        assert known.data["customer"] == data.get("customer", "42")
        assert known.data["plan"] == data["plan"]
    assert client.send(9, 8, "42", data={"email": "a@example.com"}).result is SendStatus.SENT


@pytest.mark.parametrize("by_mail", [False, True])
def test_no_change_empties_a_required_field(by_mail: bool) -> None:
    client = shop().client()
    client.add_recipient(7, "42", address="a@example.com", data={"plan": "gold", "firstname": "Anna"})

    def change(**data: str) -> None:
        client.send(9, 7, "42", data=data) if by_mail else client.change_recipient(7, "42", data)

    with pytest.raises(WrongFieldsError, match=r"data\.email: missing.*; data\.plan: missing"):
        change(plan="", email="", firstname="")
    assert client.state.get_recipient(7, "42").data["plan"] == "gold"
    change(firstname="")
    change(plan="free")
    client.change_recipient(7, "42", {"plan": ""}, AttributeMode.APPEND)
    known = client.state.get_recipient(7, "42")
    assert (known.data["plan"], known.data["firstname"], known.address) == ("free", "", "a@example.com")


def test_clients_share_no_ids() -> None:
    campaign = Campaign(AlwaysOkTransport())
    stores: list[ClientStore] = [campaign.client(number).state for number in (7, 8)]
    ids = [
        number
        for store in stores
        for number in (*store.lists, *store.optin_processes, *store.campaigns, store.other_mailing_id)
    ]
    ids += [campaign.client(number).create_campaign(CampaignKind.REGULAR).id for number in (7, 8, 7)]
    assert len(set(ids)) == len(ids)


def test_a_double_opt_in_is_confirmed_once() -> None:
    campaign = Campaign(AlwaysOkTransport())
    client = campaign.client()
    [process] = [one for one in client.state.optin_processes.values() if one.type == "double"]
    number = client.state.find_list().id
    added = client.add_recipient(number, "anna@example.com", optin_process_id=process.id)
    with pytest.raises(NotFoundError):
        client.state.get_recipient(number, added.id)
    client.confirm_optin(added.id)
    assert campaign.client().state.get_recipient(number, added.id).id == added.id
    with pytest.raises(NotFoundError, match="no double opt-in of the recipient is pending"):
        client.confirm_optin(added.id)


def test_a_list_forgets_its_oldest_recipients_of_mails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockcampaign.clients.client_store.RECIPIENTS_MAX", 2)
    monkeypatch.setattr("mockcampaign.clients.recipient_commands.RECIPIENTS_MAX", 2)
    campaign, _, number = sending()
    for name in ("a", "b", "c"):
        send(campaign, f"silent+{name}@example.com")
    found = campaign.client().state.recipients_of(number).values()
    assert [one.id for one in found] == ["silent+b@example.com", "silent+c@example.com"]
    with pytest.raises(ConflictError, match="has 2 recipients, which is the limit"):
        campaign.client().add_recipient(number, "d@example.com")


def test_a_mailing_to_too_many_recipients_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockcampaign.clients.mail_commands.MAILING_RECIPIENTS_MAX", 2)
    client = Campaign(AlwaysOkTransport()).client()
    number = client.state.find_list("Recipients").id
    mailing = client.create_campaign(CampaignKind.REGULAR, list_ids=(number,)).id
    for name in ("a", "b", "c"):
        client.add_recipient(number, f"{name}@example.com")
    with pytest.raises(ConflictError, match="has 3 recipients, allowed: at most 2"):
        client.start_mailing(mailing)
    client.remove_recipient(number, "a@example.com")
    assert client.start_mailing(mailing).started == client.now


def test_a_recipient_is_the_same_person_whatever_came_before() -> None:
    first, second = sending()[0], sending()[0]
    send(first, "silent+anna@example.com")
    people = [one.client().get_mail(send(one, "silent+bob@example.com")).facts.person for one in (first, second)]
    assert people[0] == people[1]
