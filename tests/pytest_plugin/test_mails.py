"""Mails in tests: sent by the fixture or by the code under test, and what their recipients do."""

from __future__ import annotations

import pytest
import requests

from conftest import Inner
from mockcampaign.clients.definitions import ClientDefinition, ListDefinition, MailDefinition
from mockcampaign.errors import ConflictError, InvalidInputError, NotFoundError
from mockcampaign.pytest_plugin import CampaignFixture as Campaign
from mockcampaign.pytest_plugin import CampaignServer
from plugin_apps import App
from plugin_apps import app as app

SHOP = ClientDefinition(
    lists=(ListDefinition(name="Shop", id=70_001, transactional=True),),
    mails=(MailDefinition(name="Invoice", lists=("Shop",), id=70_003, mailing_id=70_004),),
)


def test_a_mail_has_the_outcome_that_the_test_says(campaign: Campaign, app: App) -> None:
    for event_type in ("sent", "open", "click", "bounce"):
        campaign.webhook(event_type, app)
    mail = campaign.send("silent+anna@example.com", data={"order": "4711"})
    assert (mail.status, mail.events, mail.data) == ("enqueued", [], {"order": "4711"})
    mail.open().click("https://shop.example/4711", after="1h")
    campaign.run()
    assert [(event["type"], event["mailId"]) for event in app.events] == [
        (event_type, mail.id) for event_type in ("sent", "open", "click")
    ]
    assert app.events[-1]["link"] == "https://shop.example/4711"
    assert mail.events == ["sent", "open", "click"]
    assert [one.id for one in campaign.mails] == [mail.id]
    mail.bounce("softbounce")
    campaign.run()
    assert app.events[-1]["category"] == "softbounce"
    assert app.events[-1]["recipientId"] == mail.recipient_id


def test_complaints_and_unsubscribes_have_their_effect(campaign: Campaign, app: App) -> None:
    for event_type in ("spamcomplaint", "blocklist", "unsubscribe", "filteredbyblocklist"):
        campaign.webhook(event_type, app)
    campaign.send("silent+anna@example.com").complain()
    campaign.send("silent+bob@example.com").unsubscribe()
    campaign.run()
    assert {event["type"] for event in app.events} == {"spamcomplaint", "blocklist", "unsubscribe"}
    again = [campaign.send("silent+anna@example.com"), campaign.send("silent+bob@example.com")]
    campaign.run()
    assert [mail.status for mail in again] == ["blacklisted", "unsubscribed"]
    with pytest.raises(ConflictError, match="not sent"):
        again[0].open()
    assert "anna" not in repr(again)


def test_wrong_mails_are_rejected(campaign: Campaign, app: App) -> None:
    campaign.webhook("sent", app)
    with pytest.raises(InvalidInputError, match=r"unknown transactional mail 'Odrer' .*Order confirmation"):
        campaign.send("anna@example.com", mail="Odrer")
    with pytest.raises(NotFoundError, match="no double opt-in"):
        campaign.confirm_optin("anna@example.com")
    campaign.send("silent+anna@example.com")
    campaign.run()


@pytest.mark.mockcampaign(clients=SHOP)
def test_a_client_has_contents_of_the_test(campaign: Campaign, app: App) -> None:
    campaign.webhook("sent", app)
    mail = campaign.send("silent+anna@example.com", mail="Invoice")
    campaign.run()
    assert (app.events[0]["userListId"], app.events[0]["mailingId"]) == (70_001, 70_004)
    assert (mail.recipient_list_id, mail.mailing_id) == (70_001, 70_004)


@pytest.mark.mockcampaign(clients=SHOP)
def test_mails_that_the_code_under_test_sends(campaign_server: CampaignServer, app: App) -> None:
    from mockcampaign.serving import serve_in_thread

    with serve_in_thread(app) as url:
        for event_type in ("sent", "open"):
            campaign_server.webhook(event_type, url)
        form = {"recipientId": "silent+anna@example.com", "recipientListId": "70001", "data.firstname": "Anna"}
        answer = requests.post(
            f"{campaign_server.rest_url}/transactionalmail/70003/send",
            data=form,
            auth=campaign_server.auth,
            timeout=30,
        )
        mail = campaign_server.mails[-1]
        assert answer.json() == {"mailId": mail.id}
        mail.open()
        campaign_server.run()
        assert [event["type"] for event in app.events] == ["sent", "open"]
        assert (mail.status, mail.data) == ("sent", {"firstname": "Anna"})


def test_a_file_has_the_contents_of_clients(inner: Inner, pytester: pytest.Pytester) -> None:
    pytester.makefile(
        ".yaml",
        clients="clients:\n- id: 123456789001\n  mails:\n"
        "  - {name: Invoice, lists: [Transactional recipients], mailing_id: 70004}\n",
    )
    done = inner(
        """
        import pytest

        @pytest.mark.mockcampaign(clients="clients.yaml", allow=["nothing-delivered"])
        def test_it(campaign):
            campaign.webhook("sent", "http://127.0.0.1:9")
            assert campaign.send("anna@example.com", mail="Invoice").mailing_id == 70004

        @pytest.mark.mockcampaign(clients="nowhere.yaml")
        def test_no_file(campaign): ...

        @pytest.mark.mockcampaign(clients=7)
        def test_no_clients(campaign): ...
        """
    )
    done.assert_outcomes(passed=1, errors=2)
    assert "clients: 7, allowed: a file of clients" in done.stdout.str()
