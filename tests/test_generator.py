"""Events by number: whole, apart from each other, and the same everywhere."""

from __future__ import annotations

import json

import msgspec
import pytest

from mockcampaign.events import Generator
from mockcampaign.events.fields import TYPES
from mockcampaign.model import EventType
from mockcampaign.policy import DEFAULT_CLIENT_ID, DEFAULT_START


@pytest.mark.parametrize("kind", EventType)
def test_every_type_has_its_fields_in_their_order_as_plain_json(kind: EventType) -> None:
    for payload in Generator("1", DEFAULT_CLIENT_ID).payloads(kind, 300, [DEFAULT_START] * 300):
        event = json.loads(payload)
        assert tuple(event) == TYPES[kind]
        assert msgspec.json.encode(event) == payload
