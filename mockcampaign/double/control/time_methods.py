"""Methods that let virtual time pass, within a limit of wall time."""

from __future__ import annotations

import asyncio
import functools

from mockcampaign.double.arguments import check_values
from mockcampaign.double.control.session import SessionMethods
from mockcampaign.double.inputs import Duration, duration_of
from mockcampaign.double.loops import AwaitableResult
from mockcampaign.durations import format_duration
from mockcampaign.errors import ConsumerRejectsError, ConsumerUnreachableError, RunNotEndedError
from mockcampaign.judging.responses.rejections import NothingAccepted
from mockcampaign.text import counted, printable

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here


class TimeMethods(SessionMethods):
    """Let virtual time pass."""

    def advance(self, duration: Duration) -> AwaitableResult[None]:
        """Advance virtual time and do everything that falls due. Afterwards the consumer has nothing left to do.

        Raises `ConsumerUnreachableError` if the very first attempt cannot connect, and `RunNotEndedError` if the
        consumer takes too long.
        """
        return self._pass_time("advance", duration_of(duration, "duration"), despite_rejections=True)

    def run(self, *, despite_rejections: bool = False) -> AwaitableResult[None]:
        """Advance virtual time until nothing is left to send.

        It stops if a webhook has never been accepted, and is rejected ten times in a row without any outage or fault:
        most likely its path or credentials are wrong. With `despite_rejections`, it goes on until the events expire.

        Raises `ConsumerRejectsError` where it stops like this, and the errors that `advance` raises.
        """
        check_values("run", {"despite_rejections": despite_rejections})
        return self._pass_time("run", None, despite_rejections=despite_rejections)

    def _pass_time(self, method: str, duration: int | None, *, despite_rejections: bool) -> AwaitableResult[None]:
        session = self._session
        home = session.home
        home.check_open()
        session.check_awaited()
        home.call_in_home(functools.partial(session.need_webhook, method))
        name = f"{home.name}.{method}()"
        work = functools.partial(self._advance_within_limit, name, duration, despite_rejections)
        session.last_result = home.run_in_home(name, work)
        return session.last_result

    async def _advance_within_limit(self, name: str, duration: int | None, despite_rejections: bool) -> None:
        session = self._session
        began = session.engine.now
        session.engine.forget_simulated_failures()  # the test may have fixed its consumer
        policy = session.settings.policy
        # Who plans for simulated attempts or a suspension expects rejections.
        goes_on = despite_rejections or bool(policy.simulate_after or policy.suspend_after)
        if not goes_on:
            session.rejections.begin()
        limit = asyncio.timeout(session.settings.run_timeout / 1_000)
        try:
            async with limit:
                await session.home.advance_and_settle(
                    session.engine,
                    duration,
                    policy.timeout,
                    session.clock.show,
                    lambda: not goes_on and session.rejections.found is not None,
                )
            if not goes_on and session.rejections.found is not None:
                raise ConsumerRejectsError(self._why_stopped(name, session.rejections.found))
        except BaseException as error:
            session.has_seen_outcome = True  # the test sees the error
            if isinstance(error, TimeoutError) and limit.expired():
                raise RunNotEndedError(self._how_far(name, began)) from None
            if isinstance(error, ConsumerUnreachableError):
                raise ConsumerUnreachableError(error.cause, f"start it before {name}, or declare an outage") from None
            raise

    def _why_stopped(self, name: str, rejected: NothingAccepted) -> str:
        # Imported here because few tests need the advice.
        from mockcampaign.scenario.stopped_run import Door, why_stopped

        session = self._session
        door = Door(
            run=name,
            credentials=session.home.how_to_give_credentials,
            go_on=f"{session.home.name}.run(despite_rejections=True)",
        )
        return why_stopped(door, rejected, session.engine.webhook(rejected.webhook_id), session.engine.journal.entries)

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
