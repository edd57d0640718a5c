"""Bugs that the catalogue was not written against: variants of the shipped ones, and some that strangers would bring.

They are kept apart from the samples on purpose. Where one of them gets through, a rule is too narrow.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from consumers.started import PASSWORD, USER
from mockcampaign.model import BasicAuthentication
from mockcampaign.samples.bugs.acknowledgement import responding
from mockcampaign.samples.bugs.authentication import comparing, rejecting_with
from mockcampaign.samples.bugs.batch import selecting
from mockcampaign.samples.bugs.identity import all_but, deduplicating_on
from mockcampaign.samples.bugs.payload import changing_role, changing_text, limited, rejecting, storing
from mockcampaign.samples.bugs.redelivery import NeverDeduplicates, deduplicating_batches_on, keeping_dedup_keys_for
from mockcampaign.samples.consumer import application
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Identity, Store
from mockcampaign.shape.field import Role

HOUR = 3_600_000


class KeepsTenThousand(Consumer):
    async def process(self, events: list[Event]) -> None:
        await super().process(events)
        while len(self.store) > 10_000:
            del self.store._events[next(iter(self.store._events))]


class KeepsKeysOfAList(NeverDeduplicates):
    """Knows the keys of the last ten lists."""

    def prepare(self) -> None:
        self.lists: list[set[Identity]] = []

    async def process(self, events: list[Event]) -> None:
        identified = Consumer.by_identity(self, events)
        seen = set().union(*self.lists)
        await super().process([event for identity, event in identified.items() if identity not in seen])
        self.lists = [*self.lists[-9:], set(identified)]


class CommitsHalves(NeverDeduplicates):
    """Inserts in chunks of 10, of which one fails at a null; it knows a list once all of it is stored."""

    def prepare(self) -> None:
        self.seen: set[Identity] = set()

    async def process(self, events: list[Event]) -> None:
        identified = Consumer.by_identity(self, events)
        new = [event for identity, event in identified.items() if identity not in self.seen]
        for at in range(0, len(new), 10):
            if any(None in event.values() for event in new[at : at + 10]):
                raise ValueError("NOT NULL constraint failed")
            await super().process(new[at : at + 10])
        self.seen.update(identified)


class FailsHalfway(NeverDeduplicates):
    """Loses its database in the middle of a long list, the first time, and has stored the first half."""

    def prepare(self) -> None:
        self.seen: set[Identity] = set()
        self.failed: set[bytes] = set()

    async def process(self, events: list[Event]) -> None:
        identified = Consumer.by_identity(self, events)
        new = [event for identity, event in identified.items() if identity not in self.seen]
        first = self.key(new[0]) if new else b""
        if len(new) > 50 and first not in self.failed:
            self.failed.add(first)
            await super().process(new[:50])
            raise ConnectionError
        await super().process(new)
        self.seen.update(identified)


class CommitsPerMailing(NeverDeduplicates):
    """One transaction for each mailing of a list, in which a broken event rolls back its own alone; no unique key."""

    def prepare(self) -> None:
        self.seen: set[Identity] = set()

    async def process(self, events: list[Event]) -> None:
        identified = Consumer.by_identity(self, events)
        new = [event for identity, event in identified.items() if identity not in self.seen]
        for mailing in dict.fromkeys(event.get("mailingId") for event in new):
            part = [event for event in new if event.get("mailingId") == mailing]
            for event in part:
                event["created"] // 1_000
            await super().process(part)
        self.seen.update(identified)


class FailsOnce(Consumer):
    """Has stored half of the first long list when its database goes away for a moment, and never again."""

    failed = False

    async def process(self, events: list[Event]) -> None:
        if not self.failed and len(events) > 5:
            self.failed = True
            halves = Consumer.by_identity(self, events[: len(events) // 2])
            self.store.add({(b"uncommitted " + key, number): event for (key, number), event in halves.items()})
            raise ConnectionError
        await super().process(events)


class MarksFirst(Consumer):
    """Takes note of what it has seen before it can know whether it will store it, as SETNX in front of a store does."""

    def prepare(self) -> None:
        self.seen: set[Identity] = set()

    async def process(self, events: list[Event]) -> None:
        identified = self.by_identity(events)
        new = {identity: event for identity, event in identified.items() if identity not in self.seen}
        self.seen.update(new)
        for event in new.values():
            event["created"] // 3_600_000
        self.store.add(new)


class WaitsOnTheLoop(Consumer):
    """Does slow work in the event loop, so that nobody else is served."""

    async def process(self, events: list[Event]) -> None:
        await asyncio.sleep(0.03 * len(events))
        await super().process(events)


class ForgetsOnError(Consumer):
    async def hook(self, request: Request) -> Response:
        answer = await super().hook(request)
        if answer.status_code >= 400 and answer.status_code != 401:
            self.store._events.clear()  # "roll back", of the wrong transaction
        return answer


class Samples(Consumer):
    async def process(self, events: list[Event]) -> None:
        one_in_a_hundred = random.Random(len(self.store))
        await super().process([event for event in events if one_in_a_hundred.random() > 0.01])


class ReadsTextAs(Consumer):
    encoding, errors = "ascii", "ignore"

    def parse(self, body: bytes) -> list[Event]:
        return super().parse(body.decode(self.encoding, self.errors).encode())


class ReadsAsWindows(ReadsTextAs):
    encoding, errors = "cp1252", "replace"


class DecodesEachPiece(Consumer):
    """`data += chunk`, which cuts characters that several pieces share."""

    async def read_body(self, request: Request) -> bytes:
        text = ""
        async for piece in request.stream():
            text += piece.decode(errors="replace")
        return text.encode()


class RefusesKnownEvents(Consumer):
    """INSERT without ON CONFLICT: one known event fails the list."""

    async def process(self, events: list[Event]) -> None:
        if any(identity in self.store for identity in self.by_identity(events)):
            raise HTTPException(409, "duplicate key value violates unique constraint")
        await super().process(events)


class ConfirmsRepeats(Consumer):
    """208 Already Reported where there is nothing new."""

    async def process(self, events: list[Event]) -> None:
        if all(identity in self.store for identity in self.by_identity(events)):
            raise HTTPException(208)
        await super().process(events)


class WantsOrder(Consumer):
    """Merges a list into a sorted file, for which it has to be sorted itself."""

    async def process(self, events: list[Event]) -> None:
        moments = [self.shapes.time(event) for event in events]
        if moments != sorted(moments):
            raise HTTPException(400, "not in order")
        await super().process(events)


class TakesTwenty(Consumer):
    """20 requests a day, as a limit that was meant for people."""

    taken = 0

    async def handle(self, request: Request) -> Response:
        self.taken += 1
        if self.taken > 20:
            raise HTTPException(429)
        return await super().handle(request)


class LooksForCredentials(Consumer):
    """`if wanted in header`."""

    def is_authenticated(self, request: Request) -> bool:
        return f"Basic {base64.b64encode(self.expected_credentials()).decode()}" in request.headers.get(
            "authorization", ""
        )


class StoresRefused(Consumer):
    """Answers 401 to wrong credentials when it has stored what they came with, if it could."""

    async def handle(self, request: Request) -> Response:
        await self.process(self.parse(await self.read_body(request)))
        return await super().handle(request)


class AcceptsGet(Consumer):
    methods = ("GET", "POST")


class AcceptsDelete(Consumer):
    methods = ("DELETE", "POST")


class WantsLowerCaseCharset(Consumer):
    async def read_body(self, request: Request) -> bytes:
        if request.headers.get("content-type") not in ("application/json", "application/json; charset=utf-8"):
            raise HTTPException(415)
        return await super().read_body(request)


class Replaces(Consumer):
    """INSERT OR REPLACE on an index of too few columns: an upsert by which the last one wins."""

    def by_identity(self, events: list[Event]) -> dict[Identity, Event]:
        return {(self.key(event), 1): event for event in events}

    def key(self, event: Event) -> bytes:
        return json.dumps([event.get(name) for name in ("mailId", "type", "created")]).encode()

    async def process(self, events: list[Event]) -> None:
        self.store._events |= self.by_identity(events)


class FailsAtSecondActs(Consumer):
    """Has a unique index on the mail and the type, and no response to its errors but 500."""

    async def process(self, events: list[Event]) -> None:
        new = {identity: event for identity, event in self.by_identity(events).items() if identity not in self.store}
        known = {(event.get("mailId"), event.get("type")) for event in self.store.events()}
        if any((event.get("mailId"), event.get("type")) in known for event in new.values()):
            raise ValueError("UNIQUE constraint failed")
        self.store.add(new)


class RefusesOlder(Consumer):
    """Answers 409 to what is older than the newest that it has, as to an edit of a version that is gone."""

    newest = 0

    async def process(self, events: list[Event]) -> None:
        newest = max((self.shapes.time(event) for event in events), default=self.newest)
        if newest < self.newest and not all(identity in self.store for identity in self.by_identity(events)):
            raise HTTPException(409)
        self.newest = max(newest, self.newest)
        await super().process(events)


class OpensABreaker(Consumer):
    """Lets nobody in for a minute when three requests were bad."""

    bad = 0

    async def hook(self, request: Request) -> Response:
        if self.bad >= 3:
            return Response(status_code=503)
        answer = await super().hook(request)
        self.bad += answer.status_code == 400
        return answer


class LeaksOnErrors(Consumer):
    """Takes one of twenty connections for each list, and gives it back where all went well."""

    free = 20

    async def process(self, events: list[Event]) -> None:
        if self.free == 0:
            raise HTTPException(503)
        self.free -= 1
        for event in events:
            event["created"] // 1_000, event["recipientId"]
        await super().process(events)
        self.free += 1


class CountsTwins(Consumer):
    """Knows what it has, and adds whatever a list holds more than once."""

    def prepare(self) -> None:
        self.twins = 0

    def by_identity(self, events: list[Event]) -> dict[Identity, Event]:
        rows: dict[Identity, Event] = {}
        for (key, number), event in super().by_identity(events).items():
            self.twins += number > 1
            rows[key, number + self.twins if number > 1 else 1] = event
        return rows


class GivesUp(Consumer):
    """Puts a list aside, whole, and says so with 200, when it has failed at it five times."""

    def prepare(self) -> None:
        self.failures: Counter[bytes] = Counter()

    async def process(self, events: list[Event]) -> None:
        if all(isinstance(event.get("browser", ""), str) for event in events):
            await super().process(events)
            return
        body = json.dumps(events).encode()
        self.failures[body] += 1
        if self.failures[body] <= 5:
            raise ValueError("NOT NULL constraint failed")


def _hash(bits: int) -> type[Consumer]:
    class Hashed(Consumer):
        def key(self, event: Event) -> bytes:
            return (zlib.crc32(super().key(event)) % 2**bits).to_bytes(8, "big")

    return Hashed


def _falsy(event: Event) -> bool:
    return any(
        name in event and not event[name] and event[name] is not None for name in ("subscriptionId", "mailingId")
    )


def _flat(event: Event) -> bool:
    return any(isinstance(value, dict | list) for value in event.values())


def _has(text: str) -> Any:
    return lambda event: any(isinstance(value, str) and text in value for value in event.values())


def _beyond(limit: int) -> Any:
    return lambda event: any(isinstance(value, str) and len(value) > limit for value in event.values())


def _astral(event: Event) -> bool:
    return any(isinstance(value, str) and any(ord(one) > 0xFFFF for one in value) for value in event.values())


VARIANTS: Mapping[str, type[Consumer]] = {
    "answers-203": responding(203),
    "answers-206": responding(206),
    "answers-302": responding(302),
    "first-ten-only": selecting(lambda events: events[:10]),
    "all-but-first": selecting(lambda events: events[1:] or events),
    "tens": selecting(lambda events: events[: len(events) // 10 * 10] or events),
    "one-a-mail-and-moment-of-a-list": selecting(
        lambda events: list({(event.get("mailId"), event.get("created")): event for event in events}.values())
    ),
    "every-other": selecting(lambda events: events[::2]),
    "fifty-only": selecting(lambda events: events[:50]),
    "samples": Samples,
    "recognises-lengths": deduplicating_batches_on(lambda events: b"%d" % len(json.dumps(events))),
    "recognises-counts": deduplicating_batches_on(lambda events: b"%d" % len(events)),
    "recognises-last-events": deduplicating_batches_on(lambda events: json.dumps(events[-1:]).encode()),
    "recognises-sets": deduplicating_batches_on(lambda events: json.dumps(sorted(map(json.dumps, events))).encode()),
    "refuses-known-events": RefusesKnownEvents,
    "confirms-repeats": ConfirmsRepeats,
    "keeps-keys-for-a-minute": keeping_dedup_keys_for(60_000),
    "keeps-keys-for-two-days": keeping_dedup_keys_for(48 * HOUR),
    "keeps-keys-of-ten-lists": KeepsKeysOfAList,
    "keys-on-subscription": deduplicating_on(Role.SUBSCRIPTION, Role.TYPE),
    "keys-on-mail-created-recipient": deduplicating_on(Role.MAIL, Role.MOMENT, Role.RECIPIENT, Role.TYPE),
    "keys-on-address": deduplicating_on(Role.NETWORK_ADDRESS, Role.MAIL),
    "keys-on-mailing-and-created": deduplicating_on(Role.MAILING, Role.MOMENT, Role.TYPE),
    "keys-on-minute": deduplicating_on(Role.MAIL, Role.TYPE, lambda shapes, event: shapes.time(event) // 60_000),
    "keys-on-centiseconds": deduplicating_on(all_but(Role.MOMENT), lambda shapes, event: shapes.time(event) // 10),
    "keys-on-twelve-hours": deduplicating_on(
        all_but(Role.MOMENT), lambda shapes, event: shapes.time(event) % (12 * HOUR)
    ),
    "keys-on-beginning-of-mail-id": deduplicating_on(
        Role.TYPE, lambda shapes, event: shapes.mail(event)[:16], Role.MOMENT
    ),
    "keys-on-end-of-mail-id": deduplicating_on(Role.TYPE, lambda shapes, event: shapes.mail(event)[-6:], Role.MOMENT),
    "keys-cut-at-64": deduplicating_on(
        lambda shapes, event: "|".join(
            str(shapes.get(event, role)) for role in (Role.RECIPIENT, Role.TYPE, Role.MAIL, Role.MOMENT)
        )[:64]
    ),
    "keys-without-spaces": deduplicating_on(lambda _, event: json.dumps({n: str(v).strip() for n, v in event.items()})),
    "keys-in-nfkc": deduplicating_on(lambda _, event: unicodedata.normalize("NFKC", str(event))),
    "keys-compared-as-numbers": deduplicating_on(
        lambda _, event: json.dumps({n: int(v) if str(v).isdecimal() else v for n, v in event.items()})
    ),
    "keys-without-case": deduplicating_on(lambda _, event: json.dumps(event, sort_keys=True).casefold()),
    "keys-on-device": deduplicating_on(Role.MAIL, Role.TYPE, Role.DEVICE),
    "hash-of-16-bits": _hash(16),
    "hash-of-20-bits": _hash(20),
    "keeps-ten-thousand": KeepsTenThousand,
    "commits-halves": CommitsHalves,
    "fails-halfway": FailsHalfway,
    "fails-once": FailsOnce,
    "commits-per-mailing": CommitsPerMailing,
    "marks-first": MarksFirst,
    "waits-on-the-loop": WaitsOnTheLoop,
    "forgets-on-error": ForgetsOnError,
    "reads-ascii": ReadsTextAs,
    "reads-windows": ReadsAsWindows,
    "decodes-each-piece": DecodesEachPiece,
    "takes-twenty": TakesTwenty,
    "wants-order": WantsOrder,
    "looks-for-credentials": LooksForCredentials,
    "stores-refused": StoresRefused,
    "accepts-get": AcceptsGet,
    "accepts-delete": AcceptsDelete,
    "wants-lower-case-charset": WantsLowerCaseCharset,
    "limits-40-kb": limited(40_000),
    "limits-100-kb": limited(100_000),
    "refuses-absent-browser": rejecting(lambda event: "browser" not in event),
    "refuses-absent-address": rejecting(lambda event: "remoteAddress" not in event),
    "refuses-null-system": rejecting(lambda event: event.get("operatingSystem", "") is None),
    "refuses-e-mail": rejecting(lambda event: not str(event.get("recipientId")).isdigit()),
    "refuses-zero": rejecting(_falsy),
    "refuses-nested": rejecting(_flat),
    "refuses-nul": rejecting(_has("\0")),
    "refuses-emoji": rejecting(_astral),
    "refuses-beyond-64": rejecting(_beyond(64)),
    "one-space": changing_text(lambda text: re.sub(" +", " ", text)),
    "truncates-at-30": changing_text(lambda text: text[:30]),
    "truncates-at-100": changing_text(lambda text: text[:100]),
    "upper-cases-recipients": changing_role(Role.RECIPIENT, str.upper),
    "numbers-where-digits": changing_role(Role.RECIPIENT, lambda text: int(text) if text.isdigit() else text),
    "compares-normalised": changing_text(lambda text: text.replace("\u2028", "").replace("\0", "")),
    "one-line": changing_text(lambda text: " ".join(text.split(" ")).replace("\n", " ")),
    "ascii-only": changing_text(lambda text: text.encode("ascii", "replace").decode()),
    "subscription-as-float": storing(
        lambda event: (
            event | {"subscriptionId": int(float(event["subscriptionId"]))}
            if isinstance(event.get("subscriptionId"), int)
            else event
        )
    ),
    "user-list-as-int32": storing(
        lambda event: (
            event | {"subscriptionId": event["subscriptionId"] & 0x7FFFFFFF}
            if isinstance(event.get("subscriptionId"), int)
            else event
        )
    ),
    "created-in-local-time": storing(
        lambda event: (
            event | {"created": event["created"] + 2 * HOUR} if isinstance(event.get("created"), int) else event
        )
    ),
    "replaces": Replaces,
    "fails-at-second-acts": FailsAtSecondActs,
    "refuses-older": RefusesOlder,
    "opens-a-breaker": OpensABreaker,
    "gives-up": GivesUp,
    "counts-twins": CountsTwins,
    "leaks-on-errors": LeaksOnErrors,
    "created-in-seconds": storing(
        lambda event: event | {"created": event["created"] // 1_000} if isinstance(event.get("created"), int) else event
    ),
    "accepts-eight-characters": comparing(lambda given, wanted: given[:13] == wanted[:13]),
    "accepts-parts": comparing(lambda given, wanted: given in wanted),
    "ignores-the-user's-case": comparing(
        lambda given, wanted: (
            (given.partition(b":")[0].lower(), given.partition(b":")[2])
            == (wanted.partition(b":")[0].lower(), wanted.partition(b":")[2])
        )
    ),
    "accepts-any-user": comparing(lambda given, wanted: given.partition(b":")[2] == wanted.partition(b":")[2]),
    "refuses-with-404": rejecting_with(404),
    "refuses-with-500": rejecting_with(500),
    "refuses-with-400": rejecting_with(400),
}
"""By names that say what is wrong."""

OF_CLICKS: Mapping[str, type[Consumer]] = {
    "links-of-255": changing_role(Role.LINK, lambda text: text[:255]),
    "links-decoded": changing_role(Role.LINK, unquote),
    "links-without-parameters": changing_role(Role.LINK, lambda text: text.partition("?")[0]),
    "links-in-lower-case": changing_role(Role.LINK, str.lower),
    "links-normalised": changing_role(Role.LINK, lambda text: urlsplit(text).geturl()),
}
"""Those that need clicks, which the check sends where it is told to; `stores-text-unchanged` finds them."""


def variant_app(name: str) -> Starlette:
    """The application of one, with the credentials of `judged`."""
    return application({**VARIANTS, **OF_CLICKS}[name](Store(), BasicAuthentication(USER, PASSWORD)))


FOUND_BY: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("answers-203", "answers-206", "answers-302"), ("responds-200",)),
    **dict.fromkeys(
        ("first-ten-only", "all-but-first", "tens", "every-other", "fifty-only", "samples"),
        ("stores-every-event",),
    ),
    **dict.fromkeys(("recognises-lengths", "recognises-counts"), ("stores-before-acknowledging",)),
    **dict.fromkeys(("recognises-last-events", "recognises-sets"), ("once-in-regrouped-batch",)),
    **dict.fromkeys(("refuses-known-events", "confirms-repeats"), ("accepts-redelivered-batch",)),
    "keeps-keys-for-a-minute": ("once-after-an-hour",),
    "keeps-keys-for-two-days": ("once-after-three-days",),
    **dict.fromkeys(("keeps-keys-of-ten-lists",), ("once-after-many-others",)),
    **dict.fromkeys(
        ("keys-on-subscription", "keys-on-address", "keys-on-minute", "keys-on-device"), ("stores-repeat-engagement",)
    ),
    **dict.fromkeys(("keys-on-centiseconds", "keys-on-twelve-hours"), ("distinguishes-times",)),
    **dict.fromkeys(("keys-on-beginning-of-mail-id", "keys-on-end-of-mail-id"), ("stores-same-millisecond",)),
    "keys-cut-at-64": ("distinguishes-times",),
    **dict.fromkeys(
        ("keys-without-case", "keys-without-spaces", "keys-in-nfkc", "keys-compared-as-numbers"),
        ("deduplicates-on-all-fields",),
    ),
    **dict.fromkeys(
        ("keys-on-mail-created-recipient", "one-a-mail-and-moment-of-a-list"), ("stores-one-mail-same-millisecond",)
    ),
    "keys-on-mailing-and-created": ("stores-same-millisecond",),
    **dict.fromkeys(("keeps-ten-thousand", "hash-of-16-bits", "hash-of-20-bits"), ("drains-backlog",)),
    **dict.fromkeys(("commits-halves", "commits-per-mailing", "fails-halfway", "marks-first"), ("rejects-atomically",)),
    "fails-once": ("acknowledgement", "rejects-atomically"),
    "waits-on-the-loop": ("responds-in-time",),
    "forgets-on-error": ("recovers-from-bad-requests",),
    **dict.fromkeys(("reads-ascii", "reads-windows", "refuses-emoji", "ascii-only"), ("stores-text-unchanged",)),
    "decodes-each-piece": ("stores-chunked-body",),
    "wants-order": ("stores-late-events",),
    "takes-twenty": ("identity", "survives-many-requests"),
    "looks-for-credentials": ("rejects-malformed-credentials",),
    "stores-refused": ("stores-nothing-unauthorised",),
    **dict.fromkeys(("accepts-get", "accepts-delete"), ("accepts-post-only",)),
    "wants-lower-case-charset": ("accepts-charset-parameter",),
    **dict.fromkeys(("limits-40-kb", "refuses-beyond-64", "refuses-e-mail"), ("accepts-large-batch",)),
    "limits-100-kb": ("accepts-largest-batch",),
    **dict.fromkeys(("refuses-absent-browser", "refuses-absent-address"), ("accepts-absent-fields",)),
    "refuses-null-system": ("accepts-null-fields",),
    "refuses-zero": ("payload",),
    "refuses-nested": ("accepts-unknown-fields",),
    **dict.fromkeys(("refuses-nul", "compares-normalised", "one-line"), ("stores-control-characters",)),
    **dict.fromkeys(("one-space", "truncates-at-30", "truncates-at-100"), ("stores-text-unchanged",)),
    **dict.fromkeys(("upper-cases-recipients",), ("stores-recipient-id-as-text",)),
    **dict.fromkeys(("subscription-as-float", "user-list-as-int32"), ("stores-large-ids",)),
    **dict.fromkeys(("created-in-seconds", "created-in-local-time"), ("stores-created-exactly",)),
    "replaces": ("stores-one-mail-same-millisecond",),
    "fails-at-second-acts": ("stores-repeat-engagement",),
    "refuses-older": ("stores-late-events",),
    "opens-a-breaker": ("rejects-unreadable-body", "stays-available"),
    "gives-up": ("isolates-bad-event",),
    "counts-twins": ("once-for-edge-cases",),
    "leaks-on-errors": ("recovers-from-bad-requests",),
    "numbers-where-digits": ("stores-fields-unchanged",),
    **dict.fromkeys(
        ("accepts-eight-characters", "accepts-parts", "accepts-any-user", "ignores-the-user's-case"),
        ("rejects-wrong-credentials",),
    ),
    **dict.fromkeys(("refuses-with-404", "refuses-with-500", "refuses-with-400"), ("rejects-with-401-or-403",)),
}
"""The rules or families that find each."""
