"""The correct consumers run, and do what a consumer has to do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import requests

from consumers.started import COMMANDS, PASSWORD, USER, missing, started
from mockcampaign.model import BasicAuthentication, EventType
from mockcampaign.shape.builtin import builtin_shape

[OPEN] = builtin_shape(EventType.OPEN).examples


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_it_takes_lists_once_with_the_right_credentials(name: str, tmp_path: Path) -> None:
    lacking = missing(name)
    if lacking is not None and "CI" not in os.environ:
        pytest.skip(lacking)
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
