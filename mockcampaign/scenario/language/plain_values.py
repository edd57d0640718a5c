"""Plain values of the scenario language: how a file writes them, and their JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec

from mockcampaign import json_text
from mockcampaign.check.probes.sql_probe import engine_at, query_placeholders
from mockcampaign.durations import DURATION_SCHEMA, format_duration, parse_duration, parse_moment
from mockcampaign.errors import InvalidInputError
from mockcampaign.faults import OUTAGES, unknown_kind
from mockcampaign.judging.consumer_store import check_jmespath
from mockcampaign.policy import INT64_MAX
from mockcampaign.scenario.language.annotations import Bounded, ParsedText, Secret
from mockcampaign.shape.placeholders import in_braces
from mockcampaign.text import unknown
from mockcampaign.transport.address import parse_address

COUNT_MAX = 1_000_000
EVENTS_MAX = 10_000

OUTCOMES = {
    "not-connected": "no connection: refused, unreachable, host name or TLS failure",
    "no-response": "connected, but no complete HTTP response",
    "timed-out": "connected, but no complete response within the time-out",
}
"""Outcomes of an attempt besides the status of a response."""

NO_RESPONSE = "no-response"
"""Status of a call of the REST API whose caller got no complete response."""


def _parse_events(text: str) -> tuple[dict[str, Any], ...]:
    try:
        events: tuple[dict[str, Any], ...] = msgspec.convert(
            json_text.decode_exactly(text), type=tuple[dict[str, Any], ...]
        )
    except (msgspec.MsgspecError, UnicodeEncodeError):
        events = ()
    if not 0 < len(events) <= EVENTS_MAX:
        raise InvalidInputError(f"not a list of events, allowed: a JSON list of 1 to {EVENTS_MAX:,} objects, as text")
    return events


def _parse_url(text: str) -> str:
    parse_address(text)
    return text


def _parse_probe_url(text: str) -> str:
    in_braces(text, "url")
    return _parse_url(text)


def _parse_database(text: str) -> str:
    engine_at(text)  # which says without the text what is wrong with it
    return text


def _parse_query(text: str) -> str:
    query_placeholders(text, "query")
    return text


def _parse_span(text: str) -> int:
    duration = parse_duration(text)
    if not duration:
        raise InvalidInputError(f"{text!r} is not a duration above 0, allowed: 1ms or more")
    return duration


def _parse_outage_kind(text: str) -> str:
    if text not in OUTAGES:
        raise InvalidInputError(unknown_kind("kind of outage", text, OUTAGES))
    return text


def _parse_outcome(text: str) -> int | str:
    if text in OUTCOMES:
        return text
    if re.fullmatch(r"[1-5][0-9][0-9]", text):
        return int(text)
    raise InvalidInputError(unknown("outcome", text, ["a status from 100 to 599", *OUTCOMES]))


def _parse_api_status(text: str) -> int | str:
    if text == NO_RESPONSE:
        return text
    if re.fullmatch(r"[1-5][0-9][0-9]", text):
        return int(text)
    raise InvalidInputError(unknown("status of a call", text, ["a status from 100 to 599", NO_RESPONSE]))


def _parse_tag(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise InvalidInputError(f"{text!r} is not a tag, allowed: letters, digits, - and _")
    return text


_WHAT_DURATION = "a duration such as 90s, 10m, 2h, 3d or 1d12h"

Duration = Annotated[int, ParsedText(parse_duration, _WHAT_DURATION, DURATION_SCHEMA)]
Span = Annotated[int, ParsedText(_parse_span, _WHAT_DURATION, DURATION_SCHEMA)]
"""Duration above 0."""
Moment = Annotated[
    int,
    ParsedText(
        parse_moment,
        "a moment such as 2025-01-01T00:00:00Z",
        {"type": "string", "pattern": r"^[12]\d{3}-\d\d-\d\d[T ]\d\d.*(Z|[+-]\d\d:?\d\d)$"},
    ),
]
ExactEvents = Annotated[
    tuple[dict[str, Any], ...], ParsedText(_parse_events, "a JSON list of events, as text", {"type": "string"})
]
_URL_SCHEMA = {"type": "string", "pattern": r"^(https?://\S+|.*\$\{.*)$"}

Url = Annotated[str, ParsedText(_parse_url, "a URL", _URL_SCHEMA)]
ProbeUrl = Annotated[str, ParsedText(_parse_probe_url, "a URL", _URL_SCHEMA)]
"""URL that may contain placeholders."""
DatabaseUrl = Annotated[str, Secret(), ParsedText(_parse_database, "the URL of a database", {"type": "string"})]
Query = Annotated[str, ParsedText(_parse_query, "a query", {"type": "string"})]
"""SQL that may contain placeholders."""
JmesPath = Annotated[str, ParsedText(check_jmespath, "a JMESPath", {"type": "string"})]
Tag = Annotated[str, ParsedText(_parse_tag, "a tag", {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"})]
OutageKind = Annotated[str, ParsedText(_parse_outage_kind, "a kind of outage", {"enum": list(OUTAGES)})]
OutcomeWord = Annotated[
    int | str,
    ParsedText(
        _parse_outcome,
        f"a status or {', '.join(OUTCOMES)}",
        {"anyOf": [{"type": "integer", "minimum": 100, "maximum": 599}, {"enum": list(OUTCOMES)}]},
    ),
]
ApiStatus = Annotated[
    int | str,
    ParsedText(
        _parse_api_status,
        f"a status or {NO_RESPONSE}",
        {
            "type": ["integer", "string"],
            "pattern": f"^{NO_RESPONSE}$",
            "minimum": 100,
            "maximum": 599,
        },
    ),
]
Count = Annotated[int, Bounded(1, COUNT_MAX)]
Number = Annotated[int, Bounded(0, INT64_MAX)]
ClientId = Annotated[int, Bounded(1, INT64_MAX)]
Processed = Literal["exactly-once", "at-least-once"]


def _check_bounds(low: int | None, high: int | None, show: Callable[[int], str]) -> None:
    if low is None and high is None:
        raise InvalidInputError("expected at least one of the keys 'at_least' and 'at_most'")
    if low is not None and high is not None and low > high:
        raise InvalidInputError(f"at_least {show(low)} is above at_most {show(high)}")


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a number, both inclusive."""

    at_least: Number | None = None
    """Lower bound."""
    at_most: Number | None = None
    """Upper bound."""

    def __post_init__(self) -> None:
        _check_bounds(self.at_least, self.at_most, str)


class DurationBounds(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a duration, both inclusive."""

    at_least: Duration | None = None
    """Lower bound."""
    at_most: Duration | None = None
    """Upper bound."""

    def __post_init__(self) -> None:
        _check_bounds(self.at_least, self.at_most, format_duration)


def fits(value: int, wanted: int | Bounds | DurationBounds) -> bool:
    """Return whether the value is the wanted one, or within the wanted bounds."""
    if isinstance(wanted, int):
        return value == wanted
    return (wanted.at_least is None or value >= wanted.at_least) and (wanted.at_most is None or value <= wanted.at_most)
