"""The history that a number stands for. A change here gives other histories to all numbers that users have noted."""

from __future__ import annotations

from mockcampaign.check.histories.draws import Draws
from mockcampaign.check.histories.history_steps import (
    OUTAGES,
    PAUSES,
    Advance,
    BeginOutage,
    History,
    Inject,
    Occur,
    Repeat,
    Step,
)
from mockcampaign.policy import MINUTE

STEPS_MAX = 12
"""Greatest number of steps of a history."""

FAULTS = (
    Inject("lost-ack", {}),
    Inject("lost-ack", {"times": 2}),
    Inject("timeout", {}),
    Inject("timeout", {"times": 3}),
    Inject("duplicate", {}),
    Inject("duplicate", {"timing": "later", "delay": MINUTE}),
    Inject("duplicate", {"timing": "concurrent"}),
    Inject("refill", {}),
    Inject("overlap", {"events": 2}),
    Inject("reorder", {}),
    Inject("cut-body", {}),
)

_FEW = (*[Occur(1)] * 6, *[Occur(2)] * 4, *[Occur(3)] * 4, *[Occur(5)] * 5)
_LARGE = 40
"""One of so many steps with events has more of them than a batch takes: they cost as much as all others together."""

_LONG_OUTAGE = 8
"""One of so many outages is a long one."""


def history_of(seed: int, number: int) -> History:
    """Return the history with this number. Faults matter most in it, and lost responses most of all."""
    draws = Draws(f"history:{seed}:{number}")
    return tuple(_step(draws) for _ in range(1 + draws.below(STEPS_MAX)))


def _step(draws: Draws) -> Step:
    match draws.below(6):
        case 0:
            return Occur(120) if draws.below(_LARGE) == 0 else draws.choice(_FEW)
        case 1:
            return FAULTS[0]
        case 2:
            return draws.choice(FAULTS)
        case 3:
            return Advance(draws.choice(PAUSES))
        case 4:
            return Repeat(draws.below(4))
        case _:
            return BeginOutage(OUTAGES[draws.below(_LONG_OUTAGE) == 0])
