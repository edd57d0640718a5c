"""HTTP as any sender may speak it, and requests that are none of Campaign's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any

import msgspec

from mockcampaign.check.bench.aftermath import aftermath
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.rule_store import body_of
from mockcampaign.check.reproduce.curl import curl, piped
from mockcampaign.check.rule import (
    Behaviour,
    Event,
    Examine,
    Examined,
    Need,
    NotExercised,
    Rule,
    Stage,
    holds,
    violated,
)
from mockcampaign.errors import CouldNotTellError
from mockcampaign.faults import NewConnection, StallBody
from mockcampaign.judging.finding import Level
from mockcampaign.model import Fault, Measured, NoResponse, Outcome, Responded
from mockcampaign.transport.wire import WireTransport
from mockcampaign.wallclock import Stopwatch, pause

_READING = ("GET", "HEAD")
"""Methods that ask for what is there."""

STALLS = (1_000, 1_000, 2_000)
"""Milliseconds for which one list stops on its way while others are sent. Tried one after another."""

_NOT_ASCII = "Яндекс Браузер 23.1"
"""A browser's name, most of its characters of two bytes."""

_RFC = "How Campaign frames its requests is not documented; whatever HTTP/1.1 allows may come"


async def _taken(bench: Bench, events: list[Event], how: str, number: int = 0) -> Examined:
    """Whether the list is accepted and, if somebody tells, processed."""
    delivery = await bench.deliver(events, attempts=3, number=number)
    if not delivery.accepted:
        return violated(f"{delivery.describe()} to {how}")
    if bench.store.has_probe:
        difference = await bench.store.difference_of(events)
        if difference:
            return violated(f"200 to {how}, and then: {difference.describe()}")
    return holds(f"200 to {how}")


async def _with_fault(bench: Bench, kind: str, how: str, **options: Any) -> Examined:
    with bench.unrecorded():
        await bench.must_deliver(bench.events(5))
    if bench.store.has_probe:
        await bench.must_process(5)
    bench.fault(kind, **options)
    return await _taken(bench, bench.events(5), how)


async def _in_pieces(bench: Bench, kind: str, option: str, about: int, **options: Any) -> list[Event]:
    """Declare the fault, and return a list that ends pieces within a character, if the consumer takes such characters
    as a rule. Raises `NotExercised` where it does not take even ordinary lists."""
    changes: dict[str, Any] = {"browser": _NOT_ASCII}
    with bench.unrecorded():
        if not (await _taken(bench, bench.events(10, **changes), "")).holds:
            # Which is not for this rule to say: it goes on without them.
            changes = {}
            ordinary = await _taken(bench, bench.events(10), "an ordinary list of 10")
            if not ordinary.holds:
                raise NotExercised(ordinary.actual)
    events = bench.events(10, **changes)
    bench.fault(kind, **{option: _ends_within_character(body_of(events), about)}, **options)
    return events


def _ends_within_character(body: bytes, about: int) -> int:
    """A size of pieces, not much more than that, of which one ends where a character of several bytes goes on."""
    for size in range(about, 2 * about):
        if any(body[at] & 0xC0 == 0x80 for at in range(size, len(body), size)):
            return size
    return about


async def _reused(bench: Bench) -> Examined:
    if NewConnection in bench.faults:
        bench.fault("new-connection", times=1)
    fresh = await bench.deliver(bench.events(1), attempts=2)
    refused = 0
    for number in range(1, 11):
        delivery = await bench.deliver(bench.events(1), attempts=2)
        if any(not isinstance(outcome, Responded) for outcome in delivery.outcomes):
            return violated(f"{delivery.describe()} to request {number} on one connection")
        if any(_has_surplus(outcome) for outcome in delivery.outcomes):
            return violated(
                "more bytes came with an answer than its head says: they would be taken for the next one's beginning",
                fix="Let Content-Length be the body's length in bytes, not in characters, and send nothing after it.",
            )
        refused += not delivery.outcomes[0].accepted
    # One or two may have other reasons, and all where a request on a connection of its own was refused, too.
    if fresh.outcomes[0].accepted and refused > 2:
        return violated(f"{refused} of ten requests after one another were refused at first, and taken on the next try")
    return holds("ten requests after one another, on one connection as long as the consumer keeps it")


def _has_surplus(outcome: Outcome) -> bool:
    return isinstance(outcome.measured, Measured) and outcome.measured.surplus


async def _new_connection(bench: Bench) -> Examined:
    return await _with_fault(bench, "new-connection", "a list on a connection of its own, beside one that is kept")


_IN_CHUNKS = "a list in chunks, whose length is not stated"


async def _chunked(bench: Bench) -> Examined:
    events = await _in_pieces(bench, "chunked", "chunk_bytes", 700)
    delivery = await bench.deliver(events, attempts=3)
    said = f"{delivery.describe()} to {_IN_CHUNKS}"
    return holds(said) if delivery.accepted else violated(said)


async def _chunked_kept(bench: Bench) -> Examined:
    events = await _in_pieces(bench, "chunked", "chunk_bytes", 700)
    delivery = await bench.deliver(events, attempts=3)
    if not delivery.accepted:
        raise NotExercised(f"{delivery.describe()} to {_IN_CHUNKS}: what is refused is not lost")
    difference = await bench.store.difference()
    if difference:
        return violated(f"200 to {_IN_CHUNKS}, and then: {difference.describe()}")
    return holds(f"200 to {_IN_CHUNKS}, and all of it processed")


async def _expect(bench: Bench) -> Examined:
    return await _with_fault(bench, "expect-continue", "a list with Expect: 100-continue")


async def _split(bench: Bench) -> Examined:
    return await _with_fault(bench, "split-headers", "a list whose headers come in several packets", piece_bytes=48)


async def _header_case(bench: Bench) -> Examined:
    return await _with_fault(bench, "header-case", "a list with the names of its headers in capitals", case="upper")


async def _slow_body(bench: Bench) -> Examined:
    events = await _in_pieces(bench, "trickle-body", "piece_bytes", 420, pause=120)
    return await _taken(bench, events, "a list whose body comes in pieces, and takes a second")


async def _charset(bench: Bench) -> Examined:
    with bench.unrecorded():
        await bench.must_deliver(bench.events(2))
    if bench.store.has_probe:
        await bench.must_process(2)
    # Each on a webhook of its own, where nothing ends its fault.
    for number, value in enumerate(("application/json; charset=utf-8", "application/json;charset=UTF-8"), 1):
        bench.fault("content-type", number, value=value)
        examined = await _taken(bench, bench.events(2), f"a list with Content-Type: {value}", number)
        if not examined.holds:
            return examined
    return holds("200 with a charset in the Content-Type, and without")


async def _methods(bench: Bench) -> Examined:
    await bench.must_deliver(bench.events(1))
    if bench.store.has_probe:
        await bench.must_process(1)
    for method in ("PUT", "PATCH", "DELETE", *_READING):
        events = bench.events(1)
        bench.store.expect_events_of(events)
        outcome = await bench.request("a list", body_of(events), method=method)
        command = curl(bench.url, body_of(events), bench.settings.authentication, method=method)
        # A page for those who look at the address is another rule's affair.
        if isinstance(outcome, Responded) and outcome.status < 300 and method not in _READING:
            return violated(f"{outcome.describe()} to {method}", curl=command)
        if bench.store.has_probe:
            difference = await bench.store.difference()
            if difference:
                return violated(f"{method} was processed: {difference.describe()}", curl=command)
    return holds("PUT, PATCH, DELETE, GET and HEAD were not taken for lists")


async def _reading(bench: Bench) -> Examined:
    await bench.must_deliver(bench.events(1))
    for method in _READING:
        body = body_of(bench.events(1))
        outcome = await bench.request("a list", body, method=method)
        if isinstance(outcome, Responded) and outcome.status < 300:
            command = curl(bench.url, body, bench.settings.authentication, method=method)
            return violated(f"{outcome.describe()} to a list by {method}", curl=command)
    return holds("lists by GET and HEAD were refused")


async def _two_at_once(bench: Bench) -> Examined:
    await bench.must_deliver(bench.events(1))
    if bench.variation is not None and bench.variation.in_turn:
        raise NotExercised("webhooks deliver in turn")
    if StallBody not in bench.faults:
        raise NotExercised("an application called in-process has no slow connection")

    async def send(name: str, faults: tuple[Fault, ...]) -> Outcome:
        return await bench.request(f"{name} of two lists at once", body_of(bench.events(2)), faults=faults)

    async def quick_ones() -> tuple[list[Outcome], int]:
        stopwatch = Stopwatch()
        outcomes = await asyncio.gather(*(send("a quick one", ()) for _ in range(3)))
        return [outcome for outcome in outcomes if not outcome.accepted], stopwatch.milliseconds

    for milliseconds in STALLS:
        slow = asyncio.ensure_future(send("the slow one", (StallBody(pause=milliseconds),)))
        await pause(100)  # until its beginning is there
        refused, _ = await quick_ones()
        waited = slow.done()
        slowest = await slow
        if not waited and not refused:
            return holds("lists of other webhooks were answered while one was still coming")
    # On a busy machine, so long may pass for other reasons.
    refused_alone, alone = await quick_ones()
    if not refused_alone and alone > STALLS[-1] / 4:
        raise CouldNotTellError(f"this machine is too busy: three lists at once, and no slow one, took {alone} ms")
    if refused:
        said = f"{refused[0].describe()} to {len(refused)} of three lists of other webhooks while one was still coming"
    elif not slowest.accepted:
        said = f"{slowest.describe()} to a list that came slowly, while three of other webhooks came"
    else:
        said = "lists of other webhooks were answered only after one whose body took a second"
    return violated(
        said,
        unrepeatable="It takes a list that comes slowly and others meanwhile, by the wall's clock: "
        "`mockcampaign check` with --rules handles-concurrent-requests shows it again.",
    )


async def _oversized(bench: Bench) -> Examined:
    await bench.must_deliver(bench.events(1))
    for what, body, printed in _oversized_bodies():
        outcome = await bench.request(what, body)
        command = piped(printed, bench.url, bench.settings.authentication)
        if isinstance(outcome, Responded) and outcome.accepted:
            return violated(f"200 to {what}", curl=command)
        wrong = await aftermath(bench, f"{outcome.describe()} to {what}", command)
        if wrong is not None:
            return wrong
    return holds("bodies that are far too long or too deep were refused, and ordinary lists taken afterwards")


def _oversized_bodies() -> Iterable[tuple[str, bytes, str]]:
    """What they are, themselves, and the commands that print them."""
    yield (
        "a body of 20 MB that is no list",
        b'{"a":"' + b"x" * 20_000_000 + b'"}',
        f"""{{ printf '{{"a":"'; {_repeated("x", 20_000_000)}; printf '"}}'; }}""",
    )
    yield (
        "a list nested 100,000 levels deep",
        b"[" * 100_000 + b"]" * 100_000,
        f"{{ {_repeated('[', 100_000)}; {_repeated(']', 100_000)}; }}",
    )


def _repeated(character: str, times: int) -> str:
    return rf"head -c {times} /dev/zero | tr '\0' '{character}'"


async def _only_events(bench: Bench) -> Examined:
    await bench.must_process(1)
    good = bench.event()
    # One that nobody else sends: what others left in the account accuses nobody.
    stray = bench.random.randrange(10**11, 10**12)
    body = msgspec.json.encode([good, stray])
    bench.store.expect_events_of([good])
    outcome = await bench.request("a good event and a number", body)
    said = f"{outcome.describe()} to a list of a good event and a number"
    if not outcome.accepted:
        return holds(said)
    difference = await bench.store.difference_of([good])
    command = curl(bench.url, body, bench.settings.authentication)
    if difference.missing:
        return violated(f"{said}, and then of the good event: {difference.describe()}", curl=command)
    if await bench.store.holds_element(stray):
        return violated(f"{said}, and the account holds the number", curl=command)
    return holds(f"{said}, and only the event was kept")


async def _certificate(bench: Bench) -> Examined:
    with contextlib.suppress(CouldNotTellError):  # whom the certificate keeps away, it is said to keep away
        await bench.must_deliver(bench.events(1))
    # One of its own, which verifies also where the check was told to accept any certificate.
    transport = WireTransport(ca_file=bench.settings.ca_file)
    try:
        outcome = await bench.request("certificate", b"[]", method="OPTIONS", transport=transport)
    finally:
        await transport.aclose()
    if isinstance(outcome, NoResponse) and outcome.phase == "tls":
        return violated(outcome.describe())
    trusting = "this machine" if bench.settings.ca_file is None else "this check (--ca)"
    return holds(f"the certificate is valid for the name, and issued by an authority that {trusting} trusts")


def _framing(
    rule_id: str,
    title: str,
    expected: str,
    examine: Examine,
    fix: str,
    example: str,
    *,
    requirement: str = f"{_RFC} (assumed; RFC 9112).",
    level: Level = "must",
    needs: tuple[Need, ...] = (),
    assumes: tuple[Behaviour, ...] = ("list", "retry"),
    depends_on: tuple[str, ...] = (),
    stage: Stage = Stage.USUAL,
) -> Rule:
    return Rule(
        id=rule_id,
        family="http",
        level=level,
        title=title,
        requirement=requirement,
        expected=expected,
        examine=examine,
        needs=needs,
        assumes=assumes,
        # They look at the account where there is one, and what is stored later would be missing in it.
        depends_on=("stores-before-acknowledging", *depends_on),
        stage=stage,
        fix=fix,
        example=example,
    )


_WHOLE = "Let the server or framework read the body, wait for all of it, and only then decode it."
_WHOLE_EXAMPLE = "body = await request.body()"

HTTP = (
    _framing(
        "handles-keep-alive",
        "Takes many requests on one connection",
        "an answer to each of ten requests in a row",
        _reused,
        "Go on to read the connection's next request after an answer, or say Connection: close in it and close. Answer "
        "with the right Content-Length.",
        "return Response(b'ok', headers={'Content-Length': '2'})",
        # One that hangs there would cost each of the others its time-outs.
        stage=Stage.FIRST,
    ),
    _framing(
        "handles-new-connections",
        "Takes a request on a connection of its own",
        "200 to a list with Connection: close, while another connection is open",
        _new_connection,
        "Use a server that serves several connections at a time, whatever is left of them open, and keep nothing that "
        "matters with one of them.",
        "ThreadingHTTPServer(address, Handler).serve_forever()  # and not HTTPServer",
        needs=("connection",),
        stage=Stage.FIRST,
    ),
    _framing(
        "accepts-chunked-body",
        "Takes a body whose length is not stated",
        "200 to a list in chunks",
        _chunked,
        f"{_WHOLE} What has no body without a Content-Length, such as Django under WSGI, takes it behind a proxy that "
        "reads bodies whole, as nginx does unless it is told otherwise.",
        _WHOLE_EXAMPLE,
        requirement=f"{_RFC} (assumed; RFC 9112), though a server may insist on a Content-Length (RFC 9110, 15.5.12): "
        "a hazard, since nobody says that Campaign states none.",
        level="should",
    ),
    _framing(
        "stores-chunked-body",
        "Processes all of a body whose length is not stated",
        "all of a list processed that came in chunks and was answered with 200",
        _chunked_kept,
        f"{_WHOLE} Where it cannot, refuse the list.",
        _WHOLE_EXAMPLE,
        requirement="What is answered with 200 never comes again (vendor's webhook guide). "
        f"{_RFC} (assumed; RFC 9112).",
        needs=("probe",),
    ),
    _framing(
        "handles-expect-continue",
        "Takes a body that waits to be asked for",
        "200 to a list with Expect: 100-continue",
        _expect,
        "Answer 100, as servers do by themselves, or read the body all the same.",
        "h11, uvicorn, gunicorn and node do it without being told",
        needs=("connection",),
    ),
    _framing(
        "handles-split-headers",
        "Takes headers that come in several packets",
        "200 to a list whose headers come in pieces",
        _split,
        "Read until the empty line, whatever a single read gives.",
        "head = await reader.readuntil(b'\\r\\n\\r\\n')",
        needs=("connection",),
    ),
    _framing(
        "ignores-header-case",
        "Knows header names in any case",
        "200 to a list with the names of its headers in capitals",
        _header_case,
        "Look headers up by names in lower case, or in a mapping that does so.",
        "headers = {name.lower(): value for name, value in raw}",
    ),
    _framing(
        "accepts-slow-body",
        "Takes a body that comes slowly",
        "200 to a list whose body takes a second",
        _slow_body,
        f"{_WHOLE} Give it as long as the sender has: some seconds.",
        _WHOLE_EXAMPLE,
        needs=("connection",),
        assumes=("list", "time-out"),
    ),
    _framing(
        "accepts-charset-parameter",
        "Takes a Content-Type with a charset, and without",
        "200 to application/json, with charset=utf-8 or without it",
        _charset,
        "Compare the media type only, less its parameters and in lower case.",
        "media_type = header.partition(';')[0].strip().lower()",
        assumes=("list", "charset"),
    ),
    _framing(
        "accepts-post-only",
        "Takes lists from POST only",
        "an error status to PUT, PATCH and DELETE, and nothing processed of theirs, of GET's or of HEAD's",
        _methods,
        "Route POST only.",
        "@app.post('/hook')",
        requirement="Event data comes by POST (vendor's webhook guide).",
        stage=Stage.FAILURES,
        assumes=("list",),
    ),
    Rule(
        id="rejects-get-and-head",
        family="http",
        level="should",
        title="Refuses lists by GET and HEAD",
        requirement="Event data comes by POST (vendor's webhook guide). A redirect on the way, such as one to https, "
        "makes a GET of a POST, less its body (RFC 9110, 15.4): a 200 to that says success for a list that is lost.",
        expected="405 or another error status to GET and HEAD",
        examine=_reading,
        assumes=("list",),
        fix="Route POST only, and give a page that people or monitors look at an address of its own.",
        example="@app.get('/health')",
        stage=Stage.FAILURES,
    ),
    _framing(
        "handles-concurrent-requests",
        "Answers one webhook while another one's list still comes",
        "other lists answered within the second that one of them takes",
        _two_at_once,
        "Use a server with several threads or workers, or an asynchronous one, and hold no lock while a body comes.",
        "gunicorn --worker-class gthread --threads 8 app:app",
        needs=("connection",),
        assumes=("list", "parallel"),
        depends_on=("handles-new-connections", "accepts-slow-body"),
    ),
    Rule(
        id="survives-oversized-body",
        family="http",
        level="should",
        title="Refuses far too long and far too deep bodies without harm",
        requirement="The address of a webhook is open to the world, and other senders send other things (CWE-400).",
        expected="an error status, and 200 to ordinary lists afterwards",
        examine=_oversized,
        fix="Limit the size of bodies to some megabytes, and use a JSON parser that refuses deep nesting.",
        example="except (ValueError, RecursionError): return Response(status_code=400)",
        stage=Stage.FAILURES,
    ),
    Rule(
        id="stores-only-events",
        family="http",
        level="should",
        title="Keeps nothing of a list but its events",
        requirement="Event data comes as lists of JSON objects (vendor's webhook guide). The address of a webhook is "
        "open to the world, and other senders send other things (CWE-20).",
        expected="an error status to a list with an element that is no object, or 200 and only its events kept",
        needs=("probe events",),
        depends_on=("stores-every-event",),
        examine=_only_events,
        assumes=("list",),
        fix="Refuse a list that holds anything but objects, or leave out what is none.",
        example="if not all(isinstance(event, dict) for event in events): return Response(status_code=400)",
        stage=Stage.FAILURES,
    ),
    Rule(
        id="has-valid-certificate",
        family="http",
        level="should",
        title="Has a certificate that is valid for its name",
        requirement="Requests come over HTTPS on port 443 (vendor's webhook guide, later versions). That the sender "
        "verifies certificates is assumed.",
        expected="a TLS handshake that needs no exception",
        needs=("https",),
        examine=_certificate,
        fix="Get a certificate for the host's name from a public authority, and send the whole chain.",
        example="certbot --nginx -d hooks.example.com",
        not_covered="Whether the vendor trusts the same authorities as this machine, or one given with --ca.",
    ),
)
