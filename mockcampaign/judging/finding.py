"""What became of one rule or one expectation, as every report shows it."""

from __future__ import annotations

from typing import Literal

import msgspec

from mockcampaign.judging.fact import AnyFact, EventDifference, NotReached

Level = Literal["must", "should"]
Judgement = Literal["pass", "fail", "warn", "not-exercised", "could-not-tell"]


class Reproduce(msgspec.Struct, frozen=True, kw_only=True):
    """How to see a violation again, by itself."""

    curl: str | None = None
    """A command for a shell. It takes credentials from the environment."""
    scenario: str | None = None
    """A scenario file."""
    without_curl: str | None = None
    """Why there is no command."""
    without_scenario: str | None = None
    """Why there is no scenario."""
    case: tuple[msgspec.Raw, ...] | None = None
    """The events of the smallest batch that shows the violation."""


class SweptOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule came to where something else is assumed of the sender."""

    variation: str
    """The name of what is assumed instead."""
    outcome: Judgement
    facts: tuple[AnyFact, ...] = ()
    """Why there is no verdict, if there is none."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one rule or one expectation."""

    id: str
    title: str
    level: Level
    outcome: Judgement
    requirement: str
    expected: str
    actual: str
    """The facts in words, made by `report.sentences`."""
    facts: tuple[AnyFact, ...] = ()
    """What was seen."""
    identity: str | None = None
    """What distinguishes a violation from others of the same rule, made of its facts: baselines compare it."""
    evidence: tuple[int, ...]
    """Positions in the journal."""
    scenario: str | None = None
    """The scenario whose journal `evidence` refers to, where it is not obvious."""
    place: str | None = None
    """`file:line:column` of an expectation."""
    known: bool = False
    """Whether a baseline accepts it: then it violates the rule, and fails nothing."""
    family: str | None = None
    """The rule's family in the catalogue."""
    fix: str | None = None
    """How to fix a consumer that violates the rule as this one does."""
    not_covered: str | None = None
    """What a pass does not show."""
    assumes: tuple[str, ...] = ()
    """Sender behaviour that the rule relies on, each documented or assumed."""
    reproduce: Reproduce | None = None
    differences: tuple[EventDifference, ...] = ()
    """How the stored events differ from the delivered ones, event by event."""
    swept: tuple[SweptOutcome, ...] = ()
    """What the rule came to where something else is assumed of the sender."""

    @property
    def reason(self) -> str | None:
        """Why the rule was skipped or is inconclusive, in words; None where there is a verdict."""
        return self.actual if self.outcome in ("not-exercised", "could-not-tell") else None

    @property
    def is_not_reached(self) -> bool:
        """Whether the rule was not even begun, since another one's outcome or the budget kept all from it."""
        return any(isinstance(fact, NotReached) for fact in self.facts)
