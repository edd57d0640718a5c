"""Every fault as a consumer sees it: which requests arrive over sockets, on which connections, in which order."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from endpoints import OK, Endpoint, Run, leaving_nothing
from mockcampaign.campaign import Campaign
from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.faults import FAULTS, OUTAGES, CallFault
from mockcampaign.model import EventType
from mockcampaign.policy import DEFAULT_CLIENT_ID, Policy
from mockcampaign.transport import wire
from mockcampaign.transport.wire import WireTransport
from old_fold import tally
from seeing import Consumer, Seen

LIST_MAX = 2
TRIES = 5
Lists = list[list[int]]


class Sight(NamedTuple):
    """What a fault that hits once is to look like."""

    lists: Lists
    """The events of all requests that arrived completely, in order of arrival."""
    connections: int = 1
    settings: Mapping[str, Any] = MappingProxyType({})
    bursts: tuple[tuple[int, int], ...] = ((0, 5),)
    """After how many milliseconds so many events happen."""
    answers: tuple[bytes, ...] = ()
    """The first statuses; all later ones are 200."""
    raw: Callable[[Seen], bool] = lambda _: True
    """What the first connection has brought."""
    reads: Callable[[list[bytes]], bool] = lambda _: True
    """In which pieces. A consumer that is kept from reading for as long as a pause lasts reads two pieces as one, so
    this is looked for in a few tries."""


PLAIN: Lists = [[1, 2], [3, 4], [5]]
TWICE: Lists = [[1, 2], [1, 2], [3, 4], [5]]
REFUSED = OK.replace(b"200 OK", b"503 No")


def first(seen: Seen) -> tuple[bytes, bytes]:
    """Head and body of the first request, as they arrived."""
    head, _, rest = seen.raw.partition(b"\r\n\r\n")
    return head, rest.partition(b"POST ")[0]


SIGHTS: dict[str, list[Sight]] = {
    **{kind: [Sight(PLAIN)] for kind in OUTAGES},
    "cut-body": [
        Sight(PLAIN, 2, {"after_bytes": 7}, raw=lambda seen: (seen.body, seen.end) == (b'[{"n":1', "fin")),
        Sight(
            PLAIN, 2, {"after_bytes": 7, "ending": "rst"}, raw=lambda seen: (seen.body, seen.end) == (b'[{"n":1', "rst")
        ),
    ],
    "stall-body": [
        Sight(PLAIN, 1, {"after_bytes": 7, "pause": 20}, reads=lambda reads: reads[1:2] == [b'},{"n":2}]']),
    ],
    "trickle-body": [
        Sight(PLAIN, 1, {"piece_bytes": 6, "pause": 20}, reads=lambda reads: reads[1:3] == [b'1},{"n', b'":2}]']),
    ],
    "split-headers": [
        Sight(PLAIN, 1, {"piece_bytes": 50, "pause": 20}, reads=lambda reads: len(reads[0]) == len(reads[1]) == 50),
    ],
    "chunked": [
        Sight(
            PLAIN,
            1,
            {"chunk_bytes": 16},
            raw=lambda seen: first(seen)[1] == b'10\r\n[{"n":1},{"n":2}\r\n1\r\n]\r\n0\r\n\r\n',
        ),
    ],
    "expect-continue": [
        Sight(
            PLAIN,
            1,
            {"timeout": 9_000},
            raw=lambda seen: b"\r\nExpect: 100-continue" in first(seen)[0] and seen.reads[1] == b'[{"n":1},{"n":2}]',
        ),
    ],
    "http-1.0": [Sight(PLAIN, 2, raw=lambda seen: seen.raw.startswith(b"POST /hook HTTP/1.0\r\n"))],
    "new-connection": [Sight(PLAIN, 2, raw=lambda seen: b"\r\nConnection: close\r\n" in seen.raw)],
    "idle-connection": [Sight(PLAIN, 1, {"idle": 20})],
    "header-case": [
        Sight(
            PLAIN, 1, {"case": "upper"}, raw=lambda seen: b"\r\nCONTENT-TYPE: application/json\r\n" in first(seen)[0]
        ),
        Sight(PLAIN, 1, {"case": "lower"}, raw=lambda seen: b"\r\nuser-agent: mockcampaign/" in first(seen)[0]),
    ],
    "content-type": [
        Sight(PLAIN, raw=lambda seen: b"\r\nContent-Type: application/json;charset=UTF-8\r\n" in first(seen)[0]),
    ],
    "lost-ack": [
        *(Sight(TWICE, 2, {"dropped": dropped}) for dropped in ("before-response", "after-status", "after-headers")),
        # What acknowledges nothing is not lost, and leaves its connection open.
        *(
            Sight([*[[1, 2]] * 3, *TWICE], 2, {"dropped": dropped}, answers=(REFUSED,) * 3)
            for dropped in ("after-status", "after-headers")
        ),
    ],
    "duplicate": [
        Sight(TWICE, 1, {"timing": "at-once"}),
        Sight([*PLAIN, [1, 2]], 1, {"timing": "later", "delay": 5_000}),
        Sight(TWICE, 2, {"timing": "concurrent"}),
        Sight([[1, 2], *TWICE], 1, {"timing": "at-once"}, answers=(REFUSED,)),
    ],
    "reorder": [Sight([[3, 4], [1, 2], [5]])],
    "refill": [Sight([[1], [1, 2]], bursts=((0, 1), (5_000, 1)), answers=(REFUSED,))],
    "overlap": [Sight([[1, 2], [2, 3], [4, 5]])],
    "latency": [
        # Events that happen while an attempt takes its time come together.
        Sight([[1], [2, 3]], 1, {"time": 1_000}, bursts=((0, 1), (100, 1), (100, 1))),
        Sight([[1], [2], [3]], 1, {"time": 99}, bursts=((0, 1), (100, 1), (100, 1))),
        Sight([[1], [1], [2, 3]], 1, {"time": 10_000}, bursts=((0, 1), (100, 1), (100, 1))),
    ],
    "timeout": [Sight(TWICE), Sight([[1, 2], *TWICE], answers=(REFUSED,))],
}


def test_every_fault_is_looked_at() -> None:
    assert list(SIGHTS) == [kind for kind, fault in FAULTS.items() if not issubclass(fault, CallFault)]


@pytest.mark.parametrize(("kind", "sight"), [(kind, sight) for kind, sights in SIGHTS.items() for sight in sights])
def test_a_consumer_sees_a_fault(run: Run, kind: str, sight: Sight, monkeypatch: pytest.MonkeyPatch) -> None:
    # However long this process is kept waiting between two requests.
    monkeypatch.setattr(wire, "IDLE_SECONDS_MAX", math.inf)
    assert any(sight.reads(see(run, kind, sight)) for _ in range(TRIES))


def see(run: Run, kind: str, sight: Sight) -> list[bytes]:
    """Look at the fault, and return in which pieces the first connection's bytes were read."""
    reads: list[bytes] = []

    async def main() -> None:
        consumer = Consumer(*sight.answers)
        endpoint = Endpoint(consumer)
        async with leaving_nothing(), endpoint.serving():
            campaign = Campaign(WireTransport(), policy=Policy(batch_events_max=LIST_MAX))
            webhook = campaign.activate(campaign.create(EventType.OPEN, endpoint.url))
            fault = campaign.fault(kind, times=1, **sight.settings)
            number = 0
            for after, count in sight.bursts:
                await campaign.advance(after)
                payloads = tuple((campaign.now, b'{"n":%d}' % (number + index + 1)) for index in range(count))
                number += count
                due = EventsDue(client_id=DEFAULT_CLIENT_ID, type=EventType.OPEN, payloads=payloads)
                campaign.put([(campaign.now, due)])
            await campaign.run()
            await campaign.aclose()
            await consumer.all_ended()
        assert fault.hits == 1
        assert [[event["n"] for event in json.loads(body)] for _, body in consumer.requests] == sight.lists
        assert len(consumer.connections) == sight.connections
        assert sight.raw(consumer.connections[0])
        assert sorted(tally(campaign.journal.entries, [webhook.id]).delivered) == list(range(1, number + 1))
        reads.extend(consumer.connections[0].reads)

    run(main())
    return reads
