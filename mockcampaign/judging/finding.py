"""What became of one rule or one expectation, as every report shows it."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["must", "should"]
Judgement = Literal["pass", "fail", "warn", "not-exercised", "could-not-tell"]

NOT_REACHED = "not reached"
"""So begins the reason of a rule that was not even begun, as another one's outcome or the budget kept all from it."""


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
    """The smallest list of events that shows the violation."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one rule or one expectation."""

    id: str
    title: str
    level: Level
    outcome: Judgement
    requirement: str
    expected: str
    actual: str
    evidence: tuple[int, ...]
    """Positions in the journal."""
    place: str | None = None
    """`file:line:column` of an expectation."""
    found: str | None = None
    """What a violation consists in, less what varies from run to run; with the id it makes two findings the same."""
    known: bool = False
    """Whether it was accepted beforehand: then it violates the rule, and fails nothing."""
    family: str | None = None
    """Of a rule in the catalogue."""
    reason: str | None = None
    """Why a rule was not exercised, or could not be told."""
    fix: str | None = None
    """How to mend a consumer that violates the rule."""
    not_covered: str | None = None
    """What a pass does not show."""
    assumes: tuple[str, ...] = ()
    """What the sender has to do for it to matter, and whether that is documented or assumed."""
    reproduce: Reproduce | None = None
    differences: tuple[str, ...] = ()
    """How the consumer's account differs from what was delivered, event by event."""
    swept: tuple[str, ...] = ()
    """What the rule came to where other things are assumed of the sender."""
