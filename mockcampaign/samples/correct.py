"""A small webhook consumer in Starlette that does everything right, in parts that bugs replace one by one."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from mockcampaign.model import BasicAuthentication
from mockcampaign.samples.store import Event, Identity, Store


def moment(event: Event) -> int:
    """When it happened; 0 where it does not tell."""
    created = event.get("created")
    return created if isinstance(created, int) else 0


class Consumer:
    """What happens to a request, from its credentials to its answer."""

    methods: ClassVar[Sequence[str]] = ("POST",)
    """All others are refused with 405."""
    refuse_status: ClassVar[int] = 401

    def __init__(self, store: Store, basic_authentication: BasicAuthentication | None) -> None:
        """It demands the credentials where they are given."""
        self.store = store
        self.basic_authentication = basic_authentication

    async def hook(self, request: Request) -> Response:
        """The webhook's target. What goes wrong unforeseen is 500, as in any framework."""
        try:
            return await self.take(request)
        except HTTPException as refused:
            return JSONResponse({"error": refused.detail}, refused.status_code, refused.headers)
        except Exception:
            return Response(status_code=500)

    async def take(self, request: Request) -> Response:
        """All parts in their order: nothing is stored of what was refused, or answered before it is stored."""
        if not self.lets_in(request):
            raise HTTPException(self.refuse_status, "wrong credentials", {"WWW-Authenticate": 'Basic realm="webhooks"'})
        events = self.parse(await self.read(request))
        await self.process(events)
        return self.answer(events)

    def lets_in(self, request: Request) -> bool:
        """Whether the credentials are right, or none are needed."""
        if self.basic_authentication is None:
            return True
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and self.same(given, self.wanted())

    def wanted(self) -> bytes:
        """The credentials as they are before base64 (RFC 7617)."""
        assert self.basic_authentication is not None
        return f"{self.basic_authentication.user_name}:{self.basic_authentication.password}".encode()

    def same(self, given: bytes, wanted: bytes) -> bool:
        """In constant time, so that nearly right credentials are refused no later than wrong ones."""
        return hmac.compare_digest(given, wanted)

    async def read(self, request: Request) -> bytes:
        """The whole body, however it comes."""
        try:
            return await request.body()
        except ClientDisconnect:
            raise HTTPException(400, "the body was cut") from None  # which nobody reads

    def parse(self, body: bytes) -> list[Event]:
        """A body that is no list of events is not taken: what is not understood must not be acknowledged."""
        try:
            return msgspec.json.decode(body, type=list[Event])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise HTTPException(400, "not a JSON list of events") from None

    async def process(self, events: list[Event]) -> None:
        """All events of a list, or none."""
        self.store.add(self.identified([self.kept(event) for event in events]))

    def kept(self, event: Event) -> Event:
        """What is kept of an event: all of it, unchanged, also what nobody has announced."""
        return event

    def identified(self, events: list[Event]) -> dict[Identity, Event]:
        """Each event under what makes it the same one when it comes again.

        Twice in one list is two acts, as in the vendor's example; once in each of two lists is taken for a repetition,
        since nothing tells the two cases apart.
        """
        times: Counter[bytes] = Counter()
        rows: dict[Identity, Event] = {}
        for event in events:
            key = self.key(event)
            times[key] += 1
            rows[key, times[key]] = event
        return rows

    def key(self, event: Event) -> bytes:
        """What two events must have in common to be one. There is no event id: nothing less than all fields will do."""
        return msgspec.json.encode(event, order="sorted")

    def answer(self, events: list[Event]) -> Response:
        """The answer to a list that is stored."""
        return JSONResponse({"received": len(events)})

    def end_state(self) -> dict[str, Event]:
        """The newest event of each mail by its moment, whatever came last."""
        found: dict[str, Event] = {}
        for event in sorted(self.store.events(), key=moment):
            found[str(event.get("mailId"))] = event
        return found

    async def state(self, request: Request) -> Response:
        """The end state, for a probe."""
        return Response(msgspec.json.encode(self.end_state()), media_type="application/json")

    async def processed(self, request: Request) -> Response:
        """Its own account of what it has processed, for a probe."""
        return Response(msgspec.json.encode(self.store.events()), media_type="application/json")
