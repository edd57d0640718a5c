"""The frozen values that all packages share: webhooks, events, batches and the outcomes of attempts."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, ClassVar, Self, overload

import msgspec

from mockcampaign import json_text


class EventType(StrEnum):
    """The event types, spelled as in requests of the vendor's API description."""

    OPEN = "open"
    CLICK = "click"
    SENT = "sent"
    BOUNCE = "bounce"
    UNSUBSCRIBE = "unsubscribe"
    SPAMCOMPLAINT = "spamcomplaint"
    SINGLEOPTIN = "singleoptin"
    CONFIRMEDOPTIN = "confirmedoptin"
    DOUBLEOPTIN = "doubleoptin"
    BLOCKLIST = "blocklist"
    ARCHIVE = "archive"
    FILTEREDBYBLOCKLIST = "filteredbyblocklist"


class WebhookStatus(StrEnum):
    """The status of a webhook (vendor's API description)."""

    CREATED = "created"
    ACTIVATED = "activated"
    DEACTIVATED = "deactivated"
    DELETED = "deleted"
    SUSPENDED = "suspended"


class NoAuthentication(msgspec.Struct, frozen=True, tag="none"):
    """Requests carry no credentials."""

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the request headers that carry the credentials: none."""
        return ()

    def secrets(self) -> tuple[str, ...]:
        """Return the strings that must never appear in an output: none."""
        return ()


class BasicAuthentication(msgspec.Struct, frozen=True, tag="basicAuth", rename="camel"):
    """Every request carries HTTP Basic credentials, encoded as UTF-8 (RFC 7617)."""

    user_name: str
    password: str

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the `Authorization` header."""
        return (("Authorization", f"Basic {self._token()}"),)

    def secrets(self) -> tuple[str, ...]:
        """Return the password, plain and as in the header."""
        return (self.password, self._token())

    def _token(self) -> str:
        return base64.b64encode(f"{self.user_name}:{self.password}".encode()).decode("ascii")

    def __repr__(self) -> str:
        return f"BasicAuthentication(user_name={self.user_name!r}, password=…)"


class KeyAuthentication(msgspec.Struct, frozen=True, tag="keyAuth"):
    """Every request carries the header `key: passphrase`."""

    key: str
    passphrase: str

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the configured header."""
        return ((self.key, self.passphrase),)

    def secrets(self) -> tuple[str, ...]:
        """Return the passphrase as it is sent, and its part after a scheme such as `Bearer`."""
        sent = self.passphrase.strip(" \t")
        return (sent, sent.rpartition(" ")[2])

    def __repr__(self) -> str:
        return f"KeyAuthentication(key={self.key!r}, passphrase=…)"


Authentication = NoAuthentication | BasicAuthentication | KeyAuthentication


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook of a client; it carries one event type."""

    id: int
    client_id: int
    type: EventType
    target_url: str
    authentication: Authentication = NoAuthentication()
    status: WebhookStatus = WebhookStatus.CREATED
    integration_id: str = ""
    """A label by which the creator finds its webhooks. Not documented, but sent by the vendor's own client."""
    created: int
    """Milliseconds since 1970, like `modified`."""
    modified: int


class Event(msgspec.Struct, frozen=True, gc=False):
    """An event as it is sent. Different events may have equal payloads: the vendor sends no event id."""

    serial: int
    """Number of the event in its campaign, from 1. Never sent."""
    created: int
    """Milliseconds since 1970; the payload's `created` is the same moment in the payload's format."""
    encoded: bytes
    """The payload as JSON, encoded once; a batch is the join of these."""

    def payload(self) -> dict[str, Any]:
        """Return the payload, decoded anew at each call."""
        decoded: dict[str, Any] = json_text.decode(self.encoded)
        return decoded


class EventRun(Sequence[Event]):
    """Events with consecutive serials that were created at one moment. Each is made when it is asked for.

    Most events are delivered without anybody asking: making and freeing them cost more than all decisions about them.
    """

    __slots__ = ("created", "first", "payloads")

    def __init__(self, first_serial: int, created: int, payloads: tuple[bytes, ...]) -> None:
        """There is at least one payload."""
        self.first = Event(first_serial, created, payloads[0])
        self.created = created
        self.payloads = payloads

    @property
    def last_serial(self) -> int:
        """The serial of the newest event."""
        return self.first.serial + len(self.payloads) - 1

    def __len__(self) -> int:
        return len(self.payloads)

    @overload
    def __getitem__(self, index: int) -> Event: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Event]: ...

    def __getitem__(self, index: int | slice) -> Event | Sequence[Event]:
        if index == 0:
            return self.first
        if isinstance(index, int):
            number = range(len(self.payloads))[index]
            return Event(self.first.serial + number, self.created, self.payloads[number])
        payloads = self.payloads[index]
        if payloads is self.payloads:
            return self
        start, _, step = index.indices(len(self.payloads))
        if step != 1 or not payloads:
            return tuple(self)[index]
        return EventRun(self.first.serial + start, self.created, payloads)

    def __iter__(self) -> Iterator[Event]:
        created = self.created
        for serial, payload in enumerate(self.payloads, self.first.serial):
            yield Event(serial, created, payload)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, EventRun):
            return self.first == other.first and self.payloads == other.payloads
        return tuple(self) == other

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


def encode_batch(events: Sequence[Event], prefix: bytes = b"[", suffix: bytes = b"]") -> bytes:
    """Return the request body: a JSON list, whatever the number of events (vendor's guide), or what a policy says."""
    pieces = list(events.payloads) if isinstance(events, EventRun) else [event.encoded for event in events]
    if pieces:
        # Added to pieces, so that the whole is copied only once.
        pieces[0] = prefix + pieces[0]
        pieces[-1] += suffix
    return b",".join(pieces) or prefix + suffix


class Measured(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Measurements of one exchange, or of several with equal outcomes, on this machine at this time.

    They differ in each run, so outcomes compare without them, and `engine.journal.comparable` leaves them out.
    """

    bytes_sent: int
    """Bytes of the requests that at least were handed to the network; whether all arrived is unknown."""
    bytes_received: int
    """Bytes of the responses, heads and framing included."""
    microseconds: int
    """Wall time from a request's beginning, connecting included, to its outcome; the sum over all exchanges."""
    microseconds_min: int = 0
    """Wall time of the quickest of several exchanges; 0 for one exchange."""
    microseconds_max: int = 0
    """Wall time of the slowest of several exchanges; 0 for one exchange."""
    surplus: bool = False
    """Whether surplus bytes followed a response on a connection that stays open, in any of the exchanges."""
    server: str = ""
    """Value of the response's `Server` header: which software responded, the consumer's or one before it."""

    def and_of(self, other: Measured) -> Measured:
        """Return the measurements of both."""
        return Measured(
            self.bytes_sent + other.bytes_sent,
            self.bytes_received + other.bytes_received,
            self.microseconds + other.microseconds,
            min(self._extremes[0], other._extremes[0]),
            max(self._extremes[1], other._extremes[1]),
            self.surplus or other.surplus,
            self.server or other.server,
        )

    @property
    def _extremes(self) -> tuple[int, int]:
        several = self.microseconds_max > 0
        return (self.microseconds_min, self.microseconds_max) if several else (self.microseconds, self.microseconds)


class _Measurable(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of all outcomes. A journal may hold millions, none of them in a reference cycle."""

    measured: Measured | msgspec.UnsetType = msgspec.UNSET
    """Set by a transport over sockets; an application in this process receives no bytes."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._decided() == other._decided()

    def __hash__(self) -> int:
        return hash(self._decided())

    def unmeasured(self) -> Self:
        """Return the outcome without measurements."""
        return self if self.measured is msgspec.UNSET else msgspec.structs.replace(self, measured=msgspec.UNSET)

    def together_with(self, other: _Measurable) -> Self:
        """Return the outcome with the measurements of it and of an equal one; with none if one was not measured."""
        if self.measured is msgspec.UNSET or other.measured is msgspec.UNSET:
            return self.unmeasured()
        return msgspec.structs.replace(self, measured=self.measured.and_of(other.measured))

    def _decided(self) -> tuple[object, ...]:
        """Return all but the measurements. Spelled out in each class: the journal compares at every retry."""
        raise NotImplementedError


ACKNOWLEDGEMENT = 200
"""The status that delivers a batch: no other one does (vendor's guide)."""


class Responded(_Measurable, frozen=True, tag="responded", gc=False):
    """The consumer sent a complete HTTP response."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    """Headers as received, names in lower case, without those of the connection and the clock (`transport`)."""
    body: bytes = b""
    """As much of the body as the policy keeps."""
    body_bytes: int = 0
    """Length of the whole body, without chunk framing."""

    @property
    def accepted(self) -> bool:
        """Whether the batch is delivered."""
        return self.status == ACKNOWLEDGEMENT

    def describe(self) -> str:
        """Return a phrase such as `responded 503`; control characters in it are the consumer's."""
        if 300 <= self.status < 400:
            target = dict(self.headers).get("location")
            return f"responded {self.status}" + (f", a redirect to {target}, not followed" if target else "")
        return f"responded {self.status}"

    def _decided(self) -> tuple[object, ...]:
        return self.status, self.headers, self.body, self.body_bytes


class TimedOut(_Measurable, frozen=True, tag="timed-out", gc=False):
    """No complete response arrived within the policy's time-out."""

    phase: str
    """How far the attempt got: one of `PHASES`."""

    accepted = False

    def describe(self) -> str:
        """Return a phrase that says what happened."""
        return f"{_UNFINISHED[self.phase]} within the time-out"

    def _decided(self) -> tuple[object, ...]:
        return (self.phase,)


class NoResponse(_Measurable, frozen=True, tag="no-response", gc=False):
    """The attempt ended without a complete HTTP response: not connected, cut off, or not HTTP."""

    phase: str
    """How far the attempt got: one of `PHASES`."""
    reason: str
    """A phrase in our own words, the same on every machine."""

    accepted = False

    def describe(self) -> str:
        """Return a phrase that says what happened."""
        return self.reason

    def _decided(self) -> tuple[object, ...]:
        return self.phase, self.reason


PHASES = ("resolve", "connect", "tls", "certificate", "send", "wait", "headers", "body")
"""The phases of an attempt, in order."""

CONNECT_PHASES = ("resolve", "connect", "tls", "certificate")
"""Phases in which an attempt has not reached the consumer."""

_UNFINISHED = {
    "resolve": "the host name was not looked up",
    "connect": "no connection was made",
    "tls": "the TLS handshake did not end",
    "certificate": "the certificate was not verified",
    "send": "the request could not be sent",
    "wait": "no response began",
    "headers": "the response headers did not end",
    "body": "the response body did not end",
}

Outcome = Responded | TimedOut | NoResponse


def describe_measured(outcome: Outcome) -> str:
    """Return how a sentence about an outcome continues with its measurements; empty without measurements."""
    measured = outcome.measured
    if measured is msgspec.UNSET:
        return ""
    phase = "" if isinstance(outcome, Responded) else f"{outcome.phase}; "
    several = measured.microseconds_max > 0
    took = f"{measured.microseconds / 1_000:,.1f}"
    if several:
        took = f"{measured.microseconds_min / 1_000:,.1f} to {measured.microseconds_max / 1_000:,.1f}"
    exchanged = f"{measured.bytes_sent:,} bytes sent, {measured.bytes_received:,} received"
    return f"after {took} ms ({phase}{exchanged}{' in all' if several else ''})"


INTERRUPTED = NoResponse("wait", "the sender was interrupted")
"""Outcome of an attempt that this process abandoned; the consumer is not to blame."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """Something that goes wrong on purpose, or in an unusual way. Module `faults` has them all."""

    harmless: ClassVar[bool] = False
    """Whether a compliant consumer responds as to any other attempt."""

    @property
    def kind(self) -> str:
        """The fault's name in scenarios, Python and the control API."""
        return str(self.__struct_config__.tag)


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request to send."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    """Headers without `Host`, `Content-Length` and those of the connection, which the transport adds."""
    body: bytes = b""
    timeout: int
    """Wall-clock milliseconds for the whole exchange."""
    response_body_bytes_kept: int
    faults: tuple[Fault, ...] = ()
    """Faults that the transport carries out, all of them in `Transport.faults`."""
