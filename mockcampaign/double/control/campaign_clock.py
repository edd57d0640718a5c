"""The campaign's virtual time, and other clocks that follow it, so that the consumer sees the same three days."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from mockcampaign.clocks.clock_file import ClockFile
from mockcampaign.double.arguments import check_each
from mockcampaign.double.control.deliveries import to_datetime
from mockcampaign.errors import MisuseError


class Movable(Protocol):
    """A clock that can be set, such as that of time-machine or freezegun."""

    def move_to(self, target: datetime, /) -> object: ...


class CampaignClock:
    """Virtual time. It moves only with `advance` and `run`, and stands still while the consumer handles a request."""

    def __init__(self, milliseconds: Callable[[], int]) -> None:
        self._milliseconds = milliseconds
        self._led: list[Movable] = []
        self._shown: int | None = None
        self._started = contextlib.ExitStack()

    @property
    def now(self) -> datetime:
        """The current virtual time, in UTC."""
        return to_datetime(self._milliseconds())

    def lead(self, *clocks: Movable | str | Path) -> None:
        """Let these clocks follow virtual time, before each request and after each `advance` and `run`.

        A clock is any object with `move_to(datetime)`, such as the fixture `time_machine` of time-machine or `freezer`
        of pytest-freezer, or the path of the clock file of consumers that `mockcampaign clock run` started. Without
        arguments, the clock of this process follows until the test is over, by time-machine or else freezegun.

        Raises `MisuseError` without arguments if neither library is installed, and `InvalidInputError` for a path that
        no consumer was started with.
        """
        check_each("lead", "clocks", clocks)
        self._led += [self._movable(clock) for clock in clocks] or [self._own()]
        self._shown = None
        self.show()

    @property
    def leads(self) -> bool:
        """Whether any clock follows."""
        return bool(self._led)

    def show(self) -> None:
        """Set the clocks that follow to the current virtual time."""
        now = self._milliseconds()
        if self._led and now != self._shown:
            for clock in self._led:
                clock.move_to(to_datetime(now))
            self._shown = now  # not before: a clock that could not be set is set at the next request

    def release(self) -> None:
        """Let no clock follow any more, and restore the clocks of this process and of consumers that read a file."""
        self._led.clear()
        self._started.close()

    def _movable(self, clock: Movable | str | Path) -> Movable:
        if not isinstance(clock, str | Path):
            return clock
        file = ClockFile.existing(Path(clock), "lead")
        self._started.callback(file.release)
        return file

    def _own(self) -> Movable:
        for library, start in (("time_machine", _by_time_machine), ("freezegun", _by_freezegun)):
            with contextlib.suppress(ModuleNotFoundError):
                clock: Movable = self._started.enter_context(start(importlib.import_module(library), self.now))
                return clock
        raise MisuseError(
            "campaign.clock.lead() needs time-machine or freezegun: install one, or pass a clock that has move_to()"
        )


def _by_time_machine(library: Any, now: datetime) -> Any:
    return library.travel(now, tick=False)


def _by_freezegun(library: Any, now: datetime) -> Any:
    # The event loop keeps real time, or nothing in it would ever time out. So does pytest, which measures tests.
    return library.freeze_time(now, real_asyncio=True, ignore=["_pytest."])
