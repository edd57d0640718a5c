"""What a rule of the catalogue is, and what examining it can come to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from enum import IntEnum, StrEnum, auto
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

from mockcampaign.judging.fact import AnyFact, Died, Need
from mockcampaign.judging.finding import Level
from mockcampaign.tables import complete

if TYPE_CHECKING:
    from mockcampaign.check.bench.bench import Bench

Event = dict[str, Any]

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


class Unrepeatable(StrEnum):
    """Why neither commands nor a scenario can show a violation again."""

    WHOLE_CHECK = auto()
    """It takes all that the check sends before."""
    CONCURRENT = auto()
    """It takes requests that overlap, by wall time."""
    TIMING = auto()
    """It takes many requests, and how long each of them takes."""
    KILLED = auto()
    """The consumer has to be killed and restarted meanwhile."""
    NOT_REDUCED = auto()
    """The check reached its limit of events before the history was reduced."""


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """What examining a rule has shown."""

    holds: bool
    facts: tuple[AnyFact, ...]
    batches: tuple[tuple[Event, ...], ...] = ()
    """The smallest batches that show the violation when they are delivered one after another, where that will do."""
    curl: str | None = None
    """A command that shows the violation, where that is no batch of events."""
    unrepeatable: Unrepeatable | None = None
    """Why neither commands nor a scenario can show it."""


def passed(*facts: AnyFact) -> Examined:
    """Return that the consumer does what the rule requires."""
    return Examined(holds=True, facts=facts)


def failed(
    *facts: AnyFact,
    batches: Iterable[Sequence[Event]] = (),
    curl: str | None = None,
    unrepeatable: Unrepeatable | None = None,
) -> Examined:
    """Return that it does not; the facts say in what way."""
    return Examined(holds=False, facts=facts, batches=tuple(map(tuple, batches)), curl=curl, unrepeatable=unrepeatable)


Examine = Callable[["Bench"], Awaitable[Examined]]


class NotExercised(Exception):  # noqa: N818  (it is no error, but an outcome)
    """The rule cannot be put to the test."""

    def __init__(self, *facts: AnyFact) -> None:
        """`facts` say why."""
        self.facts = facts
        super().__init__("; ".join(type(fact).__name__ for fact in self.facts))


class ConsumerDiedError(Exception):
    """The consumer was gone after something that reached it, which is no trouble of ours."""

    def __init__(self, fact: Died) -> None:
        """`fact` says after what, and how one knows."""
        super().__init__(fact.identity)
        self.fact = fact


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
