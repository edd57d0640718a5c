"""The file that leads the clock of a consumer in a process of its own.

It contains one number, such as `-3600.250`: the seconds by which the consumer's clock differs from the machine's.
libfaketime reads it at each look at the clock. An offset, and no date, so that the consumer keeps its time zone, a
restarted consumer has the same time, and its clock runs on while it works: what it measures by it is never zero.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from mockcampaign import wallclock
from mockcampaign.errors import CouldNotTellError
from mockcampaign.whole_files import why_not, write_whole

REAL_TIME = 0
"""The offset at which a consumer's clock agrees with that of its machine, in milliseconds."""


class ClockFile:
    """Leads the clocks of all consumers that read one file."""

    def __init__(self, path: Path) -> None:
        """Consumers keep the time that they have until `show` is called."""
        self.path = path
        self._offset = REAL_TIME
        self._shown: int | None = None

    @property
    def now(self) -> int:
        """The time that consumers read, in milliseconds since 1970."""
        return wallclock.real_now() + self._offset

    def show(self, moment: int) -> None:
        """Let the consumers' clocks show a moment, in milliseconds since 1970, and run on from there.

        A clock that has come further since an earlier moment is left alone: no clock goes back while time goes on.
        Raises `CouldNotTellError` if the file cannot be written.
        """
        shown, self._shown = self._shown, moment
        if shown is not None and (moment == shown or (moment > shown and self.now >= moment)):
            return
        self._write(moment - wallclock.real_now())

    def move_to(self, target: datetime) -> None:
        """Let the consumers' clocks show a moment, as a clock of time-machine does."""
        self.show(int(target.timestamp() * 1_000))

    def release(self) -> None:
        """Let the consumers' clocks agree with that of the machine."""
        self._shown = None
        self._write(REAL_TIME)

    def _write(self, offset: int) -> None:
        sign = "-" if offset < 0 else "+"
        seconds, milliseconds = divmod(abs(offset), 1_000)
        self._offset = offset
        try:
            write_whole(self.path, f"{sign}{seconds}.{milliseconds:03}\n".encode())
        except OSError as error:
            raise CouldNotTellError(f"clock file {self.path}: cannot be written: {why_not(error)}") from None
