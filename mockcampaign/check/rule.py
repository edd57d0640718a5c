"""The type of a rule of the check."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import IntEnum, auto
from typing import Literal

import msgspec

from mockcampaign.check.behaviours import Behaviour
from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.examined import Examined
from mockcampaign.judging.fact import Need
from mockcampaign.judging.finding import Level


class Stage(IntEnum):
    """When a rule is examined. Within a stage, the order is the catalogue's."""

    FIRST = auto()
    """Where others would go wrong with it."""
    USUAL = auto()
    AFTER_USUAL = auto()
    """Where others tell what it can rest on."""
    REACHING_BACK = auto()
    """Where its events are hours and days from the usual ones: a consumer may forget what is so much older."""
    BAD_REQUESTS = auto()
    """Where it sends what may leave a consumer in a bad state."""
    FAILURES = auto()
    """Where it lets a consumer fail, on purpose or under load."""
    END = auto()
    """Where all others lie before it, also because it kills the consumer."""


Examine = Callable[[Bench], Awaitable[Examined]]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is required of a consumer, and how to find out whether it does it."""

    id: str
    """Stable, in kebab-case."""
    family: str
    level: Level
    """must: what Campaign is documented to do loses, doubles or blocks data; should: a hazard that can be foreseen."""
    title: str
    requirement: str
    """The sentence that obliges the consumer, with its source."""
    expected: str
    examine: Examine
    """Raises `SkipRule`, and `CouldNotTellError` for trouble of ours."""
    prepare: Callable[[Bench], Awaitable[None]] | None = None
    """What it does on its bench before any rule is examined, so that all others lie between. Raises as `examine`."""
    needs: tuple[Need, ...] = ()
    depends_on: tuple[str, ...] = ()
    """Rules of which a violation would show here as well: where one of them is violated, this one is not examined."""
    assumes: tuple[Behaviour, ...] = ("batch", "retry")
    fix: str
    """How to fix a consumer that violates it, where the facts say no more."""
    example: str
    """The fix in Python."""
    not_covered: str = ""
    """What a pass does not show."""
    span: int = 0
    """How much virtual time it needs, in milliseconds; the events that it sends are as old at its end."""
    stage: Stage = Stage.USUAL
    """When it is examined."""
    about: Literal["events", "fields", "responses"] = "events"
    """What shows a violation: the stored events, their fields, or the responses alone."""
    on_one_connection: bool = False
    """Whether its requests follow each other on one connection."""
    repeats: bool = False
    """Whether each of its batches is sent twice."""
    role: Literal["basics", "store", "availability"] | None = None
    """What other rules need it for: nothing can be examined where `basics` is violated, nor the store where `store` is;
    `availability` is examined in any case where ordinary batches are no longer accepted."""
