"""Random histories shrink to the shortest that still fails, and are written as scenarios that fail again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import requests
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from checks import checked
from commands import mockcampaign
from conftest import Inner
from mockcampaign.check.rules.random_histories import group_size
from mockcampaign.judging.finding import Finding
from mockcampaign.samples.consumer import application, consumer_app
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Store
from mockcampaign.serving import serve_in_thread
from serve_process import control, serving

HISTORIES = "survives-random-histories"


def found(bug: str | None, **settings: object) -> Finding:
    [finding] = checked(consumer_app(bug), rules=(HISTORIES,), **settings).rules
    return finding


def steps_of(scenario: str) -> list[str]:
    return [line[4:].partition(":")[0] for line in scenario.splitlines() if line.startswith("  - ")]


def test_readings_become_rare_but_no_search_of_hours_fills_the_memory() -> None:
    assert [group_size(count) for count in (1, 100, 101, 2_000, 5_000, 5_005, 10**9)] == [20, 20, 20, 400, *[1_000] * 3]


def test_no_random_history_fails_a_correct_consumer() -> None:
    finding = found(None, examples=10)
    assert (finding.outcome, finding.actual) == (
        "pass",
        "50 histories of up to 12 steps ended with each event stored once",
    )


class FailsToReportMany(Consumer):
    """Reports what it has stored as long as that is little."""

    async def processed(self, request: Request) -> Response:
        if len(self.store.events()) > 20:
            raise HTTPException(500, "too much")
        return await super().processed(request)


@pytest.mark.slow
def test_a_history_after_which_the_probe_fails_is_not_our_trouble_alone() -> None:
    [finding] = checked(application(FailsToReportMany(Store(), None)), rules=(HISTORIES,), examples=10).rules
    assert finding.outcome == "could-not-tell"
    assert finding.actual == (
        "Probe http://app/processed: responded 500, expected 200; since it last worked, while "
        f"{HISTORIES} was examined, the consumer has accepted events of {HISTORIES}"
    )


@pytest.mark.parametrize(
    ("bug", "told", "steps"),
    [
        ("never-deduplicates", "After the history (lost-ack, 1 event), 1 duplicate is in the store", ["fault", "emit"]),
        pytest.param("forgets-dedup-key-once-used", None, None, marks=pytest.mark.slow),
        pytest.param("dedup-key-batch-hash", None, None, marks=pytest.mark.slow),
    ],
)
def test_a_failing_history_shrinks_and_fails_again(
    bug: str, told: str | None, steps: list[str] | None, tmp_path: Path
) -> None:
    finding = found(bug, examples=40)
    assert finding.outcome == "fail"
    assert finding.reproduce is not None
    assert finding.reproduce.scenario is not None
    listed = steps_of(finding.reproduce.scenario)
    assert listed[:2] == ["create", "activate"]
    assert listed[-1] == "expect"
    if steps is not None:
        assert finding.actual.startswith(f"{told}")
        assert listed == ["create", "activate", *steps, "advance", "expect"]
    # Only the steps that matter are left: three or four, and the time between them.
    assert len([step for step in listed if step in ("emit", "fault", "outage")]) <= 4, finding.actual
    (tmp_path / "history.scenario.yaml").write_text(finding.reproduce.scenario)
    for broken in (bug, None):
        with serve_in_thread(consumer_app(broken)) as url:
            done = mockcampaign(
                *("run", "history.scenario.yaml", "--seed", "9"),
                folder=tmp_path,
                HOOK_URL=f"{url}/hook",
                PROBE_URL=f"{url}/processed",
            )
        assert (done.returncode, done.stderr) == (0 if broken is None else 1, ""), done.stdout


def shortest(bug: str, url: str) -> str:
    """Return the scenario of the shortest failing history of the consumer at the URL."""
    reproduce = found(bug).reproduce
    assert reproduce is not None
    assert reproduce.scenario is not None
    return reproduce.scenario.replace("http://app", url)


@pytest.mark.slow
def test_the_scenario_fails_again_in_pytest(inner: Inner, pytester: pytest.Pytester) -> None:
    for bug, outcomes in (("never-deduplicates", {"failed": 1}), (None, {"passed": 1})):
        with serve_in_thread(consumer_app(bug)) as url:
            (pytester.path / "history.scenario.yaml").write_text(shortest("never-deduplicates", url))
            inner("").assert_outcomes(**outcomes)


@pytest.mark.slow
def test_the_scenario_fails_again_in_the_server(tmp_path: Path) -> None:
    for bug, processed in (("never-deduplicates", 2), (None, 1)):
        with serve_in_thread(consumer_app(bug)) as url:
            (tmp_path / "history.scenario.yaml").write_text(shortest("never-deduplicates", url))
            with serving("--virtual", "--scenario", "history.scenario.yaml", folder=tmp_path) as server:
                # The scenario's own steps may begin after the first of these requests.
                for _ in range(50):
                    control(server, "/clock/advance", {"by": "5m"})
                    journal = requests.get(f"{server.url}/__mockcampaign/journal", timeout=10).json()
                    if any(entry["entry"] == "probed" for entry in journal["entries"]):
                        break
                said = server.end()
            if bug is None:
                assert "history.scenario.yaml: played to its end, 3 expectations met" in said
            else:
                assert re.search(r"history\.scenario\.yaml:\d+:\d+: consumer\.processed: expected exactly-once", said)
                assert "actual 1 duplicate is in the store: type=open" in said
            assert len(requests.get(f"{url}/processed", timeout=10).json()) == processed
