"""Consumers of events that look unlike ours are checked like our own, with one captured sample and no other help."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.applications import Starlette

from checks import NOW
from culprits import FOUND
from foreign_shapes import CAPTURED, INTEGRATOR, SHAPES
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.context import RuleSlot, check_context
from mockcampaign.check.calibration import accepted_body
from mockcampaign.check.check import check
from mockcampaign.check.probes.end_state import UrlState
from mockcampaign.check.probes.store_probe import UrlProbe
from mockcampaign.check.settings import Settings
from mockcampaign.judging.consumer_store import Probe
from mockcampaign.judging.verdict import RunResult
from mockcampaign.model import EventType, Outcome, Request
from mockcampaign.samples.consumer import application, consumer_app
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.known_shapes import KnownShapes
from mockcampaign.samples.store import Store
from mockcampaign.scenario.check_shapes import shapes_of_files
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.captured import captured_in
from mockcampaign.shape.field import Event, Role
from mockcampaign.shape.shape import Body, Shape
from mockcampaign.transport.inprocess import AsgiTransport

BUGS = (
    "responds-204",
    "acknowledges-before-storing",
    "dedup-key-mail-id",
    "dedup-key-created",
    "never-deduplicates",
    "keeps-dedup-keys-for-an-hour",
    "drops-late-events",
    "requires-device",
    "truncates-text-at-40",
    "commits-per-event",
)
"""Ten bugs of ten kinds."""

NOT_SHOWN = {
    "integrator": {"truncates-text-at-40"},
    "numeric-recipients": {"truncates-text-at-40"},
    "one-event": {"commits-per-event"},
}
"""Bugs that a shape cannot show to their rule: ordinary links are longer, it has no text that long, or no batches."""

SAMPLES = dict(CAPTURED)


class Counting(AsgiTransport):
    """Counts requests and the bytes of their bodies."""

    requests = bytes = 0

    async def send(self, request: Request) -> Outcome:
        self.requests += 1
        self.bytes += len(request.body)
        return await super().send(request)


def inferred(name: str, folder: Path) -> Shape:
    path = folder / f"{name}.json"
    path.write_text(SAMPLES[name], encoding="utf-8")
    return shapes_of_files([path], None, None)[0]


def examined(
    name: str, folder: Path, bug: str | None, *, seed: int = 1, app: Starlette | None = None, **changes: Any
) -> RunResult:
    """Check a consumer whose shape a person wrote down, by the shape that is inferred from its captured events."""
    shape = inferred(name, folder)

    async def run() -> RunResult:
        transport = AsgiTransport(consumer_app(bug, shape=SHAPES[name]) if app is None else app)
        try:
            return await check(
                "http://consumer.test/hook",
                transport=transport,
                settings=Settings(now=NOW, seed=seed, shape=shape, **changes),
                probe=UrlProbe(Probe(url="http://consumer.test/processed", events="@"), transport, timeout=10_000),
                state=UrlState("http://consumer.test/state", transport, timeout=10_000, shape=shape),
            )
        finally:
            await transport.aclose()

    return asyncio.run(run())


FAST: dict[str, Any] = {
    "examples": 5,
    "rules": ("acknowledgement", "batch", "identity", "redelivery", "order", "payload"),
}


def found(result: RunResult, *outcomes: str) -> dict[str, str]:
    return {finding.id: finding.actual for finding in result.rules if finding.outcome in outcomes}


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_a_correct_consumer_of_a_foreign_shape_violates_nothing(name: str, tmp_path: Path) -> None:
    result = examined(name, tmp_path, None, **FAST)
    assert found(result, "fail", "could-not-tell") == {}
    assert len(found(result, "pass")) >= (25 if name == "one-event" else 37), found(result, "not-exercised")


WITHOUT_MAIL = [name for name, shape in SHAPES.items() if not shape.has(Role.MAIL)]
"""Shapes whose events are recognised by their recipients."""

OF_EDGE_CASES = ("identity", "payload", "once-for-edge-cases", "isolates-bad-event")
"""Rules that send values of their own as the recipient."""


@pytest.mark.parametrize("name", WITHOUT_MAIL)
def test_an_earlier_check_of_the_same_store_is_no_duplicate(name: str, tmp_path: Path) -> None:
    app = consumer_app(shape=SHAPES[name])
    for seed in (1, 2):
        result = examined(name, tmp_path, None, seed=seed, app=app, rules=OF_EDGE_CASES, examples=5)
        assert found(result, "fail", "could-not-tell") == {}


class WithoutNul(Consumer):
    """Stores in a database whose texts contain neither NUL nor what UTF-8 cannot encode."""

    def stored_form(self, event: Event) -> Event:
        encoded = re.sub(r"\\u0000|\ufffd", "", json.dumps(event, ensure_ascii=False))
        stored: Event = json.loads(encoded)
        return stored


@pytest.mark.parametrize("name", WITHOUT_MAIL)
def test_a_recipient_may_be_stored_without_what_no_store_has_to_hold(name: str, tmp_path: Path) -> None:
    app = application(WithoutNul(Store(), None, KnownShapes(SHAPES[name])))
    rules = ("stores-control-characters", "stores-cut-characters")
    result = examined(name, tmp_path, None, app=app, rules=rules, examples=5)
    assert set(found(result, "pass")) == set(rules), found(result, "fail", "warn", "not-exercised")


def test_several_shapes_have_no_id_of_the_mail() -> None:
    """A recipient as text, a number, and together with a mailing."""
    assert len(WITHOUT_MAIL) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("name", SAMPLES)
def test_a_correct_consumer_of_a_foreign_shape_passes_the_whole_check(name: str, seed: int, tmp_path: Path) -> None:
    result = examined(name, tmp_path, None, seed=seed)
    assert found(result, "fail", "could-not-tell") == {}


@pytest.mark.slow
def test_a_captured_event_costs_hardly_more_than_our_own() -> None:
    """By what is sent; `tests/benchmarks/check.py` compares the time."""

    def sent(shape: Shape) -> tuple[int, int]:
        async def run() -> Counting:
            counting = Counting(consumer_app())
            settings = Settings(now=NOW, seed=1, shape=shape)
            probe = UrlProbe(Probe(url="http://consumer.test/processed", events="@"), counting, timeout=10_000)
            await check("http://consumer.test/hook", transport=counting, settings=settings, probe=probe)
            await counting.aclose()
            return counting

        counting = asyncio.run(run())
        return counting.requests, counting.bytes

    ours, captured = sent(builtin_shape(EventType.CLICK)), sent(captured_in(json.loads(INTEGRATOR)).shape())
    assert captured[0] <= 1.1 * ours[0]
    assert captured[1] <= 1.1 * ours[1]


SHOWABLE = [(name, bug) for name in SAMPLES for bug in BUGS if bug not in NOT_SHOWN.get(name, ())]
"""All pairs of a shape and a bug that shows in it: at least 95 %."""


@pytest.mark.parametrize(("name", "bug"), SHOWABLE)
def test_a_bug_in_a_foreign_shape_is_found_by_the_rule_of_our_own_shape(name: str, bug: str, tmp_path: Path) -> None:
    rule = FOUND[bug]
    result = examined(name, tmp_path, bug, rules=(rule,), examples=5)
    assert rule in found(result, "fail", "warn"), {one.id: one.actual for one in result.rules}


def test_nearly_every_bug_shows_in_every_shape() -> None:
    assert len(SHOWABLE) >= 0.95 * len(SAMPLES) * len(BUGS)


@pytest.mark.parametrize("is_stored", [False, True])
def test_a_captured_object_is_a_body_if_the_consumer_stores_only_that(is_stored: bool) -> None:
    stored: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if scope["method"] == "POST":
            decoded = json.loads(body)
            stored.extend(decoded if is_stored and isinstance(decoded, list) else [decoded])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(stored).encode()})

    async def body() -> bool:
        transport = AsgiTransport(app)
        shape = captured_in([{"type": "open", "recipientId": "7001", "mailId": "A1B2C3D4-1", "created": 1772441300774}])
        shape_known = shape.shape()
        context = check_context(
            "http://consumer.test/hook",
            transport=transport,
            settings=Settings(now=NOW, shape=shape_known),
            probe=UrlProbe(Probe(url="http://consumer.test/", events="@"), transport, timeout=10_000),
        )

        def bench_of(one: Body) -> Bench:
            chosen = Settings(now=NOW, shape=msgspec.structs.replace(shape_known, body=one))
            slot = RuleSlot(rule_id=f"ask {one.events_max}", start=NOW - 60_000, number=1)
            return Bench(context.for_part(chosen), slot)

        found = await accepted_body(bench_of)
        await transport.aclose()
        return found.has_list

    assert asyncio.run(body()) is is_stored
