"""What a check is told: what it may use, and how long it may take."""

from __future__ import annotations

from pathlib import Path

import msgspec

from mockcampaign.check.baseline import Known
from mockcampaign.check.behaviours import Behaviour
from mockcampaign.events.fields import FIELDS
from mockcampaign.model import Authentication, EventType, Fault, NoAuthentication
from mockcampaign.policy import MINUTE, SECOND

CLIENT_IDS = range(900_000_000_000, 901_000_000_000)
"""Client ids of the events that checks send, so that they can be told from real ones, and swept up."""

MAILING_IDS = range(910_000_000_000, 911_000_000_000)
"""Mailing ids of the same."""


EVENTS, EVENTS_FOR_EXAMPLE = 35_000, 500
"""At most so many events does a check make, whatever the consumer does, and so many more for each example.

A consumer without a bug gets about half of them; the rest is for reducing what fails.
"""


class Lengths(msgspec.Struct, frozen=True, kw_only=True):
    """The longest texts of events, in characters. Assumed, as the vendor publishes no schema."""

    names: int = 255
    """Of operating systems and browsers."""
    links: int = 2_000


class Variation(msgspec.Struct, frozen=True, kw_only=True):
    """Another assumption about the sender."""

    behaviour: Behaviour
    name: str
    policy: dict[str, int | bool] = {}
    """What is other than by default."""
    fault: Fault | None = None
    """Hits every attempt."""
    lengths: Lengths = Lengths()
    accompanied: bool = False
    """Whether another webhook delivers whenever one does."""
    in_turn: bool = False
    """Whether no two webhooks ever deliver at the same moment."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one check. Durations are whole milliseconds."""

    seed: int = 0
    """Makes ids and generated events repeatable."""
    now: int
    """Milliseconds since 1970. All that a check sends was created before."""
    event_type: EventType = EventType.OPEN
    authentication: Authentication = NoAuthentication()
    """Sent with every request, but for those that are to be refused."""
    client_id: int | None = None
    """Of the events; None: one of `CLIENT_IDS`."""
    rules: tuple[str, ...] = ()
    """Ids of the rules to examine; none: all."""
    skip: tuple[str, ...] = ()
    """Ids of rules, or names of families, to leave out."""
    strict: bool = False
    """Whether a violated "should" rule fails the check, and a "must" rule that was not exercised leaves it open."""
    examples: int = 20
    """How many cases a rule generates that generates them."""
    events: int | None = None
    """How many events it may make at most; None: as many as `EVENTS` says, and twice as many with a sweep."""
    timeout: int = 10 * SECOND
    """How long the consumer may take for an answer."""
    settle: int = 0
    """How long the account may go on changing after an answer; 0: what is acknowledged is in it at once."""
    budget: int = 2 * MINUTE
    """How long the whole check may take, by the wall's clock."""
    probe_fields: tuple[str, ...] = tuple(FIELDS)
    """Which fields of an event the account shows; those that it does not know are not compared."""
    known: tuple[Known, ...] = ()
    """Findings that are accepted."""
    ca_file: Path | None = None
    """A CA that the consumer's certificate may be of, besides those that this machine trusts."""
    full_fidelity: bool = False
    """Whether long spans of equal failures are really sent, attempt by attempt."""
    sweep: bool = False
    """Whether rules are examined again under other assumptions about the sender."""
    variation: Variation | None = None
    """What is assumed otherwise than usual."""
    restart_command: str | None = None
    """Kills the consumer and starts it again, for the rules that need it."""

    def events_max(self) -> int:
        """Return how many events the whole check makes at most."""
        usual = EVENTS + EVENTS_FOR_EXAMPLE * self.examples
        return self.events or usual * (1 + self.sweep)
