"""Clients that send mails, as random steps tell them to."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import strategies as st

from mockcampaign.campaign import Campaign
from mockcampaign.clients.definitions import ClientDefinition
from mockcampaign.clients.mail_commands import ACTS
from mockcampaign.clients.recipient_table import MakeRows, in_memory
from mockcampaign.clients.smart_campaign import CampaignKind
from mockcampaign.errors import RejectedError
from mockcampaign.events import Rates
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


def play(steps: list[Any], seed: int, make_rows: MakeRows = in_memory) -> Campaign:
    """Carry out the steps; those that do not fit the state are rejected."""
    definition = ClientDefinition(rates=LIVELY)
    clients = {DEFAULT_CLIENT_ID: definition}
    campaign = Campaign(AlwaysOkTransport(), seed=seed, clients=clients, make_rows=make_rows)
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
