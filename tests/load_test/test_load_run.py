"""Loads over loopback, as a user runs them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from called_main import called_main
from commands import mockcampaign
from mockcampaign.load_test.arrivals import Load
from mockcampaign.load_test.load_result import StepResult
from mockcampaign.load_test.load_run import LoadSettings, rates_of_steps, run_load
from mockcampaign.model import Fault, NoResponse, Outcome, Request, Responded
from mockcampaign.policy import INT64_MAX
from recording_consumer import RecordingConsumer, recording_consumer

FAST = ("--late-max", "100")  # other processes may have the processor


def load(consumer: RecordingConsumer, folder: Path, *options: str) -> tuple[int, str, dict[str, Any]]:
    report = folder / "load.json"
    done = mockcampaign("load", consumer.url, *FAST, "--report-json", str(report), *options, folder=folder)
    return done.returncode, done.stdout + done.stderr, msgspec.json.decode(report.read_bytes())


def test_every_event_of_a_load_reaches_the_consumer_once(tmp_path: Path) -> None:
    page = tmp_path / "load.html"
    with recording_consumer() as consumer:
        options = ("--events-per-second", "500", "--for", "600ms", "--webhooks", "3", "--html", str(page))
        status, shown, report = load(consumer, tmp_path, *options, "--key-auth", "X-Key: s3cr3t")
    assert status == 0, shown
    assert "300 created = 300 accepted + 0 discarded + 0 pending" in shown
    assert "Keeps up" in shown
    assert sorted(consumer.events.values()) == [1] * 300
    assert max(consumer.sizes) <= 100
    [step] = report["steps"]
    assert step["balance"] == {"created": 300, "accepted": 300, "discarded": 0, "pending": 0}
    assert step["responses"]["count"] == step["batches"] == len(consumer.sizes)
    assert "s3cr3t" not in shown + page.read_text() + str(report)
    assert "<h1>Keeps up</h1>" in page.read_text()


@pytest.mark.parametrize(
    ("options", "first_max"),
    [
        (["--webhooks", "1"], INT64_MAX),
        (["--webhooks", "2"], INT64_MAX - 1),
        (["--webhooks", "5", "--type", "open", "--type", "click"], INT64_MAX - 2),
    ],
)
def test_no_client_of_a_load_has_an_id_that_the_vendor_cannot_have(options: list[str], first_max: int) -> None:
    # Nothing listens there, so a load that is allowed fails later.
    command = ["load", "http://127.0.0.1:9/hook", "--events-per-second", "1", "--wait-for-consumer", "1ms", *options]
    status, _, allowed = called_main(*command, "--client-id", str(first_max))
    assert "allowed: 1 to" not in allowed, allowed
    if first_max < INT64_MAX:
        status, _, refused = called_main(*command, "--client-id", str(first_max + 1))
        clients = INT64_MAX - first_max + 1
        assert (status, refused) == (
            2,
            f"mockcampaign: --client-id {first_max + 1} with {clients} clients for --webhooks {options[1]}, "
            f"allowed: 1 to {first_max}\n",
        )


@pytest.mark.slow
def test_a_consumer_that_rejects_everything_does_not_keep_up(tmp_path: Path) -> None:
    with recording_consumer(statuses=[503]) as consumer:
        status, shown, report = load(
            consumer, tmp_path, "--events-per-second", "5000", "--for", "1s", "--drain", "100ms"
        )
    assert (status, report["verdict"]) == (1, "violated"), shown
    assert "5,000 created = 0 accepted + 0 discarded + 5,000 pending" in shown


@pytest.mark.slow
def test_a_planned_outage_is_recovered_from(tmp_path: Path) -> None:
    options = ("--events-per-second", "1000", "--for", "20s", "--outage", "1s..3s", "--webhooks", "2")
    with recording_consumer() as consumer:
        status, shown, report = load(consumer, tmp_path, *options)
    assert status == 0, shown
    assert sorted(consumer.events.values()) == [1] * 20_000
    [recovery] = report["steps"][0]["recoveries"]
    assert recovery["backlog"] >= 1_000
    assert 0 < recovery["drained_after"] < 15_000
    assert "drains the backlog of an outage within" in shown


@pytest.mark.slow
def test_steps_stop_where_the_consumer_does_not_keep_up(tmp_path: Path) -> None:
    # A batch takes 50 ms, so that one webhook carries at most 2,000 events each second.
    options = ("--events-per-second", "8000", "--for", "2s", "--steps", "8", "--drain", "100ms")
    with recording_consumer(seconds=0.05) as consumer:
        status, shown, report = load(consumer, tmp_path, *options)
    assert status == 0, shown
    assert report["knee"] in (1_000, 2_000), shown
    assert len(report["steps"]) == report["knee"] // 1_000 + 1
    assert "The knee is at" in shown
    created = sum(step["balance"]["created"] for step in report["steps"])
    pending = sum(step["balance"]["pending"] for step in report["steps"])
    assert sorted(consumer.events.values()) == [1] * (created - pending)


def test_nothing_is_sent_to_a_host_that_is_not_allowed(tmp_path: Path) -> None:
    done = mockcampaign("load", "http://192.0.2.1/hook", "--events-per-second", "1", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "mockcampaign: host 192.0.2.1 is not an allowed target, allowed: loopback and private addresses, and hosts and "
        "networks given with --allow-target\n"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--outage 5s", "--outage: '5s' is not a span, allowed: START..END such as 60s..90s"),
        ("--outage 5s..x", "--outage: 'x' is not a duration, allowed: 500ms, 90s, 10m, 2h, 3d or 1d12h"),
        ("--for 1ms", "--for 1ms: no event occurs at 1 events/s, allowed: a longer duration"),
        ("--outage 45s..30s", "--outage 45s..30s does not end after it begins, allowed: a later end"),
        ("--outage 5s..90s", "--outage 5s..90s does not end before the load does, allowed: an end before 1m"),
    ],
)
def test_wrong_usage_is_one_line(options: str, said: str, tmp_path: Path) -> None:
    done = mockcampaign("load", "http://127.0.0.1:9/", "--events-per-second", "1", *options.split(), folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr


def test_a_consumer_that_is_not_there_is_inconclusive(tmp_path: Path) -> None:
    done = mockcampaign("load", "http://127.0.0.1:9/", "--events-per-second", "1", "--for", "1s", folder=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert "connection refused at the first attempt, and no outage was in force" in done.stderr


class _Stopping:
    """A consumer that stops when a second load begins."""

    faults: frozenset[type[Fault]] = frozenset()

    def __init__(self) -> None:
        self.has_stopped = False

    async def send(self, request: Request) -> Outcome:
        return NoResponse("connect", "connection refused") if self.has_stopped else Responded(200)

    async def aclose(self) -> None:
        """Do nothing."""


@pytest.mark.slow
def test_a_consumer_that_stops_after_a_step_does_not_keep_up_with_the_next() -> None:
    consumer, results = _Stopping(), list[StepResult]()

    def done(result: StepResult) -> None:
        results.append(result)
        consumer.has_stopped = True

    loads = [Load(events_per_second=rate, milliseconds=1_500) for rate in (500, 1_000)]
    settings = LoadSettings(url="http://127.0.0.1:9/", drain=0, late_percent_max=100)
    asyncio.run(run_load(loads, consumer, settings, done))
    assert [one.verdict for one in results] == ["compliant", "violated"]


def test_the_rates_of_steps_rise_evenly() -> None:
    assert rates_of_steps(8_000, 4) == [2_000, 4_000, 6_000, 8_000]
    assert rates_of_steps(2, 5) == [1, 2]
    assert rates_of_steps(7, 1) == [7]
