"""The place where a test's campaign runs: the test's own process, or a server beside it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, TypeVar

import msgspec

from mockcampaign.errors import MisuseError

if TYPE_CHECKING:
    from mockcampaign.campaign import Campaign
    from mockcampaign.clients.definitions import ClientDefinition
    from mockcampaign.double.consumer_targets import Settled, Target
    from mockcampaign.double.loops import AwaitableResult, Work
    from mockcampaign.judging.earlier.baseline import Known
    from mockcampaign.model import EventType
    from mockcampaign.policy import Policy
    from mockcampaign.shape.shape import Shape

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here

Result = TypeVar("Result")


class CampaignSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a test's campaign, from the command line, the ini file and the test's markers."""

    seed: int
    start: int
    policy: Policy
    run_timeout: int
    """Wall time that one `advance` or `run` may take, in milliseconds."""
    shapes: Mapping[EventType, Shape] = {}
    """The shapes of captured events, by type."""
    clients: Mapping[int, ClientDefinition] = {}
    """Lists, processes and mails that clients have from the start besides the defaults."""
    allow: frozenset[str] = frozenset()
    """Ids of rules that the consumer may violate."""
    known: tuple[Known, ...] = ()
    """Violations in this test that a baseline accepts."""


class Home(ABC):
    """The place where a campaign runs. It owns the connections and the event loop."""

    name: ClassVar[str]
    """Name of the fixture, as messages quote it."""
    how_to_create: ClassVar[str]
    """Advice for a test that has no webhook yet; `{!r}` is the event type."""
    how_to_give_credentials: ClassVar[str]
    closed_message: ClassVar[str]
    how_to_allow: ClassVar[str] = "mark it with @pytest.mark.mockcampaign(allow=[{!r}])"
    """Advice for a test that allows a violation on purpose; `{!r}` is the id of the rule."""

    def __init__(self) -> None:
        self.is_closed = False

    def check_open(self) -> None:
        """Raises `MisuseError` after the test."""
        if self.is_closed:
            raise MisuseError(self.closed_message)

    @abstractmethod
    def begin(self, settings: CampaignSettings, before_request: Callable[[], object]) -> Campaign:
        """Return a new campaign, which calls `before_request` before each request."""

    @abstractmethod
    def url_of(self, target: Target, path: str, *, lifespan: bool, settled: Settled | None) -> str:
        """Return the URL that leads to the target. Raises `MisuseError` for an object that is not a target."""

    @abstractmethod
    def call_in_home(self, call: Callable[[], Result]) -> Result:
        """Make a call in the thread that owns the campaign."""

    @abstractmethod
    def run_in_home(self, name: str, work: Work[None]) -> AwaitableResult[None]:
        """Run work in the event loop that owns the campaign; `name` is the call as messages quote it."""

    @abstractmethod
    async def advance_and_settle(
        self,
        engine: Campaign,
        duration: int | None,
        settle_timeout: int,
        show_time: Callable[[], object],
        halted: Callable[[], bool],
    ) -> None:
        """Advance the campaign by `duration` milliseconds and let the consumer finish.

        If `duration` is None, advance it until it is idle, or until `halted` says so.
        """

    @abstractmethod
    def tidy(self) -> None:
        """Release what one campaign holds, so that another one can begin."""

    async def leave_loop(self) -> None:
        """Release what is held in the running event loop."""
        return

    @abstractmethod
    def close(self) -> None:
        """Release everything."""
