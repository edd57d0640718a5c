"""Every reproduction of a violation shows it by itself, and passes once the bug is fixed."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from conventions import CONVENTIONS
from culprits import BETWEEN, CULPRITS, OTHERS
from foreign_shapes import SHAPES
from judged import (
    CREDENTIALS,
    PASSWORD,
    SHOWN_BY_COUNTS,
    SHOWN_BY_CRASHES,
    USER,
    checked,
    few,
    restartable,
    running,
    settings,
)
from mockcampaign.campaign import Campaign
from mockcampaign.check.reproduce.curl import Endpoint, curl, read_probe
from mockcampaign.check.reproduce.scenario_writer import of_batches
from mockcampaign.check.rules import CATALOGUE
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.judging.finding import Finding, Reproduce
from mockcampaign.model import BasicAuthentication, KeyAuthentication
from mockcampaign.policy import DEFAULT_START, Policy
from mockcampaign.samples.consumer import consumer_app, serve_consumer
from mockcampaign.scenario.judge import judge, scenario_shows_nothing
from mockcampaign.scenario.load import load
from mockcampaign.scenario.play import Player
from mockcampaign.serving import serve_in_thread
from mockcampaign.shape.infer import infer_shape
from mockcampaign.shape.shape import Body
from mockcampaign.transport.address import Routes
from mockcampaign.transport.always_ok import AlwaysOkTransport
from mockcampaign.transport.inprocess import AsgiTransport
from mockcampaign.transport.wire import WireTransport

MENDED = "sample"
"""Name of the correct consumer."""

SECRETS = {"HOOK_USER": USER, "HOOK_PASSWORD": PASSWORD}

ONE_OF_EACH = [(rule, bug) for rule, bug in CULPRITS.items() if bug not in SHOWN_BY_CRASHES]
FURTHER = [(rule, bug) for bug, rule in OTHERS.items() if bug not in SHOWN_BY_CRASHES | SHOWN_BY_COUNTS]
TAKE_THEIR_TIME = {
    "responds-in-time",
    "drains-backlog",
    "survives-many-requests",
    "compares-credentials-in-constant-time",
    "accepts-slow-body",
    "keeps-up",
}

NOTHING_TO_SEND = {
    *(
        "handles-concurrent-requests",
        "compares-credentials-in-constant-time",
        "once-at-end-of-check",
        "stays-available",
        "stores-batches-that-share-rows",
        "keeps-up",
    ),
    "isolates-failing-batch",
}
"""Ids of rules whose violations only the check itself can show."""
NO_COMMANDS = {
    *NOTHING_TO_SEND,
    *(
        "once-when-delivered-concurrently",
        "once-when-retried-while-working",
        "handles-concurrent-batches",
    ),  # at the same moment
    *("once-after-many-others", "drains-backlog"),  # too much
    *("handles-split-headers", "ignores-header-case", "accepts-slow-body"),  # beyond curl
}
NO_SCENARIO = {
    *NOTHING_TO_SEND,
    *(
        "sends-complete-response",
        "rejects-unreadable-body",
        "accepts-post-only",
        "rejects-get-and-head",
        "stores-only-events",
    ),
    *("newest-event-wins", "survives-oversized-body", "responds-to-unstorable-event"),
    *("accepts-valid-credentials", "rejects-wrong-credentials", "rejects-missing-credentials"),
    *("rejects-malformed-credentials", "rejects-with-401-or-403", "stores-nothing-unauthorised"),
    *("rejects-atomically", "recovers-from-bad-requests"),
}
"""Ids of rules about requests that Campaign never sends, and of one about what no scenario expects."""


def found(rule: str, bug: str) -> tuple[Finding, str]:
    """Return the finding of the rule alone, and the URL of the consumer."""
    with running(bug) as url:
        chosen = settings(1, rules=(rule, *BETWEEN.get(rule, ())), **few(bug))
        findings = checked(url, WireTransport, chosen, tells_state=True).rules
    [finding] = [finding for finding in findings if finding.id == rule]
    assert finding.outcome in ("fail", "warn"), finding.actual
    return finding, url


def outcomes_of(scenario: Path, consumer: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the results of a scenario's expectations for a new consumer."""

    with running(consumer) as url:
        return played_at(url, scenario, monkeypatch)


def played_at(url: str, scenario: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the results of a scenario's expectations for the consumer there."""

    async def play() -> dict[str, str]:
        transport = WireTransport()
        try:
            player = Player.with_campaign(load(scenario), transport, seed=2)
            await player.play()
            entries = player.campaign.journal.entries
            advised = scenario_shows_nothing(player.plan, entries, player.campaign.is_idle) or ""
            assert "until-idle" not in advised, "the file needs no more time"
            return {one.id: one.outcome for one in judge(player.plan, entries)[1]}
        finally:
            await transport.aclose()

    for name, value in {**SECRETS, "HOOK_URL": f"{url}/hook", "PROBE_URL": f"{url}/processed"}.items():
        monkeypatch.setenv(name, value)
    return asyncio.run(play())


class Shown(NamedTuple):
    """Output of the commands for one consumer."""

    printed: str
    """Output without what varies by itself."""
    trouble: list[str]
    """Numbers of errors that curl printed."""
    accounts: str
    """Stored events afterwards, unless the commands print these themselves."""


def shown_by(commands: str, consumer: str, told: str) -> Shown:
    """Return what the commands show of a new consumer; `told` is the URL for which they were written."""
    with running(consumer) as url:
        done = subprocess.run(
            ["bash", "-s"],
            input=commands.replace(told, url).encode(),
            capture_output=True,
            env={**SECRETS, "PATH": os.environ["PATH"]},
            timeout=60,
        )
        accounts = ""
        if f"{told}/processed" not in commands:
            asked = [f"{url}/{path}" for path in ("processed", "state")]
            accounts = "\n".join(requests.get(one, timeout=10, headers={"Connection": "close"}).text for one in asked)
    printed = re.sub(r"(?i)(date|server): [^\r]*", "", done.stdout.decode(errors="replace"))
    trouble = re.findall(r"curl: \((\d+)\)", done.stderr.decode())
    assert "HTTP/1.1 " in printed or trouble, done
    return Shown(printed, trouble, accounts)


def explained(reproduce: Reproduce) -> None:
    """Assert that there is each kind of reproduction, or one sentence that says why not."""
    for shown, why in (
        (reproduce.curl, reproduce.without_curl),
        (reproduce.scenario, reproduce.without_scenario),
    ):
        assert (shown is None) != (why is None)
        assert why is None or why.endswith(".")


@pytest.mark.parametrize(
    ("rule", "bug"),
    [
        *(
            pytest.param(*one, marks=[pytest.mark.slow] * (number % 3 > 0 or one[0] in TAKE_THEIR_TIME))
            for number, one in enumerate(ONE_OF_EACH)
        ),
        *(pytest.param(*one, marks=pytest.mark.slow) for one in FURTHER),
    ],
)
def test_every_finding_is_reproduced(rule: str, bug: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finding, url = found(rule, bug)
    reproduce = finding.reproduce
    assert reproduce is not None
    explained(reproduce)
    if (rule, bug) in ONE_OF_EACH:
        assert (reproduce.curl is None, reproduce.scenario is None) == (rule in NO_COMMANDS, rule in NO_SCENARIO)
    if reproduce.scenario is not None:
        path = tmp_path / "again.scenario.yaml"
        path.write_text(reproduce.scenario)
        assert "fail" in outcomes_of(path, bug, monkeypatch).values(), reproduce.scenario
        assert set(outcomes_of(path, MENDED, monkeypatch).values()) == {"pass"}, reproduce.scenario
    if reproduce.curl is not None:
        assert PASSWORD not in reproduce.curl
        assert shown_by(reproduce.curl, bug, url) != shown_by(reproduce.curl, MENDED, url), reproduce.curl


def test_every_rule_is_among_the_reproduced_ones() -> None:
    crashes = {rule for rule, bug in CULPRITS.items() if bug in SHOWN_BY_CRASHES}
    assert {rule for rule, _ in ONE_OF_EACH} | crashes == {rule.id for rule in CATALOGUE} - {"has-valid-certificate"}


@pytest.mark.slow
@pytest.mark.parametrize("bug", sorted(SHOWN_BY_CRASHES - {"acknowledges-without-store"}))
def test_a_violation_that_takes_a_crash_says_so(bug: str) -> None:
    with restartable(bug) as (url, command):
        result = checked(url, WireTransport, settings(1, rules=("durability",), restart_command=command))
    reproduces = [one.reproduce for one in result.rules if one.outcome == "fail"]
    assert len(reproduces) == 1
    for reproduce in reproduces:
        assert reproduce is not None
        explained(reproduce)
        assert reproduce.without_scenario == reproduce.without_curl
        assert "has to be killed" in (reproduce.without_curl or "")


def test_a_scenario_can_be_played_again_on_the_same_consumer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finding, _ = found("accepts-absent-fields", "requires-device")
    assert finding.reproduce is not None
    path = tmp_path / "again.scenario.yaml"
    path.write_text(finding.reproduce.scenario or "")
    for name, value in {**SECRETS, "HOOK_URL": "http://app/hook", "PROBE_URL": "http://app/processed"}.items():
        monkeypatch.setenv(name, value)

    async def play_twice() -> list[set[str]]:
        transport = AsgiTransport(consumer_app(basic_authentication=CREDENTIALS))
        outcomes = []
        for seed in (1, 2):
            player = Player.with_campaign(load(path), transport, seed=seed)
            await player.play()
            outcomes.append({one.outcome for one in judge(player.plan, player.campaign.journal.entries)[1]})
        await transport.aclose()
        return outcomes

    assert asyncio.run(play_twice()) == [{"pass"}, {"pass"}]


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("other-names", "once-after-lost-response"),
        ("wrapped-events", "stores-every-event"),
        ("nested-address", "stores-repeat-engagement"),
        ("extra-field", "stores-text-unchanged"),
        ("one-event", "responds-200"),
        ("integrator", "accepts-absent-fields"),
    ],
)
def test_a_scenario_shows_a_violation_on_a_captured_shape_by_itself(
    name: str, rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape, bug = SHAPES[name], CULPRITS[rule]
    chosen = settings(1, shape=shape, rules=(rule, *BETWEEN.get(rule, ())), **few(bug))
    with serve_consumer(bug, basic_authentication=CREDENTIALS, shape=shape) as url:
        findings = checked(url, WireTransport, chosen).rules
    [finding] = [finding for finding in findings if finding.id == rule]
    assert (finding.outcome, finding.reproduce is None) == ("fail", False), finding.actual
    path = tmp_path / "again.scenario.yaml"
    path.write_text((finding.reproduce and finding.reproduce.scenario) or "")
    outcomes = []
    for consumer in (bug, None):
        with serve_consumer(consumer, basic_authentication=CREDENTIALS, shape=shape) as url:
            outcomes.append(set(played_at(url, path, monkeypatch).values()))
    assert "fail" in outcomes[0], path.read_text()
    assert outcomes[1] == {"pass"}, path.read_text()


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_scenario_of_any_captured_shape_runs_by_itself(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = CONVENTIONS[name].event
    shape = infer_shape([event], body=Body('{"all": [', "]}"))
    webhook = Campaign(AlwaysOkTransport()).create(shape.event_type, "http://x/hook")
    text = of_batches(DEFAULT_START, webhook, [[event]], shape).write(
        name,
        "http://x/hook",
        seed=1,
        policy=Policy(body_prefix=shape.body.prefix, body_suffix=shape.body.suffix),
        delivered={webhook.id: 1},
        probe=Probe(url="http://x/processed", events="@"),
        fields=shape.top_names,
        shape_of=lambda _: shape,
    )
    path = tmp_path / "again.scenario.yaml"
    path.write_text(text or "")
    [contained] = load(path).shapes.values()
    assert {field.path: field.role for field in contained.fields} == {field.path: field.role for field in shape.fields}
    with serve_consumer(shape=shape) as url:
        assert set(played_at(url, path, monkeypatch).values()) == {"pass"}


def status_of(command: str, **environment: str) -> str:
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, timeout=20)
    return done.stdout.split(" ")[1]


def test_a_curl_command_reads_credentials_from_the_environment() -> None:
    right = BasicAuthentication("acme", "se:c r€t")
    with serve_in_thread(consumer_app(basic_authentication=right)) as url:
        command = curl(Endpoint(url=f"{url}/hook", authentication=right), b"[]")
        assert "r€t" not in command
        assert status_of(command, PATH="/usr/bin:/bin", HOOK_USER="acme", HOOK_PASSWORD="se:c r€t") == "200"
        assert status_of(command, PATH="/usr/bin:/bin", HOOK_USER="acme", HOOK_PASSWORD="no") == "401"
    keyed = Endpoint(url="http://x", authentication=KeyAuthentication("X-Key", "Bearer t"))
    assert curl(keyed, b"", method="PUT") == (
        """curl -sS -i -X PUT -H 'Content-Type: application/json' -H "X-Key: $HOOK_KEY" http://x"""
    )
    odd = Endpoint(url="http://x", authentication=KeyAuthentication("X-$(id)`id`", "t"))
    assert r'-H "X-\$(id)\`id\`: $HOOK_KEY"' in curl(odd, b"")


def test_a_curl_command_goes_where_the_check_went() -> None:
    hosts = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            hosts.append(dict(scope["headers"])[b"host"].decode())
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"[]"})

    with serve_in_thread(app) as url:
        port = int(url.rpartition(":")[2])
        origin, other = ("consumer.example", port), ("other.example", port)
        routes = Routes({origin: "127.0.0.1", other: "127.0.0.1"}, {origin: "hooks.example"})
        assert status_of(curl(Endpoint(url=f"http://consumer.example:{port}/hook", routes=routes), b"[]")) == "200"
        probe = read_probe(Endpoint(url=f"http://other.example:{port}/processed", routes=routes))
        done = subprocess.run(["bash", "-c", probe], capture_output=True, text=True, timeout=20)
    assert (hosts, done.stdout) == (["hooks.example", f"other.example:{port}"], "[]")
    six = Endpoint(url="https://x/hook", routes=Routes({("x", 443): "::1"}))
    assert read_probe(six) == "curl -sS https://x/hook --resolve 'x:443:[::1]'"


BODIES = [b"it's", b"\x00\xff\n", b"a\\b %s", "é€".encode(), b"$HOME `id`", b"", b"@file", b"-x\x00", b"x" * 300_000]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: ascii(body[:9]))
@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_a_curl_command_sends_exactly_the_body(body: bytes, shell: str) -> None:
    arrived = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        parts, more = [], True
        while more:
            message = await receive()
            parts.append(message["body"])
            more = message["more_body"]
        arrived.append(b"".join(parts))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with serve_in_thread(app) as url:
        command = curl(Endpoint(url=f"{url}/hook"), body)
        subprocess.run([shell, "-s"], input=command.encode(), capture_output=True, check=True, timeout=20)
    assert arrived == [body]
