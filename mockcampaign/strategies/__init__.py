"""Events as Hypothesis strategies, for property tests of consumers.

    from hypothesis import given
    from mockcampaign.strategies import batches

    @given(batches(type="click"))
    def test_my_hook(batch): ...

An event is a dict, as `json.loads` gives it. Events are realistic, from a few drawn seeds for a whole list, and shrink
to the vendor's own example. The `wild_*` variants put a drawn list of edits on top: each is one thing that a consumer
may meet and most never tried, and a failing test shrinks to the edits that matter. They stay valid against
`mockcampaign schema events`.

Any field can be pinned, to a value or a strategy: `clicks(device="mobile", mailingId=st.integers(1, 9))`. Pinned fields
are never edited. An unknown type or field raises `InvalidInputError`.

`drawing` makes the events, `edits` what is odd in them.
"""

from __future__ import annotations

from typing import Any

from hypothesis.strategies import SearchStrategy

from mockcampaign.events.fields import BATCH_EVENTS_MAX
from mockcampaign.events.rates import Rates
from mockcampaign.model import EventType
from mockcampaign.strategies.drawing import LIVELY, Batch, batch_of, mailing_of, one_of_type
from mockcampaign.strategies.edits import Event

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
    """One event, of any type unless it is named."""
    return one_of_type(type, pins, wild=False)


def opens(**pins: Any) -> SearchStrategy[Event]:
    """One open."""
    return events(EventType.OPEN, **pins)


def clicks(**pins: Any) -> SearchStrategy[Event]:
    """One click."""
    return events(EventType.CLICK, **pins)


def sents(**pins: Any) -> SearchStrategy[Event]:
    """One mail's being sent."""
    return events(EventType.SENT, **pins)


def bounces(**pins: Any) -> SearchStrategy[Event]:
    """One bounce, hard or soft."""
    return events(EventType.BOUNCE, **pins)


def unsubscribes(**pins: Any) -> SearchStrategy[Event]:
    """One unsubscription."""
    return events(EventType.UNSUBSCRIBE, **pins)


def spamcomplaints(**pins: Any) -> SearchStrategy[Event]:
    """One complaint."""
    return events(EventType.SPAMCOMPLAINT, **pins)


def singleoptins(**pins: Any) -> SearchStrategy[Event]:
    """One single opt-in."""
    return events(EventType.SINGLEOPTIN, **pins)


def confirmedoptins(**pins: Any) -> SearchStrategy[Event]:
    """One confirmed opt-in."""
    return events(EventType.CONFIRMEDOPTIN, **pins)


def doubleoptins(**pins: Any) -> SearchStrategy[Event]:
    """One double opt-in."""
    return events(EventType.DOUBLEOPTIN, **pins)


def blocklists(**pins: Any) -> SearchStrategy[Event]:
    """One entry in the blocklist."""
    return events(EventType.BLOCKLIST, **pins)


def archives(**pins: Any) -> SearchStrategy[Event]:
    """One archived mail."""
    return events(EventType.ARCHIVE, **pins)


def filteredbyblocklists(**pins: Any) -> SearchStrategy[Event]:
    """One mail that was not sent because of the blocklist."""
    return events(EventType.FILTEREDBYBLOCKLIST, **pins)


def batches(
    min_size: int = 1,
    max_size: int = BATCH_EVENTS_MAX,
    *,
    type: EventType | str | None = EventType.OPEN,  # noqa: A002
    **pins: Any,
) -> SearchStrategy[list[Event]]:
    """A list as a webhook receives it: all events of one type, of any one if `type` is None."""
    return batch_of(min_size, max_size, type, pins, wild=False)


def mailings(max_recipients: int = 10, *, rates: Rates = LIVELY, **pins: Any) -> SearchStrategy[list[Event]]:
    """All events of a small mailing in order of time, types mixed."""
    return mailing_of(max_recipients, rates, pins, wild=False)


def wild_events(type: EventType | str | None = None, **pins: Any) -> SearchStrategy[Event]:  # noqa: A002
    """One event with oddities, of any type unless it is named: `wild_events("bounce")`."""
    return one_of_type(type, pins, wild=True)


def wild_opens(**pins: Any) -> SearchStrategy[Event]:
    """One open with oddities."""
    return wild_events(EventType.OPEN, **pins)


def wild_clicks(**pins: Any) -> SearchStrategy[Event]:
    """One click with oddities."""
    return wild_events(EventType.CLICK, **pins)


def wild_batches(
    min_size: int = 1,
    max_size: int = BATCH_EVENTS_MAX,
    *,
    type: EventType | str | None = EventType.OPEN,  # noqa: A002
    **pins: Any,
) -> SearchStrategy[list[Event]]:
    """A list with oddities, also of one event to the next: equal and backward times, twins, events three days old."""
    return batch_of(min_size, max_size, type, pins, wild=True)


def wild_mailings(max_recipients: int = 10, *, rates: Rates = LIVELY, **pins: Any) -> SearchStrategy[list[Event]]:
    """All events of a small mailing, with oddities."""
    return mailing_of(max_recipients, rates, pins, wild=True)
