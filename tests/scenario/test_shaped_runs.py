"""Scenarios whose events have the shape of captured ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from foreign_shapes import CAPTURED, SHAPES, captured_events
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.scenario.load import load
from mockcampaign.scenario.plan import Plan
from mockcampaign.scenario.shape_file import shape_yaml
from mockcampaign.shape.infer import infer_shape
from mockcampaign.transport.inprocess import AsgiTransport
from plays import failed, played, starlette_consumer


def consumer_of(
    stored: list[dict[str, Any]], change: Callable[[dict[str, Any]], dict[str, Any]] = lambda event: event
) -> Starlette:
    async def hook(request: Request) -> Response:
        stored.extend(change(event) for event in await request.json())
        return JSONResponse("ok")

    return starlette_consumer(hook, stored)


def shaped_plan(folder: Path, shape: str, *steps: str) -> Plan:
    text = f"""\
name: a shape of its own
consumer: {{url: "http://x.test/hook", probe: {{url: "http://x.test/processed", events: "@"}}}}
shape: {shape}
steps:
"""
    path = folder / "own.scenario.yaml"
    path.write_text(text + "".join(f"  - {step}\n" for step in steps))
    return load(path)


@pytest.mark.parametrize("name", SHAPES)
def test_events_of_every_captured_shape_are_delivered_and_compared(tmp_path: Path, name: str) -> None:
    (tmp_path / "captured.json").write_text(dict(CAPTURED)[name])
    (tmp_path / "shape.yaml").write_text(shape_yaml(infer_shape(captured_events(name), body=SHAPES[name].body)))
    kind = SHAPES[name].event_type
    # A single object may be an event of a list: only the shape file says that it is the body.
    files = ("captured.json", "shape.yaml", "[shape.yaml]")[name == "one-event" :]
    for file in files:
        plan = shaped_plan(
            tmp_path,
            file,
            f"create: {{hook: {{type: {kind}}}}}",
            "activate: hook",
            "verify: hook",
            f"emit: {{type: {kind}, count: 120}}",
            "fault: {kind: lost-ack, times: 1}",
            "run: until-idle",
            "expect: {hook: {delivered: 120, verified: 200}}",
        )
        assert [path.name for path in plan.files] == ["own.scenario.yaml", file.strip("[]")]
        _, findings = played(plan, AsgiTransport(consumer_app(shape=SHAPES[name])))
        assert failed(findings) == []


def test_a_file_with_events_of_two_types_gives_both_their_shape(tmp_path: Path) -> None:
    events = [{"kind": kind, "ref": f"f3a0-0017{kind}", "at": 1_772_441_950_662} for kind in ("click", "open")]
    (tmp_path / "captured.json").write_text(json.dumps(events))
    plan = shaped_plan(
        tmp_path,
        "captured.json",
        "create: {opens: {type: open}, clicks: {type: click}}",
        "activate: opens",
        "activate: clicks",
        "emit: {type: open, count: 3}",
        "emit: {type: click, count: 3}",
        "run: until-idle",
        "expect: {consumer: {processed: exactly-once}, opens: {delivered: 3}, clicks: {delivered: 3}}",
    )
    processed: list[dict[str, Any]] = []
    _, findings = played(plan, AsgiTransport(consumer_of(processed)))
    assert failed(findings) == []
    assert {tuple(event) for event in processed} == {("kind", "ref", "at")}
    assert sorted(event["kind"] for event in processed) == ["click"] * 3 + ["open"] * 3


EXACT = (
    "create: {hook: {type: open}}",
    "activate: hook",
    """emit: {type: open, new_mail_ids: true, events: '[
      {"is": "open", "to": {"email": "a.b@example.com", "name": "Ann"}, "id": 4711, "cc": "a.b@example.com", "sale": 7,
       "at": 1},
      {"is": "open", "to": {"email": "a.b@example.com", "name": "Ann"}, "id": 4711, "cc": "", "sale": 7, "at": 2}]'}""",
    "run: until-idle",
    "expect: {hook: {delivered: 2}, consumer: {processed: exactly-once, fields: [to.email, to.name, at]}}",
)
ADDRESSED = """{
  fields: {to.email: recipient, cc: recipient-address, id: other, sale: mailing},
  events: '{"is": "open", "to": {"email": "a.b@example.com", "name": "Ann"}, "id": 4711,
  "cc": "c.d@example.com", "sale": 7,
  "at": 1772441950662}'}"""


def test_new_ids_replace_what_identifies_a_mail_in_the_shape(tmp_path: Path) -> None:
    plan, stored = shaped_plan(tmp_path, ADDRESSED.replace("\n", " "), *EXACT), []
    for seed in (1, 2):
        processed: list[dict[str, Any]] = []
        _, findings = played(plan, AsgiTransport(consumer_of(processed)), seed)
        assert failed(findings) == []
        stored.append(processed)
    one, other = stored[0]
    assert one["to"]["email"] == one["cc"] == other["to"]["email"] != "a.b@example.com"
    assert (one["id"], one["sale"], other["cc"]) == (4711, 7, "")
    assert stored[1][0]["to"] != one["to"]


def test_a_consumer_that_alters_a_nested_field_is_noticed_if_it_counts(tmp_path: Path) -> None:
    def altered(event: dict[str, Any]) -> dict[str, Any]:
        return {**event, "to": {**event["to"], "name": "ANN"}}

    plan = shaped_plan(tmp_path, ADDRESSED.replace("\n", " "), *EXACT)
    _, findings = played(plan, AsgiTransport(consumer_of([], altered)))
    assert failed(findings) == ["consumer.processed"]
    ignoring = (*EXACT[:-1], EXACT[-1].replace("to.name, ", ""))
    plan = shaped_plan(tmp_path, ADDRESSED.replace("\n", " "), *ignoring)
    _, findings = played(plan, AsgiTransport(consumer_of([], altered)))
    assert failed(findings) == []
