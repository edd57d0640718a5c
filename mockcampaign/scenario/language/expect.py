"""What the `expect` step can say. `judge` compares it with the journal."""

from __future__ import annotations

from typing import Annotated

import msgspec

from mockcampaign.errors import InvalidInputError
from mockcampaign.scenario.language.annotations import Keyed
from mockcampaign.scenario.language.values import Bounds, Duration, DurationBounds, Number, OutcomeWord, Processed, Span


class OutcomeRun(msgspec.Struct, frozen=True, kw_only=True):
    """The same outcome several times in a row."""

    outcome: OutcomeWord
    """What each of the attempts came to."""
    times: Number | Bounds = 1
    """How many attempts in a row."""


class AttemptExpectation(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt meets it if it meets all that is said here."""

    outcome: OutcomeWord | tuple[OutcomeWord, ...] | None = None
    """The response's status, or `not-connected`, `no-response` or `timed-out`; a list allows several."""
    events: Number | Bounds | None = None
    """How many events the list held."""
    number: Number | Bounds | None = None
    """Which attempt of its list it was, from 1."""
    gap: Duration | DurationBounds | None = None
    """Virtual time since the end of the failed attempt before it, of the same list. First attempts have none: `all`
    passes them over, `any` and `latest` do not find them."""
    took: Duration | DurationBounds | None = None
    """Virtual time from the attempt's start to its end: none, unless a time-out or a latency stands for some."""
    headers: dict[str, str | bool] | None = None
    """Headers of the answer, by name: a text is the value that it must have, `true` means any, `false` means that it
    must not be there."""

    def __post_init__(self) -> None:
        if not any(value is not None for value in msgspec.structs.asdict(self).values()):
            raise InvalidInputError(f"expects nothing, allowed: {', '.join(self.__struct_fields__)}")


class WebhookExpectation(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook's deliveries must have come to by now. A plain number means equal."""

    delivered: Number | Bounds | None = None
    """Events that the consumer has acknowledged with 200. A run that delivers nothing is no success unless that is
    expected on purpose: by 0 here or as `attempts`, or by events that are `pending` or `discarded`."""
    discarded: Number | Bounds | None = None
    """Events that were given up: three days old, or left behind by a deleted webhook."""
    pending: Number | Bounds | None = None
    """Events that are neither delivered nor discarded."""
    attempts: Number | Bounds | None = None
    """Attempts made, whatever came of them."""
    batch_events: Number | Bounds | tuple[Number, ...] | None = None
    """How many events each delivered list held; a list says all of them in order."""
    in_order: bool | None = None
    """Whether all events were delivered in the order in which they happened."""
    outcomes: tuple[OutcomeWord | OutcomeRun, ...] | None = None
    """Outcome of every attempt, in order: the response's status, or `not-connected`, `no-response` or `timed-out`."""
    latest: AttemptExpectation | None = None
    """What the last attempt must meet."""
    any: AttemptExpectation | None = None
    """What at least one attempt must meet."""
    all: AttemptExpectation | None = None
    """What every attempt must meet, of which there must be one."""
    delivered_within: Span | None = None
    """Every event was delivered at most this long after it happened."""
    recovered_within: Span | None = None
    """What was pending when an outage ended was delivered at most this long after that."""
    verified: OutcomeWord | None = None
    """What the last `verify` of the webhook came to."""


class ConsumerExpectation(msgspec.Struct, frozen=True, kw_only=True):
    """What the consumer must say it has processed since the run began."""

    processed: Processed | Number | Bounds | None = None
    """`exactly-once`: every delivered event once, and unchanged; `at-least-once`: none missing or changed; or how many
    events. With a number, events of other runs are not counted where the probe tells events."""
    by: tuple[str, ...] | None = None
    """The fields by which events are compared, such as `[mailId, created]`; without it, by all of them."""

    def __post_init__(self) -> None:
        if self.by is not None and not isinstance(self.processed, str):
            raise InvalidInputError("by: needs `processed`, allowed: exactly-once or at-least-once")
        if self.by == ():
            raise InvalidInputError("by: no fields, allowed: at least one")


Expected = Annotated[
    dict[str, WebhookExpectation | ConsumerExpectation],
    Keyed("a mapping of webhook names or consumer", WebhookExpectation, {"consumer": ConsumerExpectation}),
]
