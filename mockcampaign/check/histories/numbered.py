"""The history that a number stands for. A change here gives other histories to all numbers that users have noted."""

from __future__ import annotations

from mockcampaign.check.histories.draws import Draws
from mockcampaign.check.histories.history_steps import (
    MANY,
    OUTAGES,
    PAUSES,
    Advance,
    BeginOutage,
    Elsewhere,
    History,
    Inject,
    Lack,
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

_UNUSUAL = 8
"""One of so many such steps has events that lack a field, and another one has those of another webhook."""

_FIELDS = 4
"""Events lack one of so many optional fields. A shape that has fewer begins again with its first."""

_LONG_OUTAGE = 8
"""One of so many outages is a long one."""

LONG_EVERY = 500
"""Each history with a multiple of this number is a long one, which costs as much as dozens of others."""

_REDELIVERED_LATER = (
    Inject("lost-ack", {}),
    Inject("lost-ack", {"times": 2}),
    Inject("duplicate", {"timing": "later", "delay": MINUTE}),
)
"""Faults after which a stored batch is redelivered when other webhooks have had their turn."""


def history_of(seed: int, number: int) -> History:
    """Return the history with this number. Faults matter most in it, and lost responses most of all."""
    draws = Draws(f"history:{seed}:{number}")
    if number % LONG_EVERY:
        return tuple(_step(draws) for _ in range(1 + draws.below(STEPS_MAX)))
    many = (draws.choice(_REDELIVERED_LATER), draws.choice(_FEW), Elsewhere(MANY[-1]))
    others = [_step(draws) for _ in range(draws.below(STEPS_MAX - len(many) + 1))]
    # An outage before these may delay the first delivery beyond the other events, so half of them come first.
    before = draws.below(2) * draws.below(len(others) + 1)
    return (*others[:before], *many, *others[before:])


def _step(draws: Draws) -> Step:
    match draws.below(6):
        case 0:
            return Occur(120) if draws.below(_LARGE) == 0 else _events(draws)
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


def _events(draws: Draws) -> Step:
    match draws.below(_UNUSUAL):
        case 0:
            return Lack(draws.below(_FIELDS), is_null=draws.below(2) == 1, count=1 + draws.below(2))
        case 1:
            return Elsewhere(draws.choice(_FEW).count)
        case _:
            return draws.choice(_FEW)
