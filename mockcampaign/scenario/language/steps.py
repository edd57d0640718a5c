"""The scenario language: one frozen class for each mapping, one table for the steps.

Files are read by these definitions, and the JSON Schema and the reference are made from them and their docstrings.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from mockcampaign.engine.declared_faults import FaultInputError, When, read_fault
from mockcampaign.errors import InvalidInputError
from mockcampaign.events import AUDIENCE_MAX, DEFAULT_RATES, Rates
from mockcampaign.model import EventType, Fault, KeyAuthentication
from mockcampaign.policy import DEFAULT_CLIENT_ID, DEFAULT_START, Policy
from mockcampaign.scenario.language.annotations import Bounded, Decoded, Interpolated, Keyed, OneOf, Secret, Shared
from mockcampaign.scenario.language.expect import ConsumerExpectation, WebhookExpectation
from mockcampaign.scenario.language.values import (
    COUNT_MAX,
    INT64_MAX,
    ClientId,
    Count,
    Duration,
    ExactEvents,
    JmesPath,
    Moment,
    OutageKind,
    Span,
    Tag,
    Url,
)
from mockcampaign.transport.address import encode_headers


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """Where the consumer tells what it has processed: `events` leads to the events, or `count` to their number."""

    url: Url
    """Asked with GET; it answers JSON."""
    events: JmesPath | None = None
    """A JMESPath to the list of all processed events in the answer, such as `@`. It may also rename fields."""
    count: JmesPath | None = None
    """A JMESPath to the number of all processed events in the answer."""
    patience: Duration = 0
    """For consumers that process in the background: how long an `expect` asks again, by the wall's clock, until the
    account is as expected."""

    def __post_init__(self) -> None:
        if (self.events is None) == (self.count is None):
            raise InvalidInputError("expected exactly one of the keys 'events' and 'count'")


class Consumer(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoint under test."""

    url: Url
    """Where webhooks send to, unless they have a URL of their own."""
    probe: Probe | None = None
    """The consumer's own account of what it has processed."""
    fixture: str | None = None
    """Where the file is run by pytest: the fixture that gives the consumer (a URL, a server, or an ASGI or WSGI
    application), which all requests to the host of `url` go to instead."""


class BasicAuth(msgspec.Struct, frozen=True, kw_only=True):
    """HTTP Basic credentials."""

    username: str
    """The name, without colons."""
    password: str
    """The password, which no output repeats."""

    def __post_init__(self) -> None:
        if ":" in self.username:
            raise InvalidInputError("username: a colon in it would end it (RFC 7617), allowed: text without colons")


class KeyAuth(msgspec.Struct, frozen=True, kw_only=True):
    """A request header with a secret value."""

    key: str
    """The header's name, such as `Authorization` or `X-Api-Key`."""
    passphrase: str
    """The header's value, which no output repeats."""

    def __post_init__(self) -> None:
        encode_headers(KeyAuthentication(self.key, self.passphrase).headers())


class NoAuth(msgspec.Struct, frozen=True, kw_only=True):
    """No credentials."""


Auth = Annotated[Any, Secret(), OneOf("a kind of credentials", {"basic": BasicAuth, "key": KeyAuth, "none": NoAuth})]


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook to create. Its target is the consumer unless it has a URL of its own."""

    type: EventType
    """The one event type that it exports."""
    url: Url | None = None
    """Its target; the consumer's URL where there is none."""
    auth: Auth = ("none", NoAuth())
    """The credentials that every request carries."""
    client: ClientId = DEFAULT_CLIENT_ID
    """The id of the client that it belongs to."""


class WebhookUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What to change in a webhook."""

    url: Url | None = None
    """Another target; what is pending goes there, too."""
    auth: Auth = None
    """Other credentials."""

    def __post_init__(self) -> None:
        if self.url is None and self.auth is None:
            raise InvalidInputError("changes nothing, allowed: at least one of the keys 'url' and 'auth'")


class Emit(msgspec.Struct, frozen=True, kw_only=True):
    """Recipients act: at this instant, or spread over a time from now on."""

    type: EventType | None = None
    """What they do; not needed with `like`."""
    count: Count = 1
    """How many events."""
    over: Duration = 0
    """Spread over this time from now on; it does not pass by itself."""
    like: str | None = None
    """A file with a captured event or list of events, relative to the scenario's folder: more of the same shape."""
    events: ExactEvents | None = None
    """Exactly these events, as JSON text, in place of generated ones."""
    new_mails: bool = False
    """Whether the mails of `events` get ids of their own in each run, equal ones an equal one: a consumer that has had
    them before takes them for others."""
    client: ClientId = DEFAULT_CLIENT_ID
    """The id of the client whose recipients act."""

    def __post_init__(self) -> None:
        if self.type is None and self.like is None:
            raise InvalidInputError("expected at least one of the keys 'type' and 'like'")
        if self.events is not None and (self.like is not None or self.over or self.count != 1):
            raise InvalidInputError("events are all events, and happen now, allowed besides: type, new_mails, client")
        if self.new_mails and self.events is None:
            raise InvalidInputError("new_mails: needs the key 'events'")


class Mailing(msgspec.Struct, frozen=True, kw_only=True):
    """A mailing is sent, and what its recipients do falls due in the month to come, as time passes."""

    recipients: Annotated[int, Bounded(1, AUDIENCE_MAX)]
    """How many get it."""
    rates: Rates = DEFAULT_RATES
    """How they behave: shares from 0 to 1."""
    client: ClientId = DEFAULT_CLIENT_ID
    """The id of the client that sends it."""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What a journal tells of happens again from now on: the same events at the same distances of time. Their `created`
    moves with them."""

    journal: str
    """A file that `run --journal` or `record` wrote, relative to the scenario's folder."""
    client: ClientId = DEFAULT_CLIENT_ID
    """The id of the client whose recipients act."""


class Outage(msgspec.Struct, frozen=True, kw_only=True, rename={"duration": "for"}):
    """From now on, nothing reaches the consumer."""

    duration: Span
    """How long; it does not pass by itself."""
    kind: OutageKind = "refused"
    """What each attempt meets."""
    webhook: str | None = None
    """The only webhook concerned; all of them without it."""


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


class Verify(msgspec.Struct, frozen=True, kw_only=True):
    """Sample events go to a webhook's target at once, outside all delivery rules: none is pending or comes again."""

    webhook: str
    """Its name."""
    events: Annotated[int, Bounded(1, 100)] = 1
    """How many."""


Expected = Annotated[
    Any, Keyed("a mapping of webhook names or consumer", WebhookExpectation, {"consumer": ConsumerExpectation})
]


class Wait(msgspec.Struct, frozen=True, kw_only=True, rename={"duration": "for"}):
    """Time passes until all of this holds, and no longer than this; it has to hold by then."""

    until: Expected
    """As in `expect`, but of webhooks only."""
    duration: Span
    """How long at most."""


STEPS: dict[str, Any] = {
    "create": dict[str, Annotated[Webhook, Interpolated()]],
    "update": dict[str, Annotated[WebhookUpdate, Interpolated()]],
    "activate": str,
    "deactivate": str,
    "delete": str,
    "verify": str | Verify,
    "emit": Emit,
    "mailing": Mailing,
    "replay": Replay,
    "outage": Outage,
    "fault": Annotated[Any, Decoded(_read_fault_step, "a mapping of kind, webhook, times, for, every and so on")],
    "advance": Span,
    "run": Literal["until-idle"],
    "wait": Wait,
    "probe": Literal["now"],
    "expect": Expected,
}
"""Type of the value under each step's key."""

STEP_DOCS = {
    "create": "More webhooks, by name.",
    "update": "Webhooks get other targets or credentials.",
    "activate": "From now on, events of the webhook's type are exported. The value is the webhook's name.",
    "deactivate": "Nothing more is exported; what is pending is kept, and its three days run on.",
    "delete": "A deactivated webhook is deleted; what is pending is discarded.",
    "verify": "Sample events go to a webhook's target at once. The value is its name, or says more.",
    "fault": "From now on, something goes wrong with the attempts that the fault hits.",
    "advance": "Time passes, and everything that falls due in it happens.",
    "run": "Time passes until nothing is left to send.",
    "probe": "The consumer is asked what it has processed; the answer is in the report.",
    "expect": "What must be true by now, of webhooks by name and of the consumer.",
}
"""What the steps mean whose value's type does not say it."""

Step = Annotated[Any, OneOf("a step", STEPS, STEP_DOCS)]


class SenderPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the sender that differ from its defaults."""

    batch_events_max: Annotated[int, Bounded(1, 100)] | None = None
    """Most events in one list: 100 (documented)."""
    retry_interval: Span | None = None
    """From the end of a failed attempt to the next: 10s (documented; from the end is assumed)."""
    event_age_max: Span | None = None
    """An event of this age is discarded: 3d (documented)."""
    timeout: Span | None = None
    """How long an attempt may take: 10s (assumed)."""
    refill: bool | None = None
    """Whether a retried list is topped up with newer events: false (assumed)."""
    webhooks_per_client_max: Annotated[int, Bounded(1, COUNT_MAX)] | None = None
    """Creation limit for each client: 10 (that there is one is documented)."""
    response_body_bytes_kept: Annotated[int, Bounded(0, 1_048_576)] | None = None
    """How much of an answer's body is kept as evidence: 4096."""
    simulate_after: Annotated[int, Bounded(0, COUNT_MAX)] | None = None
    """After so many equal failures of a list, most of its attempts are taken to fail alike: 0, all are sent (ours)."""

    def __post_init__(self) -> None:
        self.policy()

    def policy(self) -> Policy:
        """The settings over the defaults. Raises `InvalidInputError` where they contradict each other."""
        return Policy(**{name: value for name, value in msgspec.structs.asdict(self).items() if value is not None})


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A whole scenario file, `*.scenario.yaml`."""

    name: str
    """Shown in reports."""
    consumer: Annotated[Consumer, Interpolated(), Shared()]
    """The endpoint under test."""
    steps: tuple[Step, ...]
    """What happens, in order. Only `advance`, `run` and `wait` let time pass."""
    webhooks: Annotated[dict[str, Webhook], Interpolated(), Shared()] = {}
    """Created at the start, by a name that steps refer to."""
    tags: tuple[Tag, ...] = ()
    """Words to choose scenarios by (`--tag`)."""
    matrix: dict[str, tuple[str | int | float | bool, ...]] | None = None
    """Runs the scenario for each combination of these values, which stand for `${matrix.NAME}` anywhere else."""
    use: str | None = None
    """A file, relative to the scenario's folder, with `consumer`, `webhooks` or `policy` for several scenarios."""
    seed: Annotated[int, Bounded(0, INT64_MAX)] | None = None
    """Makes the events repeatable; drawn anew for each run where absent, and always reported."""
    start: Moment = DEFAULT_START
    """The moment at which virtual time begins."""
    policy: Annotated[SenderPolicy, Shared()] = SenderPolicy()
    """The sender's numbers that differ from Campaign's."""

    def urls(self) -> list[str]:
        """All that a run of it would send to, each once."""
        probe = self.consumer.probe
        changes = [change for kind, value in self.steps if kind in ("create", "update") for change in value.values()]
        urls = [webhook.url for webhook in (*self.webhooks.values(), *changes)]
        urls += [self.consumer.url, None if probe is None else probe.url]
        return list(dict.fromkeys(url for url in urls if url is not None))
