"""The fields of a call that starts a check: the consumer, its probe, the events, the rules and the limits."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from mockcampaign.durations import format_duration
from mockcampaign.errors import InvalidInputError
from mockcampaign.judging.consumer_store import check_jmespath
from mockcampaign.model import EventType
from mockcampaign.policy import CHECKED_CLIENT_ID_MAX, HOUR, INT64_MAX
from mockcampaign.server.http.request_fields import Duration, SingleLine, TargetUrl, between
from mockcampaign.server.vendor_api.webhook_credentials import AuthenticationObject

DURATION_MAX = HOUR
"""Longest budget, time-out and so on, in milliseconds. Ours: a server runs one check at a time."""

EXAMPLES_MAX, EVENTS_MAX, RATE_MAX = 10_000, 10_000_000, 100_000
SHAPE_LENGTH_MAX = 500_000


class ProbeAt(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A URL that reports the events the consumer has stored. It may contain placeholders such as `{mailingId}`."""

    url: TargetUrl
    events: SingleLine | None = None
    """JMESPath of the list of events in the response (default: the whole response)."""
    count: SingleLine | None = None
    """JMESPath of their number, for a probe that reports no events."""
    fields: list[SingleLine] = []
    """Outermost fields of an event that the probe reports (default: all)."""

    def check(self) -> None:
        """Raise `InvalidInputError` for what cannot be right."""
        if self.events is not None and self.count is not None:
            raise InvalidInputError("probe: both events and count, allowed: one of them")
        for name, expression in (("events", self.events), ("count", self.count)):
            if expression is not None:
                _check_jmespath(f"probe.{name}", expression)


class StateAt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A URL that reports the newest event of each mail or recipient, as the consumer has stored it."""

    url: TargetUrl
    states: SingleLine | None = None
    """JMESPath of the states in the response (default: the whole response)."""


class CounterAt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A URL of another number of events that the consumer reports, such as a total on a dashboard."""

    url: TargetUrl
    count: SingleLine | None = None
    """JMESPath of the number in the response (default: the whole response)."""


class CheckRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The check of one consumer. Durations are those of wall time."""

    target: TargetUrl
    """URL to which the events are sent."""
    authentication: AuthenticationObject | None = None
    """Credentials for the target (default: none). No response or report contains them."""
    probe: ProbeAt | None = None
    """Where the consumer reports what it has stored. Without it, the rules that need it are skipped."""
    server_probe: bool = False
    """Whether the probe that the server was started with reports what the consumer has stored."""
    server_clock: bool = False
    """Whether the clock file that the server was started with leads the consumer's clock until the check ends."""
    state: StateAt | None = None
    """Where the consumer reports its end state. Without it, the rule about the newest event is skipped."""
    counters: list[CounterAt] = []
    """Other numbers that the consumer reports, each of which must agree as well."""
    type: EventType | None = None
    """Type of the events (default: `open`, or that of `like`)."""
    like: list[dict[str, Any]] | None = None
    """Captured events: the events of the check have their shape."""
    keep: list[SingleLine] = []
    """Fields of the captured events that are sent and reported as they are, without pseudonyms."""
    shape: Annotated[str, msgspec.Meta(max_length=SHAPE_LENGTH_MAX)] | None = None
    """Text that `mockcampaign shape` has printed. It corrects `like`, or stands for itself."""
    client_id: Annotated[int, between(1, CHECKED_CLIENT_ID_MAX)] | None = None
    """The `clientId` of the events (default: one that no real client has)."""
    rules: list[SingleLine] = []
    """Ids of rules, or names of families, to examine (default: all)."""
    skip: list[SingleLine] = []
    """Ids of rules, or names of families, to skip."""
    allow: list[SingleLine] = []
    """Ids of rules that the consumer may violate."""
    strict: bool = False
    """Whether hazards count as violations, and a skipped "must" rule makes the check inconclusive."""
    seed: Annotated[int, between(0, INT64_MAX)] | None = None
    """Generates the same events with the same seed (default: a new one)."""
    examples: Annotated[int, between(1, EXAMPLES_MAX)] = 20
    """Number of cases for each rule that generates them."""
    events: Annotated[int, between(1, EVENTS_MAX)] | None = None
    """Maximum number of events of the check."""
    rate: Annotated[int, between(1, RATE_MAX)] = 10
    """Events per second that Campaign sends on average, which the consumer has to store."""
    budget: Duration | None = None
    """Time limit of the whole check, up to 1h (default: 2m)."""
    timeout: Duration | None = None
    """Time-out of a request, up to 1h (default: 10s)."""
    settle: Duration | None = None
    """How long the stored events may lag behind a response (default: 0s)."""

    def check(self) -> None:
        """Raise `InvalidInputError` for what cannot be right, whatever the server knows."""
        if self.budget is not None and not self.budget.value:
            raise InvalidInputError("budget: 0s is too short, allowed: 1ms or longer")
        if self.probe is not None:
            self.probe.check()
            if self.server_probe:
                raise InvalidInputError("serverProbe: true and probe, allowed: one of them")
        elif self.counters and not self.server_probe:
            raise InvalidInputError("counters: have no effect alone, allowed: with probe or serverProbe")
        if self.keep and self.like is None:
            raise InvalidInputError("keep: has no effect alone, allowed: with like")
        if self.state is not None and self.state.states is not None:
            _check_jmespath("state.states", self.state.states)
        for counter in self.counters:
            if counter.count is not None:
                _check_jmespath("counters.count", counter.count)

    def urls(self) -> list[tuple[str, str]]:
        """Return every URL to which the check sends requests, with the name of its field."""
        urls = [("target", self.target.value)]
        urls += [] if self.probe is None else [("probe.url", self.probe.url.value)]
        urls += [] if self.state is None else [("state.url", self.state.url.value)]
        return [*urls, *(("counters.url", counter.url.value) for counter in self.counters)]


def milliseconds(name: str, given: Duration | None, default: int) -> int:
    """Return a duration in milliseconds. Raises `InvalidInputError` if it is longer than `DURATION_MAX`."""
    if given is not None and given.value > DURATION_MAX:
        raise InvalidInputError(f"{name}: longer than {format_duration(DURATION_MAX)}, which is the limit")
    return default if given is None else given.value


def _check_jmespath(name: str, expression: str) -> None:
    try:
        check_jmespath(expression)
    except InvalidInputError as error:
        raise InvalidInputError(f"{name}: {error}") from None
