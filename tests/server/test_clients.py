"""The file of `serve --clients`: what it accepts, and how it rejects everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockcampaign.campaign import Campaign
from mockcampaign.errors import InvalidInputError
from mockcampaign.policy import INT64_MAX
from mockcampaign.server.vendor_api.clients_file import load_clients
from mockcampaign.transport.always_ok import AlwaysOkTransport

CONTENTS = """\
clients:
- id: 7
  users: [{username: a, password: p}]
  lists:
  - name: Shop
    id: 70001
    transactional: true
    fields: [{name: customer, type: LONG, required: true}, {name: firstname}]
    recipients: [{id: "42", address: anna@example.com, data: {firstname: Anna}}]
  optin_processes: [{name: Newsletter, type: double, id: 70002}]
  mails: [{name: Order, lists: [Shop], id: 70003, mailing_id: 70004}]
  rates: {opening: 1}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "clients.yaml"
    path.write_text(text)
    return path


def test_each_client_has_its_own_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_PASSWORD", "geheim")
    found = load_clients(
        written(
            tmp_path,
            "clients:\n"
            "  - {id: 1, users: [{username: a, password: '${A_PASSWORD}'}, {username: b, password: '${NONE:-p}'}]}\n"
            f"  - {{id: {INT64_MAX}, users: [{{username: a, password: q}}]}}\n",
        )
    )
    assert {client: [(user.username, user.password) for user in users] for client, users in found.users.items()} == {
        1: [("a", "geheim"), ("b", "p")],
        INT64_MAX: [("a", "q")],
    }
    assert len({user.id for users in found.users.values() for user in users}) == 3
    assert "geheim" not in repr(found)


def test_a_client_has_contents_from_the_start(tmp_path: Path) -> None:
    found = load_clients(written(tmp_path, CONTENTS))
    campaign = Campaign(AlwaysOkTransport(), clients=found.definitions)
    state = campaign.client(7).state
    assert [one.name for one in state.lists.values()] == ["Recipients", "Transactional recipients", "Shop"]
    shop = state.lists[70001]
    assert [(field.name, field.required) for field in shop.fields] == [("customer", True), ("firstname", False)]
    [recipient] = state.recipients_of(70001).values()
    assert (recipient.id, recipient.address, recipient.data["firstname"]) == ("42", "anna@example.com", "Anna")
    assert state.optin_processes[70002].confirmation_mailing_id is not None
    mail = state.find_transactional_mail("Order")
    assert (mail.id, mail.messages[0].mailing_id, mail.list_ids) == (70003, 70004, (70001,))
    sent = campaign.client(7).send(70003, 70001, "42")
    assert sent.facts.address == "anna@example.com"
    assert "anna" not in repr(found)


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        (CONTENTS.replace("[Shop]", "[Shup]"), "2:3", "no recipient list 'Shup'"),
        (CONTENTS.replace("70004", "70001"), "2:3", "id 70001 is taken"),
        (CONTENTS.replace("data: {f", "data: {customer: '', f"), "2:3", "data.customer: missing, allowed: text"),
        (CONTENTS.replace("[Shop]", "[]"), "11:11", "lists: none, allowed: at least one"),
        (CONTENTS.replace("required: true", "required: false"), "5:5", "fields: none is required"),
        (CONTENTS.replace("double", "triple"), "10:46", "unknown value 'triple'"),
        ("clients: []", "1:10", "no clients, allowed: at least one"),
        ("clients: [{id: 1, users: []}]", "1:26", "no users, allowed: at least one"),
        ("clients: [{id: 0, users: [{username: a, password: p}]}]", "1:16", "0"),
        (f"clients: [{{id: {INT64_MAX + 1}, users: [{{username: a, password: p}}]}}]", "1:16", f"{INT64_MAX}"),
        ("clients: [{id: x, users: [{username: a, password: p}]}]", "1:16", "x"),
        ("clients: [{users: [{username: a, password: p}]}]", "1:11", "id"),
        ("clients: [{id: 1, users: [{username: a}]}]", "1:27", "password"),
        ("clients: [{id: 1, users: [{username: '', password: p}]}]", "1:38", "'' is not a user name"),
        ("clients: [{id: 1, users: [{username: 'a:b', password: p}]}]", "1:38", "'a:b' is not a user name"),
        (
            "clients: [{id: 1, users: [{username: a, password: p}, {username: a, password: q}]}]",
            "1:66",
            "user 'a' is listed twice, allowed: once",
        ),
        (
            "clients:\n- {id: 7, users: [{username: a, password: p}]}\n- {id: 7, users: [{username: b, password: p}]}",
            "3:8",
            "client 7 is listed twice, allowed: once",
        ),
        ("clients: [{id: 1, users: [{username: a, password: p, role: x}]}]", "1:54", "role"),
        ("clients: [{id: 1, users: [{username: a, password: '${NOT_THERE}'}]}]", "1:51", "NOT_THERE"),
    ],
)
def test_an_invalid_file_is_rejected_with_the_place(tmp_path: Path, text: str, place: str, what: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InvalidInputError) as refused:
        load_clients(path)
    message = str(refused.value)
    assert message.startswith(f"{path}:{place}: ")
    assert what in message
    assert "\n" not in message


@pytest.mark.parametrize("password", ["[geheim]", "{geheim: 1}", "!geheim x", "geheim: x", "'geheim"])
def test_no_message_repeats_a_password(tmp_path: Path, password: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        load_clients(
            written(tmp_path, f"clients:\n  - id: 1\n    users:\n    - {{username: a, password: {password}}}\n")
        )
    assert "geheim" not in str(refused.value)
