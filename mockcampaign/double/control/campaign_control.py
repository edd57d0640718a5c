"""A test's campaign from its first webhook to its end, wherever it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mockcampaign.double.control.delivery_methods import DeliveryMethods
from mockcampaign.double.control.event_methods import EventMethods
from mockcampaign.double.control.fault_methods import FaultMethods
from mockcampaign.double.control.home import CampaignSettings, Home
from mockcampaign.double.control.session import Session
from mockcampaign.double.control.time_methods import TimeMethods
from mockcampaign.double.control.verdict_methods import VerdictMethods
from mockcampaign.double.control.violations import text_of
from mockcampaign.double.control.webhook_methods import WebhookMethods

if TYPE_CHECKING:
    from mockcampaign.campaign import Campaign
    from mockcampaign.double.control.campaign_clock import CampaignClock

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here


class CampaignControl(WebhookMethods, EventMethods, FaultMethods, TimeMethods, DeliveryMethods, VerdictMethods):
    """A test double of Campaign with virtual time, which only `advance` and `run` move.

    In a test with an event loop, `await` these two. Without one, they are finished when they return. Everything else
    takes no time.
    """

    def __init__(self, home: Home, settings: CampaignSettings) -> None:
        self._session = Session(home, settings)

    @property
    def engine(self) -> Campaign:
        """The campaign itself, for what this fixture does not offer."""
        return self._session.engine

    @property
    def clock(self) -> CampaignClock:
        """Virtual time, which the consumer's clock can follow."""
        return self._session.clock

    @property
    def seed(self) -> int:
        """The seed from which the events are made."""
        return self._session.settings.seed

    @property
    def forgotten_await(self) -> str | None:
        """A sentence about the last `advance` or `run` if the test did not await it, so that nothing has happened."""
        return self._session.forgotten_await

    @contextmanager
    def example(self) -> Iterator[None]:
        """Begin with no webhooks and no events, for one example of a property test, and judge it at its end."""
        home = self._session.home
        self._session = Session(home, self._session.settings)
        try:
            yield
        finally:
            self.clock.release()
            home.tidy()
        self.check_end()

    def check_end(self) -> None:
        """Raise AssertionError for a violation that nobody has asked about, or if nothing was shown.

        Raises `MisuseError` if the last `advance` or `run` was not awaited.
        """
        self._session.check_awaited()
        if unasked := self.violations():
            raise AssertionError(text_of(unasked))
        if nothing := self.nothing_delivered():
            raise AssertionError(nothing)
        self._session.mark_judged()

    async def leave_loop(self) -> None:
        """Release what is held in the running event loop."""
        await self._session.home.leave_loop()

    def close(self) -> None:
        """Release everything. Raises `MisuseError` if an `advance` or `run` was never awaited."""
        if not self._session.home.is_closed:
            self.release()
            self._session.check_awaited()

    def release(self) -> None:
        """Release everything, whatever was not awaited."""
        home = self._session.home
        if not home.is_closed:
            home.is_closed = True
            self.clock.release()
            home.close()
