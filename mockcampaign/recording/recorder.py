"""What comes through the proxy as a journal. It is told the time, and does no I/O.

Who records sees requests only. An event happens when it is first seen; a list that holds what is still pending is the
next attempt at it; and a list that was accepted already and comes again is a duplicate (there is no event id to tell
it from a second act, as everywhere).
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
"""What the journal keeps in memory; all of it goes to the file."""

SECRET_MIN = 6
"""A shorter value of an unusual header is hidden only if it authorises: it may be as common as a digit."""

_ORDINARY_HEADER = re.compile(
    r"accept|accept-(?:charset|encoding|language)|baggage|cache-control|connection|content-(?:length|type)|forwarded"
    r"|host|trace(?:parent|state)|user-agent|via|x-forwarded-.*|x-real-ip|x-request-id",
    re.IGNORECASE,
)
"""What says nothing of who sends: from clients, proxies and tracers."""


class NotRecordedError(Exception):
    """A request that is none of Campaign's, with the reason. It is forwarded all the same."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A list on its way to the consumer."""

    webhook_id: int
    number: int
    started_at: int
    events: tuple[Event, ...]
    redelivered: tuple[Event, ...]
    masking: Masking
    names: dict[str, str]
    """What stands for what in its events."""


class _Pending:
    """What one webhook's consumer has not accepted yet."""

    def __init__(self, webhook_id: int) -> None:
        self.webhook_id = webhook_id
        self.events: dict[bytes, deque[Event]] = {}
        """By what was received, since that is all there is to know them by."""
        self.delivered: dict[bytes, Event] = {}
        """The events of the last list that was accepted."""
        self.current: tuple[Event, ...] = ()
        self.number = 0

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
    """Writes one journal. All moments are milliseconds since 1970."""

    def __init__(self, target: str, *, now: int, keep: bool = False, policy: Policy = Policy()) -> None:
        """`keep`: people keep their names."""
        self.journal = Journal(entries_max=ENTRIES_MAX, events_max=EVENTS_MAX)
        self.events = 0
        """Recorded so far, like `attempts`."""
        self.attempts = 0
        self._target = target
        self._policy = policy
        self._pseudonyms = None if keep else Pseudonyms()
        self._webhooks: dict[tuple[str, EventType], _Pending] = {}
        self._received: dict[int, bytes] = {}
        self.journal.append(
            Began(
                at=now,
                seed=0,
                versions={"mockcampaign": __version__, "python": platform.python_version()},
                policy=policy,
            )
        )

    def received(self, path: str, headers: Sequence[tuple[str, str]], body: bytes, now: int) -> Delivery:
        """A request came in. Raises `NotRecordedError` where it is no list of events."""
        payloads = _payloads(body)
        event_type = _event_type(payloads)
        authentication, masking = _authentication(headers)
        webhook = self._webhook(path, event_type, authentication, payloads[0], now)
        self._expire(webhook, now)
        names: dict[str, str] = {}
        listed: list[Event] = []
        redelivered: list[Event] = []
        fresh: list[tuple[bytes, Event]] = []
        repeated = dict(webhook.delivered)
        for raw, payload in zip(_raw_events(body), payloads, strict=True):
            renamed = payload
            if self._pseudonyms is not None:
                renamed, used = self._pseudonyms.event(payload)
                names.update(used)
            known = webhook.take(raw)
            if known is None and raw in repeated:
                redelivered.append(repeated.pop(raw))
                continue
            if known is None:
                known = self._new_event(raw, renamed, now)
                fresh.append((raw, known))
            listed.append(known)
        if fresh:
            self._happened(webhook, event_type, payloads[0], [event for _, event in fresh], now)
        for event in reversed(listed):
            webhook.put_back(self._received[event.serial], event)
        events = tuple(listed)
        if [event.serial for event in events] == [event.serial for event in webhook.current] and events:
            # The very same tuple, so that equal attempts are one entry.
            events = webhook.current
            webhook.number += 1
        else:
            webhook.current, webhook.number = events, 1
        return Delivery(
            webhook_id=webhook.webhook_id,
            number=webhook.number,
            started_at=now,
            events=events,
            redelivered=tuple(redelivered),
            masking=masking,
            names=names,
        )

    def answered(self, delivery: Delivery, outcome: Outcome, now: int) -> None:
        """What came of it."""
        self.attempts += 1
        [webhook] = [one for one in self._webhooks.values() if one.webhook_id == delivery.webhook_id]
        # Another request may have settled the matter of some events meanwhile.
        events, redelivered = delivery.events, delivery.redelivered
        settled = tuple(event for event in events if event.serial not in self._received)
        if settled:
            redelivered = (*redelivered, *settled)
            events = tuple(event for event in events if event.serial in self._received)
        self.journal.attempted(
            delivery.webhook_id,
            delivery.number,
            delivery.started_at,
            now - delivery.started_at,
            events,
            self._cleaned(delivery, outcome),
            redelivered,
        )
        if outcome.accepted and events:
            webhook.delivered = {}
            for event in events:
                received = self._received.pop(event.serial)
                webhook.delivered[received] = event
                webhook.take(received)

    def _cleaned(self, delivery: Delivery, outcome: Outcome) -> Outcome:
        outcome = delivery.masking.outcome(outcome)
        if not isinstance(outcome, Responded):
            return outcome
        kept = outcome.body[: self._policy.response_body_bytes_kept]
        headers = outcome.headers
        if self._pseudonyms is not None:
            names = self._pseudonyms
            text = kept.decode("utf-8", "surrogateescape")
            kept = names.text(text, delivery.names).encode("utf-8", "surrogateescape")
            headers = tuple((name, names.text(value, delivery.names)) for name, value in headers)
        return msgspec.structs.replace(outcome, body=kept, headers=headers)

    def _webhook(
        self, path: str, event_type: EventType, authentication: Authentication, payload: dict[str, Any], now: int
    ) -> _Pending:
        key = (path, event_type)
        if key not in self._webhooks:
            webhook = self._webhooks[key] = _Pending(len(self._webhooks) + 1)
            for command, status in (("create", WebhookStatus.CREATED), ("activate", WebhookStatus.ACTIVATED)):
                self.journal.append(
                    WebhookChanged(
                        at=now,
                        webhook_id=webhook.webhook_id,
                        command=command,
                        client_id=_client_id(payload),
                        type=event_type,
                        status=status,
                        target_url=self._target if path == "/" else f"{self._target.rstrip('/')}{path}",
                        authentication=str(authentication.__struct_config__.tag),
                    )
                )
        return self._webhooks[key]

    def _new_event(self, raw: bytes, payload: dict[str, Any], now: int) -> Event:
        self.events += 1
        # Where people keep their names, so does every byte its place.
        encoded = raw if self._pseudonyms is None else msgspec.json.encode(payload)
        created = payload.get("created")
        oldest = now - self._policy.event_age_max
        if isinstance(created, bool) or not isinstance(created, int) or not oldest < created <= now:
            created = now
        self._received[self.events] = raw
        return Event(self.events, created, encoded)

    def _happened(
        self, webhook: _Pending, event_type: EventType, payload: dict[str, Any], events: Sequence[Event], now: int
    ) -> None:
        self.journal.append(
            Happened(
                at=now,
                client_id=_client_id(payload),
                type=event_type,
                first_serial=events[0].serial,
                events=tuple(msgspec.Raw(event.encoded) for event in events),
                webhook_ids=(webhook.webhook_id,),
            )
        )

    def _expire(self, webhook: _Pending, now: int) -> None:
        """What is three days old comes no more."""
        oldest = now - self._policy.event_age_max
        expired = [event for waiting in webhook.events.values() for event in waiting if event.created <= oldest]
        if expired:
            for event in expired:
                received = self._received.pop(event.serial)
                webhook.events[received].remove(event)
                if not webhook.events[received]:
                    del webhook.events[received]
            expired.sort(key=lambda event: event.serial)
            serials = serial_ranges(expired)
            self.journal.append(Discarded(at=now, webhook_id=webhook.webhook_id, serials=serials, reason="expired"))


def _payloads(body: bytes) -> list[dict[str, Any]]:
    try:
        payloads = msgspec.json.decode(body, type=list[dict[str, Any]])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise NotRecordedError("the body is no JSON list of events") from None
    if not payloads:
        raise NotRecordedError("an empty list")
    return payloads


def _raw_events(body: bytes) -> list[bytes]:
    return [bytes(raw).strip() for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]


def _event_type(payloads: list[dict[str, Any]]) -> EventType:
    names = {str(payload.get("type")) for payload in payloads}
    # Answers of the vendor's API spell it so, and maybe events do.
    names = {"archive" if name == "archived" else name for name in names}
    if len(names) > 1:
        raise NotRecordedError(f"a list with events of types {', '.join(sorted(names))}; a webhook carries one")
    [name] = names
    if name not in list(EventType):
        raise NotRecordedError(f"events of type {name!r}, which is unknown")
    return EventType(name)


def _client_id(payload: dict[str, Any]) -> int:
    client_id = payload.get("clientId")
    if isinstance(client_id, bool) or not isinstance(client_id, int) or not 0 < client_id <= INT64_MAX:
        return DEFAULT_CLIENT_ID
    return client_id


def _authentication(headers: Sequence[tuple[str, str]]) -> tuple[Authentication, Masking]:
    """What the request seems to be authorised by, and what hides every header that could be a secret."""
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
