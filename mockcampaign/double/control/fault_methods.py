"""Methods that inject outages and faults between the campaign and the consumer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from mockcampaign.double.control.session import SessionMethods, in_home
from mockcampaign.double.inputs import Duration, duration_of
from mockcampaign.durations import format_duration
from mockcampaign.engine.declared_faults import read_fault
from mockcampaign.faults import CallFault

if TYPE_CHECKING:
    from mockcampaign.campaign import FaultInForce
    from mockcampaign.model import Webhook

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here


class FaultMethods(SessionMethods):
    """Inject outages and faults."""

    @in_home
    def outage(self, duration: Duration, kind: str = "refused", *webhooks: Webhook) -> None:
        """Let no request reach the consumers of these webhooks (default: all) for `duration` from now on.

        Raises `InvalidInputError` for an unknown kind.
        """
        self._session.home.check_open()
        self._session.engine.outage(duration_of(duration, "duration"), kind, *webhooks)

    @in_home
    def fault(
        self,
        kind: str,
        /,
        *webhooks: Webhook,
        times: int | None = None,
        duration: Duration | None = None,
        every: int | None = None,
        probability: float | None = None,
        **parameters: object,
    ) -> FaultInForce:
        """Inject a fault into the attempts of these webhooks (default: all) from now on, or into calls of the REST API.

        As a context manager, the fault ends with its block. `mockcampaign.faults` explains all kinds and their
        parameters.

        Raises `InvalidInputError` for an unknown kind or parameter, and for a fault that needs a socket where the
        consumer is called in-process.
        """
        session = self._session
        session.home.check_open()
        limits = {"times": times, "for": duration, "every": every, "probability": probability, **parameters}
        values = {
            name: format_duration(duration_of(value, name)) if isinstance(value, timedelta) else value
            for name, value in limits.items()
            if value is not None
        }
        fault, when = read_fault({"kind": kind, **values})
        if not isinstance(fault, CallFault):  # those hit the registration of the first webhook, too
            session.need_webhook("fault")
        return session.engine.declare_fault(fault, when, *webhooks)
