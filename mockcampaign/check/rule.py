"""What a rule of the catalogue is, and what examining it can come to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import IntEnum, auto
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

from mockcampaign.judging.finding import Level
from mockcampaign.tables import complete

if TYPE_CHECKING:
    from mockcampaign.check.bench.bench import Bench

Event = dict[str, Any]

Need = Literal["probe", "probe events", "state", "credentials", "connection", "https", "restart command"]
"""What a rule cannot be examined without."""

NEEDS: Mapping[Need, str] = complete(
    "the words for each need",
    get_args(Need),
    {
        "probe": "a probe (--probe)",
        "probe events": "a probe that tells the events (--probe, --probe-events)",
        "state": "a probe that tells the end state (--probe-state): what was processed does not say what counts of it",
        "credentials": "credentials (--basic-auth or --key-auth) that the consumer demands",
        "connection": "a consumer behind a socket",
        "https": "a target with https",
        "restart command": "a command that kills and starts the consumer (--restart-cmd)",
    },
)
"""The same for people."""

Behaviour = Literal[
    "list", "retry", "discard", "time-out", "refill", "order", "parallel", "charset", "fields", "lengths"
]
"""Something the sender does, on which a rule relies."""

BEHAVIOURS: Mapping[Behaviour, tuple[Literal["documented", "assumed"], str]] = complete(
    "the words for each behaviour",
    get_args(Behaviour),
    {
        "list": ("documented", "events come as JSON lists of at most 100"),
        "retry": ("documented", "what is not answered with 200 comes again every 10 seconds"),
        "discard": ("documented", "what was not delivered within three days of its creation is discarded"),
        "time-out": ("assumed", "an attempt without an answer within the time-out has failed"),
        "refill": ("assumed", "whether a list that comes again holds newer events, too"),
        "order": ("assumed", "whether the oldest events come first"),
        "parallel": ("assumed", "whether a client's webhooks deliver at the same moment"),
        "charset": ("assumed", "whether the Content-Type names a charset"),
        "fields": ("assumed", "how long texts are as a rule, and which fields may be absent, null or new"),
        "lengths": ("assumed", "how long texts may be at most"),
    },
)
"""Whether the vendor documents it, and what it is."""


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


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """What examining a rule has shown."""

    holds: bool
    actual: str
    lists: tuple[tuple[Event, ...], ...] = ()
    """The smallest lists that show the violation when they are delivered one after another, where that will do."""
    curl: str | None = None
    """A command that shows the violation, where that is no list of events."""
    found: str | None = None
    """What it consists in, less what varies from run to run, where `actual` says too little or too much of it."""
    unrepeatable: str | None = None
    """Why neither commands nor a scenario can show it."""
    fix: str | None = None
    """How to mend just this violation, where the rule's own advice would mislead."""


def holds(actual: str) -> Examined:
    """The consumer does what the rule requires."""
    return Examined(holds=True, actual=actual)


def violated(
    actual: str,
    *lists: Sequence[Event],
    curl: str | None = None,
    unrepeatable: str | None = None,
    fix: str | None = None,
    found: str | None = None,
) -> Examined:
    """It does not."""
    return Examined(
        holds=False,
        actual=actual,
        lists=tuple(map(tuple, lists)),
        curl=curl,
        unrepeatable=unrepeatable,
        fix=fix,
        found=found,
    )


Examine = Callable[["Bench"], Awaitable[Examined]]


class NotExercised(Exception):  # noqa: N818  (it is no error, but an outcome)
    """The rule cannot be put to the test; the text says why."""


class ConsumerDiedError(Exception):
    """The consumer was not there any more after something that reached it, which is no trouble of ours."""

    def __init__(self, before: str, reason: str) -> None:
        """`before` says what that was, and `reason` how one knows."""
        super().__init__(f"{before}, and then nobody was there any more ({reason})")
        self.before = before
        self.reason = reason


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
    """Raises `NotExercised`, and `CouldNotTellError` for trouble of ours."""
    prepare: Callable[[Bench], Awaitable[None]] | None = None
    """What it does on its bench before any rule is examined, so that all others lie between. Raises as `examine`."""
    needs: tuple[Need, ...] = ()
    depends_on: tuple[str, ...] = ()
    """Rules of which a violation would show here as well: where one of them is violated, this one is not examined."""
    assumes: tuple[Behaviour, ...] = ("list", "retry")
    fix: str
    """How to mend a consumer that violates it."""
    example: str
    """The same in Python."""
    not_covered: str = ""
    """What a pass does not show."""
    span: int = 0
    """How much virtual time it needs, in milliseconds; the events that it sends are as old at its end."""
    stage: Stage = Stage.USUAL
    """When it is examined."""
