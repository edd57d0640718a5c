"""The frozen values that all packages share: webhooks, events, batches and the outcomes of attempts."""

from __future__ import annotations

import base64
from enum import StrEnum
from typing import Any, ClassVar, Self

import msgspec


class EventType(StrEnum):
    """What a webhook can be created for, spelled as the vendor's API description spells it in requests."""

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
    """Where a webhook stands in its life (vendor's API description)."""

    CREATED = "created"
    ACTIVATED = "activated"
    DEACTIVATED = "deactivated"
    DELETED = "deleted"
    SUSPENDED = "suspended"


class NoAuthentication(msgspec.Struct, frozen=True, tag="none"):
    """Requests carry no credentials."""

    def headers(self) -> tuple[tuple[str, str], ...]:
        """The request headers that carry the credentials: none."""
        return ()

    def secrets(self) -> tuple[str, ...]:
        """The strings that must never appear in an output: none."""
        return ()


class BasicAuthentication(msgspec.Struct, frozen=True, tag="basicAuth", rename="camel"):
    """Every request carries HTTP Basic credentials, encoded as UTF-8 (RFC 7617)."""

    user_name: str
    password: str

    def headers(self) -> tuple[tuple[str, str], ...]:
        """The `Authorization` header."""
        return (("Authorization", f"Basic {self._token()}"),)

    def secrets(self) -> tuple[str, ...]:
        """The password, bare and as the header carries it."""
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
        """The configured header."""
        return ((self.key, self.passphrase),)

    def secrets(self) -> tuple[str, ...]:
        """The passphrase, and the part of it after a scheme such as `Bearer`."""
        return (self.passphrase, self.passphrase.rpartition(" ")[2])

    def __repr__(self) -> str:
        return f"KeyAuthentication(key={self.key!r}, passphrase=…)"


Authentication = NoAuthentication | BasicAuthentication | KeyAuthentication


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook of one client; a webhook carries one event type."""

    id: int
    client_id: int
    type: EventType
    target_url: str
    authentication: Authentication = NoAuthentication()
    status: WebhookStatus = WebhookStatus.CREATED
    integration_id: str = ""
    """A label of the creator's own, to find its webhooks by. Not documented, but sent by the vendor's own client."""
    created: int
    """Milliseconds since 1970, like `modified`."""
    modified: int


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event as it goes out. Payloads may be equal without being the same event: the vendor sends no event id."""

    serial: int
    """Counts a campaign's events from 1. Never sent."""
    created: int
    """Milliseconds since 1970; the payload's own `created` says the same in the payload's own format."""
    encoded: bytes
    """The payload as JSON, encoded once; a batch is the join of these."""

    def payload(self) -> dict[str, Any]:
        """The payload, decoded anew at each call."""
        decoded: dict[str, Any] = msgspec.json.decode(self.encoded)
        return decoded


def encode_batch(events: tuple[Event, ...]) -> bytes:
    """The request body: a JSON list, whatever the number of events (vendor's guide)."""
    pieces = [event.encoded for event in events]
    if pieces:
        # Into the pieces, since the whole is copied then but once.
        pieces[0] = b"[" + pieces[0]
        pieces[-1] += b"]"
    return b",".join(pieces) or b"[]"


class Measured(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a transport measured of one exchange, or of several with equal outcomes, on this machine at this time. No
    two runs agree on it: it makes no two outcomes differ, and `engine.journal.comparable` leaves it out."""

    bytes_sent: int
    """Bytes of the requests that were handed to the network, at least; whether they all arrived is not known."""
    bytes_received: int
    """Bytes of the answers, heads and framing included."""
    microseconds: int
    """By the wall's clock, from a request's beginning, connecting included, to its outcome; of all of them together."""
    microseconds_min: int = 0
    """Of several: the quickest's. 0 where it is one."""
    microseconds_max: int = 0
    """Of several: the slowest's. 0 where it is one."""
    surplus: bool = False
    """Whether a connection that was to go on brought more bytes with an answer than belong to it; of several, ever."""

    def and_of(self, other: Measured) -> Measured:
        """What was measured of both."""
        return Measured(
            self.bytes_sent + other.bytes_sent,
            self.bytes_received + other.bytes_received,
            self.microseconds + other.microseconds,
            min(self._extremes[0], other._extremes[0]),
            max(self._extremes[1], other._extremes[1]),
            self.surplus or other.surplus,
        )

    @property
    def _extremes(self) -> tuple[int, int]:
        several = self.microseconds_max > 0
        return (self.microseconds_min, self.microseconds_max) if several else (self.microseconds, self.microseconds)


class _Measurable(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What all outcomes have in common. A journal may hold millions, none of them in a cycle."""

    measured: Measured | msgspec.UnsetType = msgspec.UNSET
    """Set by a transport that goes over sockets. A consumer that is called in this process is sent no bytes."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._decided() == other._decided()

    def __hash__(self) -> int:
        return hash(self._decided())

    def unmeasured(self) -> Self:
        """The same without what was measured."""
        return self if self.measured is msgspec.UNSET else msgspec.structs.replace(self, measured=msgspec.UNSET)

    def together_with(self, other: _Measurable) -> Self:
        """The same with what was measured of it and of an equal one; where one was not measured, with nothing."""
        if self.measured is msgspec.UNSET or other.measured is msgspec.UNSET:
            return self.unmeasured()
        return msgspec.structs.replace(self, measured=self.measured.and_of(other.measured))

    def _decided(self) -> tuple[object, ...]:
        """All but what was measured. Written out in each class: a folding journal compares at every retry."""
        raise NotImplementedError


class Responded(_Measurable, frozen=True, tag="responded", gc=False):
    """A complete HTTP answer came."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    """In the order received, names in lower case, less what belongs to the connection or the clock (`transport`)."""
    body: bytes = b""
    """As much of it as the policy keeps."""
    body_bytes: int = 0
    """Length of the whole body, without chunk framing."""

    @property
    def accepted(self) -> bool:
        """Success is 200 and nothing else (vendor's guide)."""
        return self.status == 200

    def describe(self) -> str:
        """One sentence for people, without an end; control characters in it are the consumer's."""
        if 300 <= self.status < 400:
            target = dict(self.headers).get("location")
            return f"responded {self.status}" + (f", a redirect to {target}, not followed" if target else "")
        return f"responded {self.status}"

    def _decided(self) -> tuple[object, ...]:
        return self.status, self.headers, self.body, self.body_bytes


class TimedOut(_Measurable, frozen=True, tag="timed-out", gc=False):
    """No complete answer came within the policy's time-out."""

    phase: str
    """One of `PHASES`."""

    accepted = False

    def describe(self) -> str:
        """One sentence for people, without an end."""
        return f"{_UNFINISHED[self.phase]} within the time-out"

    def _decided(self) -> tuple[object, ...]:
        return (self.phase,)


class NoResponse(_Measurable, frozen=True, tag="no-response", gc=False):
    """The attempt ended before a complete HTTP answer came: not connected, cut off, or not HTTP."""

    phase: str
    """One of `PHASES`."""
    reason: str
    """A short sentence in our own words, the same on every machine."""

    accepted = False

    def describe(self) -> str:
        """One sentence for people, without an end."""
        return self.reason

    def _decided(self) -> tuple[object, ...]:
        return self.phase, self.reason


PHASES = ("resolve", "connect", "tls", "certificate", "send", "wait", "headers", "body")
"""How far an attempt got, in order."""

CONNECT_PHASES = ("resolve", "connect", "tls", "certificate")
"""An attempt that ended in one of these did not reach the consumer."""

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
    """How a sentence about an outcome goes on, with how far it got where it is unfinished; nothing if not measured."""
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
"""What came of an attempt that was under way when this process gave it up: nothing that the consumer did."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """One thing that goes wrong on purpose, or differently than usual. `transport.faults` has them all."""

    harmless: ClassVar[bool] = False
    """Whether a consumer that keeps to the rules answers the attempt as it answers any other."""

    @property
    def kind(self) -> str:
        """The fault's name at all doors."""
        return str(self.__struct_config__.tag)


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a transport is asked to send."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    """All but `Host`, `Content-Length` and what manages the connection, which the transport adds."""
    body: bytes = b""
    timeout: int
    """Wall-clock milliseconds for the whole exchange."""
    response_body_bytes_kept: int
    faults: tuple[Fault, ...] = ()
    """What the transport is to do differently with it; only such as it is known to carry out (`Transport.faults`)."""
