"""Events outside a mailing: complete, distinct, and the same on every platform."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tracemalloc
from collections import Counter
from itertools import chain, islice, pairwise, repeat
from typing import Any

import jsonschema
import msgspec
import pytest

from mockcampaign.events import Generator, RecipientIds, event_schema, field_values, load_sample
from mockcampaign.events.generator import CROWDED_GAP, RECENT_MAX
from mockcampaign.events.people import base36
from mockcampaign.model import EventType
from mockcampaign.policy import DEFAULT_CLIENT_ID, DEFAULT_START, HOUR
from mockcampaign.shape.builtin import BOUNCE_CATEGORIES, DEFAULTS, FIELDS, builtin_shape
from mockcampaign.shape.field import leaves
from places import ROOT

FIXTURES = ROOT / "fixtures" / "events"
VALIDATOR = jsonschema.Draft202012Validator(event_schema(), format_checker=jsonschema.FormatChecker())

DIGEST = "3c0179fc814c51d1bbd42257e7189375c5285a6fa903526f41046deff30cb508"
"""Digest of the bytes that `digest` makes. It changes only if the generator is meant to make other events."""

DIGESTED = """
import hashlib, itertools, pathlib, sys
from mockcampaign.events import Generator, load_sample
from mockcampaign.model import EventType
from mockcampaign.policy import DEFAULT_CLIENT_ID, DEFAULT_START, HOUR
from mockcampaign.shape.builtin import BOUNCE_CATEGORIES, DEFAULTS, FIELDS, builtin_shape
from mockcampaign.shape.field import leaves
generator = Generator("digest", DEFAULT_CLIENT_ID)
streams = [generator.payloads(kind, 400, generator.moments(400, DEFAULT_START, HOUR)) for kind in EventType]
streams.append(event.payload() for event in generator.mailing(400, DEFAULT_START))
sample = load_sample(pathlib.Path(sys.argv[1]))
streams.append(generator.payloads_like(sample, generator.moments(400, DEFAULT_START, HOUR)))
digest = hashlib.sha256()
for payload in itertools.chain.from_iterable(streams):
    digest.update(payload)
print(digest.hexdigest())
"""


def generator(seed: str = "1", ids: RecipientIds = RecipientIds.DIGITS) -> Generator:
    return Generator(seed, DEFAULT_CLIENT_ID, ids)


def made(kind: EventType, count: int, *, ids: RecipientIds = RecipientIds.DIGITS) -> list[dict[str, Any]]:
    return [json.loads(payload) for payload in generator(ids=ids).payloads(kind, count, repeat(DEFAULT_START, count))]


@pytest.mark.parametrize("kind", EventType)
def test_every_type_has_its_fields_in_their_order_as_plain_json(kind: EventType) -> None:
    for payload in generator().payloads(kind, 300, [DEFAULT_START] * 300):
        event = json.loads(payload)
        assert tuple(path for path, _ in leaves(event)) == DEFAULTS[kind]
        assert msgspec.json.encode(event) == payload


@pytest.mark.parametrize("ids", RecipientIds)
@pytest.mark.parametrize("kind", EventType)
def test_every_event_is_valid(kind: EventType, ids: RecipientIds) -> None:
    VALIDATOR.validate(made(kind, 100, ids=ids))


@pytest.mark.parametrize("name", ["opens-guide.json", "open.json", "click.json"])
def test_the_vendors_example_is_valid(name: str) -> None:
    VALIDATOR.validate(json.loads((FIXTURES / name).read_text()))


def test_the_schema_is_valid_and_rejects_other_values() -> None:
    jsonschema.Draft202012Validator.check_schema(event_schema())
    event = json.loads((FIXTURES / "open.json").read_text())
    for name, value in (
        ("created", "1564590054000"),
        ("recipientId", 123456789005),
        ("mailId", "3IHQ2XT8-38PY7WFQ"),
        ("type", "opened"),
        ("remoteAddress", "256.0.0.1"),
        ("mailingId", 2**63),
    ):
        assert not VALIDATOR.is_valid({**event, name: value}), name
    assert not VALIDATOR.is_valid([event] * 101)
    assert not VALIDATOR.is_valid([])
    for (name, *_), field in FIELDS.items():
        if name in event:
            assert VALIDATOR.is_valid({key: value for key, value in event.items() if key != name}) is field.optional
    click = json.loads((FIXTURES / "click.json").read_text())
    assert not VALIDATOR.is_valid({**click, "mediaTypesToAddresses": {"EMAIL": 5}})


@pytest.mark.parametrize(("name", "kind"), [("open.json", EventType.OPEN), ("click.json", EventType.CLICK)])
def test_the_files_of_events_are_the_examples_of_the_built_in_shapes(name: str, kind: EventType) -> None:
    """In the order in which their fields are sent."""
    [example] = builtin_shape(kind).examples
    assert json.dumps(json.loads((FIXTURES / name).read_text())) == json.dumps(example)


def test_every_field_names_its_source() -> None:
    """The vendor's guide shows one open, and nothing else is documented."""
    documented = {path for path, field in FIELDS.items() if field.source == "documented"}
    assert documented == {(name,) for name in json.loads((FIXTURES / "open.json").read_text())}
    for (name, *inner), field in FIELDS.items():
        described = event_schema()["$defs"]["event"]["properties"][name]
        for one in inner:
            described = described["properties"][one]
        assert described["description"].startswith(field.source.capitalize())


@pytest.mark.parametrize("kind", EventType)
def test_no_two_events_of_one_moment_are_equal(kind: EventType) -> None:
    payloads = list(generator().payloads(kind, 20_000, repeat(DEFAULT_START, 20_000)))
    assert len(set(payloads)) == len(payloads) == 20_000


def test_some_opens_and_clicks_repeat_earlier_ones_of_a_mail() -> None:
    """One event in six, within a point, is the second or third of its mail, from another address."""
    for kind in (EventType.OPEN, EventType.CLICK):
        events = made(kind, 6_000)
        mails = Counter(event["mailId"] for event in events)
        assert 1 - len(mails) / len(events) == pytest.approx(field_values.REPEAT_SHARE, abs=0.015)
        assert len({(event["mailId"], event["remoteAddress"]) for event in events}) == len(events)
    assert len({event["mailId"] for event in made(EventType.UNSUBSCRIBE, 6_000)}) == 6_000


def test_events_outside_a_mailing_have_the_rates_of_the_report() -> None:
    """41 % of first opens through the privacy proxy, 35 % of people's addresses IPv6: within 2 points."""
    first = list({event["mailId"]: event for event in reversed(made(EventType.OPEN, 10_000))}.values())
    private = [event for event in first if event["browser"] == field_values.PRIVACY_PROXY[2]]
    assert len(private) / len(first) == pytest.approx(field_values.PRIVACY_PROXY_SHARE, abs=0.02)
    clicks = made(EventType.CLICK, 10_000)
    ipv6 = [event for event in clicks if ":" in event["remoteAddress"]]
    assert len(ipv6) / len(clicks) == pytest.approx(field_values.IPV6_SHARE, abs=0.02)
    links = Counter(event["link"] for event in clicks)
    assert len(links) == len(field_values.LINKS)
    assert {event["category"] for event in made(EventType.BOUNCE, 100)} == set(BOUNCE_CATEGORIES)


def test_device_system_and_browser_belong_together() -> None:
    known = {client for _, (_, client) in field_values.MAILBOXES} | {
        field_values.GOOGLE_PROXY,
        field_values.PRIVACY_PROXY,
    }
    seen = {(event["device"], event["operatingSystem"], event["browser"]) for event in made(EventType.OPEN, 5_000)}
    assert seen <= known
    assert ("desktop", "Windows 10", "Firefox 64.1") in {client for _, (_, client) in field_values.MAILBOXES}


@pytest.mark.parametrize(
    ("ids", "pattern"),
    [
        (RecipientIds.DIGITS, r"[1-9][0-9]{11}"),
        (RecipientIds.EMAIL, r"[a-z]+\.[a-z]+[0-9]+@example\.(com|org|net)"),
        (RecipientIds.CUSTOMER_NUMBER, r"[0-9]{10}"),
    ],
)
def test_recipient_ids_are_of_the_kind_the_client_chose(ids: RecipientIds, pattern: str) -> None:
    events = made(EventType.SENT, 3_000, ids=ids)
    recipients = {event["recipientId"] for event in events}
    assert len(recipients) == 3_000
    is_address = ids is RecipientIds.EMAIL
    assert all((event["recipientId"] == event["mediaTypesToAddresses"]["EMAIL"]) is is_address for event in events)
    assert all(re.fullmatch(pattern, recipient) for recipient in recipients)


def test_ids_are_in_the_ranges_of_the_guide() -> None:
    low, high = field_values.ID_RANGE
    for event in made(EventType.CLICK, 1_000):
        assert all(low <= event[name] <= high for name in ("userListId", "mailingId", "clientId"))
        assert low <= int(event["recipientId"]) <= high
        assert field_values.SUBSCRIPTION_ID_RANGE[0] <= event["subscriptionId"] <= field_values.SUBSCRIPTION_ID_RANGE[1]


@pytest.mark.slow
def test_mail_ids_and_mails_are_one_to_one_over_a_million_mails() -> None:
    """The check covers two mailings, three lists and 170,000 recipients."""
    one = generator()
    mail_ids: dict[bytes, tuple[int, int, int]] = {}
    for number in range(2):
        mails = one._mails()
        payload = mails.payloads(EventType.SENT).payload
        for list_number in range(field_values.LISTS):
            for recipient in range(170_000):
                [mail_id] = [payload(0, list_number, recipient).rpartition(b'"mailId":"')[2][:24]]
                assert mail_ids.setdefault(mail_id, (number, list_number, recipient)) == (
                    number,
                    list_number,
                    recipient,
                )
    assert len(mail_ids) == 2 * 3 * 170_000 > 1_000_000


def test_a_stream_ends_after_count_events() -> None:
    assert len(list(generator().payloads(EventType.OPEN, 3, repeat(DEFAULT_START)))) == 3


def test_the_unrolled_mail_id_equals_the_plain_one() -> None:
    ids = generator()._audience.mail_ids(5)
    for number in (0, 1, 5, 999_999, 36**8 - 1):
        assert ids.recipient_group(number) == base36(ids._recipients.apply(number), 8)


# The same everywhere


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_the_same_seed_gives_the_same_bytes_everywhere(hash_seed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DIGESTED, str(FIXTURES / "click.json")],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == DIGEST


def test_events_do_not_depend_on_how_many_are_made_at_a_time() -> None:
    def stream(one: Generator) -> Any:
        return one.payloads(EventType.OPEN, 3_000, one.moments(3_000, DEFAULT_START, HOUR))

    whole = list(stream(generator()))
    parts = stream(generator())
    assert whole == [*islice(parts, 1), *islice(parts, 999), *islice(parts, 1_000), *parts]


def test_streams_of_one_generator_are_independent() -> None:
    one, other = generator(), generator()
    first, second = (one.payloads(EventType.OPEN, 500, repeat(5, 500)) for _ in range(2))
    alternating = list(chain.from_iterable(zip(first, second, strict=True)))
    third, fourth = (list(other.payloads(EventType.OPEN, 500, repeat(5, 500))) for _ in range(2))
    assert (alternating[::2], alternating[1::2]) == (third, fourth)
    assert not set(third) & set(fourth)


def test_another_seed_gives_other_events() -> None:
    first, second = (set(generator(seed).payloads(EventType.OPEN, 100, repeat(5, 100))) for seed in ("1", "2"))
    assert not first & second


@pytest.mark.parametrize(
    ("count", "over"), [(1, 0), (1, 5), (2, 1), (250, 249), (999, HOUR), (1_000, 1_000), (2_500, HOUR), (2_500, 2_499)]
)
def test_times_fill_their_span_in_order(count: int, over: int) -> None:
    moments = list(generator().moments(count, 1_000, over))
    assert len(moments) == count
    assert moments == sorted(set(moments))
    assert moments[0] >= 1_000
    assert moments[-1] <= 1_000 + over
    if count > 100:
        assert moments[count // 2] - 1_000 == pytest.approx(over / 2, abs=max(1, over / 10))


@pytest.mark.parametrize(("count", "over"), [(2, 0), (7, 0), (250, 0), (2_500, 0), (1_000, 3), (250, 248)])
def test_times_without_room_for_different_ones_begin_earlier(count: int, over: int) -> None:
    moments = list(generator().moments(count, DEFAULT_START, over))
    assert len(moments) == count
    assert moments == sorted(set(moments))
    assert moments[-1] <= DEFAULT_START + over
    assert moments[0] >= DEFAULT_START - CROWDED_GAP * count
    assert len({later - earlier for earlier, later in pairwise(moments)}) > 1 or count < 10


def test_a_stream_takes_little_memory() -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        for _ in generator().payloads(EventType.OPEN, count, repeat(DEFAULT_START, count)):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak(RECENT_MAX)  # fills what is kept for all streams
    assert peak(10 * RECENT_MAX) < 1.3 * peak(3 * RECENT_MAX)


def test_a_sample_is_never_the_same_twice() -> None:
    one = generator()
    sample = load_sample(FIXTURES / "click.json")
    first, second = (list(one.payloads_like(sample, repeat(5, 100))) for _ in range(2))
    assert len({*first, *second}) == 200
    assert hashlib.sha256(b"".join(first)).digest() != hashlib.sha256(b"".join(second)).digest()
