"""Properties that show what became of the events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockcampaign.double.control.deliveries import Deliveries, Events
from mockcampaign.double.control.session import SessionMethods, in_home

if TYPE_CHECKING:
    import msgspec

    from mockcampaign.engine.journal import Journal

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here


class DeliveryMethods(SessionMethods):
    """Look at events and attempts."""

    @property
    @in_home
    def delivered(self) -> Events:
        """Events that the consumer has accepted, in order of delivery. `delivered(webhook)` is for one webhook."""
        self._look()
        return self._session.view.delivered

    @property
    @in_home
    def discarded(self) -> Events:
        """Events that will not be delivered any more. `discarded(webhook)` is for one webhook."""
        self._look()
        return self._session.view.discarded

    @property
    @in_home
    def pending(self) -> Events:
        """Events that are neither delivered nor discarded. `pending(webhook)` is for one webhook."""
        self._look()
        return self._session.view.pending

    @property
    @in_home
    def deliveries(self) -> Deliveries:
        """All attempts in order. `deliveries(webhook)` is for one webhook."""
        self._look()
        return self._session.view.deliveries(self._session.engine.webhook)

    @in_home
    def payload(self, serial: int) -> msgspec.Raw:
        """Return the encoded event with this serial number in the journal."""
        return self._session.view.payload(serial)

    @property
    def journal(self) -> Journal:
        """The journal of everything that happened."""
        return self._session.engine.journal

    def _look(self) -> None:
        self._session.has_seen_outcome = True
        self._session.check_awaited()
