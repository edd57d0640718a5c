"""Events as Hypothesis strategies, for property tests of consumers.

    from hypothesis import given
    from mockcampaign.strategies import batches

    @given(batches(type="click"))
    def test_my_hook(batch): ...

An event is a dict, as `json.loads` returns it. Events are realistic, made from a few drawn seeds for a whole batch, and
shrink to the vendor's own example. The `wild_*` variants add edge cases: each is one that a consumer may meet and most
never tried, and a failing test shrinks to the edge cases that matter. Events stay valid against `mockcampaign schema
events`.

Any field can be pinned to a value or a strategy: `clicks(device="mobile", mailingId=st.integers(1, 9))`. A nested one
is pinned by two underscores: `clicks(mediaTypesToAddresses__EMAIL="anna@example.com")`. Pinned fields are never edited.
An unknown type or field raises `InvalidInputError`.

`drawing` makes the events, `edits` their edge cases.
"""

from __future__ import annotations

from typing import Any

from hypothesis.strategies import SearchStrategy

from mockcampaign.events.rates import Rates
from mockcampaign.model import EventType
from mockcampaign.shape.field import Event
from mockcampaign.shape.shape import BATCH_EVENTS_MAX
from mockcampaign.strategies.drawing import LIVELY, Batch, batch_of, mailing_of, one_of_type

__all__ = [
    "LIVELY",
    "Batch",
    "Event",
    "archives",
    "batches",
    "blocklists",
    "bounces",
    "clicks",
    "confirmedoptins",
    "doubleoptins",
    "events",
    "filteredbyblocklists",
    "mailings",
    "opens",
    "sents",
    "singleoptins",
    "spamcomplaints",
    "unsubscribes",
    "wild_batches",
    "wild_clicks",
    "wild_events",
    "wild_mailings",
    "wild_opens",
]


def events(type: EventType | str | None = None, **pins: Any) -> SearchStrategy[Event]:  # noqa: A002
    """Return a strategy for one event, of any type if `type` is None."""
    return one_of_type(type, pins, wild=False)


def opens(**pins: Any) -> SearchStrategy[Event]:
    """Return a strategy for one open."""
    return events(EventType.OPEN, **pins)


def clicks(**pins: Any) -> SearchStrategy[Event]:
    """Return a strategy for one click."""
    return events(EventType.CLICK, **pins)


def sents(**pins: Any) -> SearchStrategy[Event]:
    """Return a strategy for one `sent` event."""
    return events(EventType.SENT, **pins)


def bounces(**pins: Any) -> SearchStrategy[Event]:
    """Return a strategy for one bounce, of any category."""
    return events(EventType.BOUNCE, **pins)


def unsubscribes(**pins: Any) -> SearchStrategy[Event]:
    """Return a strategy for one unsubscription."""
    return events(EventType.UNSUBSCRIBE, **pins)


def spamcomplaints(**pins: Any) -> SearchStrategy[Event]:
    """Return a strategy for one spam complaint."""
    return events(EventType.SPAMCOMPLAINT, **pins)


def singleoptins(**pins: Any) -> SearchStrategy[Event]:
    """Return a strategy for one single opt-in."""
    return events(EventType.SINGLEOPTIN, **pins)


def confirmedoptins(**pins: Any) -> SearchStrategy[Event]:
    """Return a strategy for one confirmed opt-in."""
    return events(EventType.CONFIRMEDOPTIN, **pins)


def doubleoptins(**pins: Any) -> SearchStrategy[Event]:
    """Return a strategy for one double opt-in."""
    return events(EventType.DOUBLEOPTIN, **pins)


def blocklists(**pins: Any) -> SearchStrategy[Event]:
    """Return a strategy for one entry in the blocklist."""
    return events(EventType.BLOCKLIST, **pins)


def archives(**pins: Any) -> SearchStrategy[Event]:
    """Return a strategy for one archived mail."""
    return events(EventType.ARCHIVE, **pins)


def filteredbyblocklists(**pins: Any) -> SearchStrategy[Event]:
    """Return a strategy for one mail that was not sent because of the blocklist."""
    return events(EventType.FILTEREDBYBLOCKLIST, **pins)


def batches(
    min_size: int = 1,
    max_size: int = BATCH_EVENTS_MAX,
    *,
    type: EventType | str | None = EventType.OPEN,  # noqa: A002
    **pins: Any,
) -> SearchStrategy[list[Event]]:
    """Return a strategy for batches. All events of a batch have one type, any type if `type` is None."""
    return batch_of(min_size, max_size, type, pins, wild=False)


def mailings(max_recipients: int = 10, *, rates: Rates = LIVELY, **pins: Any) -> SearchStrategy[list[Event]]:
    """Return a strategy for all events of a small mailing, of all types, in order of time."""
    return mailing_of(max_recipients, rates, pins, wild=False)


def wild_events(type: EventType | str | None = None, **pins: Any) -> SearchStrategy[Event]:  # noqa: A002
    """Return a strategy for one event with edge cases, of any type if `type` is None: `wild_events("bounce")`."""
    return one_of_type(type, pins, wild=True)


def wild_opens(**pins: Any) -> SearchStrategy[Event]:
    """Return a strategy for one open with edge cases."""
    return wild_events(EventType.OPEN, **pins)


def wild_clicks(**pins: Any) -> SearchStrategy[Event]:
    """Return a strategy for one click with edge cases."""
    return wild_events(EventType.CLICK, **pins)


def wild_batches(
    min_size: int = 1,
    max_size: int = BATCH_EVENTS_MAX,
    *,
    type: EventType | str | None = EventType.OPEN,  # noqa: A002
    **pins: Any,
) -> SearchStrategy[list[Event]]:
    """Return a strategy for batches with edge cases, also between events: equal or decreasing times, twins, old
    events."""
    return batch_of(min_size, max_size, type, pins, wild=True)


def wild_mailings(max_recipients: int = 10, *, rates: Rates = LIVELY, **pins: Any) -> SearchStrategy[list[Event]]:
    """Return a strategy for all events of a small mailing, with edge cases."""
    return mailing_of(max_recipients, rates, pins, wild=True)
