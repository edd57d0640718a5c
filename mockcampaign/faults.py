"""All faults, one small type each. `FAULTS` lists them for scenario steps, Python and the control API.

There are four families. *Before the consumer*: the attempt touches no socket. *On the wire*: a transport carries the
fault out. *Of the sender*: the engine changes what is sent and when, or the outcome. *Of the API*: a server carries the
fault out when it is called. Which attempts or calls a fault hits is another matter (`engine.declared_faults`).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from random import Random
from typing import Annotated, ClassVar, Literal, TypeVar, get_args

from msgspec import Meta

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import Fault, NoResponse, Outcome, TimedOut
from mockcampaign.policy import DAY, HOUR, SECOND
from mockcampaign.text import SHOWN_MAX, short, unknown

DURATION_UNIT = "milliseconds"
"""Unit of fields that are durations: whole milliseconds inside, text such as `10s` where people write them."""

Pause = Annotated[int, Meta(ge=0, le=HOUR, extra={"unit": DURATION_UNIT})]
"""Wall time."""

Span = Annotated[int, Meta(ge=0, le=3 * DAY, extra={"unit": DURATION_UNIT})]
"""Virtual time. Campaign sends nothing older than three days."""

Bytes = Annotated[int, Meta(ge=1)]
Fraction = Annotated[float, Meta(ge=0, lt=1)]


# Before the consumer


class BeforeConsumer(Fault, frozen=True):
    """The attempt fails before it reaches the consumer. An outage makes every attempt of a period fail so."""

    outcome: ClassVar[Outcome]


class Refused(BeforeConsumer, frozen=True, tag="refused"):
    """The consumer's port refuses connections."""

    outcome = NoResponse("connect", "connection refused")


class Unreachable(BeforeConsumer, frozen=True, tag="unreachable"):
    """There is no route to the consumer's host."""

    outcome = NoResponse("connect", "no route to the host")


class DnsFailure(BeforeConsumer, frozen=True, tag="dns-failure"):
    """The consumer's host name does not resolve."""

    outcome = NoResponse("resolve", "the host name does not resolve")


class TlsFailure(BeforeConsumer, frozen=True, tag="tls-failure"):
    """The TLS handshake fails."""

    outcome = NoResponse("tls", "the TLS handshake failed")


class ConnectTimeout(BeforeConsumer, frozen=True, tag="connect-timeout"):
    """Connecting to the consumer's host takes the policy's whole time-out, without success."""

    outcome = TimedOut("connect")


# On the wire


class WireFault(Fault, frozen=True):
    """The transport sends the request, or treats its response, differently."""


class _Position(WireFault, frozen=True):
    after_bytes: Bytes | None = None
    """Bytes of the body, as sent over the wire, before the interruption. At least the last byte comes after it."""
    at_fraction: Fraction | None = None
    """Point of the interruption as a fraction of the body's length (default: 0.5)."""

    def __post_init__(self) -> None:
        if self.after_bytes is not None and self.at_fraction is not None:
            raise InvalidInputError(f"fault {self.kind}: allowed: one of 'after_bytes' and 'at_fraction', found both")

    def position(self, body_bytes: int) -> int:
        """Return the number of bytes before the fault in a body of this length."""
        if self.after_bytes is not None:
            return max(0, min(self.after_bytes, body_bytes - 1))
        return int(body_bytes * (0.5 if self.at_fraction is None else self.at_fraction))


class CutBody(_Position, frozen=True, tag="cut-body"):
    """The connection ends in the middle of the request body."""

    ending: Literal["fin", "rst"] = "fin"
    """How the connection ends: closed (`fin`) or reset (`rst`)."""


class StallBody(_Position, frozen=True, tag="stall-body"):
    """The sender pauses in the middle of the request body."""

    pause: Pause | None = None
    """Wall time until the sender sends the rest (default: it sends nothing more, so the attempt times out)."""


class TrickleBody(WireFault, frozen=True, tag="trickle-body"):
    """The request body arrives in small pieces, with pauses. All of them must fit into the time-out."""

    piece_bytes: Bytes = 1_024
    """Bytes in each piece."""
    pause: Pause = 10
    """Wall time between two pieces."""


class SplitHeaders(WireFault, frozen=True, tag="split-headers"):
    """The request headers arrive in several packets."""

    harmless = True
    piece_bytes: Bytes = 16
    """Bytes in each packet."""
    pause: Pause = 1
    """Wall time between two packets. Without a pause, a busy consumer may read several at once."""


class Chunked(WireFault, frozen=True, tag="chunked"):
    """The body is sent with `Transfer-Encoding: chunked` instead of a length (RFC 9112, 7.1)."""

    harmless = True
    chunk_bytes: Bytes = 1_024
    """Bytes in each chunk except the last."""


class ExpectContinue(WireFault, frozen=True, tag="expect-continue"):
    """The sender waits for status 100 before it sends the body (`Expect: 100-continue`, RFC 9110, 10.1.1)."""

    harmless = True
    timeout: Pause = SECOND
    """Wall time to wait for status 100. Then the body is sent anyway, as RFC 9110 requires and curl does."""


class Http10(WireFault, frozen=True, tag="http-1.0"):
    """The request uses HTTP/1.0, and its connection is not reused."""

    harmless = True


class NewConnection(WireFault, frozen=True, tag="new-connection"):
    """The request has a connection of its own, with `Connection: close`."""

    harmless = True


class IdleConnection(WireFault, frozen=True, tag="idle-connection"):
    """The request reuses the connection of the request before it, after the connection was idle for a while.

    Without such a connection, or if the consumer has closed it meanwhile, the request gets a new one. A consumer that
    closes it at that very moment cuts the request.
    """

    idle: Pause = 2 * SECOND
    """Wall time for which the connection is idle."""


class HeaderCase(WireFault, frozen=True, tag="header-case"):
    """The names of all request headers are lower-case or upper-case. Case has no meaning (RFC 9110, 5.1)."""

    harmless = True
    case: Literal["lower", "upper"] = "lower"
    """Case of the names."""


class ContentType(WireFault, frozen=True, tag="content-type"):
    """The request's `Content-Type` header is written differently."""

    harmless = True
    value: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[!-~]+( [!-~]+)*$")] = (
        "application/json;charset=UTF-8"
    )
    """Value of the header."""


class LostAck(WireFault, frozen=True, tag="lost-ack"):
    """The consumer responds 200, but the connection is dropped before the complete response, so Campaign retries.

    A response other than 200 arrives as it is, and the fault waits for the next attempt.
    """

    dropped: Literal["before-response", "after-status", "after-headers"] = "after-headers"
    """When the connection is dropped: before the response (whatever its status), after its status line, or after its
    headers."""


# Of the sender


class SenderFault(Fault, frozen=True):
    """The engine sends something else, at another time, or records another outcome."""

    harmless = True


class Duplicate(SenderFault, frozen=True, tag="duplicate"):
    """A batch is delivered twice. The outcome of the second delivery has no effect: it is never retried.

    Unless both are concurrent, it waits for a batch that is accepted.
    """

    timing: Literal["at-once", "later", "concurrent"] = "at-once"
    """`at-once`: right after the batch was accepted, before any other batch of the webhook. `later`: some time after it
    was accepted. `concurrent`: at the same time, on a second connection; the next batch waits for both."""
    delay: Span = 10 * SECOND
    """Virtual time between acceptance and second delivery, for `later`."""

    @property
    def delays_others(self) -> bool:
        """Whether nothing else of the webhook goes out before the second delivery is over."""
        return self.timing != "later"


class Reorder(SenderFault, frozen=True, tag="reorder"):
    """A later batch is delivered before an earlier one. It hits only if a second batch is pending."""


class Refill(SenderFault, frozen=True, tag="refill"):
    """A retried batch is topped up with newer events. It hits only if the batch has room and newer ones are pending."""


class Overlap(SenderFault, frozen=True, tag="overlap"):
    """A batch begins with the last events of the accepted batch before it. It hits first attempts only."""

    events: Annotated[int, Meta(ge=1, le=99)] = 1
    """Most events to repeat. There is always room for a new event."""


class Latency(SenderFault, frozen=True, tag="latency"):
    """An attempt takes virtual time. It times out if it takes as long as the policy's time-out."""

    harmless = False
    time: Span = 200
    """Virtual time of an attempt, according to `distribution`."""
    distribution: Literal["fixed", "uniform", "exponential"] = "fixed"
    """`fixed`: exactly `time`; `uniform`: from 0 to twice `time`; `exponential`: with `time` as its mean."""

    def drawn(self, random: Random) -> Latency:
        """Return the latency of one attempt, as a fixed one."""
        match self.distribution:
            case "fixed":
                return self
            case "uniform":
                time = random.randint(0, 2 * self.time)
            case "exponential":
                time = round(random.expovariate(1 / self.time)) if self.time else 0
        return Latency(time=time)


class Timeout(SenderFault, frozen=True, tag="timeout"):
    """The consumer receives the request and responds 200, but the sender times out before the response arrives.

    A response other than 200 arrives in time, and the fault waits for the next attempt.
    """

    harmless = False


# Of the API

Timing = Literal["before-effect", "after-effect"]
"""Whether a call fails before it has changed anything, or when it has been carried out."""


class CallFault(Fault, frozen=True):
    """A call of the REST API fails. Attempts to deliver are not concerned."""

    area: ClassVar[str | None] = None
    """Area of the operations that it hits, as Swagger UI groups them; None: all."""
    operation: str | None = None
    """Name of the only operation that it hits, such as `createWebhook` (default: all)."""

    def concerns(self, operation: str, area: str) -> bool:
        """Return whether it may hit a call of an operation with this name and area."""
        return area == (self.area or area) if self.operation is None else operation == self.operation


class RejectedCall(CallFault, frozen=True):
    """A call is rejected with a status. The effect is as `timing` says where a fault has that, else none."""

    status: ClassVar[int]
    reason: ClassVar[str]
    """Message in the body of the response."""


class ApiUnauthorized(RejectedCall, frozen=True, tag="api-unauthorized"):
    """The REST API rejects valid credentials with 401, as it does after somebody else has changed the password."""

    status = 401
    reason = "no valid credentials for this client"


class ApiForbidden(RejectedCall, frozen=True, tag="api-forbidden"):
    """The user has no right to manage webhooks: their operations respond 403 (assumed), and all others work."""

    area = "Webhooks"
    status = 403
    reason = "the user has no permission for webhooks"


class ApiConflict(RejectedCall, frozen=True, tag="api-conflict"):
    """The REST API responds 409, as it does for things of another client."""

    status = 409
    reason = "the request is in conflict with the state of the resource"


class ApiTooManyRequests(RejectedCall, frozen=True, tag="api-too-many-requests"):
    """The REST API responds 429."""

    status = 429
    reason = "too many requests"


class ApiError(RejectedCall, frozen=True, tag="api-error"):
    """The REST API responds 500, before the call has changed anything or after it was carried out."""

    status = 500
    reason = "internal server error"
    timing: Timing = "before-effect"
    """`before-effect`: nothing was changed; `after-effect`: the call was carried out, and fails nevertheless."""


class ApiTimeout(CallFault, frozen=True, tag="api-timeout"):
    """The caller gets no response, before the call has changed anything or after it was carried out."""

    timing: Timing = "before-effect"
    """`before-effect`: nothing was changed; `after-effect`: the call was carried out."""
    hold: Pause = 60 * SECOND
    """Wall time for which the connection stays open without a response. A caller with a shorter time-out ends it."""


class ApiSlow(CallFault, frozen=True, tag="api-slow"):
    """A call is carried out late, after a pause."""

    time: Pause = 2 * SECOND
    """Wall time of the pause."""


class ApiCutResponse(CallFault, frozen=True, tag="api-cut-response"):
    """The call is carried out, but the connection ends in the middle of the response's body, or before a response
    without one."""


AnyFault = (
    Refused
    | Unreachable
    | DnsFailure
    | TlsFailure
    | ConnectTimeout
    | CutBody
    | StallBody
    | TrickleBody
    | SplitHeaders
    | Chunked
    | ExpectContinue
    | Http10
    | NewConnection
    | IdleConnection
    | HeaderCase
    | ContentType
    | LostAck
    | Duplicate
    | Reorder
    | Refill
    | Overlap
    | Latency
    | Timeout
    | ApiUnauthorized
    | ApiForbidden
    | ApiConflict
    | ApiTooManyRequests
    | ApiError
    | ApiTimeout
    | ApiSlow
    | ApiCutResponse
)
"""Every fault."""

FAULTS: dict[str, type[Fault]] = {str(fault.__struct_config__.tag): fault for fault in get_args(AnyFault)}
"""Every kind of fault by its name."""

OUTAGES: dict[str, Outcome] = {
    kind: fault.outcome for kind, fault in FAULTS.items() if issubclass(fault, BeforeConsumer)
}
"""Outcome of an attempt during an outage, by kind of outage. None of them touches a socket."""

LOST: dict[str, Outcome] = {
    "before-response": NoResponse("wait", "connection dropped before the response"),
    "after-status": NoResponse("headers", "connection dropped after the response's status line"),
    "after-headers": NoResponse("body", "connection dropped after the response headers"),
}
"""Outcome of an attempt whose response is dropped, by `LostAck.dropped`."""

WIRE_FAULTS: frozenset[type[Fault]] = frozenset(fault for fault in FAULTS.values() if issubclass(fault, WireFault))
"""Faults that a transport carries out."""

_WORD_OF_STATUS = r"status|code|error|errors|response|responses|reject|rejects|rejected|rejection|[1-5](\d\d|xx)"
_STATUS = re.compile(rf"((http|server|client)[-_ ]?)?({_WORD_OF_STATUS})([-_ ]?({_WORD_OF_STATUS}))*", re.IGNORECASE)
"""Words of somebody who looks for a fault that makes a status."""


def unknown_kind(what: str, found: str, allowed: Collection[str]) -> str:
    """Return the message for an unknown kind of fault or outage. A status is none, so it says what to do instead."""
    if len(found) > SHOWN_MAX or _STATUS.fullmatch(found) is None:
        return unknown(what, found, allowed)
    return (
        f"unknown {what} {short(found)!r}: a status is the consumer's own response, so let your consumer respond so, "
        f"or try `mockcampaign consumer --bug always-responds-503` (allowed: {', '.join(allowed)})"
    )


_Kind = TypeVar("_Kind", bound=Fault)


def last_of(faults: tuple[Fault, ...], kind: type[_Kind]) -> _Kind | None:
    """Return the fault of this type that hits an attempt or call; if there are several, the one declared last."""
    for fault in reversed(faults):
        if isinstance(fault, kind):
            return fault
    return None


def needs_acknowledgement(fault: Fault) -> bool:
    """Whether the fault does nothing to an attempt unless the consumer acknowledges the batch."""
    return isinstance(fault, LostAck | Timeout) or (isinstance(fault, Duplicate) and fault.timing != "concurrent")


def has_effect(fault: Fault, response: Outcome, outcome: Outcome) -> bool:
    """Whether the fault has done something to an attempt. The sender made `outcome` of the consumer's `response`.

    A dropped response counts as an acknowledgement: a transport that knows its status drops no other one.
    """
    if not needs_acknowledgement(fault):
        return True
    return outcome.accepted if isinstance(fault, Duplicate) else is_acknowledgement(response)


def is_acknowledgement(response: Outcome) -> bool:
    """Whether the consumer acknowledged the batch, even if its response was dropped."""
    return response.accepted or response in LOST.values()
