"""Each bug of the sample consumers is visible from outside, and the correct consumer does not have it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests

from called import RIGHT, WRONG, CalledConsumer, Event, Headers, encoded, event, request, some_events
from mockcampaign.faults import Chunked, ContentType, CutBody
from mockcampaign.model import Responded, TimedOut
from mockcampaign.samples.bugs import authentication, http_server, resilience
from mockcampaign.samples.bugs.http import TimesOutSlowBody
from mockcampaign.samples.bugs.resilience import RecountsAfterFullBatch
from mockcampaign.samples.consumer import BUGS, consumer_app, serve_consumer
from mockcampaign.serving import serve_in_thread

HOUR = 3_600_000
DAY = 24 * HOUR
BASE = 1_700_000_000_000
ALL = list(range(100))

Observe = Callable[[CalledConsumer], Any]


def seen(*lists: Sequence[Event]) -> Observe:
    """Observe the statuses of batches posted one after another, and the recipients of the stored events, in order."""

    def observe(consumer: CalledConsumer) -> Any:
        statuses = [consumer.post(*events) for events in lists]
        return statuses, [int(processed["recipientId"]) for processed in consumer.processed]

    return observe


def statuses(*lists: Sequence[Event]) -> Observe:
    return lambda consumer: [consumer.post(*events) for events in lists]


def kept(name: str, value: Any) -> Observe:
    """Observe the stored value of a field."""

    def observe(consumer: CalledConsumer) -> Any:
        assert consumer.post(event(**{name: value})) == 200
        return consumer.processed[0][name]

    return observe


def let_in(headers: Headers) -> Observe:
    """Observe status and number of stored events for a request with these headers."""

    def observe(consumer: CalledConsumer) -> Any:
        return consumer.post(event(), headers=headers), len(consumer.processed)

    return observe


def basic(credentials: str, scheme: str = "Basic") -> Headers:
    return (("Authorization", f"{scheme} {base64.b64encode(credentials.encode()).decode()}"),)


def sent(body: bytes = b"", **more: Any) -> Observe:
    """Observe status and number of stored events for a request."""

    def observe(consumer: CalledConsumer) -> Any:
        return consumer.send(body=body or encoded(event()), **more).status, len(consumer.processed)

    return observe


def after_others(count: int) -> Observe:
    """Observe statuses and number of stored events if a full batch is redelivered after so many other events."""

    def observe(consumer: CalledConsumer) -> Any:
        lists = [range(at, at + 100) for at in (*range(0, count + 100, 100), 0)]
        return [consumer.post(*map(event, one)) for one in lists], len(consumer.processed)

    return observe


def at_once(*bodies: bytes) -> Observe:
    """Observe statuses and number of stored events of concurrent batches."""

    def observe(consumer: CalledConsumer) -> Any:
        outcomes = consumer.exchange(*(request(body=body) for body in bodies))
        return [outcome.status if isinstance(outcome, Responded) else outcome for outcome in outcomes], len(
            consumer.processed
        )

    return observe


def after_hang_ups(consumer: CalledConsumer) -> Any:
    for _ in range(5):
        consumer.exchange(request(body=encoded(event()), faults=(CutBody(),)))
    return consumer.post(event())


def after_a_cut(consumer: CalledConsumer) -> Any:
    consumer.exchange(request(body=encoded(event(1), event(2)), faults=(CutBody(at_fraction=0.6),)))
    return seen(*[[event(1), event(2)]] * 2)(consumer)


def without(name: str, number: int = 0) -> Event:
    one = event(number)
    del one[name]
    return one


TWINS = [event(1), event(1)]
CUT = encoded(event(1), event(2))[:-20]
NOW = int(time.time() * 1_000)
NOISE = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(30))
"""Text that compression hardly shortens."""
SECOND_2_30 = 1729992600000
"""2:30 in Berlin on the 27th of October 2024, for the second time in that night."""

OBSERVATIONS: dict[str, tuple[Observe, Any, Any]] = {
    # acknowledge
    "responds-201": (seen(some_events(1)), ([200], [0]), ([201], [0])),
    "responds-202": (seen(some_events(1)), ([200], [0]), ([202], [0])),
    "responds-204": (seen(some_events(1)), ([200], [0]), ([204], [0])),
    "responds-207": (seen(some_events(1), some_events(2)), ([200, 200], [0, 1]), ([200, 207], [0, 1])),
    "redirects-to-trailing-slash": (seen(some_events(1)), ([200], [0]), ([307], [])),
    "responds-with-ids-of-new-rows": (statuses([event(1)], [event(1)]), [200, 200], [500, 200]),
    "always-responds-503": (seen(some_events(1)), ([200], [0]), ([503], [])),
    "acknowledges-before-storing": (seen(some_events(1)), ([200], [0]), ([200], [])),
    "swallows-background-errors": (
        seen([event(1)], [event(2), without("device", 3)]),
        ([200, 200], [1, 2, 3]),
        ([200, 200], [1]),
    ),
    "acknowledges-unreadable-body": (sent(b"[1]"), (400, 0), (200, 0)),
    "acknowledges-deep-nesting": (sent(b"[" * 100_000 + b"]" * 100_000), (400, 0), (200, 0)),
    "stores-any-json": (sent(b"[1]"), (400, 0), (200, 1)),
    "stores-lists-as-events": (sent(b"[[1, 2]]"), (400, 0), (200, 1)),
    "salvages-truncated-batch": (sent(CUT), (400, 0), (200, 1)),
    "drops-when-queue-is-full": (at_once(*(encoded(event(n)) for n in range(30))), ([200] * 30, 30), ([200] * 30, 1)),
    "responds-200-with-error-body": (sent(b"[1]"), (400, 0), (200, 0)),
    # batch
    "stores-first-event-only": (seen(some_events(3)), ([200], [0, 1, 2]), ([200], [0])),
    "stores-last-event-only": (seen(some_events(3)), ([200], [0, 1, 2]), ([200], [2])),
    "loses-odd-event": (
        seen(some_events(3), [event(3), event(4)]),
        ([200, 200], [0, 1, 2, 3, 4]),
        ([200, 200], [0, 1, 3, 4]),
    ),
    "loses-100th-event": (seen(some_events(100)), ([200], ALL), ([200], ALL[:99])),
    "rejects-full-batch": (seen(some_events(100)), ([200], ALL), ([413], [])),
    "rejects-identical-events": (seen(TWINS, [event(2)]), ([200, 200], [1, 1, 2]), ([500, 200], [2])),
    "rejects-many-identical-events": (statuses([event()] * 10, [event()] * 11), [200, 200], [200, 400]),
    "drops-identical-events": (seen([event(1), event(1), event(2)]), ([200], [1, 1, 2]), ([200], [2])),
    "stores-one-event-per-recipient": (
        seen([event(1), event(1, created=5), event(2)]),
        ([200], [1, 1, 2]),
        ([200], [1, 2]),
    ),
    "stores-first-mailing-only": (
        seen([event(1, mailingId=1), event(2, mailingId=1), event(3, mailingId=2)]),
        ([200], [1, 2, 3]),
        ([200], [1, 2]),
    ),
    "rejects-mixed-mailings": (
        statuses([event(1, mailingId=1), event(2, mailingId=1)], [event(3, mailingId=1), event(4, mailingId=2)]),
        [200, 200],
        [200, 400],
    ),
    "truncates-body-at-64-kib": (seen([event(1, browser="x" * 70_000)]), ([200], [1]), ([200], [])),
    "responds-404-before-handler-ends": (seen(some_events(2)), ([200], [0, 1]), ([404], [0, 1])),
    "skips-events-of-long-recipient-ids": (
        seen([event(recipientId="9" * 201), event(recipientId="8" * 200)]),
        ([200], [int("9" * 201), int("8" * 200)]),
        ([200], [int("8" * 200)]),
    ),
    "indexes-texts": (statuses([event(browser="x" * 2_000)], [event(browser=NOISE)]), [200, 200], [200, 500]),
    "drops-events-from-the-future": (seen([event(1, created=NOW + HOUR)]), ([200], [1]), ([200], [])),
    "stores-created-as-local-time": (kept("created", SECOND_2_30), SECOND_2_30, SECOND_2_30 - HOUR),
    "dedup-key-collated-recipient": (
        sent(encoded(event(1, recipientId="ä"), event(1, recipientId="A ", mailId="M2"))),
        (200, 2),
        (200, 1),
    ),
    "dedup-key-joined-fields": (
        sent(encoded(event(recipientId="ab", mailId="c"), event(recipientId="a", mailId="bc"))),
        (200, 2),
        (200, 1),
    ),
    "fails-on-cut-characters": (sent(encoded(event()).replace(b"desktop", rb"\ud83d")), (200, 1), (500, 0)),
    "loses-inherited-names": (sent(encoded(event(recipientId="__proto__"))), (200, 1), (200, 0)),
    "turns-ids-to-floats-beside-absent-ones": (
        lambda consumer: (
            consumer.post(event(1, mailingId=2**53 + 1), event(2)),
            [one.get("mailingId") for one in consumer.processed],
        ),
        (200, [2**53 + 1, None]),
        (200, [2**53, None]),
    ),
    "copies-first-recipient-list": (
        lambda consumer: (
            consumer.post(event(1, userListId=1), event(2, userListId=2)),
            [one["userListId"] for one in consumer.processed],
        ),
        (200, [1, 2]),
        (200, [1, 1]),
    ),
    # redelivery
    "rejects-redelivered-batch": (
        seen([event(1)], [event(1)], [event(1), event(2)]),
        ([200, 200, 200], [1, 2]),
        ([200, 409, 200], [1, 2]),
    ),
    "null-in-unique-index": (
        seen([event(1)], [event(1)], [without("device", 2)], [without("device", 2)]),
        ([200] * 4, [1, 2]),
        ([200] * 4, [1, 2, 2]),
    ),
    "never-deduplicates": (seen([event(1)], [event(1)]), ([200, 200], [1]), ([200, 200], [1, 1])),
    "dedup-key-batch-hash": (
        seen([event(1), event(2)], [event(1), event(2)], [event(2)]),
        ([200] * 3, [1, 2]),
        ([200] * 3, [1, 2, 2]),
    ),
    "dedup-key-size-and-first-event": (
        seen([event(1), event(2)], [event(1), event(2)], [event(1), event(2), event(3)]),
        ([200] * 3, [1, 2, 3]),
        ([200] * 3, [1, 2, 1, 2, 3]),
    ),
    "compares-with-previous-batch-only": (
        seen([event(1)], [event(1)], [event(2)], [event(1)]),
        ([200] * 4, [1, 2]),
        ([200] * 4, [1, 2, 1]),
    ),
    "forgets-dedup-key-once-used": (
        seen([event(1)], [event(1)], [event(1)]),
        ([200] * 3, [1]),
        ([200] * 3, [1, 1]),
    ),
    "dedup-key-position": (
        seen([event(1), event(2)], [event(1), event(2)], [event(2)]),
        ([200] * 3, [1, 2]),
        ([200] * 3, [1, 2, 2]),
    ),
    "keeps-dedup-keys-for-an-hour": (
        seen([event(1, created=BASE)], [event(2, created=BASE + HOUR)], [event(1, created=BASE)]),
        ([200] * 3, [1, 2]),
        ([200] * 3, [1, 2, 1]),
    ),
    "keeps-dedup-keys-for-a-day": (
        seen([event(1, created=BASE)], [event(2, created=BASE + DAY)], [event(1, created=BASE)]),
        ([200] * 3, [1, 2]),
        ([200] * 3, [1, 2, 1]),
    ),
    "keeps-1000-dedup-keys": (after_others(1_000), ([200] * 12, 1_100), ([200] * 12, 1_200)),
    "keeps-2000-dedup-keys": (after_others(2_000), ([200] * 22, 2_100), ([200] * 22, 2_200)),
    "stores-while-reading": (after_a_cut, ([200, 200], [1, 2]), ([200, 200], [1, 1, 2])),
    "workers-do-not-share-dedup-keys": (seen(*[[event(1)]] * 3), ([200] * 3, [1]), ([200] * 3, [1, 1])),
    "drops-batch-on-deadlock": (
        at_once(
            encoded(event(1, mailingId=1), event(2, mailingId=2)),
            encoded(event(3, mailingId=2), event(4, mailingId=1)),
        ),
        ([200, 200], 4),
        ([200, 200], 2),
    ),
    "checks-then-inserts": (at_once(encoded(event()), encoded(event())), ([200, 200], 1), ([200, 200], 2)),
    # identity
    "dedup-key-mail-id": (seen([event(1), event(2, mailId="M1")]), ([200], [1, 2]), ([200], [1])),
    "dedup-key-mail-id-type": (
        seen([event(1), event(2, mailId="M1", type="click"), event(3, mailId="M1")]),
        ([200], [1, 2, 3]),
        ([200], [1, 2]),
    ),
    "dedup-key-recipient-id": (
        seen([event(1), event(2)], [event(1, created=5_000)]),
        ([200, 200], [1, 2, 1]),
        ([200, 200], [1, 2]),
    ),
    "dedup-key-recipient-mailing": (
        seen([event(1, mailingId=1), event(1, mailingId=2), event(1, mailingId=1, mailId="M9")]),
        ([200], [1, 1, 1]),
        ([200], [1, 1]),
    ),
    "dedup-key-created": (seen([event(1), event(2, created=1_001)]), ([200], [1, 2]), ([200], [1])),
    "dedup-key-mail-id-created": (
        seen([event(1), event(1, created=2), event(1, type="click")]),
        ([200], [1, 1, 1]),
        ([200], [1, 1]),
    ),
    "dedup-key-mail-id-second": (
        seen([event(1, created=1_000), event(1, created=1_999), event(1, created=2_000)]),
        ([200], [1, 1, 1]),
        ([200], [1, 1]),
    ),
    "dedup-key-recipient-day": (
        seen([event(1, created=0), event(1, created=DAY - 1), event(1, created=DAY)]),
        ([200], [1, 1, 1]),
        ([200], [1, 1]),
    ),
    "dedup-key-time-of-day": (
        seen([event(1, created=0), event(1, created=DAY), event(1, created=DAY + 1)]),
        ([200], [1, 1, 1]),
        ([200], [1, 1]),
    ),
    "dedup-key-without-type": (
        seen([event(1), event(1, type="click"), event(1, browser="x")]),
        ([200], [1, 1, 1]),
        ([200], [1, 1]),
    ),
    "dedup-key-without-link": (
        # With the fields of links that clicks have, and with those that they might have.
        seen(
            [event(1, type="click", link="a"), event(1, type="click", link="b"), event(1, type="open")],
            [event(2, type="click", linkId=1), event(2, type="click", linkId=2), event(2, type="open")],
        ),
        ([200, 200], [1, 1, 1, 2, 2, 2]),
        ([200, 200], [1, 1, 2, 2]),
    ),
    "dedup-key-without-subscription-id": (
        seen([event(1, subscriptionId=1), event(1, subscriptionId=2), event(1, userListId=2)]),
        ([200], [1, 1, 1]),
        ([200], [1, 1]),
    ),
    "shares-batch-variable": (at_once(encoded(event(1)), encoded(event(2))), ([200, 200], 2), ([200, 200], 1)),
    "dedup-key-address-browser-created": (seen([event(1), event(2, created=1_001)]), ([200], [1, 2]), ([200], [1])),
    # poison
    "requires-device": (seen([event(1), without("device")]), ([200], [1, 0]), ([500], [])),
    "skips-events-without-device": (seen([event(1), without("device"), event(2)]), ([200], [1, 0, 2]), ([200], [1, 2])),
    "drops-batch-with-bad-event": (seen([event(1), without("device")]), ([200], [1, 0]), ([200], [])),
    "drops-batch-with-nul": (seen([event(1), event(2, browser="\0")]), ([200], [1, 2]), ([200], [])),
    "stops-at-bad-event": (seen([event(1), without("device"), event(2)]), ([200], [1, 0, 2]), ([200], [1])),
    # order
    "drops-late-events": (
        seen([event(2)], [event(1), event(2, mailId="M"), event(3)]),
        ([200, 200], [2, 1, 2, 3]),
        ([200, 200], [2, 2, 3]),
    ),
    "drops-late-events-of-a-mail": (
        seen([event(2, mailId="M")], [event(1, mailId="M"), event(1)]),
        ([200, 200], [2, 1, 1]),
        ([200, 200], [2, 1]),
    ),
    "drops-clicks-before-open": (
        seen([event(1, type="click"), event(2), event(2, type="click")]),
        ([200], [1, 2, 2]),
        ([200], [2, 2]),
    ),
    "drops-events-older-than-a-day": (
        seen([event(1, created=BASE)], [event(2, created=BASE - DAY), event(3, created=BASE - DAY + 1)]),
        ([200, 200], [1, 2, 3]),
        ([200, 200], [1, 3]),
    ),
    "drops-events-by-wall-clock": (
        seen([event(1, created=NOW - DAY - HOUR), event(2, created=NOW - DAY + HOUR)]),
        ([200], [1, 2]),
        ([200], [2]),
    ),
    "cursor-on-created": (
        seen([event(1, created=5), event(2, created=5)], [event(3, created=5), event(4, created=6)]),
        ([200, 200], [1, 2, 3, 4]),
        ([200, 200], [1, 2, 4]),
    ),
    "parses-created-as-seconds": (statuses([event(created=BASE)]), [200], [500]),
    "truncates-created-to-seconds": (kept("created", BASE + 999), BASE + 999, BASE),
    # failure
    "fails-after-storing": (
        seen(some_events(2), some_events(2), some_events(1)),
        ([200, 200, 200], [0, 1]),
        ([500, 200, 500], [0, 1, 0, 1, 0]),
    ),
    "commits-per-event": (
        seen([event(1), event(1), event(2)], [event(1), event(2)], *[[event(3), without("created", 4)]] * 2),
        ([200] * 4, [1, 1, 2, 3, 4]),
        ([200, 200, 500, 500], [1, 1, 2, 3, 3]),
    ),
    "throttles-backlog": (
        statuses(*[some_events(100)] * 61, some_events(99)),
        [200] * 62,
        [*[200] * 60, 429, 200],
    ),
    "leaks-connection-on-error": (
        statuses(*[[event(browser="\0")]] * 4, [event(1)], [event(browser="\0")], [event(1)]),
        [200] * 7,
        [*[500] * 4, 200, 500, 500],
    ),
    "leaks-connection-on-disconnect": (after_hang_ups, 200, 503),
    "keeps-lock-after-bad-body": (
        lambda consumer: (consumer.post(event(1)), consumer.send(body=b"[").status, consumer.post(event(2))),
        (200, 400, 200),
        (200, 400, 503),
    ),
    "shares-transaction": (
        at_once(
            encoded(*(event(number) for number in range(40))),
            encoded(*(event(number) for number in range(40, 50)), event(50, created="yesterday")),
        ),
        ([200, 200], 51),
        ([200, 500], 20),
    ),
    "bans-after-oversized-body": (
        lambda consumer: (
            *(consumer.send(body=b" " * size + b"[]").status for size in (1_000_000, 10_000_000)),
            consumer.post(event(1)),
        ),
        (200, 200, 200),
        (200, 413, 403),
    ),
    "fills-buffer": (
        statuses(*[[event(number, mailingId=1) for number in range(51)]] * 3, [event(mailingId=2)]),
        [200, 200, 200, 200],
        [200, 200, 503, 200],
    ),
    "binds-variable-per-batch": (
        lambda consumer: [
            *{consumer.post(event(number, mailingId=1)) for number in range(400)},
            consumer.post(event(mailingId=1)),
            consumer.post(event(mailingId=2)),
        ],
        [200, 200, 200],
        [200, 500, 200],
    ),
    # payload
    "rejects-null": (statuses([event(device=None)], [event()]), [200, 200], [400, 200]),
    "rejects-unknown-fields": (statuses([event(foo=1)], [event()]), [200, 200], [400, 200]),
    "rejects-unknown-types": (statuses([event(type="print")], [event(type="click")]), [200, 200], [400, 200]),
    "drops-unknown-types": (sent(encoded(event(type="print"), event(type="click"))), (200, 2), (200, 1)),
    "rejects-unknown-devices": (statuses([event(device="tv")], [event(device="mobile")]), [200, 200], [400, 200]),
    "rejects-ipv6": (
        statuses([event(remoteAddress="::1")], [event(remoteAddress="0.0.0.0")]),
        [200, 200],
        [400, 200],
    ),
    "rejects-ids-beyond-int32": (
        statuses([event(subscriptionId=2**31)], [event(subscriptionId=2**31 - 1)]),
        [200, 200],
        [400, 200],
    ),
    "takes-columns-of-first-event": (
        statuses([without("device")], [event(1), without("device")], [event(1), event(2)]),
        [200, 200, 200],
        [200, 500, 200],
    ),
    "parses-ids-as-floats": (kept("mailingId", 2**53 + 1), 2**53 + 1, 2**53),
    "decodes-as-latin-1": (kept("browser", "Café"), "Café", "CafÃ©"),
    "stores-ids-as-text": (kept("mailingId", 7), 7, "7"),
    "stores-recipient-id-as-number": (kept("recipientId", "0042"), "0042", "42"),
    "lower-cases-recipient-id": (kept("recipientId", "Anna@example.com"), "Anna@example.com", "anna@example.com"),
    "trims-text": (kept("recipientId", " 12 "), " 12 ", "12"),
    "truncates-text-at-40": (kept("recipientId", "a" * 41), "a" * 41, "a" * 40),
    "truncates-text-at-emoji": (kept("browser", "a\u2028\U0001f4f1b"), "a\u2028\U0001f4f1b", "a\u2028"),
    "normalises-text": (kept("browser", "cafe\u0301"), "cafe\u0301", "café"),
    "escapes-html": (kept("recipientId", "O'Neil"), "O'Neil", "O&#x27;Neil"),
    "rejects-nul": (statuses([event(browser="a\0b")], [event(browser="a\nb")]), [200, 200], [400, 200]),
    "truncates-text-at-nul": (kept("browser", "a\0b"), "a\0b", "a"),
    "stands-behind-body-limit": (
        lambda consumer: [consumer.send(body=encoded().ljust(size)).status for size in (50_000, 50_001)],
        [200, 200],
        [200, 413],
    ),
    "limits-body-to-50-kb": (
        lambda consumer: [consumer.send(body=encoded().ljust(size)).status for size in (50_000, 50_001)],
        [200, 200],
        [200, 413],
    ),
    "limits-body-to-64-kib": (
        lambda consumer: [consumer.send(body=encoded().ljust(size)).status for size in (65_536, 65_537)],
        [200, 200],
        [200, 413],
    ),
    # authentication
    "accepts-any-credentials": (let_in(WRONG), (401, 0), (200, 1)),
    "accepts-missing-credentials": (let_in(()), (401, 0), (200, 1)),
    "accepts-any-scheme": (let_in(basic("acme:päss:wörd", "Bearer")), (401, 0), (200, 1)),
    "accepts-credential-prefix": (let_in(basic("acme:päss")), (401, 0), (200, 1)),
    "accepts-any-password": (let_in(basic("acme:x")), (401, 0), (200, 1)),
    "ignores-credential-case": (let_in(basic("acme:PäSS:wöRD")), (401, 0), (200, 1)),
    "strips-credentials": (let_in(WRONG), (401, 0), (200, 1)),
    "splits-at-last-colon": (let_in(RIGHT), (200, 1), (401, 0)),
    "fails-on-non-ascii-credentials": (let_in(RIGHT), (200, 1), (500, 0)),
    "fails-on-malformed-credentials": (let_in((("Authorization", "Basic !!!"),)), (401, 0), (500, 0)),
    "locks-out-after-ten-failures": (
        lambda consumer: [*[consumer.post(event(), headers=WRONG) for _ in range(10)], consumer.post(event())],
        [*[401] * 10, 200],
        [*[401] * 10, 401],
    ),
    "stores-before-authenticating": (let_in(WRONG), (401, 0), (401, 1)),
    "responds-200-to-wrong-credentials": (let_in(WRONG), (401, 0), (200, 0)),
    "redirects-to-login": (let_in(WRONG), (401, 0), (302, 0)),
    # http
    "rejects-charset-parameter": (
        sent(faults=(ContentType(value="application/json;charset=UTF-8"),)),
        (200, 1),
        (415, 0),
    ),
    "requires-content-length": (sent(faults=(Chunked(),)), (200, 1), (411, 0)),
    "ignores-body-without-length": (sent(faults=(Chunked(),)), (200, 1), (200, 0)),
    "reads-body-once": (sent(encoded(event()), faults=(Chunked(chunk_bytes=10),)), (200, 1), (400, 0)),
    "rejects-expect-continue": (sent(headers=(*RIGHT, ("Expect", "100-continue"))), (200, 1), (417, 0)),
    "accepts-any-method": (sent(method="PUT"), (405, 0), (200, 1)),
    "responds-200-to-get": (sent(method="GET"), (405, 0), (200, 0)),
}
"""How each bug is observed; what the correct consumer shows, and what the one with the bug shows."""


@pytest.mark.parametrize("bug", OBSERVATIONS)
def test_a_bug_is_visible_from_outside_and_so_is_its_absence(bug: str) -> None:
    observe, right, broken = OBSERVATIONS[bug]
    assert observe(CalledConsumer()) == right
    assert observe(CalledConsumer(bug)) == broken


def test_slow_per_event_is_too_slow_for_a_full_batch() -> None:
    bodies = [request(body=encoded(*some_events(100)), timeout=100)]
    assert isinstance(CalledConsumer().exchange(*bodies)[0], Responded)
    assert isinstance(CalledConsumer("slow-per-event").exchange(*bodies)[0], TimedOut)


def test_slow_first_full_batch_is_slow_once() -> None:
    body = request(body=encoded(*some_events(100)), timeout=100)
    consumer = CalledConsumer("slow-first-full-batch")
    assert isinstance(consumer.exchange(body)[0], TimedOut)
    assert isinstance(consumer.exchange(body)[0], Responded)


def test_forgotten_work_in_progress_is_done_again_after_a_disconnect() -> None:
    held = []
    for bug in (None, "forgets-work-in-progress"):
        with serve_consumer(bug) as url:
            host, port = url.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port))) as hanging_up:
                body = encoded(event())
                head = f"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
                hanging_up.sendall(head.encode() + body)
            with requests.post(f"{url}/hook", json=[event()], timeout=30) as answer:
                assert answer.status_code == 200
            with requests.get(f"{url}/processed", timeout=30) as answer:
                held.append(len(answer.json()))
    assert held == [1, 2]


@pytest.mark.parametrize(("bug", "times"), [(None, 1), ("keeps-dedup-keys-per-connection", 2)])
def test_dedup_keys_per_connection_store_twice_over_two_connections(bug: str | None, times: int) -> None:
    with serve_in_thread(consumer_app(bug)) as url:
        for _ in range(2):
            with requests.Session() as session:
                for _ in range(2):
                    assert session.post(f"{url}/hook", json=[event()], timeout=30).status_code == 200
        with requests.get(f"{url}/processed", timeout=30) as answer:
            assert answer.json() == [event()] * times


def test_hashing_known_users_only_hashes_for_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[bytes] = []
    monkeypatch.setattr(authentication, "_hashed", lambda given: hashed.append(given) or given)
    consumer = CalledConsumer("hashes-known-users-only")
    assert [consumer.post(event(), headers=basic(given)) for given in ("x:päss:wörd", "acme:x")] == [401, 401]
    assert hashed == ["acme:päss:wörd".encode(), b"acme:x"]
    assert consumer.post(event()) == 200


@pytest.mark.parametrize(
    ("bug", "held"),
    [
        (None, 13),
        ("commits-every-ten-batches", 11),
        ("writes-behind", 1),
        ("keeps-dedup-keys-in-memory", 14),
        ("stores-in-memory-only", 1),
    ],
)
def test_stored_events_after_a_restart_and_a_redelivery(bug: str | None, held: int, tmp_path: Path) -> None:
    consumer = CalledConsumer(bug, store=tmp_path / "events")
    assert [consumer.post(one) for one in some_events(13)] == [200] * 13
    assert consumer.processed == some_events(13)
    consumer = CalledConsumer(bug, store=tmp_path / "events")
    assert consumer.post(event(12)) == 200
    assert len(consumer.processed) == held


def slow_body(app: Any, release: asyncio.Event) -> Any:
    """Send a request whose body ends when `release` is set; return the status of the response."""
    answer: list[Any] = []

    async def receive() -> Any:
        await release.wait()
        return {"type": "http.request", "body": encoded(event()), "more_body": False}

    async def send(message: Any) -> None:
        answer.append(message)

    async def call() -> int:
        scope = {"type": "http", "method": "POST", "path": "/hook", "query_string": b"", "headers": []}
        await app(scope, receive, send)
        status: int = answer[0]["status"]
        return status

    return call()


@pytest.mark.parametrize(("bug", "waits"), [(None, False), ("reads-body-under-lock", True)])
def test_reading_a_body_under_a_lock_blocks_the_next_request(bug: str | None, waits: bool) -> None:
    async def two() -> None:
        app, released, release = consumer_app(bug), asyncio.Event(), asyncio.Event()
        released.set()
        slow = asyncio.create_task(slow_body(app, release))
        await asyncio.sleep(0)
        quick = asyncio.create_task(slow_body(app, released))
        for _ in range(20):
            await asyncio.sleep(0)
        assert (slow.done(), quick.done()) == (False, not waits)
        release.set()
        assert await asyncio.gather(slow, quick) == [200, 200]

    asyncio.run(two())


def test_a_slow_body_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TimesOutSlowBody, "body_timeout_seconds", 0)
    assert asyncio.run(slow_body(consumer_app("times-out-slow-body"), asyncio.Event())) == 408


@pytest.mark.parametrize(
    ("bug", "sent_before", "seen_after"),
    [
        (None, "\0", (200, 200)),
        ("never-rolls-back", "x", (200, 200)),
        ("never-rolls-back", "\0", (500, 500)),
        ("breaks-own-probe", "x", (200, 200)),
        ("breaks-own-probe", "\0", (200, 500)),
    ],
)
def test_text_with_nul_breaks_what_follows(bug: str | None, sent_before: str, seen_after: tuple[int, int]) -> None:
    with serve_in_thread(consumer_app(bug)) as url, requests.Session() as session:
        session.post(f"{url}/hook", json=[event(browser=sent_before)], timeout=30)
        after = session.post(f"{url}/hook", json=[event(1)], timeout=30)
        assert (after.status_code, session.get(f"{url}/processed", timeout=30).status_code) == seen_after


@pytest.mark.parametrize(("bug", "count"), [(None, 1), ("counts-redelivered-events", 2)])
def test_a_total_counts_events_once_or_whenever_they_arrive(bug: str | None, count: int) -> None:
    with serve_in_thread(consumer_app(bug)) as url, requests.Session() as session:
        for _ in range(2):
            session.post(f"{url}/hook", json=[event(1)], timeout=30)
        assert session.get(f"{url}/count", timeout=30).json() == {"events": count}
        assert len(session.get(f"{url}/processed", timeout=30).json()) == 1


@pytest.mark.parametrize(("bug", "status"), [(None, 500), ("acknowledges-without-store", 200)])
def test_a_store_that_cannot_be_written(bug: str | None, status: int, tmp_path: Path) -> None:
    consumer = CalledConsumer(bug, store=tmp_path / "store")
    (tmp_path / "store").unlink()
    (tmp_path / "store").mkdir()
    assert consumer.post(event(1)) == status
    assert consumer.processed == []


def test_recounting_takes_long_after_a_full_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(resilience, "sleep", sleep)
    consumer = CalledConsumer("recounts-after-full-batch")
    assert [consumer.post(*some_events(count)) for count in (99, 100)] == [200, 200]
    assert slept == [RecountsAfterFullBatch.seconds]


ELSEWHERE = {
    "never-rolls-back",
    "breaks-own-probe",
    "counts-redelivered-events",
    "acknowledges-without-store",
    "recounts-after-full-batch",
    "slow-per-event",
    "slow-first-full-batch",
    "forgets-work-in-progress",
    "keeps-dedup-keys-per-connection",
    "last-arrival-wins",
    "commits-every-ten-batches",
    "writes-behind",
    "keeps-dedup-keys-in-memory",
    "stores-in-memory-only",
    "hashes-known-users-only",
    "reads-body-under-lock",
    "times-out-slow-body",
    "never-responds-to-bad-event",
}
"""Bugs that have a test of their own."""


def test_every_bug_is_observed() -> None:
    assert OBSERVATIONS.keys() == BUGS.keys() - ELSEWHERE - http_server.BUGS.keys()
    assert BUGS.keys() >= ELSEWHERE
    assert all(right != broken for _, right, broken in OBSERVATIONS.values())
    assert len({bug.description for bug in BUGS.values()}) == len(BUGS)
