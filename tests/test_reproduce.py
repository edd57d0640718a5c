"""What is said to reproduce a violation does so, alone, and turns green once the bug is mended."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
from test_check import checked

from mockcampaign.compliance.reproduce import curl
from mockcampaign.compliance.rules import Finding
from mockcampaign.model import BasicAuthentication, KeyAuthentication, NoAuthentication
from mockcampaign.samples.consumer import BUGS, consumer_app
from mockcampaign.scenario.judge import judge
from mockcampaign.scenario.load import load
from mockcampaign.scenario.play import Player
from mockcampaign.serving import served
from mockcampaign.transport.inprocess import AsgiTransport

# One of each kind of reproduction: a single event, lists after one another, faults, time, several webhooks.
CHOSEN = ("keys-on-mail-id", "recognises-bodies", "requires-device", "drops-older-than-a-day", "refuses-full-lists")
HOOK = "http://app/hook"
SKIPPED = ("drains-backlog", "takes-generated-lists", "keeps-answering")
"""They send more than a scenario should hold, or take their time."""


def violations(bug: str) -> list[Finding]:
    return [finding for finding in checked(consumer_app(bug), skip=SKIPPED).rules if finding.outcome == "fail"]


def outcomes_of(scenario: Path, bug: str | None, *, seed: int = 2) -> set[str]:
    """What the scenario's expectations come to for a consumer that was never used."""

    async def play() -> set[str]:
        plan = load(scenario)
        transport = AsgiTransport(consumer_app(bug))
        try:
            player = Player.with_campaign(plan, transport, seed=seed)
            await player.play()
            return {finding.outcome for finding in judge(plan, player.campaign.journal.entries)[1]}
        finally:
            await transport.aclose()

    return asyncio.run(play())


def reproduced(bug: str, folder: Path) -> int:
    """How many violations have a scenario; each fails for the bug, and for no mended consumer."""
    count = 0
    for finding in violations(bug):
        if finding.reproduce is None or finding.reproduce.scenario is None:
            continue
        path = folder / f"{finding.id}.scenario.yaml"
        path.write_text(finding.reproduce.scenario)
        assert "fail" in outcomes_of(path, bug), f"{bug}: {finding.id} is not reproduced\n{finding.reproduce.scenario}"
        assert outcomes_of(path, None) == {"pass"}, f"{bug}: {finding.id} is red for a mended consumer"
        count += 1
    return count


@pytest.mark.parametrize("bug", CHOSEN)
def test_scenarios_reproduce(bug: str, tmp_path: Path) -> None:
    assert reproduced(bug, tmp_path) > 0


# What they do wrong depends on how much came before, or how fast; slow ones take their time with each rule.
LOADED = ("drops-what-overflows", "fills-a-buffer", "slow-for-each-event", "waits-on-the-loop")


@pytest.mark.matrix
@pytest.mark.parametrize(
    "bug", [name for name, bug in BUGS.items() if not bug.over_sockets and name not in (*CHOSEN, *LOADED)]
)
def test_all_scenarios_reproduce(bug: str, tmp_path: Path) -> None:
    reproduced(bug, tmp_path)


def test_a_scenario_can_be_played_again_on_the_same_consumer(tmp_path: Path) -> None:
    [finding] = [one for one in violations("requires-device") if one.id == "takes-absent-fields"]
    assert finding.reproduce is not None
    path = tmp_path / "again.scenario.yaml"
    path.write_text(finding.reproduce.scenario or "")

    async def play_twice() -> list[set[str]]:
        transport = AsgiTransport(consumer_app())
        outcomes = []
        for seed in (1, 2):
            player = Player.with_campaign(load(path), transport, seed=seed)
            await player.play()
            outcomes.append({one.outcome for one in judge(player.plan, player.campaign.journal.entries)[1]})
        await transport.aclose()
        return outcomes

    assert asyncio.run(play_twice()) == [{"pass"}, {"pass"}]


def status_of(command: str, **environment: str) -> str:
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, timeout=20)
    return done.stdout.split(" ")[1]


def test_a_curl_command_reproduces() -> None:
    [finding] = [one for one in violations("requires-device") if one.id == "takes-absent-fields"]
    assert finding.reproduce is not None
    assert finding.reproduce.curl is not None
    for bug, status in (("requires-device", "500"), (None, "200")):
        with served(consumer_app(bug)) as url:
            assert status_of(finding.reproduce.curl.replace(HOOK, f"{url}/hook"), PATH="/usr/bin:/bin") == status


def test_a_curl_command_takes_credentials_from_the_environment() -> None:
    right = BasicAuthentication("acme", "se:c r€t")
    with served(consumer_app(basic_authentication=right)) as url:
        command = curl(f"{url}/hook", b"[]", right)
        assert "r€t" not in command
        assert status_of(command, PATH="/usr/bin:/bin", HOOK_USER="acme", HOOK_PASSWORD="se:c r€t") == "200"
        assert status_of(command, PATH="/usr/bin:/bin", HOOK_USER="acme", HOOK_PASSWORD="no") == "401"
    assert curl("http://x", b"", KeyAuthentication("X-Key", "Bearer t"), method="PUT") == (
        """curl -sS -i -X PUT -H 'Content-Type: application/json' -H "X-Key: $HOOK_KEY" http://x"""
    )


@pytest.mark.parametrize("body", [b"it's", b"\x00\xff\n", b"a\\b", "é€".encode(), b"$HOME `id`", b""])
def test_a_curl_command_sends_exactly_the_body(body: bytes) -> None:
    command = curl("http://x", body, NoAuthentication())
    argument = command.partition("--data-binary ")[2].removesuffix(" http://x")
    # NUL cannot be part of an argument; bash ends the text there.
    printed = subprocess.run(["bash", "-c", f"printf %s {argument}"], capture_output=True, timeout=20).stdout
    assert printed == body.partition(b"\0")[0]
