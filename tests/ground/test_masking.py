"""Secrets are found in every spelling in which a consumer may echo them, and nothing else is touched."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import CLIENT, OK, Consumer, entries_of, exporter, happen, run
from mockcampaign import masking as masking_module
from mockcampaign.engine.journal import Attempted, WebhookChanged
from mockcampaign.masking import MASK, Masking, shown_url
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
        "p&#228;&#34;s &#60;w&#x3E;/&ouml;",
        quote(SECRET),  # which leaves the slash as it is
        quote(SECRET, safe="").lower(),
        SECRET.upper(),
        json.dumps(SECRET.upper())[1:-1],
        json.dumps(json.dumps(SECRET))[3:-3],
        json.dumps(json.dumps(SECRET, ensure_ascii=False))[3:-3],
        json.dumps(SECRET)[1:-1].replace("/", "\\/").replace("<", "\\u003c").replace(">", "\\u003E"),
        json.dumps(quote(SECRET, safe=""))[1:-1],
        quote(quote(SECRET)),
        'p\\xe4\\"s <w>/\\xF6',
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        quote(base64.b64encode(SECRET.encode())),
    ],
)
def test_every_spelling_is_found(echo: str) -> None:
    body = f"a {echo} b".encode()
    for encoding in ("utf-8", "latin-1"):
        # A header is read as Latin-1, whatever it is.
        header = f"a {echo} b".encode(encoding).decode("latin-1")
        answer = Responded(200, (("x-echo", header),), body, len(body))
        hidden = Masking([SECRET]).outcome(answer)
        assert isinstance(hidden, Responded)
        assert hidden.headers == (("x-echo", hidden.headers[0][1]),)
        for text in (hidden.headers[0][1], hidden.body.decode(), Masking([SECRET]).text(f"a {echo} b")):
            assert text.replace("=", "") == "a *** b"
    assert Masking([SECRET]).data(f"a {echo} b".encode("latin-1")).replace(b"=", b"") == b"a *** b"


@given(text=st.text(), secret=st.text(min_size=1).filter(lambda secret: secret not in MASK))
def test_no_text_holds_a_secret_afterwards(text: str, secret: str) -> None:
    hidden = Masking([secret]).text(f"{text}{secret}{text}")
    assert secret not in hidden.replace(MASK, "\0") or secret == "\0"


def test_a_response_that_was_cut_inside_a_secret_shows_no_half_of_it() -> None:
    masking = Masking(["opensesame"])
    assert masking.data(b"I was sent opensesa", cut=True) == b"I was sent ***"
    assert masking.data(b"I was sent op", cut=True) == b"I was sent op"
    assert masking.data(b"I was sent opensesa") == b"I was sent opensesa"


def test_a_response_that_was_cut_inside_an_escaped_secret_shows_no_half_of_it() -> None:
    masking = Masking(["open/sésame"])
    whole = b"I was sent " + json.dumps("open/sésame").replace("/", "\\/").encode()[1:-1]
    for length in range(len("I was sent ope"), len(whole)):
        assert masking.data(whole[:length], cut=True) == b"I was sent ***"


@pytest.mark.parametrize("passphrase", ["opensesame ", " opensesame", "Bearer opensesame\t", "Bearer  opensesame"])
def test_a_passphrase_is_hidden_as_it_is_sent(passphrase: str) -> None:
    masking = Masking(KeyAuthentication("X-Key", passphrase).secrets())
    assert "opensesame" not in masking.text("it was 'opensesame', not Bearer opensesame")


def test_the_time_for_a_response_grows_with_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not measured: every layer decodes each escape once."""
    count = 0

    def counted(escape: bytes) -> bytes:
        nonlocal count
        count += 1
        return unescaped(escape)

    unescaped = masking_module._unescaped
    masking = Masking(["open/sesame"])
    monkeypatch.setattr(masking_module, "_unescaped", counted)
    counts = []
    for length in (1_000, 10_000):
        count = 0
        assert masking.data(b"%2525\\\\u003c" * length + b"open%252fsesame").endswith(b"***")
        counts.append(count)
    assert counts[1] < 11 * counts[0]


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


def test_credentials_that_were_replaced_long_ago_cost_nothing() -> None:
    box = exporter()
    webhook = box.create(CLIENT, EventType.OPEN, "http://a/", BasicAuthentication("joe", "password 0"))
    patterns = []
    for number in range(1, 5_001):
        box.update(CLIENT, webhook.id, authentication=BasicAuthentication("joe", f"password {number}"))
        if number in (100, 5_000):
            patterns.append(box.requests.masking.patterns)
            assert box.requests.masking.text(f"password {number}") == "***"
            assert box.requests.masking.text(f"password {number - 1}") == "***"
    assert patterns[0] == patterns[1]


def test_a_secret_in_a_url_is_hidden_wherever_it_is_echoed() -> None:
    box = exporter()
    webhook = box.create(CLIENT, EventType.OPEN, "http://a/hook?type=open&access_token=open%20sesame")
    box.activate(CLIENT, webhook.id)
    happen(box, 1)
    run(box, Consumer(Responded(200, (("location", "/?access_token=open+sesame"),), b"open sesame", 11)))
    assert "sesame" not in repr(box.journal.entries)
    assert entries_of(box, WebhookChanged)[0].target_url == "http://a/hook?type=open&access_token=***"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://host/hook", "http://host/hook"),
        ("http://joe:pw@host/hook", "http://…@host/hook"),
        ("joe:pw@host/hook", "…@host/hook"),
        ("http://joe:p@w/x@host/hook", "http://…@host/hook"),
        ("http://host/hook?token=abc&x=1#a", "http://host/hook?token=***&x=1#a"),
        ("http://host/hook?a=1&API-Key=abc", "http://host/hook?a=1&API-Key=***"),
        ("http://host/?mail=a@b&%74oken=x", "http://host/?mail=a@b&%74oken=***"),
        ("http://joe:pw@host/?token=a@b", "http://…@host/?token=***"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert shown_url(url) == shown


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
