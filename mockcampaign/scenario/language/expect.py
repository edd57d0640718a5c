"""Expectations of `expect` and `wait`: one frozen class for each key, shared by loading, judging and reports."""

from __future__ import annotations

from typing import Annotated, ClassVar, TypeAlias

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.scenario.language.annotations import Keyed, SingleValue
from mockcampaign.scenario.language.plain_values import (
    ApiStatus,
    Bounds,
    ClientId,
    Duration,
    DurationBounds,
    Number,
    OutcomeWord,
    Processed,
    Span,
)

_RETRIED = "Campaign retries a failed export every 10 seconds until it succeeds or expires (vendor's webhook guide)."
_ACCEPTED = "An export succeeds if the response is HTTP 200; otherwise Campaign retries it (vendor's webhook guide)."


class OutcomeRun(msgspec.Struct, frozen=True, kw_only=True):
    """One outcome, several times in a row."""

    outcome: OutcomeWord
    """Outcome of each of the attempts."""
    times: Number | Bounds = 1
    """Number of attempts in a row."""


class AttemptExpectation(msgspec.Struct, frozen=True, kw_only=True):
    """Properties of an attempt. All of them must match."""

    outcome: OutcomeWord | tuple[OutcomeWord, ...] | None = None
    """Status of the response, or `not-connected`, `no-response` or `timed-out`; a list allows several."""
    events: Number | Bounds | None = None
    """Number of events in the batch."""
    number: Number | Bounds | None = None
    """Number of the attempt for its batch, from 1."""
    gap: Duration | DurationBounds | None = None
    """Virtual time since the end of the failed attempt before it, for the same batch. First attempts have no gap: `all`
    ignores them, and `any` and `latest` do not match them."""
    duration: Duration | DurationBounds | None = None
    """Virtual time from start to end of the attempt. It is 0s except for time-outs and latencies."""
    headers: dict[str, str | bool] | None = None
    """Response headers by name: text is the required value, `true` requires the header, `false` forbids it."""

    def __post_init__(self) -> None:
        if not any(value is not None for value in msgspec.structs.asdict(self).values()):
            raise InvalidInputError(f"expects nothing, allowed: {', '.join(self.__struct_fields__)}")


class DeliveredCount(SingleValue, frozen=True):
    """Number of events that the consumer acknowledged with 200. A run that delivers nothing is inconclusive unless the
    scenario expects it: `delivered: 0`, `attempts: 0`, or events that are `pending` or `discarded`."""

    requirement: ClassVar = (
        "An event is delivered once the consumer responds 200 to its batch (vendor's webhook guide)."
    )
    wanted: Number | Bounds


class DiscardedCount(SingleValue, frozen=True):
    """Number of events that Campaign discarded: three days old, or pending when their webhook was deleted."""

    requirement: ClassVar = "Campaign discards undelivered events after three days (vendor's webhook guide)."
    wanted: Number | Bounds


class PendingCount(SingleValue, frozen=True):
    """Number of events that are neither delivered nor discarded."""

    requirement: ClassVar = _RETRIED
    wanted: Number | Bounds


class AttemptCount(SingleValue, frozen=True):
    """Number of attempts, whatever their outcome."""

    requirement: ClassVar = _RETRIED
    wanted: Number | Bounds


class BatchEvents(SingleValue, frozen=True):
    """Number of events in each delivered batch; a list names all of them in order."""

    requirement: ClassVar = "Campaign sends events in batches of at most 100 (vendor's webhook guide)."
    wanted: Number | Bounds | tuple[Number, ...]


class DeliveredInOrder(SingleValue, frozen=True):
    """Whether all events were delivered in the order in which they occurred."""

    requirement: ClassVar = "Campaign sends the oldest events first (assumed)."
    wanted: bool


class Outcomes(SingleValue, frozen=True):
    """Outcome of every attempt, in order: status of the response, or `not-connected`, `no-response` or `timed-out`."""

    requirement: ClassVar = _ACCEPTED
    wanted: tuple[OutcomeWord | OutcomeRun, ...]


class LatestAttempt(SingleValue, frozen=True):
    """Properties of the latest attempt."""

    requirement: ClassVar = _ACCEPTED
    wanted: AttemptExpectation


class AnyAttempt(SingleValue, frozen=True):
    """Properties of at least one attempt."""

    requirement: ClassVar = _ACCEPTED
    wanted: AttemptExpectation


class EveryAttempt(SingleValue, frozen=True):
    """Properties of every attempt. There must be at least one."""

    requirement: ClassVar = _ACCEPTED
    wanted: AttemptExpectation


class DeliveredWithin(SingleValue, frozen=True):
    """Longest time from an event to its delivery, for every event."""

    requirement: ClassVar = _RETRIED
    limit: Span


class RecoveredWithin(SingleValue, frozen=True):
    """Longest time from the end of an outage to the delivery of every event that was pending then."""

    requirement: ClassVar = _RETRIED
    limit: Span


class VerifiedAs(SingleValue, frozen=True):
    """Outcome of the latest `verify` of the webhook."""

    requirement: ClassVar = "Verifying a webhook sends sample events to its target at once (vendor's API description)."
    wanted: OutcomeWord


WebhookClaim: TypeAlias = (
    DeliveredCount
    | DiscardedCount
    | PendingCount
    | AttemptCount
    | BatchEvents
    | DeliveredInOrder
    | Outcomes
    | LatestAttempt
    | AnyAttempt
    | EveryAttempt
    | DeliveredWithin
    | RecoveredWithin
    | VerifiedAs
)


class WebhookExpectation(msgspec.Struct, frozen=True, kw_only=True):
    """Claims about a webhook's deliveries so far. A plain number means equal."""

    delivered: DeliveredCount | None = None
    discarded: DiscardedCount | None = None
    pending: PendingCount | None = None
    attempts: AttemptCount | None = None
    batch_events: BatchEvents | None = None
    in_order: DeliveredInOrder | None = None
    outcomes: Outcomes | None = None
    latest: LatestAttempt | None = None
    any: AnyAttempt | None = None
    all: EveryAttempt | None = None
    delivered_within: DeliveredWithin | None = None
    recovered_within: RecoveredWithin | None = None
    verified: VerifiedAs | None = None

    def claims(self) -> dict[str, WebhookClaim]:
        """Return what is expected, by key."""
        values: dict[str, WebhookClaim | None] = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: claim for name, claim in values.items() if claim is not None}


class ConsumerExpectation(msgspec.Struct, frozen=True, kw_only=True):
    """Claims about the events that the consumer has stored since the run began, as its probe reports them."""

    processed: Processed | Number | Bounds
    """`exactly-once`: every delivered event once and unaltered; `at-least-once`: none lost or altered; or the number of
    stored events. The number does not include events of other runs if the probe reports events."""
    fields: tuple[str, ...] | None = None
    """Fields that the probe reports, such as `[mailId, created]` or `[user.id]` (default: all). Others are not
    compared: a field that the consumer leaves out on purpose would count as altered."""

    def __post_init__(self) -> None:
        if self.fields is not None and not isinstance(self.processed, str):
            raise InvalidInputError("fields: needs `processed`, allowed: exactly-once or at-least-once")
        if self.fields == ():
            raise InvalidInputError("fields: none are named, allowed: at least one")

    @property
    def requirement(self) -> str:
        """Behaviour of Campaign that makes the expectation necessary."""
        if self.processed == "exactly-once":
            return (
                "Campaign never resends a batch after 200 and resends the whole batch after anything else, so a "
                "consumer must store every acknowledged event exactly once (vendor's webhook guide)."
            )
        return (
            "Campaign never resends a batch after 200, so a consumer must store every acknowledged event (vendor's "
            "webhook guide)."
        )


class ApiExpectation(msgspec.Struct, frozen=True, kw_only=True):
    """Claims about the calls of the REST API so far, by the code that manages webhooks. Only `mockcampaign serve
    --scenario` and `mockcampaign drill provisioning --scenario` receive calls."""

    requirement: ClassVar = "The code that manages the webhooks makes these calls of the REST API (this scenario)."

    operation: str | None = None
    """Name of the operation, such as `createWebhook`, as Swagger UI shows it (default: any)."""
    status: ApiStatus | None = None
    """Status of the response, or `no-response` if the caller got none (default: any)."""
    client: ClientId | None = None
    """Id of the client in the path (default: any)."""
    count: Number | Bounds = Bounds(at_least=1)
    """Number of such calls (default: at least 1)."""

    @property
    def name(self) -> str:
        """Name of the expectation, such as `api.createWebhook`."""
        return "api" if self.operation is None else f"api.{self.operation}"


Claim: TypeAlias = WebhookClaim | ConsumerExpectation | ApiExpectation

ExpectedValues: TypeAlias = dict[
    str, WebhookExpectation | ConsumerExpectation | ApiExpectation | tuple[ApiExpectation, ...]
]

RESERVED = ("consumer", "api")
"""Names in `expect` that no webhook can have."""

Expected = Annotated[
    ExpectedValues,
    Keyed(
        "a mapping of webhook names, consumer or api",
        WebhookExpectation,
        {"consumer": ConsumerExpectation, "api": ApiExpectation | tuple[ApiExpectation, ...]},
    ),
]
