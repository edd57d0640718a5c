"""All faults, one small type each. `FAULTS` lists them; scenario steps, Python and the control API are fed from it.

There are three families. *Before the consumer*: the attempt touches no socket. *On the wire*: a transport carries the
fault out. *Of the sender*: the engine decides what is sent when, and what it takes an outcome for. Which attempts a
fault hits is another matter (`engine.faults`).
"""

from __future__ import annotations

from random import Random
from typing import Annotated, ClassVar, Literal, TypeVar, get_args

from msgspec import Meta

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import Fault, NoResponse, Outcome, TimedOut
from mockcampaign.policy import DAY, HOUR, SECOND

DURATION_UNIT = "milliseconds"
"""Marks the fields that are durations: whole milliseconds inside, text such as `10s` where people write them."""

Pause = Annotated[int, Meta(ge=0, le=HOUR, extra={"unit": DURATION_UNIT})]
"""By the wall's clock."""

Span = Annotated[int, Meta(ge=0, le=3 * DAY, extra={"unit": DURATION_UNIT})]
"""Virtual time; what is older than three days is not sent any more."""

Bytes = Annotated[int, Meta(ge=1)]
Fraction = Annotated[float, Meta(ge=0, lt=1)]


# Before the consumer


class BeforeConsumer(Fault, frozen=True):
    """The attempt ends before it reaches the consumer. An outage is the same for a stretch of time."""

    outcome: ClassVar[Outcome]


class Refused(BeforeConsumer, frozen=True, tag="refused"):
    """Nobody listens at the consumer's port."""

    outcome = NoResponse("connect", "connection refused")


class Unreachable(BeforeConsumer, frozen=True, tag="unreachable"):
    """No way leads to the consumer's host."""

    outcome = NoResponse("connect", "no route to the host")


class DnsFailure(BeforeConsumer, frozen=True, tag="dns-failure"):
    """The consumer's host name has no address."""

    outcome = NoResponse("resolve", "the host name does not resolve")


class TlsFailure(BeforeConsumer, frozen=True, tag="tls-failure"):
    """The two sides do not agree on TLS."""

    outcome = NoResponse("tls", "the TLS handshake failed")


class ConnectTimeout(BeforeConsumer, frozen=True, tag="connect-timeout"):
    """The consumer's host does not react to connecting. It takes the policy's whole time-out."""

    outcome = TimedOut("connect")


# On the wire


class WireFault(Fault, frozen=True):
    """The request goes out in another way than usual, or its answer is treated in another way."""


class _Position(WireFault, frozen=True):
    after_bytes: Bytes | None = None
    """How many bytes of the body, as it goes over the wire, come before. At least its last byte comes after."""
    at_fraction: Fraction | None = None
    """The same as a part of the body's length; a half where neither is given."""

    def __post_init__(self) -> None:
        if self.after_bytes is not None and self.at_fraction is not None:
            raise InvalidInputError(f"fault {self.kind}: allowed: one of 'after_bytes' and 'at_fraction', found both")

    def position(self, body_bytes: int) -> int:
        """Where it is in a body of that length."""
        if self.after_bytes is not None:
            return max(0, min(self.after_bytes, body_bytes - 1))
        return int(body_bytes * (0.5 if self.at_fraction is None else self.at_fraction))


class CutBody(_Position, frozen=True, tag="cut-body"):
    """The connection ends within the request's body."""

    ending: Literal["fin", "rst"] = "fin"
    """Closed in an orderly way, or reset."""


class StallBody(_Position, frozen=True, tag="stall-body"):
    """The sender falls silent within the request's body."""

    pause: Pause | None = None
    """By the wall's clock; then the rest follows. None: until the time-out."""


class TrickleBody(WireFault, frozen=True, tag="trickle-body"):
    """The request's body comes in small pieces, with pauses by the wall's clock. All must fit within the time-out."""

    piece_bytes: Bytes = 1_024
    """How many bytes come together."""
    pause: Pause = 10
    """Between two pieces."""


class SplitHeaders(WireFault, frozen=True, tag="split-headers"):
    """The request's head comes in several packets."""

    harmless = True
    piece_bytes: Bytes = 16
    """How many bytes come together."""
    pause: Pause = 1
    """Between two of them, by the wall's clock; without one, a busy consumer may read several at once."""


class Chunked(WireFault, frozen=True, tag="chunked"):
    """The body's length is not stated; it comes in chunks (RFC 9112, 7.1)."""

    harmless = True
    chunk_bytes: Bytes = 1_024
    """Length of each chunk, but for the last."""


class ExpectContinue(WireFault, frozen=True, tag="expect-continue"):
    """The body waits until the consumer has asked for it with status 100 (RFC 9110, 10.1.1)."""

    harmless = True
    patience: Pause = SECOND
    """By the wall's clock; then the body is sent all the same, as RFC 9110 wants it and curl does it."""


class Http10(WireFault, frozen=True, tag="http-1.0"):
    """The request is one of HTTP/1.0, and its connection is used once."""

    harmless = True


class NewConnection(WireFault, frozen=True, tag="new-connection"):
    """The request has a connection of its own, and says so (`Connection: close`)."""

    harmless = True


class IdleConnection(WireFault, frozen=True, tag="idle-connection"):
    """The request goes out on the connection of the request before it, after that has been idle for a while.

    It is a new one where none was kept, or where the consumer has closed it meanwhile; a consumer that closes it at the
    very moment cuts the request.
    """

    idle: Pause = 2 * SECOND
    """By the wall's clock."""


class HeaderCase(WireFault, frozen=True, tag="header-case"):
    """The names of all request headers are spelled in one case, which means nothing (RFC 9110, 5.1)."""

    harmless = True
    case: Literal["lower", "upper"] = "lower"
    """Which."""


class ContentType(WireFault, frozen=True, tag="content-type"):
    """The request's `Content-Type` is spelled in another way."""

    harmless = True
    value: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[!-~]+( [!-~]+)*$")] = (
        "application/json;charset=UTF-8"
    )
    """The header's value."""


class LostAck(WireFault, frozen=True, tag="lost-ack"):
    """The request arrives whole, but its answer does not: the connection is dropped, and the list comes again."""

    dropped: Literal["before-response", "after-status", "after-headers"] = "after-headers"
    """Before the consumer answers, after the status line of its answer, or after the headers."""


# Of the sender


class SenderFault(Fault, frozen=True):
    """The engine sends something else, at another time, or takes its outcome for another one."""

    harmless = True


class Duplicate(SenderFault, frozen=True, tag="duplicate"):
    """A list is delivered once more. What comes of the second delivery decides nothing: it is never retried."""

    timing: Literal["at-once", "later", "concurrent"] = "at-once"
    """As soon as the list was accepted and before anything else of the webhook's; some time after it was accepted; or
    at the same time, on a second connection, whatever comes of either: nothing else goes out before both are over."""
    delay: Span = 10 * SECOND
    """Virtual time between the acceptance and a second delivery that comes later."""


class Reorder(SenderFault, frozen=True, tag="reorder"):
    """A later list is delivered before an earlier one. It hits where a second list waits behind the first."""


class Refill(SenderFault, frozen=True, tag="refill"):
    """A retried list is topped up with newer events. It hits where the list has room and newer events wait."""


class Overlap(SenderFault, frozen=True, tag="overlap"):
    """The list begins with events that the list accepted before it ended with. It hits first attempts only."""

    events: Annotated[int, Meta(ge=1, le=99)] = 1
    """At most; there is always room for an event that was not sent before."""


class Latency(SenderFault, frozen=True, tag="latency"):
    """An attempt takes virtual time. One that takes as long as the policy's time-out has timed out."""

    harmless = False
    time: Span = 200
    """Virtual time, as `distribution` says."""
    distribution: Literal["fixed", "uniform", "exponential"] = "fixed"
    """`fixed` is exactly the time; `uniform` is from 0 to twice the time; `exponential` has it as its mean."""

    def drawn(self, random: Random) -> Latency:
        """The latency of one attempt, as a fixed one."""
        match self.distribution:
            case "fixed":
                return self
            case "uniform":
                time = random.randint(0, 2 * self.time)
            case "exponential":
                time = round(random.expovariate(1 / self.time)) if self.time else 0
        return Latency(time=time)


class Timeout(SenderFault, frozen=True, tag="timeout"):
    """The consumer gets the request and answers it, and the sender gives up at exactly the policy's limit before."""

    harmless = False


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
)
"""All of them."""

FAULTS: dict[str, type[Fault]] = {str(fault.__struct_config__.tag): fault for fault in get_args(AnyFault)}
"""Every kind of fault by its name."""

OUTAGES: dict[str, Outcome] = {
    kind: fault.outcome for kind, fault in FAULTS.items() if issubclass(fault, BeforeConsumer)
}
"""What an attempt comes to during an outage of each kind. None of them touches a socket."""

WIRE_FAULTS: frozenset[type[Fault]] = frozenset(fault for fault in FAULTS.values() if issubclass(fault, WireFault))
"""All that a transport can be asked for."""

_Kind = TypeVar("_Kind", bound=Fault)


def last_of(faults: tuple[Fault, ...], kind: type[_Kind]) -> _Kind | None:
    """Of the faults that hit one attempt, the one of this type; of several, the one that was declared last."""
    for fault in reversed(faults):
        if isinstance(fault, kind):
            return fault
    return None
