"""The correct consumers run, and do what a consumer has to do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import requests

from consumers.started import COMMANDS, PASSWORD, USER, missing, started
from judged import checked, settings
from mockcampaign.check.rules import durability
from mockcampaign.model import BasicAuthentication, EventType
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.transport.wire import WireTransport

[OPEN] = builtin_shape(EventType.OPEN).examples


def require(name: str) -> None:
    lacking = missing(name)
    if lacking is not None and "CI" not in os.environ:
        pytest.skip(lacking)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_it_takes_lists_once_with_the_right_credentials(name: str, tmp_path: Path) -> None:
    require(name)
    right = dict(BasicAuthentication(USER, PASSWORD).headers())
    wrong = dict(BasicAuthentication(USER, PASSWORD + "!").headers())
    others = [
        {**OPEN, "mailId": f"M{number}", "subscriptionId": 2**53 + number, "device": "Ω\U0001f4f1"}
        for number in range(3)
    ]
    with started(name, tmp_path / "store") as consumer, requests.Session() as session:

        def post(body: str, headers: dict[str, str]) -> int:
            headers = {"Content-Type": "application/json", **headers}
            return session.post(f"{consumer.url}/hook", body.encode(), headers=headers, timeout=30).status_code

        assert post(json.dumps(others), wrong) in (401, 403)
        assert post(json.dumps(others), {}) in (401, 403)
        assert post(json.dumps(others)[:-9], right) in (400, 422)
        for several in (others[:2], others, others[1:], []):
            assert post(json.dumps(several), right) == 200
        held = session.get(f"{consumer.url}/processed", timeout=30).json()
        held.sort(key=lambda event: str(event["mailId"]))  # in whatever order a store has them
        assert [{name: value for name, value in one.items() if value is not None} for one in held] == others


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("fastify-postgresql", "php-mariadb-four-workers", "php-fpm-mariadb"),
        *("java-postgresql", "go-redis", "ruby-sqlite-two-workers"),
    ],
)
def test_it_keeps_over_a_crash_what_it_acknowledged(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require(name)
    monkeypatch.setattr(durability, "STREAMS", 1)  # some need seconds to start again
    rules = ("durable-over-crash", "deduplicates-over-crash")
    with started(name, tmp_path / "store") as consumer:
        result = checked(consumer.url, WireTransport, settings(1, rules=rules, restart_command=consumer.restart))
    said = [(found.id, found.outcome, found.reason or found.actual) for found in result.rules]
    assert [outcome for _, outcome, _ in said] == ["pass", "pass"], said
