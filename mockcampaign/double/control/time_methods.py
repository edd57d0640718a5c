"""Methods that let virtual time pass, within a limit of wall time."""

from __future__ import annotations

import asyncio
import functools

from mockcampaign.double.control.session import SessionMethods
from mockcampaign.double.inputs import Duration, duration_of
from mockcampaign.double.loops import AwaitableResult
from mockcampaign.durations import format_duration
from mockcampaign.errors import ConsumerUnreachableError, RunNotEndedError
from mockcampaign.text import counted, printable

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here


class TimeMethods(SessionMethods):
    """Let virtual time pass."""

    def advance(self, duration: Duration) -> AwaitableResult[None]:
        """Advance virtual time and do everything that falls due. Afterwards the consumer has nothing left to do.

        Raises `ConsumerUnreachableError` if the very first attempt cannot connect, and `RunNotEndedError` if the
        consumer takes too long.
        """
        return self._pass_time("advance", duration_of(duration, "duration"))

    def run(self) -> AwaitableResult[None]:
        """Advance virtual time until nothing is left to send. Raises the errors that `advance` raises."""
        return self._pass_time("run", None)

    def _pass_time(self, method: str, duration: int | None) -> AwaitableResult[None]:
        session = self._session
        home = session.home
        home.check_open()
        session.check_awaited()
        home.call_in_home(functools.partial(session.need_webhook, method))
        name = f"{home.name}.{method}()"
        session.last_result = home.run_in_home(name, functools.partial(self._advance_within_limit, name, duration))
        return session.last_result

    async def _advance_within_limit(self, name: str, duration: int | None) -> None:
        session = self._session
        began = session.engine.now
        session.engine.forget_simulated_failures()  # the test may have fixed its consumer
        limit = asyncio.timeout(session.settings.run_timeout / 1_000)
        try:
            async with limit:
                await session.home.advance_and_settle(
                    session.engine, duration, session.settings.policy.timeout, session.clock.show
                )
        except BaseException as error:
            session.has_seen_outcome = True  # the test sees the error
            if isinstance(error, TimeoutError) and limit.expired():
                raise RunNotEndedError(self._how_far(name, began)) from None
            if isinstance(error, ConsumerUnreachableError):
                raise ConsumerUnreachableError(error.cause, f"start it before {name}, or declare an outage") from None
            raise

    def _how_far(self, name: str, began: int) -> str:
        session = self._session
        attempts = session.view.deliveries(session.engine.webhook)
        last = f", the last one: {printable(attempts[-1].outcome.describe())}" if attempts else ""
        return (
            f"{name} did not end within {format_duration(session.settings.run_timeout)}: it advanced "
            f"{format_duration(session.engine.now - began)} of virtual time, with "
            f"{counted(len(attempts), 'attempt')}{last}, and {counted(len(session.view.pending), 'event')} pending; "
            "raise mockcampaign_run_timeout, or lower the policy's "
            "timeout: @pytest.mark.mockcampaign(policy=mockcampaign.Policy(timeout=…))"
        )
