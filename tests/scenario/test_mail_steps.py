"""Steps that send mails, make recipients act and suspend webhooks, and the clients of a scenario."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from mockcampaign.engine.journal import Attempted, Happened, WebhookChanged
from mockcampaign.errors import InvalidInputError
from mockcampaign.scenario.judge import judge
from mockcampaign.scenario.load import load
from mockcampaign.scenario.play import Player
from mockcampaign.transport.always_ok import AlwaysOkTransport

HEAD = """\
name: mails
consumer: {url: "http://127.0.0.1:9/hook"}
webhooks:
  opens: {type: open}
  clicks: {type: click}
"""
CLIENTS = """\
clients:
- lists: [{name: Shop, id: 70001, transactional: true}]
  mails: [{name: Invoice, lists: [Shop], mailing_id: 70004}]
  rates: {opening: 0, prefetched: 0, scanned: 0}
"""


def written(folder: Path, steps: str, more: str = "") -> Path:
    path = folder / "t.scenario.yaml"
    path.write_text(f"{HEAD}{more}steps:\n{steps}")
    return path


def played(path: Path) -> Player:
    player = Player.with_campaign(load(path), AlwaysOkTransport(), seed=1)
    asyncio.run(player.play())
    return player


def test_a_recipient_acts_as_the_scenario_says(tmp_path: Path) -> None:
    player = played(
        written(
            tmp_path,
            """\
  - activate: opens
  - activate: clicks
  - send: {recipient: anna@example.com, mail: Invoice, as: invoice, data: {order: "4711"}}
  - act: {mail: invoice, type: open, after: 1h}
  - act: {mail: invoice, type: click, after: 2h, link: "https://shop.example/4711"}
  - act: {mail: invoice, type: bounce, category: softbounce}
  - run: until-idle
  - expect: {opens: {delivered: 1}, clicks: {delivered: 1}}
""",
            CLIENTS,
        )
    )
    entries = player.campaign.journal.entries
    events = [msgspec.json.decode(raw) for entry in entries if isinstance(entry, Happened) for raw in entry.events]
    assert [event["type"] for event in events] == ["sent", "bounce", "open", "click"]
    assert {(event["mailingId"], event["userListId"]) for event in events} == {(70_004, 70_001)}
    assert (events[1]["category"], events[-1]["link"]) == ("softbounce", "https://shop.example/4711")
    _, findings = judge(player.plan, entries)
    assert {finding.outcome for finding in findings} == {"pass"}


def test_a_scenario_activates_again_what_campaign_has_suspended(tmp_path: Path) -> None:
    player = played(
        written(
            tmp_path,
            """\
  - activate: opens
  - outage: {for: 1h}
  - emit: {type: open}
  - advance: 1h
  - activate: opens
  - run: until-idle
  - expect: {opens: {delivered: 1}}
""",
            "policy: {suspend_after: 10m}\n",
        )
    )
    entries = player.campaign.journal.entries
    assert [entry.command for entry in entries if isinstance(entry, WebhookChanged) and entry.webhook_id == 1] == [
        *("create", "activate", "suspend", "activate")
    ]
    assert sum(entry.count for entry in entries if isinstance(entry, Attempted)) == 62


@pytest.mark.parametrize(
    ("steps", "more", "said"),
    [
        ("  - act: {mail: order, type: open}", "", "7:17: unknown mail 'order' (allowed: none)"),
        (
            "  - send: {recipient: a, mail: Invioce}",
            CLIENTS,
            "11:32: unknown transactional mail 'Invioce', did you mean 'Invoice'? (allowed: Order confirmation, ",
        ),
        (
            "  - send: {recipient: a, as: one}\n  - send: {recipient: b, as: one}",
            "",
            "8:30: mail 'one' exists already",
        ),
        (
            "  - send: {recipient: a, as: one}\n  - act: {mail: one, type: open, link: x}",
            "",
            "8:40: type open has none, allowed: type click",
        ),
        ("  - suspend: opens", "", "7:14: cannot suspend webhook 'opens' in status created, allowed in: activated"),
        ("  - emit: {type: open}", CLIENTS + "- {}\n", "10:3: client 123456789001 is listed twice, allowed: once"),
        (
            "  - emit: {type: open}",
            CLIENTS.replace("lists: [Shop]", "lists: [Shup]"),
            "7:3: transactional mail 'Invoice': no recipient list 'Shup'",
        ),
    ],
)
def test_mistakes_are_reported_with_their_place(tmp_path: Path, steps: str, more: str, said: str) -> None:
    path = written(tmp_path, f"{steps}\n", more)
    with pytest.raises(InvalidInputError) as refused:
        load(path, must_emit=False)
    assert str(refused.value).startswith(f"{path}:{said}")
