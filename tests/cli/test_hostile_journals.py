"""Whatever a journal contains, `judge` and `replay` end with a verdict or one line, and never with a traceback."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from called_main import called_main
from mockcampaign.cli.commands import replay
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.serving import serve_in_thread
from mockcampaign.transport.always_ok import AlwaysOkTransport
from places import ROOT

RICH = """\
name: everything
seed: 5
policy: {event_age_max: 2h}
consumer:
  url: ${CONSUMER_URL}/hook
  probe: {url: "${CONSUMER_URL}/processed", events: "@"}
webhooks:
  opens: {type: open}
  clicks: {type: click}
steps:
  - activate: opens
  - activate: clicks
  - verify: {webhook: opens, events: 2}
  - fault: {kind: lost-ack, times: 1, webhook: opens}
  - fault: {kind: latency, time: 3s, for: 1m}
  - emit: {type: open, count: 130}
  - emit: {type: click, count: 3, over: 10m}
  - outage: {for: 5m, kind: refused, webhook: clicks}
  - advance: 20m
  - update: {clicks: {url: "${CONSUMER_URL}/hook?again"}}
  - outage: {for: 3h}
  - emit: {type: open, count: 2}
  - run: until-idle
  - deactivate: clicks
  - delete: clicks
  - expect:
      opens: {delivered: 130, discarded: 2, attempts: {at_least: 3}}
      clicks: {delivered: {at_least: 0}}
      consumer: {processed: at-least-once}
"""

NASTY: list[Any] = [
    *(None, True, -1, 0, 1, 2, 3, 99, 2**31, 2**53, 2**62, 2**63 - 1, 2**63, 2**64, 10**30, -(2**62), 0.5, 1e308),
    *(
        "",
        "x",
        "create",
        "delete",
        "activate",
        "wait",
        "refused",
        "lost-ack",
        "../../etc/passwd",
        "a\x1b[31m\x9b\u202e",
    ),
    *([], {}, [[]], [{}], [[0, 0]], [[1, 2**62]], [[2**62, 1]], [[1, 1], [1, 1]], [None], ["x"], [1], [10**30]),
    {"type": "timed-out", "phase": "nowhere"},
    {"type": "no-response", "phase": "wait", "reason": "x\n"},
    {"type": "responded", "status": -5},
    {"type": "responded", "status": 200, "body": "!", "headers": [["a", "b"]]},
    {"kind": "stall-body"},
]


Lines = list[dict[str, Any]]


class Journals(NamedTuple):
    folder: Path
    recorded: list[Lines]

    def __repr__(self) -> str:
        return "journals of several kinds"  # Hypothesis prints it


@pytest.fixture(scope="module")
def journals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journals]:
    folder = tmp_path_factory.mktemp("journals")
    with serve_in_thread(consumer_app()) as url, pytest.MonkeyPatch.context() as patched:
        patched.setenv("CONSUMER_URL", url)
        (folder / "rich.scenario.yaml").write_text(RICH)
        status, printed, said = called_main("run", str(folder), "--journal", str(folder / "rich"))
        assert (status, said) == (0, ""), printed
        few = ("--rules", "responds-200,stores-every-event,once-after-lost-response")
        check = ("check", f"{url}/hook", "--probe", f"{url}/processed", "-q", *few)
        assert called_main(*check, "--journal", str(folder / "check"))[0] == 0
        paths = (folder / "rich", folder / "check", ROOT / "fixtures/journals/outage.jsonl")
        yield Journals(folder, [[json.loads(line) for line in path.read_text().splitlines()] for path in paths])


@contextlib.asynccontextmanager
async def _nowhere(*_: object) -> AsyncIterator[AlwaysOkTransport]:
    yield AlwaysOkTransport()


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to each part of a value from JSON, but to few elements of a long list."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _places(inner, (*path, key))


def _mutated(lines: Lines, random: Random) -> Lines:
    lines = copy.deepcopy(lines)
    # The first lines are more often about the whole.
    index = random.choice([random.randrange(len(lines)), random.randrange(9) % len(lines)])
    match random.choice(["replace", "replace", "replace", "remove", "drop", "twice", "swap", "cut"]):
        case "replace" | "remove" as what:
            *path, last = random.choice(list(_places(lines[index])) or [("journal",)])
            part: Any = lines[index]
            for key in path:
                part = part[key]
            if what == "replace":
                part[last] = random.choice(NASTY)
            elif last in part or isinstance(part, list):
                del part[last]
        case "drop":
            del lines[index]
        case "twice":
            lines.insert(index, copy.deepcopy(lines[index]))
        case "swap":
            other = random.randrange(len(lines))
            lines[index], lines[other] = lines[other], lines[index]
        case "cut":
            del lines[index:]
    return lines


def _ends_well(*arguments: str) -> None:
    status, printed, said = called_main(*arguments)
    assert status in (0, 1, 2, 3), said
    assert "Traceback" not in said + printed
    assert status != 2 or said.count("\n") == 1
    assert all(line.isprintable() for line in (printed + said).splitlines())


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_no_journal_is_a_traceback(journals: Journals, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, recorded = journals
    random = Random(seed)
    lines = random.choice(recorded)
    for _ in range(random.randint(1, 2)):
        lines = _mutated(lines, random) or lines
    path = folder / "mutated"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    monkeypatch.setattr(replay, "wire", _nowhere)
    monkeypatch.setenv("CONSUMER_URL", "http://127.0.0.1:9")
    outputs = [
        word
        for name in ("report-json", "junit", "html", "markdown", "sarif")
        for word in (f"--{name}", f"{folder}/out.{name}")
    ]
    _ends_well("judge", str(path), "--rules-only", "-v", *outputs)
    _ends_well("judge", str(path), "--scenario", str(folder / "rich.scenario.yaml"))
    _ends_well("replay", str(path))
