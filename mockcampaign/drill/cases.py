"""The cases of a drill: which call of the set-up fails, and how."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from mockcampaign.engine.declared_faults import When
from mockcampaign.engine.journal import Called
from mockcampaign.faults import ApiError, ApiTimeout, ApiUnauthorized, CallFault
from mockcampaign.judging.fact import SetUpCase

RUNS = 3
"""How many times the command runs in a case: once with the fault, once to repair, once to show that nothing changes."""

CALLS_MAX = 200
"""Maximum number of calls of an undisturbed set-up, each of which fails in turn. Ours: a set-up makes a few."""

FAULTS: tuple[CallFault, ...] = (
    ApiError(),
    ApiError(timing="after-effect"),
    ApiTimeout(hold=0),
    ApiTimeout(timing="after-effect", hold=0),
    ApiUnauthorized(),
)
"""How a call fails. The connection is dropped at once where a time-out leaves the caller without a response."""


class DrillCase(msgspec.Struct, frozen=True, kw_only=True):
    """One case: the fault of one call, or none."""

    name: SetUpCase
    """The case as findings name it."""
    fault: CallFault | None = None
    number: int = 0
    """Number of the call that fails, from 1; 0 without a fault."""

    @property
    def when(self) -> When:
        """Which call the fault hits."""
        return When(every=self.number, times=1)


UNDISTURBED = DrillCase(name=SetUpCase(kind="undisturbed"))
"""Nothing fails, and the command runs again all the same."""

RESTARTED = DrillCase(name=SetUpCase(kind="restarted"))
"""The server forgets everything after the first run, as one that was replaced."""


def fault_cases(calls: Sequence[Called]) -> Iterator[DrillCase]:
    """Yield a case for each call of an undisturbed set-up and each way to fail."""
    known = [call for call in calls if call.operation]
    for number, call in enumerate(known, 1):
        for fault in FAULTS:
            timing = getattr(fault, "timing", "before-effect")
            name = SetUpCase(kind=fault.kind, timing=timing, number=number, operation=call.operation)
            yield DrillCase(name=name, fault=fault, number=number)
