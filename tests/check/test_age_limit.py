"""A consumer that loses or rejects old events has a limit, and the finding says between which ages it is."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from checks import NOW, checked
from mockcampaign.check.rules.order import AGES
from mockcampaign.judging.fact import AgeLimit
from mockcampaign.policy import DAY, HOUR, MINUTE
from plays import starlette_consumer

OLDEST = 3 * DAY - MINUTE


def consumer(limit: int, *, rejects: bool, asked: list[int]) -> Any:
    """A consumer that keeps no event that is older than `limit`, by a clock that stands still at the check's time."""
    stored: list[dict[str, Any]] = []

    async def hook(request: Request) -> Response:
        events = await request.json()
        asked.append(len(events))
        young = [event for event in events if event["created"] >= NOW - limit]
        if rejects and len(young) < len(events):
            return Response(status_code=422)
        stored.extend(event for event in young if event not in stored)
        return Response()

    return starlette_consumer(hook, stored)


@pytest.mark.parametrize("rejects", [False, True])
@pytest.mark.parametrize(
    ("limit", "kept", "lost"),
    [
        (30 * MINUTE, None, HOUR),
        (2 * HOUR, HOUR, 6 * HOUR),
        (DAY + HOUR, DAY, 2 * DAY),
        (DAY - HOUR, 12 * HOUR, DAY),
        (2 * DAY + HOUR, 2 * DAY, OLDEST),
    ],
)
def test_the_limit_is_between_two_ages(limit: int, kept: int | None, lost: int, rejects: bool) -> None:
    asked: list[int] = []
    result = checked(consumer(limit, rejects=rejects, asked=asked), rules=("accepts-old-events",))
    [found] = [one for one in result.rules if one.id == "accepts-old-events"]
    assert found.outcome == "fail"
    [fact] = [fact for fact in found.facts if isinstance(fact, AgeLimit)]
    assert (fact.kept, fact.lost, fact.is_stored) == (kept, lost, not rejects)
    # The ages are no part of it: another limit is the same violation.
    assert found.identity == ("422 to old-events" if rejects else "missing after old-events")
    assert " old is not" in found.actual or "the youngest that was tried" in found.actual
    assert found.reproduce is not None
    assert found.reproduce.scenario is not None


def test_few_requests_find_it() -> None:
    counts = []
    for probes in (True, False):
        asked: list[int] = []
        app = consumer(DAY - HOUR if probes else 4 * DAY, rejects=False, asked=asked)
        checked(app, rules=("accepts-old-events",))
        counts.append(len(asked))
    assert counts[0] - counts[1] <= len(AGES).bit_length()
