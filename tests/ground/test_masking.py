"""Secrets are found in every spelling in which a consumer may echo them, and nothing else is touched."""

from __future__ import annotations

import json
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import CLIENT, OK, Consumer, entries_of, exporter, happen, run
from mockcampaign.engine.journal import Attempted
from mockcampaign.masking import MASK, Masking
from mockcampaign.model import BasicAuthentication, EventType, KeyAuthentication, NoResponse, Responded

SECRET = 'pä"s <w>/ö'


@pytest.mark.parametrize(
    "echo",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(SECRET, safe="").replace("%20", "+"),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        "pä&quot;s &lt;w&gt;/ö",
    ],
)
def test_every_spelling_is_found(echo: str) -> None:
    answer = Responded(200, (("x-echo", f"a {echo} b"),), f"a {echo} b".encode(), len(echo.encode()) + 4)
    hidden = Masking([SECRET]).outcome(answer)
    assert hidden == msgspec.structs.replace(answer, headers=(("x-echo", "a *** b"),), body=b"a *** b")


@given(text=st.text(), secret=st.text(min_size=1).filter(lambda secret: secret not in MASK))
def test_no_text_holds_a_secret_afterwards(text: str, secret: str) -> None:
    hidden = Masking([secret]).text(f"{text}{secret}{text}")
    assert secret not in hidden.replace(MASK, "\0") or secret == "\0"


def test_a_response_that_was_cut_inside_a_secret_shows_no_half_of_it() -> None:
    masking = Masking(["opensesame"])
    assert masking.data(b"I was sent opensesa", cut=True) == b"I was sent ***"
    assert masking.data(b"I was sent op", cut=True) == b"I was sent op"
    assert masking.data(b"I was sent opensesa") == b"I was sent opensesa"


def test_values_without_a_secret_stay_the_same_object() -> None:
    answer = Responded(200, (("a", "b"),), b"c", 1)
    assert Masking(["x"]).outcome(answer) is answer
    assert Masking([""]).outcome(answer) is answer
    silent = NoResponse("wait", "x")
    assert Masking(["x"]).outcome(silent) is silent


def test_events_of_ours_stay_and_those_of_a_consumer_stay_json() -> None:
    ours, theirs = b'{"mailId":"1234","type":"open"}', b'{"open":[1234,{"a":"open sesame"}],"n":12.5}'
    masking = Masking(["open", "1234"])
    assert masking.events([ours, theirs], {ours}) == (ours, b'{"***":["***",{"a":"*** sesame"}],"n":12.5}')


def test_credentials_of_any_webhook_at_any_time_are_hidden_in_all_responses() -> None:
    box = exporter()
    webhook = box.create(CLIENT, EventType.OPEN, "http://a/", BasicAuthentication("joe", "first-word"))
    other = box.create(CLIENT, EventType.CLICK, "http://b/", KeyAuthentication("X-Key", "Bearer second-word"))
    box.update(CLIENT, webhook.id, authentication=BasicAuthentication("joe", "third-word"))
    box.activate(CLIENT, other.id)
    happen(box, 1, EventType.CLICK)
    run(box, Consumer(Responded(200, (), b"first-word second-word third-word joe", 36)))
    assert entries_of(box, Attempted)[0].outcome.body == b"*** *** *** joe"
    assert OK.body == b""
