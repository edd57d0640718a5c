"""HTTP: requests as any sender may frame them, and requests that Campaign never sends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

import msgspec

from mockcampaign.check.bench.aftermath import aftermath
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.control import must_deliver, must_store
from mockcampaign.check.bench.events import Values
from mockcampaign.check.bench.raw_request import send_request
from mockcampaign.check.edge_cases import any_texts, text_in
from mockcampaign.check.examined import Examined, SkipRule, Unrepeatable, failed, passed
from mockcampaign.check.reproduce.curl import curl, piped
from mockcampaign.check.rule import Rule, Stage
from mockcampaign.errors import CouldNotTellError
from mockcampaign.faults import NewConnection, StallBody
from mockcampaign.judging.fact import (
    AnyFact,
    Confirmation,
    Confirmed,
    HandshakeFailed,
    Precondition,
    Rejected,
    Reply,
    Response,
    Stimulus,
    StoreAgrees,
    StoredNonEvent,
    SurplusBytes,
    Unmet,
    replies,
)
from mockcampaign.judging.situation import Situation
from mockcampaign.model import Fault, Measured, NoResponse, Outcome, Responded
from mockcampaign.shape.field import Event
from mockcampaign.transport.wire import WireTransport
from mockcampaign.wallclock import Stopwatch, pause

_FRAMING = "How Campaign frames its requests is not documented, so anything that HTTP/1.1 allows may arrive"
_FRAMING_REQUIREMENT = f"{_FRAMING} (assumed; RFC 9112)."
_POST = "Event data arrives by POST (vendor's webhook guide)."
_OPEN_TO_THE_WORLD = "The URL of a webhook is open to the world, and anybody may send anything to it"

_STORE = "stores-before-acknowledging"
"""Id of the rule on which these rules depend: they read the store, in which events stored later would be missing."""

_WHOLE = "Let the server or framework read the body, wait for all of it, and only then decode it."
_WHOLE_EXAMPLE = "body = await request.body()"

_NOT_ASCII = "Яндекс Браузер 23.1"
"""Name of a browser, in which most characters take two bytes."""


async def _accepts(bench: Bench, events: list[Event], to: Stimulus, number: int = 0) -> Examined:
    """Examine whether the batch is accepted and, if there is a probe, stored; `to` says what is special about it."""
    delivery = await bench.deliver(events, attempts=3, number=number)
    response = delivery.response(to)
    if not delivery.accepted:
        return failed(response)
    if bench.store.has_probe:
        difference = await bench.store.difference_of(events)
        if difference:
            return failed(response, difference.seen())
    return passed(response)


async def _accepts_with_fault(bench: Bench, kind: str, situation: Situation, **options: Any) -> Examined:
    with bench.unrecorded():
        await must_deliver(bench, bench.events(5))
    if bench.store.has_probe:
        await must_store(bench, 5)
    bench.fault(kind, **options)
    return await _accepts(bench, bench.events(5), Stimulus(situation=situation))


async def _batch_in_pieces(bench: Bench, kind: str, option: str, about: int, **options: Any) -> list[Event]:
    """Declare the fault, and return a batch for which a piece ends within a character, if the consumer accepts such
    characters at all.

    Raises `SkipRule` where it does not even accept ordinary batches.
    """
    texts = sorted(any_texts(bench.shape), key=lambda field: field.path[0] not in bench.store.shown_fields)
    changes: Values = {texts[0].role: text_in(texts[0], _NOT_ASCII)} if texts else {}
    control = Stimulus(situation=Situation.ORDINARY_BATCH, events=10)
    with bench.unrecorded():
        if not (await _accepts(bench, bench.events(10, changes), control)).holds:
            # Other rules judge that; this one continues without such characters.
            changes = {}
            ordinary = await _accepts(bench, bench.events(10), control)
            if not ordinary.holds:
                raise SkipRule(*ordinary.facts)
    events = bench.events(10, changes)
    bench.fault(kind, **{option: _ends_within_character(bench.body_of(events), about)}, **options)
    return events


def _ends_within_character(body: bytes, about: int) -> int:
    """Return a piece size from `about` to twice that, with which a piece ends within a character of several bytes."""
    for size in range(about, 2 * about):
        if any(body[at] & 0xC0 == 0x80 for at in range(size, len(body), size)):
            return size
    return about


IN_A_ROW = 10
"""Number of requests that follow each other on one connection."""

REJECTED_IN_A_ROW_MAX = 2
"""Number of rejections that may have reasons other than the connection."""


async def _keeps_alive(bench: Bench) -> Examined:
    if NewConnection in bench.faults:
        bench.fault("new-connection", times=1)
    fresh = await bench.deliver(bench.events(1), attempts=2)
    rejected = []
    for number in range(1, IN_A_ROW + 1):
        to = Stimulus(situation=Situation.REQUEST_ON_ONE_CONNECTION, times=number)
        delivery = await bench.deliver(bench.events(1), attempts=2)
        if any(not isinstance(outcome, Responded) for outcome in delivery.outcomes):
            return failed(delivery.response(to))
        if any(_has_surplus(outcome) for outcome in delivery.outcomes):
            return failed(SurplusBytes(to=to))
        if not delivery.outcomes[0].accepted:
            rejected.append(delivery)
    # Where a request on its own connection was rejected as well, all may be, for another reason.
    if fresh.outcomes[0].accepted and len(rejected) > REJECTED_IN_A_ROW_MAX:
        to = Stimulus(situation=Situation.SEVERAL_ON_ONE_CONNECTION, times=len(rejected))
        return failed(rejected[-1].response(to))
    return passed(Confirmed(what=Confirmation.CONNECTION_KEPT, count=IN_A_ROW))


def _has_surplus(outcome: Outcome) -> bool:
    return isinstance(outcome.measured, Measured) and outcome.measured.surplus


HANDLES_KEEP_ALIVE = Rule(
    id="handles-keep-alive",
    family="http",
    level="must",
    title="Handles many requests on one connection",
    requirement=_FRAMING_REQUIREMENT,
    expected="a response to each of ten requests in a row",
    examine=_keeps_alive,
    depends_on=(_STORE,),
    fix="After a response, read the next request from the connection, or send Connection: close with the response and "
    "close it. Send the right Content-Length.",
    example="return Response(b'ok', headers={'Content-Length': '2'})",
    # A consumer that hangs here would cost every other rule its time-outs.
    stage=Stage.FIRST,
    on_one_connection=True,
)


async def _handles_new_connection(bench: Bench) -> Examined:
    return await _accepts_with_fault(bench, "new-connection", Situation.NEW_CONNECTION)


HANDLES_NEW_CONNECTIONS = Rule(
    id="handles-new-connections",
    family="http",
    level="must",
    title="Handles a request on a new connection",
    requirement=_FRAMING_REQUIREMENT,
    expected="200 to a batch with Connection: close, while another connection is open",
    examine=_handles_new_connection,
    needs=("connection",),
    depends_on=(_STORE,),
    fix="Use a server that serves several connections at a time, even if some of them stay open, and keep nothing "
    "that matters in the state of one connection.",
    example="ThreadingHTTPServer(address, Handler).serve_forever()  # and not HTTPServer",
    stage=Stage.FIRST,
)

_CHUNKED = Stimulus(situation=Situation.CHUNKED_BODY)


async def _accepts_chunked(bench: Bench) -> Examined:
    events = await _batch_in_pieces(bench, "chunked", "chunk_bytes", 700)
    delivery = await bench.deliver(events, attempts=3)
    response = delivery.response(_CHUNKED)
    return passed(response) if delivery.accepted else failed(response)


ACCEPTS_CHUNKED_BODY = Rule(
    id="accepts-chunked-body",
    family="http",
    level="should",
    title="Accepts a body with Transfer-Encoding: chunked",
    requirement=f"{_FRAMING} (assumed; RFC 9112), though a server may demand a Content-Length (RFC 9110, 15.5.12): a "
    "hazard, since no source says that Campaign omits it.",
    expected="200 to a batch sent in chunks",
    examine=_accepts_chunked,
    depends_on=(_STORE,),
    fix=f"{_WHOLE} Some frameworks, such as Django under WSGI, see no body in a request without Content-Length: put a "
    "proxy in front of them that reads whole bodies and adds the header, as nginx does by default.",
    example=_WHOLE_EXAMPLE,
)


async def _stores_chunked(bench: Bench) -> Examined:
    events = await _batch_in_pieces(bench, "chunked", "chunk_bytes", 700)
    delivery = await bench.deliver(events, attempts=3)
    response = delivery.response(_CHUNKED)
    if not delivery.accepted:
        raise SkipRule(Rejected(response=response), Unmet(why=Precondition.REJECTED_IS_NOT_LOST))
    difference = await bench.store.difference()
    if difference:
        return failed(response, difference.seen())
    return passed(StoreAgrees(after=_CHUNKED))


STORES_CHUNKED_BODY = Rule(
    id="stores-chunked-body",
    family="http",
    level="must",
    title="Stores a body with Transfer-Encoding: chunked",
    requirement=f"Campaign never resends a batch after 200 (vendor's webhook guide). {_FRAMING_REQUIREMENT}",
    expected="every event stored of a batch that was sent in chunks and accepted with 200",
    examine=_stores_chunked,
    needs=("probe",),
    depends_on=(_STORE,),
    fix=f"{_WHOLE} If it cannot, reject the batch.",
    example=_WHOLE_EXAMPLE,
)


async def _handles_expect_continue(bench: Bench) -> Examined:
    return await _accepts_with_fault(bench, "expect-continue", Situation.EXPECT_CONTINUE)


HANDLES_EXPECT_CONTINUE = Rule(
    id="handles-expect-continue",
    family="http",
    level="must",
    title="Handles Expect: 100-continue",
    requirement=_FRAMING_REQUIREMENT,
    expected="200 to a batch with Expect: 100-continue",
    examine=_handles_expect_continue,
    needs=("connection",),
    depends_on=(_STORE,),
    fix="Respond 100, as servers do by themselves, or read the body anyway.",
    example="h11, uvicorn, gunicorn and node do it by default",
)


async def _handles_split_headers(bench: Bench) -> Examined:
    # Even on a busy machine, a consumer has read the first packet before the last one is sent.
    return await _accepts_with_fault(bench, "split-headers", Situation.SPLIT_HEADERS, piece_bytes=128, pause=40)


HANDLES_SPLIT_HEADERS = Rule(
    id="handles-split-headers",
    family="http",
    level="must",
    title="Handles headers that arrive in several packets",
    requirement=_FRAMING_REQUIREMENT,
    expected="200 to a batch whose headers arrive in pieces",
    examine=_handles_split_headers,
    needs=("connection",),
    depends_on=(_STORE,),
    fix="Read until the empty line, however much a single read returns.",
    example="head = await reader.readuntil(b'\\r\\n\\r\\n')",
)


async def _ignores_header_case(bench: Bench) -> Examined:
    return await _accepts_with_fault(bench, "header-case", Situation.UPPER_CASE_HEADERS, case="upper")


IGNORES_HEADER_CASE = Rule(
    id="ignores-header-case",
    family="http",
    level="must",
    title="Treats header names as case-insensitive",
    requirement=_FRAMING_REQUIREMENT,
    expected="200 to a batch with header names in upper case",
    examine=_ignores_header_case,
    depends_on=(_STORE,),
    fix="Look headers up by lower-case names, or in a mapping that ignores case.",
    example="headers = {name.lower(): value for name, value in raw}",
)


async def _accepts_slow_body(bench: Bench) -> Examined:
    events = await _batch_in_pieces(bench, "trickle-body", "piece_bytes", 420, pause=120)
    return await _accepts(bench, events, Stimulus(situation=Situation.SLOW_BODY))


ACCEPTS_SLOW_BODY = Rule(
    id="accepts-slow-body",
    family="http",
    level="must",
    title="Accepts a body that arrives slowly",
    requirement=_FRAMING_REQUIREMENT,
    expected="200 to a batch whose body takes a second to arrive",
    examine=_accepts_slow_body,
    needs=("connection",),
    assumes=("batch", "time-out"),
    depends_on=(_STORE,),
    fix=f"{_WHOLE} Allow it as much time as the sender has: some seconds.",
    example=_WHOLE_EXAMPLE,
)


async def _accepts_charset(bench: Bench) -> Examined:
    with bench.unrecorded():
        await must_deliver(bench, bench.events(2))
    if bench.store.has_probe:
        await must_store(bench, 2)
    accepted: list[AnyFact] = []
    # Each on its own webhook, since nothing ends the fault.
    for number, value in enumerate(("application/json; charset=utf-8", "application/json;charset=UTF-8"), 1):
        bench.fault("content-type", number, value=value)
        to = Stimulus(situation=Situation.CONTENT_TYPE, variant=value)
        examined = await _accepts(bench, bench.events(2), to, number)
        if not examined.holds:
            return examined
        accepted += examined.facts
    return passed(*accepted)


ACCEPTS_CHARSET_PARAMETER = Rule(
    id="accepts-charset-parameter",
    family="http",
    level="must",
    title="Accepts Content-Type with and without a charset",
    requirement=_FRAMING_REQUIREMENT,
    expected="200 to application/json, with or without charset=utf-8",
    examine=_accepts_charset,
    assumes=("batch", "charset"),
    depends_on=(_STORE,),
    fix="Compare the media type only, in lower case and without its parameters.",
    example="media_type = header.partition(';')[0].strip().lower()",
)

_READING = ("GET", "HEAD")
"""HTTP methods that only read."""


async def _accepts_post_only(bench: Bench) -> Examined:
    await must_deliver(bench, bench.events(1))
    if bench.store.has_probe:
        await must_store(bench, 1)
    for method in ("PUT", "PATCH", "DELETE", *_READING):
        events = bench.events(1)
        bench.store.expect_events_of(events)
        to = Stimulus(situation=Situation.METHOD, variant=method)
        outcome = await send_request(bench, to, bench.body_of(events), method=method)
        response = Response(to=to, replies=(Reply.of(outcome),))
        command = curl(bench.endpoint, bench.body_of(events), method=method)
        # Another rule judges a page for people who open the URL.
        if isinstance(outcome, Responded) and outcome.status < 300 and method not in _READING:
            return failed(response, curl=command)
        if bench.store.has_probe:
            difference = await bench.store.difference()
            if difference:
                return failed(response, difference.stored_anyway(), curl=command)
    return passed(Confirmed(what=Confirmation.METHODS_REJECTED))


ACCEPTS_POST_ONLY = Rule(
    id="accepts-post-only",
    family="http",
    level="must",
    title="Accepts batches by POST only",
    requirement=_POST,
    expected="an error status to PUT, PATCH and DELETE, and nothing stored of any of them, nor of GET or HEAD",
    examine=_accepts_post_only,
    assumes=("batch",),
    depends_on=(_STORE,),
    fix="Route POST only.",
    example="@app.post('/hook')",
    stage=Stage.FAILURES,
)


async def _rejects_get_and_head(bench: Bench) -> Examined:
    await must_deliver(bench, bench.events(1))
    for method in _READING:
        body = bench.body_of(bench.events(1))
        to = Stimulus(situation=Situation.METHOD, variant=method)
        outcome = await send_request(bench, to, body, method=method)
        if isinstance(outcome, Responded) and outcome.status < 300:
            command = curl(bench.endpoint, body, method=method)
            return failed(Response(to=to, replies=(Reply.of(outcome),)), curl=command)
    return passed(Confirmed(what=Confirmation.READING_REJECTED))


REJECTS_GET_AND_HEAD = Rule(
    id="rejects-get-and-head",
    family="http",
    level="should",
    title="Does not respond 200 to GET and HEAD",
    requirement=f"{_POST} A redirect on the way, such as one to https, turns a POST into a GET without its body "
    "(RFC 9110, 15.4): a 200 to that GET acknowledges a batch that is lost.",
    expected="405 or another error status to GET and HEAD",
    examine=_rejects_get_and_head,
    assumes=("batch",),
    fix="Route POST only, and give a page for people or monitors a URL of its own.",
    example="@app.get('/health')",
    stage=Stage.FAILURES,
)

STALLS = (1_000, 1_000, 2_000)
"""Milliseconds for which one batch stalls while others are sent; each is tried in turn."""

QUICK = 3
"""Number of batches that are sent meanwhile."""


async def _handles_concurrent(bench: Bench) -> Examined:
    await must_deliver(bench, bench.events(1))
    if bench.variation is not None and bench.variation.in_turn:
        raise SkipRule(Unmet(why=Precondition.WEBHOOKS_IN_TURN))
    if StallBody not in bench.faults:
        raise SkipRule(Unmet(why=Precondition.IN_PROCESS_IS_NEVER_SLOW))

    async def send(situation: Situation, faults: tuple[Fault, ...] = ()) -> Outcome:
        body = bench.body_of(bench.events(2))
        return await send_request(bench, Stimulus(situation=situation), body, faults=faults, controlled=False)

    async def quick_ones() -> tuple[list[Outcome], int]:
        """Return the outcomes of the rejected requests, and how many milliseconds all requests took."""
        stopwatch = Stopwatch()
        outcomes = await asyncio.gather(*(send(Situation.QUICK_BATCH) for _ in range(QUICK)))
        return [outcome for outcome in outcomes if not outcome.accepted], stopwatch.milliseconds

    for milliseconds in STALLS:
        slow = asyncio.ensure_future(send(Situation.STALLED_BATCH, (StallBody(pause=milliseconds),)))
        await pause(100)  # until its beginning has arrived
        rejected, _ = await quick_ones()
        waited = slow.done()
        slowest = await slow
        if not waited and not rejected:
            return passed(Confirmed(what=Confirmation.CONCURRENT_SERVED))
    # On a busy machine, other reasons may delay them as long.
    rejected_alone, alone = await quick_ones()
    if not rejected_alone and alone > STALLS[-1] / 4:
        raise CouldNotTellError(
            f"this machine is too busy: {QUICK} concurrent batches took {alone} ms, though none of them was slow"
        )
    if rejected:
        to = Stimulus(situation=Situation.QUICK_BESIDE_STALLED, times=len(rejected))
        response = Response(to=to, replies=replies(rejected[:1]))
    elif not slowest.accepted:
        response = Response(to=Stimulus(situation=Situation.STALLED_BESIDE_QUICK), replies=replies([slowest]))
    else:
        to = Stimulus(situation=Situation.QUICK_AFTER_STALLED, milliseconds=STALLS[-1])
        response = Response(to=to, replies=replies([slowest]))
    return failed(response, unrepeatable=Unrepeatable.CONCURRENT)


HANDLES_CONCURRENT_REQUESTS = Rule(
    id="handles-concurrent-requests",
    family="http",
    level="must",
    title="Responds to one webhook while another one's body still arrives",
    requirement=_FRAMING_REQUIREMENT,
    expected="a response to other batches within the second for which one of them stalls",
    examine=_handles_concurrent,
    needs=("connection",),
    assumes=("batch", "parallel"),
    depends_on=("acknowledges-first-attempt", _STORE, "handles-new-connections", "accepts-slow-body"),
    fix="Use a server with several threads or workers, or an asynchronous one, and hold no lock while a body arrives.",
    example="gunicorn --worker-class gthread --threads 8 app:app",
)


async def _survives_oversized(bench: Bench) -> Examined:
    await must_deliver(bench, bench.events(1))
    for situation, body, printed in _oversized_bodies():
        to = Stimulus(situation=situation)
        outcome = await send_request(bench, to, body, controlled=False)  # `aftermath` follows
        command = piped(printed, bench.endpoint)
        if isinstance(outcome, Responded) and outcome.accepted:
            return failed(Response(to=to, replies=(Reply.of(outcome),)), curl=command)
        violation = await aftermath(bench, to, outcome, command)
        if violation is not None:
            return violation
    return passed(Confirmed(what=Confirmation.OVERSIZED_REJECTED))


def _oversized_bodies() -> Iterable[tuple[Situation, bytes, str]]:
    """Yield each body with its situation and with a command that prints it."""
    yield (
        Situation.OVERSIZED_BODY,
        b'{"a":"' + b"x" * 20_000_000 + b'"}',
        f"""{{ printf '{{"a":"'; {_repeated("x", 20_000_000)}; printf '"}}'; }}""",
    )
    yield (
        Situation.DEEPLY_NESTED_BODY,
        b"[" * 100_000 + b"]" * 100_000,
        f"{{ {_repeated('[', 100_000)}; {_repeated(']', 100_000)}; }}",
    )


def _repeated(character: str, times: int) -> str:
    return rf"head -c {times} /dev/zero | tr '\0' '{character}'"


SURVIVES_OVERSIZED_BODY = Rule(
    id="survives-oversized-body",
    family="http",
    level="should",
    title="Rejects oversized and deeply nested bodies without harm",
    requirement=f"{_OPEN_TO_THE_WORLD} (CWE-400).",
    expected="an error status, and 200 to ordinary batches afterwards",
    examine=_survives_oversized,
    fix="Limit bodies to some megabytes, and use a JSON parser that rejects deep nesting.",
    example="except (ValueError, RecursionError): return Response(status_code=400)",
    stage=Stage.FAILURES,
)


async def _stores_only_events(bench: Bench) -> Examined:
    await must_store(bench, 1)
    number = bench.random.randrange(10**11, 10**12)
    # Some languages treat a list as an object, the letters of a text as fields, or null as an empty object.
    others: tuple[tuple[Situation, object], ...] = (
        (Situation.EVENT_AND_NUMBER, number),
        (Situation.EVENT_AND_LIST, [number, number + 1]),
        (Situation.EVENT_AND_TEXT, str(number)),
        (Situation.EVENT_AND_NULL, None),
    )
    # A full store is not read for that: what no other check sends, such as this number, is found in it all the same,
    # but not what was made of it.
    before = None if bench.store.is_deferring else await bench.store.non_events()
    seen: list[Response] = []
    for situation, other in others:
        good = bench.event()
        body = msgspec.json.encode([good, other])
        bench.store.expect_events_of([good])
        to = Stimulus(situation=situation)
        outcome = await send_request(bench, to, body)
        response = Response(to=to, replies=(Reply.of(outcome),))
        seen.append(response)
        if not outcome.accepted:
            continue
        difference = await bench.store.difference_of([good])
        command = curl(bench.endpoint, body)
        if difference.missing:
            return failed(response, difference.seen(), curl=command)
        if before is None:
            is_stored = other is not None and await bench.store.contains(other)
        else:
            is_stored = await bench.store.non_events() > before
        if is_stored:
            return failed(response, StoredNonEvent(), curl=command)
    is_accepted = any(reply.accepted for response in seen for reply in response.replies)
    if is_accepted and bench.store.selects_events:
        raise SkipRule(Unmet(why=Precondition.PROBE_SELECTS_EVENTS))
    is_shown = is_accepted and before is not None
    return passed(*seen, *([Confirmed(what=Confirmation.ONLY_EVENT_STORED)] if is_shown else []))


STORES_ONLY_EVENTS = Rule(
    id="stores-only-events",
    family="http",
    level="should",
    title="Stores nothing from a batch that is not an event",
    requirement=f"Event data arrives as lists of JSON objects (vendor's webhook guide). {_OPEN_TO_THE_WORLD} (CWE-20).",
    expected="an error status to a batch with an element that is not an object, or 200 and only its events stored",
    examine=_stores_only_events,
    needs=("probe events",),
    assumes=("batch",),
    depends_on=("stores-every-event",),
    fix="Reject a batch that contains anything but objects, or leave out everything else.",
    example="if not all(isinstance(event, dict) for event in events): return Response(status_code=400)",
    stage=Stage.FAILURES,
)


async def _has_valid_certificate(bench: Bench) -> Examined:
    with contextlib.suppress(CouldNotTellError):  # a certificate that keeps this check away is what the rule reports
        await must_deliver(bench, bench.events(1))
    # Its own transport, which verifies certificates even if the check accepts any.
    settings = bench.settings
    transport = WireTransport(ca_file=settings.ca_file, targets=settings.targets, routes=settings.routes)
    try:
        to = Stimulus(situation=Situation.TLS_HANDSHAKE)
        outcome = await send_request(bench, to, b"[]", method="OPTIONS", transport=transport)
    finally:
        await transport.aclose()
    if isinstance(outcome, NoResponse) and outcome.phase in ("tls", "certificate"):
        return failed(HandshakeFailed(reply=Reply.of(outcome)))
    own = settings.ca_file is not None
    return passed(Confirmed(what=Confirmation.CERTIFICATE_VALID_BY_CA if own else Confirmation.CERTIFICATE_VALID))


HAS_VALID_CERTIFICATE = Rule(
    id="has-valid-certificate",
    family="http",
    level="should",
    title="Presents a certificate valid for its name",
    requirement="Requests arrive over HTTPS on port 443 (vendor's webhook guide, later versions). That the sender "
    "verifies certificates is assumed.",
    expected="a TLS handshake that needs no exception",
    examine=_has_valid_certificate,
    needs=("https",),
    fix="Get a certificate for the host name from a public authority, and send the whole chain.",
    example="certbot --nginx -d hooks.example.com",
    not_covered="Whether the vendor trusts the same authorities as this machine, or the one given with --ca.",
)

HTTP = (
    HANDLES_KEEP_ALIVE,
    HANDLES_NEW_CONNECTIONS,
    ACCEPTS_CHUNKED_BODY,
    STORES_CHUNKED_BODY,
    HANDLES_EXPECT_CONTINUE,
    HANDLES_SPLIT_HEADERS,
    IGNORES_HEADER_CASE,
    ACCEPTS_SLOW_BODY,
    ACCEPTS_CHARSET_PARAMETER,
    ACCEPTS_POST_ONLY,
    REJECTS_GET_AND_HEAD,
    HANDLES_CONCURRENT_REQUESTS,
    SURVIVES_OVERSIZED_BODY,
    STORES_ONLY_EVENTS,
    HAS_VALID_CERTIFICATE,
)
