"""Settings of a check."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from mockcampaign.check.behaviours import Behaviour
from mockcampaign.judging.earlier.baseline import Known
from mockcampaign.model import Authentication, EventType, Fault, NoAuthentication
from mockcampaign.policy import MINUTE, SECOND
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.shape.shape import Shape
from mockcampaign.transport.address import NO_ROUTES, Routes
from mockcampaign.transport.targets import AllowedTargets

CLIENT_IDS = range(900_000_000_000, 901_000_000_000)
"""Client ids of the events that checks send, which distinguish them from real ones, also to delete them."""

MAILING_IDS = range(910_000_000_000, 911_000_000_000)
"""Mailing ids of the events that checks send."""


EVENTS, EVENTS_FOR_EXAMPLE = 40_000, 500
"""Greatest number of events of a check, and how many more it may make for each example.

A correct consumer gets about half of them; the rest is for reducing failing cases.
"""


EVENTS_FOR_HISTORY = 40
"""How many events more for each random history that was asked for; they have about ten."""

Operation = str | Callable[[], object]
"""A command, or a function, synchronous or asynchronous, that does the same."""


class Lengths(msgspec.Struct, frozen=True, kw_only=True):
    """Greatest lengths of texts in events, in characters: assumed, since the vendor publishes no schema."""

    names: int = 255
    """Greatest length of the names of operating systems and browsers."""
    links: int = 2_000
    """Greatest length of links."""


class Variation(msgspec.Struct, frozen=True, kw_only=True):
    """A variation of the sender: one behaviour that differs from what is usually assumed."""

    behaviour: Behaviour
    name: str
    policy: dict[str, int | bool] = {}
    """Numbers of the policy that differ from the defaults."""
    fault: Fault | None = None
    """A fault that hits every attempt."""
    lengths: Lengths = Lengths()
    fields: str | None = None
    """Other fields of events: a name of `builtin.ALTERNATIVES`."""
    accompanied: bool = False
    """Whether another webhook delivers whenever one does."""
    respelled: bool = False
    """Whether redelivered events have their fields in another order, and other escapes and spaces."""
    in_turn: bool = False
    """Whether no two webhooks ever deliver at the same moment."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one check. Durations are in whole milliseconds."""

    seed: int = 0
    """Seed that makes ids and generated events repeatable."""
    now: int
    """Time of the check, in milliseconds since 1970. All of its events were created before that."""
    shape: Shape = builtin_shape(EventType.OPEN)
    """The shape of the events of the webhook under test, which says their type, too."""
    other_shapes: tuple[Shape, ...] = ()
    """Captured shapes of events of other types."""
    authentication: Authentication = NoAuthentication()
    """Credentials for every request but those that the consumer should reject."""
    client_id: int | None = None
    """The client id of the events; None chooses one of `CLIENT_IDS`, or that of the captured events."""
    rules: tuple[str, ...] = ()
    """Ids of the rules, or names of the families, to examine; empty for all."""
    skip: tuple[str, ...] = ()
    """Ids of the rules, or names of the families, to skip."""
    strict: bool = False
    """Whether a violated "should" rule fails the check, and a skipped "must" rule makes it inconclusive."""
    examples: int = 20
    """Number of cases for each rule that generates them."""
    events: int | None = None
    """Greatest number of events; None allows as many as `EVENTS` says, and twice as many with a sweep."""
    histories: int | None = None
    """Number of random histories; None for as many as the examples suggest."""
    soaks: bool = False
    """Whether random histories go on until the time is up, which is no reason to report fewer than wanted."""
    history: int | None = None
    """Number of the one random history to play; None for those from 1 on."""
    timeout: int = 10 * SECOND
    """Time-out of an attempt."""
    settle: int = 0
    """How long the store may lag behind a response; 0 if acknowledged events are stored at once."""
    budget: int = 2 * MINUTE
    """Limit of the wall time of the whole check, without `memory`."""
    memory: int = 0
    """Wall time that has to pass, once, before a batch from the beginning of the check is redelivered at its end."""
    rate: int = 10
    """Events per second that Campaign sends on average, to judge how long a backlog takes to drain (assumed)."""
    probe_fields: tuple[str, ...] = ()
    """Outermost fields of an event that the probe reports; empty for all. Others are not compared."""
    known: tuple[Known, ...] = ()
    """Violations that are accepted."""
    routes: Routes = NO_ROUTES
    """Where requests really go, for a consumer that is not at its final address yet."""
    ca_file: Path | None = None
    """File of a CA to trust besides those that this machine trusts."""
    targets: AllowedTargets | None = None
    """The hosts that requests may go to; None: all."""
    leads_clock: bool = False
    """Whether the consumer's clock follows virtual time."""
    full_fidelity: bool = False
    """Whether every attempt of long runs of equal failures is really sent."""
    sweep: bool = False
    """Whether rules are examined again under variations of the sender."""
    variation: Variation | None = None
    """The variation of the sender under which the rules are examined, if there is one."""
    restart_command: Operation | None = None
    """Command that kills the consumer and restarts it, for the rules that need one."""
    break_command: Operation | None = None
    """Command that breaks something the consumer needs, such as its database, for the rule that needs one."""
    restore_command: Operation | None = None
    """Command that restores it."""

    def shape_of(self, event_type: EventType) -> Shape | None:
        """Return the shape of events of a type; None if captured events do not show what they would look like."""
        known = next((one for one in (self.shape, *self.other_shapes) if one.event_type is event_type), None)
        if known is not None:
            return known
        if self.shape.is_captured:
            return self.shape.as_type(event_type)
        return builtin_shape(event_type, None if self.variation is None else self.variation.fields)

    def is_guessed(self, event_type: EventType) -> bool:
        """Return whether the shape of events of a type is only a guess by the captured ones of another type."""
        captured = (one.event_type for one in (self.shape, *self.other_shapes))
        return self.shape.is_captured and event_type not in captured

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of all events that the check may send."""
        shapes = (self.shape, *(self.shape_of(one) for one in (EventType.OPEN, EventType.CLICK)))
        return tuple(shape for shape in shapes if shape is not None)

    @property
    def top_names(self) -> tuple[str, ...]:
        """The names of the outermost fields of all events that the check may send."""
        return tuple(dict.fromkeys(name for shape in self.shapes for name in shape.top_names))

    def events_max(self) -> int:
        """Return how many events the whole check makes at most."""
        usual = EVENTS + EVENTS_FOR_EXAMPLE * self.examples + EVENTS_FOR_HISTORY * (self.histories or 0)
        return self.events or usual * (1 + self.sweep)
