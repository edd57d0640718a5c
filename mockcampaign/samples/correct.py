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
from mockcampaign.samples.known_shapes import KnownShapes
from mockcampaign.samples.store import Event, Identity, Store
from mockcampaign.shape.field import Role


class Consumer:
    """Handles a request from its credentials to its response."""

    methods: ClassVar[Sequence[str]] = ("POST",)
    """Methods the webhook allows; all others get 405."""
    rejection_status: ClassVar[int] = 401
    """Status of the response to wrong credentials."""

    def __init__(
        self, store: Store, basic_authentication: BasicAuthentication | None, shapes: KnownShapes | None = None
    ) -> None:
        """Require the credentials if there are any. Without shapes, events have the built-in ones."""
        self.store = store
        self.basic_authentication = basic_authentication
        self.shapes = shapes or KnownShapes()
        store.group = lambda event: str(self.shapes.get(event, Role.MAILING))
        self.prepare()

    def prepare(self) -> None:
        """Prepare whatever else a consumer needs before its first request: nothing."""

    async def hook(self, request: Request) -> Response:
        """Serve the webhook. An exception that nobody expected is a 500, as in any framework."""
        try:
            return await self.handle(request)
        except HTTPException as rejected:
            return JSONResponse({"error": rejected.detail}, rejected.status_code, rejected.headers)
        except Exception:
            return Response(status_code=500)

    async def handle(self, request: Request) -> Response:
        """Run all parts in order: authenticate before storing, store before acknowledging."""
        if not self.is_authenticated(request):
            challenge = {"WWW-Authenticate": 'Basic realm="webhooks"'}
            raise HTTPException(self.rejection_status, "wrong credentials", challenge)
        events = self.parse(await self.read_body(request))
        await self.process(events)
        return self.respond(events)

    def is_authenticated(self, request: Request) -> bool:
        """Return whether the request has the right credentials, or needs none."""
        if self.basic_authentication is None:
            return True
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme.lower() == "basic" and self.matches(given, self.expected_credentials())

    def expected_credentials(self) -> bytes:
        """Return the credentials as they are before base64 (RFC 7617)."""
        assert self.basic_authentication is not None
        return f"{self.basic_authentication.user_name}:{self.basic_authentication.password}".encode()

    def matches(self, given: bytes, expected: bytes) -> bool:
        """Compare credentials in constant time, so that nearly right ones are rejected no later than wrong ones."""
        return hmac.compare_digest(given, expected)

    async def read_body(self, request: Request) -> bytes:
        """Return the whole body, in however many pieces it arrives."""
        try:
            return await request.body()
        except ClientDisconnect:
            raise HTTPException(400, "the body was truncated") from None  # which nobody reads

    def parse(self, body: bytes) -> list[Event]:
        """Parse a batch. A consumer must not acknowledge what it does not understand: that is 400."""
        try:
            events = self.shapes.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise HTTPException(400, f"not {self.shapes.body_description}") from None
        self.validate(events)
        return events

    def validate(self, events: list[Event]) -> None:
        """Reject a batch with an event that does not have the captured shape."""
        for number, event in enumerate(events, 1):
            misfit = self.shapes.misfit(event)
            if misfit is not None:
                raise HTTPException(400, f"event {number}: {misfit}")

    async def process(self, events: list[Event]) -> None:
        """Store all events of a batch, or none."""
        self.store.add(self.by_identity([self.stored_form(event) for event in events]))

    def stored_form(self, event: Event) -> Event:
        """Return what is stored of an event: every field, unchanged, also fields that nobody has announced."""
        return event

    def by_identity(self, events: list[Event]) -> dict[Identity, Event]:
        """Return each event under the identity by which its redelivery is recognised.

        Two identical events in one batch are two, as in the vendor's example. An identical event in another batch is a
        redelivery, since nothing distinguishes the two cases.
        """
        times: Counter[bytes] = Counter()
        rows: dict[Identity, Event] = {}
        for event in events:
            key = self.key(event)
            times[key] += 1
            rows[key, times[key]] = event
        return rows

    def key(self, event: Event) -> bytes:
        """Return the deduplication key: all fields, since an event has no id."""
        return msgspec.json.encode(event, order="sorted")

    def respond(self, events: list[Event]) -> Response:
        """Return the response to a batch that is stored."""
        return JSONResponse({"received": len(events)})

    def end_state(self) -> dict[str, Event]:
        """Return the newest event of each mail by its time, whichever arrived last."""
        found: dict[str, Event] = {}
        for event in sorted(self.store.events(), key=self.shapes.time):
            found[self.shapes.mail(event)] = event
        return found

    async def state(self, request: Request) -> Response:
        """Serve the end state to a probe."""
        return Response(msgspec.json.encode(self.end_state()), media_type="application/json")

    def total(self) -> int:
        """Return the number of events that a dashboard would show."""
        return len(self.store)

    async def counted(self, request: Request) -> Response:
        """Serve the number of events to a probe."""
        return JSONResponse({"events": self.total()})

    async def processed(self, request: Request) -> Response:
        """Serve the stored events to a probe: all of them, or those of one mailing."""
        mailing = request.query_params.get("mailing")
        found = self.store.events() if mailing is None else self.store.of_group(mailing)
        return Response(msgspec.json.encode(found), media_type="application/json")
