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
    """When a rule is examined. Within a stage, rules are examined in the order of the catalogue."""

    FIRST = auto()
    """Before all others, which would fail where this one does."""
    USUAL = auto()
    AFTER_USUAL = auto()
    """After the usual ones, on whose results it depends."""
    REACHING_BACK = auto()
    """After those, since its events are hours or days older, and a consumer may then forget newer ones."""
    BAD_REQUESTS = auto()
    """Late, since it sends requests that may leave the consumer in a bad state."""
    FAILURES = auto()
    """Later still, since it makes the consumer fail, on purpose or under load."""
    END = auto()
    """After all others, also because it kills the consumer."""
    LAST = auto()
    """After even those, since a probe may be unable to report what it sends."""


Examine = Callable[[Bench], Awaitable[Examined]]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One requirement on a consumer, and how to examine whether the consumer keeps it."""

    id: str
    """Stable id in kebab-case."""
    family: str
    level: Level
    """`must` if documented behaviour of Campaign loses, duplicates or blocks data; `should` for a likely hazard."""
    title: str
    requirement: str
    """The sentence that obliges the consumer, with its source."""
    expected: str
    examine: Examine
    """Examines the rule. Raises `SkipRule` if it cannot, and `CouldNotTellError` if the result is inconclusive."""
    prepare: Callable[[Bench], Awaitable[None]] | None = None
    """Begins the rule on its bench before any rule is examined. Raises as `examine` does."""
    seen_so_far: Callable[[Bench], Examined | None] | None = None
    """Returns the finding of the rule if its time is up; None for the one that store and newest attempts show."""
    needs: tuple[Need, ...] = ()
    is_counted: bool = False
    """Whether a number of stored events shows violations, too, though the rule needs no probe or one of events."""
    depends_on: tuple[str, ...] = ()
    """Ids of rules whose violations would show here as well: if one of them is violated, this one is skipped."""
    assumes: tuple[Behaviour, ...] = ("batch", "retry")
    fix: str
    """How to fix a consumer that violates the rule, unless the facts say more."""
    example: str
    """The fix in Python."""
    not_covered: str = ""
    """Limits of the rule: violations that a pass does not exclude."""
    span: int = 0
    """Virtual time that the rule needs, in milliseconds: its first events are that old at its end."""
    stage: Stage = Stage.USUAL
    """When it is examined."""
    about: Literal["events", "fields", "responses"] = "events"
    """Where a violation shows: in the stored events, in their fields, or in the responses alone."""
    on_one_connection: bool = False
    """Whether its requests follow each other on one connection."""
    is_timely: bool = False
    """Whether it matters when an event is stored, so that the store is read at that moment and not later."""
    repeats: bool = False
    """Whether each of its batches is sent twice."""
    draws: bool = False
    """Whether Hypothesis draws its cases."""
    role: Literal["basics", "store", "availability", "recovery"] | None = None
    """Why others need it: no rule is examined if `basics` is violated, and none that reads the store if `store` is.
    `availability` and `recovery` are examined even when ordinary batches are no longer accepted."""
