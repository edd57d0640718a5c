"""The possible results of examining a rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum, auto

import msgspec

from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.fact import AnyFact, Died, LastReading, ProbeFailed
from mockcampaign.shape.field import Event


class Unrepeatable(StrEnum):
    """Why neither commands nor a scenario can show a violation again."""

    WHOLE_CHECK = auto()
    """Only everything that the check sends before shows it."""
    CONCURRENT = auto()
    """Only requests that overlap in wall time show it."""
    TIMING = auto()
    """Only the timing of many requests shows it."""
    KILLED = auto()
    """The consumer has to be killed and restarted meanwhile."""
    BROKEN = auto()
    """Something that the consumer needs has to be broken and restored meanwhile."""
    NOT_REDUCED = auto()
    """The check reached its limit of events before the history was reduced."""


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """The result of examining a rule: whether it holds, and how a violation can be reproduced."""

    holds: bool
    facts: tuple[AnyFact, ...]
    batches: tuple[tuple[Event, ...], ...] = ()
    """The smallest batches that show the violation when they are delivered one after another, if any do."""
    curl: str | None = None
    """A command that shows the violation, if no batch of events does."""
    is_hazard: bool = False
    """Whether a violation is only a hazard, whatever the rule's level: nothing shows that Campaign sends this."""
    unrepeatable: Unrepeatable | None = None
    """Why neither commands nor a scenario can show it."""


def passed(*facts: AnyFact) -> Examined:
    """Return that the consumer keeps the rule; the facts say what was observed."""
    return Examined(holds=True, facts=facts)


def failed(
    *facts: AnyFact,
    batches: Iterable[Sequence[Event]] = (),
    curl: str | None = None,
    is_hazard: bool = False,
    unrepeatable: Unrepeatable | None = None,
) -> Examined:
    """Return that the consumer violates the rule; the facts say how."""
    return Examined(
        holds=False,
        facts=facts,
        batches=tuple(map(tuple, batches)),
        curl=curl,
        is_hazard=is_hazard,
        unrepeatable=unrepeatable,
    )


class SkipRule(Exception):  # noqa: N818  (it is no error, but an outcome)
    """The rule cannot be examined, since a precondition does not hold."""

    def __init__(self, *facts: AnyFact) -> None:
        """`facts` say why."""
        self.facts = facts
        super().__init__("; ".join(type(fact).__name__ for fact in self.facts))


class PoisonedError(SkipRule):
    """The consumer rejects every batch since one it could not store, so no rule can be examined any more."""


class ProbeFailedError(CouldNotTellError):
    """The probe worked before, and cannot be read any more."""

    def __init__(self, message: str, last: LastReading) -> None:
        """`message` says how it failed, and `last` when it worked."""
        super().__init__(message)
        self.fact = ProbeFailed(message=message, last=last)


class StillBrokenError(CouldNotTellError):
    """The check could not restore something that it has broken, so that nothing can be examined any more."""


class ConsumerDiedError(Exception):
    """The consumer could no longer be reached after something that had reached it, which is a violation."""

    def __init__(self, fact: Died) -> None:
        """`fact` says after what, and how that was observed."""
        super().__init__(fact.identity)
        self.fact = fact
