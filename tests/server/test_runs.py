"""Scenarios that are played over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mockcampaign.judging.verdict import ScenarioResult
from mockcampaign.samples.consumer import serve_consumer
from mockcampaign.scenario.load import load_all
from mockcampaign.scenario.run import run_plan
from mockcampaign.transport.targets import AllowedTargets
from mockcampaign.transport.wire import WireTransport
from servers import Server, running_server

FILE = "own.scenario.yaml"
SECRET = "unmistakable-5ecret"
SCENARIO = """\
name: opens after a lost response
seed: 7
consumer: {url: "${URL}/hook", probe: {url: "${URL}/processed", events: "@"}}
webhooks: {opens: {type: open, auth: {key: {key: X-Key, passphrase: "${KEY:-none}"}}}}
matrix: {count: [3, 150]}
steps:
  - activate: opens
  - fault: {kind: lost-ack, times: 1}
  - emit: {type: open, count: "${matrix.count}"}
  - run: until-idle
  - expect: {opens: {delivered: "${matrix.count}"}, consumer: {processed: exactly-once}}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server(targets=AllowedTargets(local=True)) as server:
        yield server


def ended(server: Server, body: dict[str, Any]) -> dict[str, Any]:
    answer = server.control("POST", "/run", body)
    assert answer.status_code == 202, answer.text
    view: dict[str, Any] = server.control("GET", f"/checks/{answer.json()['id']}?wait=60s").json()
    assert view["status"] == "ended", view
    return view


def results_of(path: Path) -> list[ScenarioResult]:
    """Play a scenario file as the command line does."""
    results: list[ScenarioResult] = []

    async def main() -> None:
        for plan in load_all(path):
            transport = WireTransport()
            await run_plan(plan, transport, seed=7, done=results.append)
            await transport.aclose()

    asyncio.run(main())
    return results


@pytest.mark.parametrize(("bug", "verdict"), [(None, "compliant"), ("never-deduplicates", "violated")])
def test_a_run_finds_what_a_scenario_file_finds(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: str | None, verdict: str
) -> None:
    with serve_consumer(bug) as url:
        view = ended(server, {"scenario": SCENARIO, "file": FILE, "variables": {"URL": url, "KEY": SECRET}})
        report = server.control("GET", f"/checks/{view['id']}/report.json").text
    with serve_consumer(bug) as url:
        monkeypatch.setenv("URL", url)
        (tmp_path / FILE).write_text(SCENARIO)
        expected = results_of(tmp_path / FILE)
    assert (view["kind"], view["verdict"], view["done"], view["total"], view["seed"]) == ("run", verdict, 2, 2, 7)
    expectations = [one for result in expected for one in result.expectations]
    shown = [(one["id"], one["outcome"], one["actual"]) for one in view["findings"] if one["place"]]
    assert shown == [(one.id, one.outcome, one.actual) for one in expectations]
    assert SECRET not in report + str(view)


def test_a_scenario_may_be_an_object_instead_of_text(server: Server) -> None:
    scenario = yaml.safe_load(SCENARIO)
    with serve_consumer() as url:
        assert ended(server, {"scenario": scenario, "variables": {"URL": url}})["verdict"] == "compliant"
    scenario["steps"][2] = {"emit": {"type": "open", "cuont": 3}}
    answer = server.control("POST", "/run", {"scenario": scenario, "variables": {"URL": "http://127.0.0.1:9"}})
    assert answer.json()["error"].startswith("scenario.steps[2].emit.cuont: unknown key 'cuont', did you mean 'count'?")


def changed(old: str, new: str) -> dict[str, Any]:
    assert old in SCENARIO
    return {"scenario": SCENARIO.replace(old, new)}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"scenario": 1}, "scenario: is neither text nor an object, allowed: the text of a scenario file, or"),
        ({"scenario": "name: x"}, "scenario:1:1: key 'consumer' is missing"),
        ({"variables": {}}, "scenario:3:17: ${URL} has no value: set URL, or write ${URL:-default}"),
        ({"variables": {"KEY": [SECRET]}}, "variables: not a text for each name, allowed: an object with a text for"),
        ({"budget": "1d"}, "budget: longer than 1h, which is the limit"),
        ({"variables": {"URL": "http://93.184.216.34"}}, "scenario: host 93.184.216.34 is not an allowed target"),
        (changed("seed: 7", "use: shared.yaml"), "scenario:2:6: names a file, which only a scenario file can do"),
        (changed("seed: 7", "shape: /etc/passwd"), "scenario:2:8: names a file, which only a scenario file can do"),
        (
            changed("type: open, count", "like: a.json, count"),
            "scenario:9:18: names a file, which only a scenario file",
        ),
        (changed("run: until-idle", "replay: {journal: /etc/passwd}"), "scenario:10:"),
        (
            changed('"${matrix.count}"}\n  - run', "1000000}\n  - emit: {type: open, count: 1}\n  - run"),
            "scenario: 1,000,001 events and recip",
        ),
        (
            changed('{url: "${URL}/processed", events: "@"}', '{sql: "sqlite:///x", query: "SELECT 1 AS mailId"}'),
            "scenario:3:45: names a database, which only a scenario file can do, allowed: 'url'",
        ),
    ],
)
def test_bad_scenarios_are_rejected_whole(server: Server, body: dict[str, Any], error: str) -> None:
    body = {"scenario": SCENARIO, "variables": {"URL": "http://127.0.0.1:9", "KEY": SECRET}} | body
    answer = server.control("POST", "/run", body)
    assert (answer.status_code, answer.json()["error"].startswith(error)) == (400, True), answer.text
    assert SECRET not in answer.text


def test_a_run_ends_with_its_budget(server: Server) -> None:
    with serve_consumer() as url:
        body = {"scenario": SCENARIO, "variables": {"URL": url}, "budget": "0ms"}
        view = ended(server, body)
    assert (view["verdict"], view["trouble"]) == ("could-not-tell", "the budget of 0s is spent (budget)")
