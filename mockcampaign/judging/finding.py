"""The result of one rule or one expectation, which every report shows."""

from __future__ import annotations

from typing import Literal

import msgspec

from mockcampaign.judging.fact import AnyFact, EventDifference

Level = Literal["must", "should"]
Judgement = Literal["pass", "fail", "warn", "not-exercised", "could-not-tell"]


class Reproduce(msgspec.Struct, frozen=True, kw_only=True):
    """How to reproduce a violation by itself."""

    curl: str | None = None
    """Shell commands, which read credentials from the environment."""
    scenario: str | None = None
    """Text of a scenario file."""
    without_curl: str | None = None
    """Why there are no commands."""
    without_scenario: str | None = None
    """Why there is no scenario."""
    case: tuple[msgspec.Raw, ...] | None = None
    """The events of the smallest batch that shows the violation."""


class SweptOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a rule under a variation of the sender."""

    variation: str
    """Name of the variation."""
    outcome: Judgement
    facts: tuple[AnyFact, ...] = ()
    """Facts that say why the result is inconclusive or the rule was skipped."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one rule or one expectation."""

    id: str
    title: str
    level: Level
    outcome: Judgement
    requirement: str
    expected: str
    actual: str
    """The facts in words, made by `report.sentences`."""
    facts: tuple[AnyFact, ...] = ()
    """The observations on which the outcome is based."""
    identity: str | None = None
    """Identity of a violation among those of the same rule, made from its facts; baselines compare it."""
    evidence: tuple[int, ...]
    """Positions of the journal entries that show it."""
    scenario: str | None = None
    """Name of the scenario whose journal `evidence` refers to, if that is not obvious."""
    place: str | None = None
    """Place of an expectation, as `file:line:column`."""
    known: bool = False
    """Whether a baseline accepts the violation, so that it does not fail the run."""
    family: str | None = None
    """Family of the rule."""
    fix: str | None = None
    """How to fix a consumer that violates the rule as this one does."""
    not_covered: str | None = None
    """Limits of the rule: violations that a pass does not exclude."""
    assumes: tuple[str, ...] = ()
    """Behaviour of the sender that the rule assumes, each documented or assumed."""
    reproduce: Reproduce | None = None
    differences: tuple[EventDifference, ...] = ()
    """How the stored events differ from the delivered ones, event by event."""
    swept: tuple[SweptOutcome, ...] = ()
    """Results of the rule under variations of the sender."""

    @property
    def reason(self) -> str | None:
        """Why the rule was skipped or is inconclusive, in words; None if it is neither."""
        return self.actual if self.outcome in ("not-exercised", "could-not-tell") else None
