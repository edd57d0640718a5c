"""The campaign's virtual time as a clock that can lead the consumer's, so that both see the same three days."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from mockcampaign.errors import MisuseError
from mockcampaign.pytest_plugin.control.deliveries import moment


class Movable(Protocol):
    """A clock that can be set, such as time-machine's and freezegun's."""

    def move_to(self, target: datetime, /) -> object: ...


class CampaignClock:
    """Virtual time. It moves only with `advance` and `run`, and stands still while the consumer works on a list."""

    def __init__(self, milliseconds: Callable[[], int]) -> None:
        self._milliseconds = milliseconds
        self._led: list[Movable] = []
        self._shown: int | None = None
        self._started = contextlib.ExitStack()

    @property
    def now(self) -> datetime:
        """The moment, in UTC."""
        return moment(self._milliseconds())

    def lead(self, *clocks: Movable) -> None:
        """From now on these clocks show virtual time whenever the consumer is called, and whenever time has passed.

        Such as the fixture `time_machine` of time-machine or `freezer` of pytest-freezer: whatever has
        `move_to(datetime)`. None named: this process' clock, by time-machine or else freezegun, until the test is over.

        Raises `MisuseError` where none is named, and neither library is installed.
        """
        self._led += clocks or (self._own(),)
        self._shown = None
        self.show()

    @property
    def leads(self) -> bool:
        """Whether any clock is led."""
        return bool(self._led)

    def show(self) -> None:
        """Let the clocks that are led show the present."""
        now = self._milliseconds()
        if self._led and now != self._shown:
            self._shown = now
            for clock in self._led:
                clock.move_to(moment(now))

    def release(self) -> None:
        """Lead no clock any more, and set this process' right again."""
        self._led.clear()
        self._started.close()

    def _own(self) -> Movable:
        for library, start in (("time_machine", _by_time_machine), ("freezegun", _by_freezegun)):
            with contextlib.suppress(ModuleNotFoundError):
                clock: Movable = self._started.enter_context(start(importlib.import_module(library), self.now))
                return clock
        raise MisuseError(
            "campaign.clock.lead() needs time-machine or freezegun: install one, or name a clock that has move_to()"
        )


def _by_time_machine(library: Any, now: datetime) -> Any:
    return library.travel(now, tick=False)


def _by_freezegun(library: Any, now: datetime) -> Any:
    # The event loop goes by real time, or nothing in it would ever time out; and so does pytest, which times tests.
    return library.freeze_time(now, real_asyncio=True, ignore=["_pytest."])
