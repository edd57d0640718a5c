"""Consumers that reject the first attempt of batches and accept the retry."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starlette.exceptions import HTTPException

from judged import checked, settings
from mockcampaign.judging.finding import Finding
from mockcampaign.model import NoAuthentication
from mockcampaign.samples.bugs.acknowledgement import RespondsWithIdsOfNewRows
from mockcampaign.samples.consumer import application
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Event, Store
from mockcampaign.transport.inprocess import AsgiTransport


def rejecting_requests(is_rejected: Callable[[int, int], bool]) -> type[Consumer]:
    """A consumer that rejects some requests, by their number from 1 and their number of events, and stores nothing."""

    class Rejecting(Consumer):
        requests = 0

        async def process(self, events: list[Event]) -> None:
            self.requests += 1
            if is_rejected(self.requests, len(events)):
                raise HTTPException(500, "not yet")
            await super().process(events)

    return Rejecting


def finding(consumer: type[Consumer], rule: str) -> Finding:
    app = application(consumer(Store(), None))
    chosen = settings(1, rules=(rule,), authentication=NoAuthentication())
    [one] = checked("http://consumer.test", lambda: AsgiTransport(app), chosen).rules
    return one


def test_a_batch_that_is_stored_and_rejected_at_its_first_attempt_is_a_violation() -> None:
    found = finding(RespondsWithIdsOfNewRows, "acknowledges-first-attempt")
    assert (found.outcome, found.actual) == (
        "fail",
        "Responded 500 to the first attempt of every batch although it stored it",
    )


@pytest.mark.parametrize("rejected", [{1}, {1, 2, 3}, {2, 4, 6}, {1, 3, 5}])
def test_a_consumer_that_rejects_some_requests_does_not_reject_every_first_attempt(rejected: set[int]) -> None:
    found = finding(rejecting_requests(lambda number, _: number in rejected), "acknowledges-first-attempt")
    assert found.outcome in ("pass", "not-exercised"), found.actual


def test_a_size_that_only_a_retry_got_through_is_not_called_accepted_at_once() -> None:
    seen: set[int] = set()

    def is_first_of_99(_: int, events: int) -> bool:
        is_first = events == 99 and 99 not in seen
        seen.add(events)
        return is_first

    found = finding(rejecting_requests(is_first_of_99), "accepts-every-batch-size")
    assert (found.outcome, found.actual) == (
        "pass",
        "Responded 500, then 200 to batches of 99 events; responded 200 to batches of 1, 2, 3 and 100 events",
    )
