"""Definition of a whole scenario file."""

from __future__ import annotations

from typing import Annotated

import msgspec

from mockcampaign.policy import DEFAULT_START, INT64_MAX, Policy
from mockcampaign.scenario.language.annotations import Bounded, Interpolated, Shared
from mockcampaign.scenario.language.client_contents import ScenarioClient
from mockcampaign.scenario.language.endpoints import ConsumerDefinition, WebhookDefinition, WebhookUpdate
from mockcampaign.scenario.language.event_shape import ShapeDefinition
from mockcampaign.scenario.language.plain_values import COUNT_MAX, Duration, Moment, Span, Tag
from mockcampaign.scenario.language.steps import CreateStep, OneStep, UpdateStep


class SenderPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the sender that differ from its defaults."""

    batch_events_max: Annotated[int, Bounded(1, 100)] | None = None
    """Most events in one batch: 100 (documented)."""
    retry_interval: Span | None = None
    """Time from the end of a failed attempt to the retry: 10s (documented; from the end is assumed)."""
    event_age_max: Span | None = None
    """Age at which an event is discarded: 3d (documented)."""
    timeout: Span | None = None
    """Longest time an attempt may take: 10s (assumed)."""
    refill: bool | None = None
    """Whether a retried batch is topped up with newer events: false (assumed)."""
    webhooks_per_client_max: Annotated[int, Bounded(1, COUNT_MAX)] | None = None
    """Most webhooks of one client: 12 (that there is a limit is documented)."""
    connections_per_client_max: Annotated[int, Bounded(1, COUNT_MAX)] | None = None
    """Most parallel connections of one client to the REST API: 40 (documented; the status 429 beyond is assumed)."""
    recipient_reads_per_client_max: Annotated[int, Bounded(1, COUNT_MAX)] | None = None
    """Most calls of one client at once that list or count recipients, before status 429: 10 (documented)."""
    suspend_after: Duration | None = None
    """Time of uninterrupted failures after which a failed attempt suspends its webhook: 0s, never (assumed)."""
    send_delay: Duration | None = None
    """Time from the call that sends a mail to its `sent` event: 2s (assumed)."""
    hard_bounces_max: Annotated[int, Bounded(1, COUNT_MAX)] | None = None
    """Hard bounces of an address from which on it gets no mail: 3 (that there is a limit is documented)."""
    soft_bounces_max: Annotated[int, Bounded(1, COUNT_MAX)] | None = None
    """Soft bounces of an address from which on it gets no mail: 9 (that there is a limit is documented)."""
    response_body_bytes_kept: Annotated[int, Bounded(0, 1_048_576)] | None = None
    """Bytes of a response body that the journal records: 4096."""
    simulate_after: Annotated[int, Bounded(0, COUNT_MAX)] | None = None
    """After this many equal failures of a batch, most further attempts are simulated, not sent: 0, all are sent (an
    option of mockcampaign, not of Campaign)."""

    def __post_init__(self) -> None:
        self.policy()

    def policy(self) -> Policy:
        """Return the settings over the defaults. Raises `InvalidInputError` if they contradict each other."""
        return Policy(**{name: value for name, value in msgspec.structs.asdict(self).items() if value is not None})


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A whole scenario file, `*.scenario.yaml`."""

    name: str
    """Name shown in reports."""
    consumer: Annotated[ConsumerDefinition, Interpolated(), Shared()]
    """The endpoint under test."""
    steps: tuple[OneStep, ...]
    """Steps of the run, in order. Only `advance`, `run` and `wait` let time pass."""
    webhooks: Annotated[dict[str, WebhookDefinition], Interpolated(), Shared()] = {}
    """Webhooks created at the start, by the name that steps use."""
    tags: tuple[Tag, ...] = ()
    """Words to select scenarios by (`--tag`)."""
    matrix: dict[str, tuple[str | int | float | bool, ...]] | None = None
    """Runs the scenario once for each combination of these values. `${matrix.NAME}` refers to a value."""
    use: str | None = None
    """File, relative to the scenario's folder, with `consumer`, `webhooks` or `policy` for several scenarios."""
    seed: Annotated[int, Bounded(0, INT64_MAX)] | None = None
    """Makes the events repeatable (default: a new seed for each run, which the report shows)."""
    start: Moment = DEFAULT_START
    """Moment at which virtual time begins."""
    policy: Annotated[SenderPolicy, Shared()] = SenderPolicy()
    """Numbers of the sender that differ from Campaign's."""
    clients: Annotated[tuple[ScenarioClient, ...], Interpolated(), Shared()] = ()
    """Contents of clients besides their defaults: recipient lists, opt-in processes and transactional mails."""
    shape: str | tuple[str | ShapeDefinition, ...] | ShapeDefinition | None = None
    """Shape of the events: a file of captured events, or one that `mockcampaign shape` printed, relative to the
    scenario's folder, or the content of the latter; a list for several event types. Events of types that it describes
    get it, and requests their body (default: Campaign's own shape)."""

    def shape_parts(self) -> list[tuple[tuple[str | int, ...], str | ShapeDefinition]]:
        """Return each file or definition of a shape, and where it is in the document."""
        if self.shape is None:
            return []
        if isinstance(self.shape, tuple):
            return [(("shape", index), part) for index, part in enumerate(self.shape)]
        return [(("shape",), self.shape)]

    def urls(self) -> list[str]:
        """Return every URL that a run would send to, each once."""
        definitions: list[WebhookDefinition | WebhookUpdate] = [*self.webhooks.values()]
        for step in self.steps:
            match step:
                case CreateStep(webhooks=webhooks):
                    definitions += webhooks.values()
                case UpdateStep(changes=changes):
                    definitions += changes.values()
                case _:
                    pass
        probe = self.consumer.probe
        urls = [*(one.url for one in definitions), self.consumer.url, None if probe is None else probe.url]
        return list(dict.fromkeys(url for url in urls if url is not None))
