"""The scenario language: one frozen class for each mapping, one table for the steps."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from mockcampaign.compliance.probe import check_jmespath
from mockcampaign.durations import parse_duration, parse_moment
from mockcampaign.engine.faults import FaultInputError, When, read_fault
from mockcampaign.errors import InvalidInputError
from mockcampaign.events import AUDIENCE_MAX, DEFAULT_RATES, Rates
from mockcampaign.model import EventType, Fault, KeyAuthentication
from mockcampaign.policy import DEFAULT_CLIENT_ID, DEFAULT_START, Policy
from mockcampaign.scenario.document import Bounded, Decoded, Interpolated, Keyed, OneOf, Secret, Text, unknown
from mockcampaign.transport.address import encode_headers, parse_address
from mockcampaign.transport.faults import OUTAGES

COUNT_MAX = 1_000_000
INT64_MAX = 2**63 - 1


def _parse_url(text: str) -> str:
    parse_address(text)
    return text


def _parse_outage_kind(text: str) -> str:
    if text not in OUTAGES:
        raise InvalidInputError(unknown("kind of outage", text, OUTAGES))
    return text


def _parse_span(text: str) -> int:
    duration = parse_duration(text)
    if not duration:
        raise InvalidInputError(f"{text!r} is no time at all, allowed: 1ms or more")
    return duration


Duration = Annotated[int, Text(parse_duration, "a duration such as 90s, 10m, 2h, 3d or 1d12h")]
Span = Annotated[int, Text(_parse_span, "a duration such as 90s, 10m, 2h, 3d or 1d12h")]
"""A duration that is not zero."""
Moment = Annotated[int, Text(parse_moment, "a moment such as 2025-01-01T00:00:00Z")]
Url = Annotated[str, Text(_parse_url, "a URL")]
JmesPath = Annotated[str, Text(check_jmespath, "a JMESPath")]
Count = Annotated[int, Bounded(1, COUNT_MAX)]
ClientId = Annotated[int, Bounded(1, INT64_MAX)]


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """Where the consumer tells what it has processed: `events` leads to the events, or `count` to their number."""

    url: Url
    events: JmesPath | None = None
    count: JmesPath | None = None

    def __post_init__(self) -> None:
        if (self.events is None) == (self.count is None):
            raise InvalidInputError("expected exactly one of the keys 'events' and 'count'")


class Consumer(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoint under test."""

    url: Url
    probe: Probe | None = None


class BasicAuth(msgspec.Struct, frozen=True, kw_only=True):
    """HTTP Basic credentials."""

    username: str
    password: str

    def __post_init__(self) -> None:
        if ":" in self.username:
            raise InvalidInputError("username: a colon in it would end it (RFC 7617), allowed: text without colons")


class KeyAuth(msgspec.Struct, frozen=True, kw_only=True):
    """A request header with a secret value."""

    key: str
    passphrase: str

    def __post_init__(self) -> None:
        encode_headers(KeyAuthentication(self.key, self.passphrase).headers())


class NoAuth(msgspec.Struct, frozen=True, kw_only=True):
    """No credentials."""


Auth = Annotated[Any, Secret(), OneOf("a kind of credentials", {"basic": BasicAuth, "key": KeyAuth, "none": NoAuth})]


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook to create. Its target is the consumer unless it has a URL of its own."""

    type: EventType
    url: Url | None = None
    auth: Auth = ("none", NoAuth())
    client: ClientId = DEFAULT_CLIENT_ID


class WebhookUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What to change in a webhook."""

    url: Url | None = None
    auth: Auth = None


class Emit(msgspec.Struct, frozen=True, kw_only=True):
    """Recipients act: at this instant, or spread over a time from now on."""

    type: EventType | None = None
    count: Count = 1
    over: Duration = 0
    like: str | None = None
    """A file with a captured event or list of events, relative to the scenario's folder."""
    client: ClientId = DEFAULT_CLIENT_ID

    def __post_init__(self) -> None:
        if self.type is None and self.like is None:
            raise InvalidInputError("expected at least one of the keys 'type' and 'like'")


class Mailing(msgspec.Struct, frozen=True, kw_only=True):
    """A mailing is sent, and what its recipients do falls due in the month to come, as time passes."""

    recipients: Annotated[int, Bounded(1, AUDIENCE_MAX)]
    rates: Rates = DEFAULT_RATES
    client: ClientId = DEFAULT_CLIENT_ID


class Outage(msgspec.Struct, frozen=True, kw_only=True, rename={"duration": "for"}):
    """From now on, nothing reaches the consumer."""

    duration: Span
    kind: Annotated[str, Text(_parse_outage_kind, "a kind of outage")] = "refused"
    webhook: str | None = None


class FaultStep(msgspec.Struct, frozen=True, kw_only=True):
    """From now on, a fault hits the attempts of one webhook, or of all."""

    fault: Fault
    when: When
    webhook: str | None = None


def _read_fault_step(values: dict[str, Any]) -> FaultStep:
    webhook = values.pop("webhook", None)
    if webhook is not None and not isinstance(webhook, str):
        raise FaultInputError(f"fault: webhook: {webhook!r} is no text, allowed: the name of a webhook", "webhook")
    fault, when = read_fault(values)
    return FaultStep(fault=fault, when=when, webhook=webhook)


Number = Annotated[int, Bounded(0, INT64_MAX)]


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """A number within bounds."""

    at_least: Number | None = None
    at_most: Number | None = None

    def __post_init__(self) -> None:
        if self.at_least is None and self.at_most is None:
            raise InvalidInputError("expected at least one of the keys 'at_least' and 'at_most'")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise InvalidInputError(f"at_least {self.at_least} is above at_most {self.at_most}")


Processed = Literal["exactly-once", "at-least-once"]


class WebhookExpectation(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook's deliveries must have come to by now. A plain number means equal."""

    delivered: Number | Bounds | None = None
    discarded: Number | Bounds | None = None
    pending: Number | Bounds | None = None
    attempts: Number | Bounds | None = None
    batch_events: Number | Bounds | tuple[Number, ...] | None = None
    """The number of events in each delivered list; a list says all of them in order."""


class ConsumerExpectation(msgspec.Struct, frozen=True, kw_only=True):
    """What the consumer must say it has processed since the run began."""

    processed: Processed | Number | Bounds | None = None


STEPS: dict[str, Any] = {
    "create": dict[str, Annotated[Webhook, Interpolated()]],
    "update": dict[str, Annotated[WebhookUpdate, Interpolated()]],
    "activate": str,
    "deactivate": str,
    "delete": str,
    "emit": Emit,
    "mailing": Mailing,
    "outage": Outage,
    "fault": Annotated[Any, Decoded(_read_fault_step, "a mapping of kind, webhook, times, for, every and so on")],
    "advance": Span,
    "run": Literal["until-idle"],
    "probe": Literal["now"],
    "expect": Annotated[
        Any, Keyed("a mapping of webhook names or consumer", WebhookExpectation, {"consumer": ConsumerExpectation})
    ],
}
"""Type of the value under each step's key."""

Step = Annotated[Any, OneOf("a step", STEPS)]


class SenderPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the sender that differ from its defaults (`policy.Policy` explains each)."""

    batch_events_max: Annotated[int, Bounded(1, 100)] | None = None
    retry_interval: Duration | None = None
    event_age_max: Duration | None = None
    timeout: Duration | None = None
    refill: bool | None = None
    webhooks_per_client_max: Annotated[int, Bounded(1, COUNT_MAX)] | None = None
    response_body_bytes_kept: Annotated[int, Bounded(0, 1_048_576)] | None = None

    def __post_init__(self) -> None:
        self.policy()

    def policy(self) -> Policy:
        """The settings over the defaults. Raises `InvalidInputError` where they contradict each other."""
        return Policy(**{name: value for name, value in msgspec.structs.asdict(self).items() if value is not None})


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A whole scenario file."""

    name: str
    consumer: Annotated[Consumer, Interpolated()]
    steps: tuple[Step, ...]
    webhooks: Annotated[dict[str, Webhook], Interpolated()] = {}
    seed: Annotated[int, Bounded(0, INT64_MAX)] | None = None
    """Drawn anew for each run where absent, and always reported."""
    start: Moment = DEFAULT_START
    policy: SenderPolicy = SenderPolicy()

    def urls(self) -> list[str]:
        """All that a run of it would send to, each once."""
        probe = self.consumer.probe
        changes = [change for kind, value in self.steps if kind in ("create", "update") for change in value.values()]
        urls = [webhook.url for webhook in (*self.webhooks.values(), *changes)]
        urls += [self.consumer.url, None if probe is None else probe.url]
        return list(dict.fromkeys(url for url in urls if url is not None))
