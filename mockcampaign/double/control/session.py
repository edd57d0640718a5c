"""The campaign of one test, or of one Hypothesis example, which all groups of methods share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from mockcampaign.double.arguments import checked
from mockcampaign.double.control.campaign_clock import CampaignClock
from mockcampaign.double.control.deliveries import JournalView
from mockcampaign.double.control.home import CampaignSettings, Home
from mockcampaign.double.loops import AwaitableResult
from mockcampaign.errors import MisuseError
from mockcampaign.judging.responses.rejections import Rejections

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here

Self = TypeVar("Self", bound="SessionMethods")
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Session:
    """A campaign, and how far the test has looked at it and judged it."""

    def __init__(self, home: Home, settings: CampaignSettings) -> None:
        self.home = home
        self.settings = settings
        self.engine = home.begin(settings, self.show_time)
        self.clock = CampaignClock(lambda: self.engine.now)
        self.view = JournalView(self.engine.journal)
        self.allowed = set(settings.allow)
        self.judged_entries = 0
        """How many journal entries but calls of the REST API there were when the test last asked for a verdict."""
        self.has_seen_outcome = False
        """Whether the test has looked at what became of the events it emitted last."""
        self.last_result: AwaitableResult[None] | None = None
        self._rejections: Rejections | None = None

    @property
    def rejections(self) -> Rejections:
        """Notices a consumer that accepts nothing. It follows the journal from the first look on."""
        if self._rejections is None:
            self._rejections = Rejections()
            self.engine.journal.follow(self._rejections.note)
        return self._rejections

    @property
    def is_judged(self) -> bool:
        """Whether the test has asked for a verdict, and nothing has happened since."""
        return self.judged_entries == self._entries

    @property
    def _entries(self) -> int:
        # A call alone changes no verdict on the consumer.
        journal = self.engine.journal
        return journal.next_position - journal.calls

    def mark_judged(self) -> None:
        """Note that the test asks for a verdict now."""
        self.judged_entries = self._entries

    def show_time(self) -> None:
        """Show virtual time to the consumer, before each request.

        A consumer that follows the clock may respond differently later, so a failed attempt is really repeated.
        """
        self.clock.show()
        if self.clock.leads:
            self.engine.forget_simulated_failures()

    def check_awaited(self) -> None:
        """Raises `MisuseError` if the test has an event loop and did not await the last `advance` or `run`."""
        forgotten = self.forgotten_await
        self.last_result = None
        if forgotten is not None:
            raise MisuseError(forgotten)

    @property
    def forgotten_await(self) -> str | None:
        """A sentence about the last `advance` or `run` if it has not begun, because the test did not await it."""
        result = self.last_result
        if result is None or not result.must_be_awaited:
            return None
        return f"{result.name} was not awaited: this test has an event loop, so write `await {result.name}`"

    def need_webhook(self, method: str) -> None:
        """Raises `MisuseError` if no webhook was ever created."""
        if not self.engine.webhooks.all() and not self.view.webhook_ids:
            how = self.home.how_to_create.format("open")
            raise MisuseError(f"{method}: there is no webhook yet, create one first: {how}")


class SessionMethods:
    """A group of a campaign's methods. It has no state of its own."""

    _session: Session


def in_home(
    method: Callable[Concatenate[Self, Arguments], Result],
) -> Callable[Concatenate[Self, Arguments], Result]:
    """Let a method run in the thread that owns the campaign, once its arguments are checked."""

    check = checked(method)

    @functools.wraps(method)
    def called_in_home(self: Self, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        check((self, *args), kwargs)
        return self._session.home.call_in_home(functools.partial(method, self, *args, **kwargs))

    return called_in_home
