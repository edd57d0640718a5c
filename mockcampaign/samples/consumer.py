"""A small webhook consumer in Starlette, and the table of bugs that it can be given.

`POST /hook` is the webhook's target, `GET /processed` its own account of what it has processed (the probe).
"""

from __future__ import annotations

import base64
import binascii
import difflib
import hmac
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import BasicAuthentication

Event = dict[str, Any]


def _all_fields(event: Event) -> bytes:
    return msgspec.json.encode(event, order="sorted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How a consumer goes about its parts; the defaults are right."""

    key: Callable[[Event], bytes] = _all_fields
    """What makes two events the same one. There is no event id, so nothing less than all fields will do."""
    keeps_twins: bool = True
    """Whether events of one list with one key are several. Twice in one list is two acts, as in the vendor's example;
    once in each of two lists is taken for a repetition, since nothing tells the two cases apart."""
    select: Callable[[list[Event]], list[Event]] = list
    """Which events of a list are processed."""
    forget_repeats: bool = True
    """Whether an event that was processed before is left out."""
    in_order_only: bool = False
    """Whether events older than the newest one processed are left out."""
    check_credentials: bool = True
    refuse_status: int = 401
    answer: Callable[[int, int], Response] = lambda size, calls: JSONResponse({"received": size})
    """The answer to a list of that size, the how manieth of its kind, once it is processed."""
    takes: Callable[[int], bool] = lambda size: True
    """Whether a list of that size is processed at all; otherwise it is answered with `answer` alone."""


@dataclass(frozen=True, slots=True)
class Bug:
    """A mistake that a review could pass."""

    description: str
    behaviour: Behaviour


def _status(status: int, **headers: str) -> Callable[[int, int], Response]:
    return lambda size, calls: Response(status_code=status, headers=headers)


def _fields(*names: str) -> Callable[[Event], bytes]:
    return lambda event: msgspec.json.encode([event.get(name) for name in names])


BUGS: Mapping[str, Bug] = {
    "answers-201": Bug("answers 201 Created instead of 200", Behaviour(answer=_status(201))),
    "answers-202": Bug("answers 202 Accepted, since it works on the list later", Behaviour(answer=_status(202))),
    "answers-204": Bug("answers 204 No Content, since it has nothing to say", Behaviour(answer=_status(204))),
    "redirects": Bug(
        "redirects to the address with a slash, as frameworks do by themselves",
        Behaviour(answer=_status(307, location="/hook/"), takes=lambda size: False),
    ),
    "first-event-only": Bug("reads only the first event of a list", Behaviour(select=lambda events: events[:1])),
    "last-event-only": Bug("keeps only the last event of a list", Behaviour(select=lambda events: events[-1:])),
    "forgets-odd-remainder": Bug(
        "works in pairs, and loses the last event of an odd list",
        Behaviour(select=lambda events: events[: len(events) // 2 * 2]),
    ),
    "refuses-full-lists": Bug(
        "answers 413 to lists of 100 events, whose bodies are over its limit",
        Behaviour(
            answer=lambda size, calls: Response(status_code=413 if size >= 100 else 200), takes=lambda size: size < 100
        ),
    ),
    "keys-on-mail-id": Bug(
        "takes mailId for an event id, and drops a second open of the same mail",
        Behaviour(key=_fields("mailId"), keeps_twins=False),
    ),
    "keys-on-recipient-id": Bug(
        "takes recipientId for an event id, and drops all but a recipient's first event",
        Behaviour(key=_fields("recipientId"), keeps_twins=False),
    ),
    "keys-on-created": Bug(
        "takes the moment for an event id, and drops what others did in the same millisecond",
        Behaviour(key=_fields("created"), keeps_twins=False),
    ),
    "drops-out-of-order": Bug(
        "ignores events that are older than the newest one it has",
        Behaviour(in_order_only=True),
    ),
    "fails-after-storing": Bug(
        "stores a list, then answers 500 the first time, and stores it again when it comes again",
        Behaviour(forget_repeats=False, answer=lambda size, calls: Response(status_code=500 if calls == 1 else 200)),
    ),
    "accepts-any-credentials": Bug("never looks at the credentials", Behaviour(check_credentials=False)),
    "hides-refusals": Bug(
        "answers 200 to wrong credentials, so the sender believes that all is well", Behaviour(refuse_status=200)
    ),
    "never-answers-200": Bug("answers 503 to everything", Behaviour(answer=_status(503), takes=lambda size: False)),
}


@dataclass(slots=True)
class _Store:
    processed: list[Event] = field(default_factory=list)
    times: Counter[bytes] = field(default_factory=Counter)
    """How often an event of each key was processed."""
    calls: dict[bytes, int] = field(default_factory=dict)
    newest: int = 0

    def process(self, events: list[Event], behaviour: Behaviour) -> None:
        times_in_list: Counter[bytes] = Counter()
        for event in events:
            key = behaviour.key(event)
            times_in_list[key] += 1
            wanted = times_in_list[key] if behaviour.keeps_twins else 1
            if behaviour.forget_repeats and self.times[key] >= wanted:
                continue
            created = event.get("created")
            if behaviour.in_order_only and isinstance(created, int):
                if created < self.newest:
                    continue
                self.newest = created
            self.times[key] += 1
            self.processed.append(event)


def consumer_app(bug: str | None = None, *, basic_authentication: BasicAuthentication | None = None) -> Starlette:
    """A consumer with a store of its own; it demands the credentials where they are given.

    Raises `InvalidInputError` for a bug that is not in `BUGS`.
    """
    if bug is not None and bug not in BUGS:
        close = difflib.get_close_matches(bug, BUGS, n=1)
        hint = f", did you mean {close[0]!r}?" if close else ""
        raise InvalidInputError(f"unknown bug {bug!r}{hint} (allowed: {', '.join(BUGS)})")
    behaviour = Behaviour() if bug is None else BUGS[bug].behaviour
    store = _Store()

    async def hook(request: Request) -> Response:
        if (
            basic_authentication is not None
            and behaviour.check_credentials
            and not _authorised(request.headers.get("authorization", ""), basic_authentication)
        ):
            return Response(status_code=behaviour.refuse_status, headers={"www-authenticate": 'Basic realm="webhooks"'})
        try:
            body = await request.body()
        except ClientDisconnect:
            return Response(status_code=400)  # which nobody reads
        try:
            events = msgspec.json.decode(body, type=list[dict[str, Any]])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return JSONResponse({"error": "not a JSON list of events"}, status_code=400)
        calls = store.calls[body] = store.calls.get(body, 0) + 1
        if behaviour.takes(len(events)):
            store.process(behaviour.select(events), behaviour)
        return behaviour.answer(len(events), calls)

    async def processed(request: Request) -> Response:
        return Response(msgspec.json.encode(store.processed), media_type="application/json")

    return Starlette(routes=[Route("/hook", hook, methods=["POST"]), Route("/processed", processed, methods=["GET"])])


def _authorised(header: str, expected: BasicAuthentication) -> bool:
    scheme, _, token = header.partition(" ")
    try:
        given = base64.b64decode(token, validate=True)
    except (binascii.Error, ValueError):
        return False
    # In constant time, so that a nearly right password is refused no later than a wrong one.
    wanted = f"{expected.user_name}:{expected.password}".encode()
    return scheme.lower() == "basic" and hmac.compare_digest(given, wanted)
