"""Turns the requests that pass the proxy into a journal without persons. It is given the time, and does no I/O.

A recorder sees requests only. An event happens when it is first seen. A batch that contains pending events is the next
attempt at them. A batch that was accepted before and arrives again is a redelivery: no event id distinguishes it from a
second open or click.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import platform
import re
from collections import deque
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from mockcampaign import __version__
from mockcampaign.engine.journal import Began, Captured, Discarded, Happened, Journal, WebhookChanged, serial_ranges
from mockcampaign.judging.ledger import Totals
from mockcampaign.masking import Masking
from mockcampaign.model import (
    Authentication,
    BasicAuthentication,
    Event,
    EventType,
    KeyAuthentication,
    NoAuthentication,
    Outcome,
    Responded,
    WebhookStatus,
)
from mockcampaign.policy import DEFAULT_CLIENT_ID, INT64_MAX, Policy
from mockcampaign.pseudonyms import Json, Pseudonyms, UnreadableError
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.field import Role
from mockcampaign.shape.vocabulary import event_type_of
from mockcampaign.text import short

BUILTIN = builtin_shape(EventType.OPEN)
"""Says where events have what a journal asks of them: Campaign's own have it there, whatever their type."""

ENTRIES_MAX = 1_000
EVENTS_MAX = 20_000
"""Bounds of the journal in memory. The file gets all of it."""

EVERYTHING = "*"
"""Among the fields to keep: nothing is replaced."""

PATH = "path"
"""Among the fields to keep: the path at which Campaign sends its requests."""

RESPONSE_BYTES_MAX = 65_536
"""A longer response is not read as JSON: of its beginning, which the journal contains, every word is replaced."""

SECRET_MIN = 6
"""Fewest characters of an unusual header's value that is masked although it does not authenticate: a shorter one may
occur anywhere."""

_ORDINARY_HEADER = re.compile(
    r"accept|accept-(?:charset|encoding|language)|baggage|cache-control|connection|content-(?:length|type)|forwarded"
    r"|host|trace(?:parent|state)|user-agent|via|x-forwarded-(?:by|for|host|port|prefix|proto|scheme|server|ssl)"
    r"|x-real-ip|x-request-id",
    re.IGNORECASE,
)
"""Headers that do not identify the sender: clients, proxies and tracers set them."""


class NotRecordedError(Exception):
    """A request is not one of Campaign's, for the reason in the message. The proxy forwards it all the same."""


class BatchInFlight(msgspec.Struct, frozen=True, kw_only=True):
    """A batch on its way to the consumer."""

    webhook_id: int
    number: int
    started_at: int
    events: tuple[Event, ...]
    redelivered: tuple[Event, ...]
    masking: Masking


class CaptureInFlight(msgspec.Struct, frozen=True, kw_only=True):
    """A request on its way to the consumer that no webhook of a known type sends."""

    started_at: int
    why: str
    """Why it is no batch of a known event type."""
    body: bytes
    """The body as JSON without persons."""
    masking: Masking


InFlight = BatchInFlight | CaptureInFlight


class _Queue:
    """Events of one webhook that the consumer has not accepted yet."""

    def __init__(self, webhook_id: int) -> None:
        self.webhook_id = webhook_id
        self.events: dict[bytes, deque[Event]] = {}
        """Pending events by their bytes, the only thing that identifies them."""
        self.delivered: dict[bytes, Event] = {}
        """Events of the batch that was accepted last."""
        self.current: tuple[Event, ...] = ()
        """Events of the newest batch."""
        self.number = 0
        """Number of the newest attempt at that batch, from 1."""

    def take(self, received: bytes) -> Event | None:
        waiting = self.events.get(received)
        if waiting is None:
            return None
        event = waiting.popleft()
        if not waiting:
            del self.events[received]
        return event

    def put_back(self, received: bytes, event: Event) -> None:
        self.events.setdefault(received, deque()).appendleft(event)


class Recorder:
    """Writes one journal. All times are milliseconds since 1970."""

    def __init__(self, target: str, *, now: int, keep: Collection[str] = (), policy: Policy = Policy()) -> None:
        """Pseudonyms replace all that may name a person, except in the fields of `keep`, or none for `EVERYTHING`."""
        self.journal = Journal(entries_max=ENTRIES_MAX, events_max=EVENTS_MAX)
        self.events = 0
        """How many events were recorded."""
        self._totals = Totals()
        self.journal.follow(self._totals.note)
        self._target = target
        self._policy = policy
        self._pseudonyms = None if EVERYTHING in keep else Pseudonyms(keep)
        self._keeps_path = PATH in keep
        self._queues: dict[tuple[str, EventType], _Queue] = {}
        self._received: dict[int, bytes] = {}
        """Bytes of each pending event, by serial."""
        self.journal.append(
            Began(
                at=now,
                seed=0,
                versions={"mockcampaign": __version__, "python": platform.python_version()},
                policy=policy,
            )
        )

    @property
    def attempts(self) -> int:
        """How many attempts were recorded."""
        return self._totals.whole.attempts

    def begin(self, path: str, headers: Sequence[tuple[str, str]], body: bytes, now: int) -> InFlight:
        """Record the events of a request. Raises `NotRecordedError` if its body contains no events."""
        payloads, whole = _payloads(body)
        authentication, masking = _authentication(headers)
        # All that can fail comes first, so that a request that is not recorded leaves nothing behind.
        try:
            renamed = [self._renamed(payload) for payload in payloads]
            event_type, why = _event_type(renamed if payloads is whole else None, payloads)
            if event_type is None:
                captured = _one_line(body) if self._pseudonyms is None else _encoded(self._renamed(whole))
                return CaptureInFlight(started_at=now, why=why, body=captured, masking=masking)
        except UnreadableError as error:
            raise NotRecordedError(str(error)) from None
        raws = _raw_events(body)
        written = [_one_line(raw) for raw in raws] if self._pseudonyms is None else list(map(_encoded, renamed))
        queue = self._queue(path, event_type, authentication, payloads[0], now)
        self._expire(queue, now)
        listed: list[Event] = []
        redelivered: list[Event] = []
        fresh: list[tuple[bytes, Event]] = []
        repeated = dict(queue.delivered)
        for raw, payload, encoded in zip(raws, payloads, written, strict=True):
            known = queue.take(raw)
            if known is None and raw in repeated:
                redelivered.append(repeated.pop(raw))
                continue
            if known is None:
                known = self._new_event(raw, payload, encoded, now)
                fresh.append((raw, known))
            listed.append(known)
        if fresh:
            self._happened(queue, event_type, payloads[0], [event for _, event in fresh], now)
        for event in reversed(listed):
            queue.put_back(self._received[event.serial], event)
        events = tuple(listed)
        if [event.serial for event in events] == [event.serial for event in queue.current] and events:
            # The very same tuple, so that equal attempts are one entry.
            events = queue.current
            queue.number += 1
        else:
            queue.current, queue.number = events, 1
        return BatchInFlight(
            webhook_id=queue.webhook_id,
            number=queue.number,
            started_at=now,
            events=events,
            redelivered=tuple(redelivered),
            masking=masking,
        )

    def complete(self, batch: InFlight, outcome: Outcome, now: int) -> None:
        """Record the outcome of a request."""
        cleaned = self._cleaned(batch.masking, outcome)
        if isinstance(batch, CaptureInFlight):
            took, body = now - batch.started_at, msgspec.Raw(batch.body)
            self.journal.append(Captured(at=batch.started_at, took=took, why=batch.why, body=body, outcome=cleaned))
            return
        [queue] = [one for one in self._queues.values() if one.webhook_id == batch.webhook_id]
        # Another request may have delivered or discarded some events meanwhile.
        events, redelivered = batch.events, batch.redelivered
        settled = tuple(event for event in events if event.serial not in self._received)
        if settled:
            redelivered = (*redelivered, *settled)
            events = tuple(event for event in events if event.serial in self._received)
        self.journal.add_attempt(
            batch.webhook_id,
            batch.number,
            batch.started_at,
            now - batch.started_at,
            events,
            cleaned,
            redelivered,
        )
        if outcome.accepted and events:
            queue.delivered = {}
            for event in events:
                received = self._received.pop(event.serial)
                queue.delivered[received] = event
                queue.take(received)

    def _renamed(self, value: Any) -> Any:
        return value if self._pseudonyms is None else self._pseudonyms.value(value)

    def _cleaned(self, masking: Masking, outcome: Outcome) -> Outcome:
        outcome = masking.outcome(outcome)
        if not isinstance(outcome, Responded):
            return outcome
        body, headers, bytes_kept = outcome.body, outcome.headers, self._policy.response_body_bytes_kept
        if self._pseudonyms is not None:
            # Headers first: what they make known is known in the bodies of this and of all further responses, so that
            # equal responses stay equal.
            headers = self._pseudonyms.headers(headers)
            if len(body) <= RESPONSE_BYTES_MAX:
                body = _without_persons(self._pseudonyms, body)
            else:
                body = self._pseudonyms.whole_text(body[:bytes_kept].decode("utf-8", "replace")).encode()
        return msgspec.structs.replace(outcome, body=body[:bytes_kept], headers=headers)

    def _target_url(self, path: str) -> str:
        if path == "/":
            return self._target
        if self._pseudonyms is not None and not self._keeps_path:
            path = self._pseudonyms.path(path)
        return f"{self._target.rstrip('/')}{path}"

    def _queue(
        self, path: str, event_type: EventType, authentication: Authentication, payload: dict[str, Any], now: int
    ) -> _Queue:
        key = (path, event_type)
        if key not in self._queues:
            queue = self._queues[key] = _Queue(len(self._queues) + 1)
            target_url = self._target_url(path)
            for command, status in (("create", WebhookStatus.CREATED), ("activate", WebhookStatus.ACTIVATED)):
                self.journal.append(
                    WebhookChanged(
                        at=now,
                        webhook_id=queue.webhook_id,
                        command=command,
                        client_id=_client_id(payload),
                        type=event_type,
                        status=status,
                        target_url=target_url,
                        authentication=str(authentication.__struct_config__.tag),
                    )
                )
        return self._queues[key]

    def _new_event(self, raw: bytes, payload: dict[str, Any], encoded: bytes, now: int) -> Event:
        self.events += 1
        created = BUILTIN.moment(payload)
        oldest = now - self._policy.event_age_max
        if created is None or not oldest < created <= now:
            created = now
        self._received[self.events] = raw
        return Event(self.events, created, encoded)

    def _happened(
        self, queue: _Queue, event_type: EventType, payload: dict[str, Any], events: Sequence[Event], now: int
    ) -> None:
        self.journal.append(
            Happened(
                at=now,
                client_id=_client_id(payload),
                type=event_type,
                first_serial=events[0].serial,
                events=tuple(msgspec.Raw(event.encoded) for event in events),
                webhook_ids=(queue.webhook_id,),
            )
        )

    def _expire(self, queue: _Queue, now: int) -> None:
        """Discard the pending events that have reached the age at which Campaign discards them."""
        oldest = now - self._policy.event_age_max
        expired = [event for waiting in queue.events.values() for event in waiting if event.created <= oldest]
        if expired:
            for event in expired:
                received = self._received.pop(event.serial)
                queue.events[received].remove(event)
                if not queue.events[received]:
                    del queue.events[received]
            expired.sort(key=lambda event: event.serial)
            serials = serial_ranges(expired)
            self.journal.append(Discarded(at=now, webhook_id=queue.webhook_id, serials=serials, reason="expired"))


def _payloads(body: bytes) -> tuple[list[dict[str, Any]], Any]:
    """Return the objects of a body, which is a list of them or one of them, and the body's value."""
    try:
        whole = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise NotRecordedError("the body is not JSON") from None
    payloads = [whole] if isinstance(whole, dict) else whole
    if not isinstance(payloads, list) or not all(isinstance(payload, dict) for payload in payloads):
        raise NotRecordedError("the body is not a JSON list of events")
    if not payloads:
        raise NotRecordedError("the batch is empty")
    return payloads, whole


def _raw_events(body: bytes) -> list[bytes]:
    return [bytes(raw).strip() for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]


def _event_type(renamed: list[dict[str, Any]] | None, payloads: list[dict[str, Any]]) -> tuple[EventType | None, str]:
    """Return the one type of a batch, or why it has none. `renamed`: its events without persons, for that reason."""
    if renamed is None:
        return None, "the body is an object, and no list of events"
    # However it is spelled: events may say CLICK, and the vendor's API spells archive in two ways.
    found = {event_type_of(BUILTIN.get(payload, Role.TYPE)) for payload in payloads}
    names = sorted({short(str(BUILTIN.get(payload, Role.TYPE))) for payload in renamed})
    if len(found) > 1:
        return None, f"the batch contains events of types {short(', '.join(names))}; a webhook carries one type"
    [known] = found
    if known is None:
        return None, f"the events are of unknown type {names[0]!r}"
    return known, ""


def _one_line(raw: bytes) -> bytes:
    """Return JSON with every byte in its place, unless it has lines, which the journal's own lines cannot contain."""
    return msgspec.json.format(raw, indent=-1) if b"\n" in raw or b"\r" in raw else raw


def _encoded(value: Json) -> bytes:
    try:
        return msgspec.json.encode(value)
    except OverflowError:  # an integer of more than 64 bits
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _without_persons(pseudonyms: Pseudonyms, body: bytes) -> bytes:
    """Return the body of a response without persons, the values of JSON one by one."""
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError, UnreadableError):
        return _encoded(pseudonyms.value(msgspec.json.decode(body)))
    text = body.decode("utf-8", "replace")
    # What looks like JSON may be half of it, and contain the values of any field.
    structured = text.lstrip()[:1] in ("{", "[", '"')
    return (pseudonyms.whole_text(text) if structured else pseudonyms.text(text)).encode()


def _client_id(payload: dict[str, Any]) -> int:
    client_id = BUILTIN.get(payload, Role.CLIENT)
    if isinstance(client_id, bool) or not isinstance(client_id, int) or not 0 < client_id <= INT64_MAX:
        return DEFAULT_CLIENT_ID
    return client_id


def _authentication(headers: Sequence[tuple[str, str]]) -> tuple[Authentication, Masking]:
    """Return how the request seems to be authenticated, and what masks every header that could be a secret."""
    unusual = [(name, value) for name, value in headers if not _ORDINARY_HEADER.fullmatch(name)]
    found: Authentication = NoAuthentication()
    for name, value in unusual:
        scheme, _, token = value.partition(" ")
        if name.lower() != "authorization":
            continue
        found = KeyAuthentication(name, value)
        if scheme.lower() == "basic":
            with contextlib.suppress(binascii.Error, UnicodeDecodeError):
                user_name, _, password = base64.b64decode(token, validate=True).decode().partition(":")
                found = BasicAuthentication(user_name, password)
    if unusual and isinstance(found, NoAuthentication):
        found = KeyAuthentication(*unusual[0])
    values = {value for _, value in unusual if len(value) >= SECRET_MIN}
    return found, Masking(values.union(found.secrets()))
