"""Judges what a scenario expects of the calls of the REST API."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mockcampaign.engine.journal import Called
from mockcampaign.judging.ledger import Ledger
from mockcampaign.report import sentences
from mockcampaign.scenario.expectations.expected_text import listed
from mockcampaign.scenario.language.expect import ApiExpectation
from mockcampaign.scenario.language.plain_values import fits


def meets(call: Called, wanted: ApiExpectation) -> bool:
    """Return whether a call is one of those that an expectation counts."""
    if wanted.operation not in (None, call.operation) or wanted.client not in (None, call.client_id):
        return False
    return wanted.status is None or call.status == (None if isinstance(wanted.status, str) else wanted.status)


def describe_calls(calls: Sequence[Called]) -> str:
    """Return how many calls there were, by operation and outcome."""
    if not calls:
        return "no call"
    kinds = Counter(f"{sentences.call(call)}: {sentences.call_outcome(call)}" for call in calls)
    return listed([f"{kind} ({count} times)" if count > 1 else kind for kind, count in kinds.items()])


class ApiCondition:
    """Condition that an expectation of calls is met. It looks at each call once."""

    def __init__(self, ledger: Ledger, wanted: ApiExpectation) -> None:
        self._calls = ledger.calls
        self._wanted = wanted
        self._examined = 0
        self._count = 0

    def __call__(self, now: int) -> bool:
        fresh = self._calls[self._examined :]
        self._examined += len(fresh)
        self._count += sum(meets(call, self._wanted) for _, call in fresh)
        return fits(self._count, self._wanted.count)
