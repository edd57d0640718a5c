"""Steps that rotate credentials, and the one that forgets all webhooks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mockcampaign.engine.journal import WebhookChanged
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import BasicAuthentication, Outcome, Request
from mockcampaign.scenario.load import load
from mockcampaign.scenario.play import Player
from mockcampaign.transport.always_ok import AlwaysOkTransport

HEAD = """\
name: rotations
consumer: {url: "http://127.0.0.1:9/hook"}
webhooks:
  opens: {type: open, auth: {basic: {username: acme, password: old}}}
  clicks: {type: click}
steps:
"""


class Recording(AlwaysOkTransport):
    """Keeps the headers of all requests."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: list[tuple[tuple[str, str], ...]] = []

    async def send(self, request: Request) -> Outcome:
        self.headers.append(request.headers)
        return await super().send(request)


def written(folder: Path, *steps: str) -> Path:
    path = folder / "t.scenario.yaml"
    path.write_text(HEAD + "".join(f"  - {step}\n" for step in steps))
    return path


def played(path: Path) -> tuple[Player, Recording]:
    transport = Recording()
    player = Player.with_campaign(load(path, must_emit=False), transport, seed=1)
    asyncio.run(player.play())
    return player, transport


def credentials(password: str) -> tuple[str, str]:
    [header] = BasicAuthentication("acme", password).headers()
    return header


@pytest.mark.parametrize(
    ("after", "delays"), [("", ("299s", "1s")), (", after: 0s", ("0s", "0s")), (", after: 1h", ("3599s", "1s"))]
)
def test_new_credentials_are_valid_some_minutes_later(tmp_path: Path, after: str, delays: tuple[str, str]) -> None:
    rotate = f"rotate: {{webhook: opens, auth: {{basic: {{username: acme, password: new}}}}{after}}}"
    emit = "emit: {type: open}"
    steps = ["activate: opens", rotate]
    if after != ", after: 0s":
        steps += [f"advance: {delays[0]}", emit, f"advance: {delays[1]}"]
    _, transport = played(written(tmp_path, *steps, "advance: 1ms", emit, "run: until-idle"))
    found = [
        next(password for password in ("old", "new") if credentials(password) in headers)
        for headers in transport.headers
    ]
    assert found == (["new"] if after == ", after: 0s" else ["old", "new"])


def test_a_rotation_of_a_webhook_that_is_gone_does_nothing(tmp_path: Path) -> None:
    player, _ = played(
        written(
            tmp_path,
            "rotate: {webhook: opens, auth: {none: {}}, after: 1m}",
            *("activate: opens", "deactivate: opens", "delete: opens", "advance: 2m"),
        )
    )
    commands = [entry.command for entry in player.campaign.journal.entries if isinstance(entry, WebhookChanged)]
    assert commands == ["create", "create", "activate", "deactivate", "delete"]


def test_all_webhooks_are_forgotten_whatever_their_status(tmp_path: Path) -> None:
    steps = (
        "activate: opens",
        "suspend: opens",
        "forget: webhooks",
        "forget: webhooks",
        "create: {more: {type: open}}",
    )
    player, _ = played(written(tmp_path, *steps))
    assert [webhook.id for webhook in player.campaign.webhooks.all()] == [3]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            ["rotate: {webhook: opens}"],
            "7:13: expected either the keys 'webhook' and 'auth', or 'password' with 'user'",
        ),
        (["rotate: {webhook: opens, auth: {none: {}}, password: x}"], "7:13: expected either the keys"),
        (["rotate: {user: acme}"], "7:13: expected either the keys"),
        (["rotate: {password: 5}"], "7:24: expected text, found a whole number, quote it"),
        (["rotate: {webhook: open, auth: {none: {}}}"], "7:23: unknown webhook 'open', did you mean 'opens'?"),
        (["rotate: {password: x}"], "7:13: nobody calls the REST API here: only `mockcampaign serve --scenario` and"),
        (["forget: opens"], "7:13: unknown value 'opens' (allowed: webhooks)"),
        (["forget: webhooks", "activate: opens"], "8:15: webhook 'opens' is deleted"),
        (["set_up: 1"], "7:13: there is no set-up here: only `mockcampaign drill provisioning --scenario` runs one"),
    ],
)
def test_mistakes_are_found_before_the_run(tmp_path: Path, steps: list[str], message: str) -> None:
    with pytest.raises(InvalidInputError) as rejected:
        load(written(tmp_path, *steps), must_emit=False)
    assert str(rejected.value).startswith(f"{tmp_path}/t.scenario.yaml:{message}")
