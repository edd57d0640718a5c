from __future__ import annotations

from collections.abc import Iterator

import msgspec

from mockcampaign.engine.event_streams import EventsDue, event_stream
from mockcampaign.model import EventType


class Planned(msgspec.Struct):
    at: int
    type: EventType
    made: list[int]

    def payload(self) -> bytes:
        self.made.append(self.at)
        return b"%d" % self.at


def planned(made: list[int], *moments: int, event_type: EventType = EventType.OPEN) -> Iterator[Planned]:
    return iter([Planned(at, event_type, made) for at in moments])


def test_a_stream_gives_the_events_due_and_makes_no_others() -> None:
    made: list[int] = []
    stream = event_stream(7, planned(made, 1, 2, 2, 5))
    assert stream is not None
    due, later = stream.take(2, lambda _: True)
    assert due == [EventsDue(client_id=7, type=EventType.OPEN, payloads=((1, b"1"), (2, b"2"), (2, b"2")))]
    assert made == [1, 2, 2]
    assert later is not None
    assert later.following.at == 5
    assert later.take(5, lambda _: True)[1] is None


def test_events_that_nobody_exports_are_not_made() -> None:
    made: list[int] = []
    stream = event_stream(7, planned(made, 1, 2))
    assert stream is not None
    assert stream.take(9, lambda event_type: event_type is EventType.CLICK) == ([], None)
    assert made == []


def test_events_of_one_moment_are_grouped_by_type() -> None:
    clicks = planned([], 3, event_type=EventType.CLICK)
    stream = event_stream(7, iter([*planned([], 3), *clicks, *planned([], 3)]))
    assert stream is not None
    due, _ = stream.take(3, lambda _: True)
    assert [(group.type, len(group.payloads)) for group in due] == [(EventType.OPEN, 2), (EventType.CLICK, 1)]


def test_a_stream_without_events_does_not_exist() -> None:
    assert event_stream(7, planned([])) is None
