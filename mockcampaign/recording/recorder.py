"""Turns the requests that pass the proxy into a journal. It is given the time, and does no I/O.

A recorder sees requests only. An event happens when it is first seen. A batch that contains pending events is the next
attempt at them. A batch that was accepted before and arrives again is a redelivery: no event id distinguishes it from a
second open or click.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import platform
import re
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from mockcampaign import __version__
from mockcampaign.engine.journal import Began, Discarded, Happened, Journal, WebhookChanged, serial_ranges
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
from mockcampaign.recording.pseudonyms import Pseudonyms

ENTRIES_MAX = 1_000
EVENTS_MAX = 20_000
"""Bounds of the journal in memory. The file gets all of it."""

SECRET_MIN = 6
"""Fewest characters of an unusual header's value that is masked although it does not authenticate: a shorter one may
occur anywhere."""

_ORDINARY_HEADER = re.compile(
    r"accept|accept-(?:charset|encoding|language)|baggage|cache-control|connection|content-(?:length|type)|forwarded"
    r"|host|trace(?:parent|state)|user-agent|via|x-forwarded-.*|x-real-ip|x-request-id",
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
    names: dict[str, str]
    """Pseudonyms in its events, by original."""


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

    def __init__(self, target: str, *, now: int, keep: bool = False, policy: Policy = Policy()) -> None:
        """Unless `keep`, pseudonyms replace recipient ids and addresses."""
        self.journal = Journal(entries_max=ENTRIES_MAX, events_max=EVENTS_MAX)
        self.events = 0
        """How many events were recorded."""
        self._totals = Totals()
        self.journal.follow(self._totals.note)
        self._target = target
        self._policy = policy
        self._pseudonyms = None if keep else Pseudonyms()
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

    def begin(self, path: str, headers: Sequence[tuple[str, str]], body: bytes, now: int) -> BatchInFlight:
        """Record the events of a request. Raises `NotRecordedError` if its body is not a batch of events."""
        payloads = _payloads(body)
        event_type = _event_type(payloads)
        authentication, masking = _authentication(headers)
        queue = self._queue(path, event_type, authentication, payloads[0], now)
        self._expire(queue, now)
        names: dict[str, str] = {}
        listed: list[Event] = []
        redelivered: list[Event] = []
        fresh: list[tuple[bytes, Event]] = []
        repeated = dict(queue.delivered)
        for raw, payload in zip(_raw_events(body), payloads, strict=True):
            renamed = payload
            if self._pseudonyms is not None:
                renamed, used = self._pseudonyms.event(payload)
                names.update(used)
            known = queue.take(raw)
            if known is None and raw in repeated:
                redelivered.append(repeated.pop(raw))
                continue
            if known is None:
                known = self._new_event(raw, renamed, now)
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
            names=names,
        )

    def complete(self, batch: BatchInFlight, outcome: Outcome, now: int) -> None:
        """Record the outcome of a batch."""
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
            self._cleaned(batch, outcome),
            redelivered,
        )
        if outcome.accepted and events:
            queue.delivered = {}
            for event in events:
                received = self._received.pop(event.serial)
                queue.delivered[received] = event
                queue.take(received)

    def _cleaned(self, batch: BatchInFlight, outcome: Outcome) -> Outcome:
        outcome = batch.masking.outcome(outcome)
        if not isinstance(outcome, Responded):
            return outcome
        kept = outcome.body[: self._policy.response_body_bytes_kept]
        headers = outcome.headers
        if self._pseudonyms is not None:
            names = self._pseudonyms
            text = kept.decode("utf-8", "surrogateescape")
            kept = names.text(text, batch.names).encode("utf-8", "surrogateescape")
            headers = tuple((name, names.text(value, batch.names)) for name, value in headers)
        return msgspec.structs.replace(outcome, body=kept, headers=headers)

    def _queue(
        self, path: str, event_type: EventType, authentication: Authentication, payload: dict[str, Any], now: int
    ) -> _Queue:
        key = (path, event_type)
        if key not in self._queues:
            queue = self._queues[key] = _Queue(len(self._queues) + 1)
            for command, status in (("create", WebhookStatus.CREATED), ("activate", WebhookStatus.ACTIVATED)):
                self.journal.append(
                    WebhookChanged(
                        at=now,
                        webhook_id=queue.webhook_id,
                        command=command,
                        client_id=_client_id(payload),
                        type=event_type,
                        status=status,
                        target_url=self._target if path == "/" else f"{self._target.rstrip('/')}{path}",
                        authentication=str(authentication.__struct_config__.tag),
                    )
                )
        return self._queues[key]

    def _new_event(self, raw: bytes, payload: dict[str, Any], now: int) -> Event:
        self.events += 1
        # Without pseudonyms, every byte stays in its place.
        encoded = raw if self._pseudonyms is None else msgspec.json.encode(payload)
        created = payload.get("created")
        oldest = now - self._policy.event_age_max
        if isinstance(created, bool) or not isinstance(created, int) or not oldest < created <= now:
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


def _payloads(body: bytes) -> list[dict[str, Any]]:
    try:
        payloads = msgspec.json.decode(body, type=list[dict[str, Any]])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise NotRecordedError("the body is not a JSON list of events") from None
    if not payloads:
        raise NotRecordedError("the batch is empty")
    return payloads


def _raw_events(body: bytes) -> list[bytes]:
    return [bytes(raw).strip() for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]


def _event_type(payloads: list[dict[str, Any]]) -> EventType:
    names = {str(payload.get("type")) for payload in payloads}
    # Responses of the vendor's API spell it like this, so events may as well.
    names = {"archive" if name == "archived" else name for name in names}
    if len(names) > 1:
        raise NotRecordedError(
            f"the batch contains events of types {', '.join(sorted(names))}; a webhook carries one type"
        )
    [name] = names
    if name not in list(EventType):
        raise NotRecordedError(f"the events are of unknown type {name!r}")
    return EventType(name)


def _client_id(payload: dict[str, Any]) -> int:
    client_id = payload.get("clientId")
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
