"""Events each second, beside Faker and mimesis making the same twelve fields.

All run in this process, in turns, and end in JSON bytes by the same encoder. Faker and mimesis fill each field with the
provider that their documentation names for it, from the same values and shares where ours come from a list; neither
keeps the fields of a mail together. Whole mailings run in a process of their own, whose memory is measured.
"""

from __future__ import annotations

import gc
import importlib.util
import string
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from harness import Row, Skipped, in_turns, is_brief, ratios, timed
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from mockcampaign import strategies
from mockcampaign.events import Generator, field_values
from mockcampaign.model import EventType
from mockcampaign.policy import DAY, DEFAULT_CLIENT_ID, DEFAULT_START

EVENTS, YARDSTICK_EVENTS = 50_000, 5_000
FAKER_MIN, MIMESIS_MIN, STRATEGY_RATIO_MAX, EXAMPLES = 20, 3, 10, 100
RECIPIENTS, RECIPIENTS_BRIEF, MEGABYTES_MAX = 1_000_000, 500_000, 150

BEGIN, END = (datetime.fromtimestamp(at // 1_000, UTC) for at in (DEFAULT_START, DEFAULT_START + 30 * DAY))
SYMBOLS = string.ascii_uppercase + string.digits
MAILING_ID, LIST_IDS = 404_813_898_325, (568_753_274_014, 660_031_655_823, 751_310_037_632)
IPV6_PERCENT = round(100 * field_values.IPV6_SHARE)
encode = msgspec.json.Encoder().encode

PEAK = """
import re, resource, sys
def peak():
    try:  # a new program inherits the peak that getrusage knows, not this one
        with open("/proc/self/status") as told:
            return int(re.search(r"VmHWM:\\s+(\\d+)", told.read())[1]) * 1024
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
"""
"""Defines what returns the most memory that a process has had, in bytes."""

MAILING = """
import time
from mockcampaign.events import Generator
began = time.process_time()
mailing = Generator("1", 1).mailing(int(sys.argv[1]), 0)
size = sum(len(event.payload()) for event in mailing)
seconds = time.process_time() - began
print(mailing.events, size, seconds, peak())
"""
COMMANDED = """
import contextlib
from mockcampaign.cli import main
with contextlib.suppress(SystemExit):
    main()
print(peak(), file=sys.stderr)
"""


def client_shares() -> dict[field_values.Client, int]:
    """Of opens: how often each device, system and browser comes, in whole numbers."""
    shares: dict[field_values.Client, int] = {
        field_values.PRIVACY_PROXY: round(10_000 * field_values.PRIVACY_PROXY_SHARE / 0.59)
    }
    for weight, (owner, client) in field_values.MAILBOXES:
        shown = field_values.GOOGLE_PROXY if owner == field_values.GOOGLE else client
        shares[shown] = shares.get(shown, 0) + weight
    return shares


def ours(count: int) -> Iterator[bytes]:
    generator = Generator("1", DEFAULT_CLIENT_ID)
    return generator.payloads(EventType.OPEN, count, generator.moments(count, DEFAULT_START, 30 * DAY))


def faker(count: int) -> Iterator[bytes]:
    from faker import Faker

    fake = Faker()
    fake.seed_instance(1)
    shares = client_shares()
    clients = OrderedDict((client, weight / sum(shares.values())) for client, weight in shares.items())
    for _ in range(count):
        device, operating_system, browser = fake.random_element(clients)
        yield encode(
            {
                "type": "open",
                "recipientId": fake.numerify("%###########"),
                "userListId": fake.random_element(LIST_IDS),
                "remoteAddress": fake.ipv6() if fake.boolean(IPV6_PERCENT) else fake.ipv4_public(),
                "clientId": DEFAULT_CLIENT_ID,
                "mailingId": MAILING_ID,
                "created": int(fake.date_time_between(BEGIN, END).timestamp() * 1_000),
                "subscriptionId": fake.random_int(*field_values.SUBSCRIPTION_ID_RANGE),
                "mailId": fake.bothify("????????-????????-??????", letters=SYMBOLS),
                "device": device,
                "operatingSystem": operating_system,
                "browser": browser,
            }
        )


def mimesis(count: int) -> Iterator[bytes]:
    from mimesis import Generic
    from mimesis.locales import Locale

    fake = Generic(Locale.EN, seed=1)
    clients = client_shares()
    for _ in range(count):
        device, operating_system, browser = fake.random.weighted_choice(clients)
        yield encode(
            {
                "type": "open",
                "recipientId": fake.code.pin("############"),
                "userListId": fake.random.choice(LIST_IDS),
                "remoteAddress": (
                    fake.internet.ip_v6() if fake.random.random() < field_values.IPV6_SHARE else fake.internet.ip_v4()
                ),
                "clientId": DEFAULT_CLIENT_ID,
                "mailingId": MAILING_ID,
                "created": int(fake.datetime.datetime(BEGIN.year, END.year).timestamp() * 1_000),
                "subscriptionId": fake.numeric.integer_number(*field_values.SUBSCRIPTION_ID_RANGE),
                "mailId": fake.code.pin("@#@#@#@#-@#@#@#@#-@#@#@#"),
                "device": device,
                "operatingSystem": operating_system,
                "browser": browser,
            }
        )


def each_second(make: Callable[[int], Iterator[bytes]], count: int) -> float:
    began = time.process_time()
    size = sum(map(len, make(count)))
    seconds = time.process_time() - began
    assert 250 * count < size < 350 * count, size / count
    return count / seconds


def generators() -> Iterator[Row | Skipped]:
    for name, make, aim in (("faker", faker, FAKER_MIN), ("mimesis", mimesis, MIMESIS_MIN)):
        if importlib.util.find_spec(name) is None:
            yield Skipped(f"opens beside {name}", "not installed")
            continue
        for each in (ours, make):
            each_second(each, 1_000)  # imports, tables
        gc.collect()
        gc.freeze()
        rates, theirs = in_turns(
            lambda: each_second(ours, EVENTS),
            lambda make=make: each_second(make, YARDSTICK_EVENTS),  # type: ignore[misc]
        )
        yield Row(
            what=f"opens beside {name}",
            measured=f"{max(rates):,.0f} opens/s",
            yardstick=f"{name}: {max(theirs):,.0f}/s",
            ratios=ratios(rates, theirs),
            at_least=aim,
        )


def strategy(name: str, drawn: SearchStrategy[Any]) -> Row:
    """Drawing events, beside drawing as many numbers in lists as there are events."""
    events = 0

    @settings(max_examples=EXAMPLES, database=None, deadline=None)
    @given(drawn)
    def look(batch: list[strategies.Event]) -> None:
        nonlocal events
        events += len(batch)

    @settings(max_examples=EXAMPLES, database=None, deadline=None)
    @given(st.integers())
    def number(_: int) -> None:
        pass

    def each() -> float:
        nonlocal events
        events = 0
        return timed(look) / events

    taken, numbers = in_turns(each, lambda: timed(number) / EXAMPLES)
    return Row(
        what=f"@given {name}",
        measured=f"{1 / min(taken):,.0f} events/s",
        yardstick=f"st.integers(): {1 / min(numbers):,.0f}/s",
        ratios=ratios(taken, numbers),
        at_most=STRATEGY_RATIO_MAX,
    )


def mailing() -> Iterator[Row]:
    recipients = RECIPIENTS_BRIEF if is_brief() else RECIPIENTS
    events, size, seconds, peak = (float(text) for text in run(MAILING, str(recipients)).stdout.split())
    made = f"{events:,.0f} events, {size / 1e6:,.0f} MB of JSON in {seconds:.1f} s"
    yield in_memory(f"a mailing to {recipients:,}", made, peak)
    done = run(COMMANDED, "generate", "--recipients", str(recipients), "--format", "jsonl", output=subprocess.DEVNULL)
    yield in_memory("mockcampaign generate --recipients …", "the same as JSON Lines", float(done.stderr))


def run(code: str, *arguments: str, output: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Run code that can ask for the most memory that it has had."""
    command = [sys.executable, "-c", PEAK + code, *arguments]
    return subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True, check=True)


def in_memory(what: str, made: str, peak: float) -> Row:
    return Row(
        what=what,
        measured=f"{made}, {peak / 1e6:.0f} MB of memory",
        yardstick=f"{MEGABYTES_MAX} MB",
        ratios=(peak / 1e6 / MEGABYTES_MAX,),
        at_most=1.0,
    )


def measure() -> Iterator[Row | Skipped]:
    yield from generators()
    for size in (1, 10, 100):
        yield strategy(f"batches({size}, {size})", strategies.batches(size, size))
        yield strategy(f"wild_batches({size}, {size})", strategies.wild_batches(size, size))
    yield strategy("mailings()", strategies.mailings())
    yield from mailing()
