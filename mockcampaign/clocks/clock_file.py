"""The file that leads the clock of a consumer in a process of its own.

It contains one number, such as `-3600.250`: the seconds by which the consumer's clock differs from the machine's.
libfaketime reads it at each look at the clock. An offset, and no date, so that the consumer keeps its time zone, a
restarted consumer has the same time, and its clock runs on while it works: what it measures by it is never zero.
"""

from __future__ import annotations

import logging
import re
from datetime import datetime
from pathlib import Path

from mockcampaign import wallclock
from mockcampaign.errors import ClockNotLedError, InvalidInputError
from mockcampaign.whole_files import check_regular, check_writable, why_not, write_whole

REAL_TIME = 0
"""The offset at which a consumer's clock agrees with that of its machine, in milliseconds."""

_LONGEST = 64
"""More bytes than any clock file has."""

_LOGGER = logging.getLogger(__name__)


class ClockFile:
    """Leads the clocks of all consumers that read one file."""

    def __init__(self, path: Path, place: str = "clock file") -> None:
        """Consumers keep the time that they have until `show` is called. Errors begin with `place` and the path.

        Raises `InvalidInputError` for a file with any other content: it would be overwritten.
        """
        self.path = path
        self._place = place
        self._offset = self._read()
        self._shown: int | None = None

    @classmethod
    def existing(cls, path: Path, place: str = "clock file") -> ClockFile:
        """Return what leads the clocks of consumers that were started with the file.

        Raises `InvalidInputError` if there is none, as after a typo: its clock would just not follow. The same if
        the file has any other content, or cannot be written.
        """
        clock = cls(path, place)
        if not path.exists():
            raise InvalidInputError(
                f"{place} {path}: no such file, and so no consumer that follows, allowed: that of `mockcampaign clock "
                f"run --clock-file {path} -- COMMAND`"
            )
        try:
            clock.check()
        except ClockNotLedError as error:
            raise InvalidInputError(str(error)) from None
        return clock

    @property
    def offset(self) -> int:
        """Difference between the consumers' clocks and that of the machine, in milliseconds."""
        return self._offset

    @property
    def now(self) -> int:
        """The time that consumers read, in milliseconds since 1970."""
        return wallclock.real_now() + self._offset

    def check(self) -> None:
        """Raise `ClockNotLedError` if the file cannot be written now."""
        try:
            check_writable(self.path)
        except OSError as error:
            raise self._not_written(error) from None

    def create(self) -> None:
        """Begin with real time if there is no file yet. Raises `ClockNotLedError` as `show` does."""
        if not self.path.exists() or not self.path.stat().st_size:
            self._write(REAL_TIME)

    def show(self, moment: int) -> None:
        """Let the consumers' clocks show a moment, in milliseconds since 1970, and run on from there.

        A clock that has come further since an earlier moment is left alone: no clock goes back while time goes on.
        Raises `ClockNotLedError` if the file cannot be written.
        """
        shown = self._shown
        if shown is None or (moment != shown and (moment < shown or self.now < moment)):
            self._write(moment - wallclock.real_now())
        self._shown = moment

    def move_to(self, target: datetime) -> None:
        """Let the consumers' clocks show a moment, as a clock of time-machine does."""
        self.show(int(target.timestamp() * 1_000))

    def release(self) -> None:
        """Let the consumers' clocks agree with that of the machine.

        Whatever was found out meanwhile stays valid if that fails, so it is logged, as one line on standard error.
        """
        self._shown = None
        try:
            self._write(REAL_TIME)
        except ClockNotLedError as error:
            _LOGGER.warning("mockcampaign: %s: the consumer's clock stays where it is", error)

    def _read(self) -> int:
        try:
            check_regular(self.path)
            if not self.path.exists():
                return REAL_TIME
            with self.path.open("rb") as file:
                content = file.read(_LONGEST)
        except InvalidInputError as error:
            raise InvalidInputError(f"{self._place} {error}") from None
        except OSError as error:
            raise InvalidInputError(f"{self._place} {self.path}: cannot be read: {why_not(error)}") from None
        found = re.fullmatch(rb"([+-])([0-9]+)\.([0-9]{3})\n", content)
        if found is None and content:
            raise InvalidInputError(
                f"{self._place} {self.path}: not a clock file, allowed: a new file, or one of `mockcampaign clock run`"
            )
        return REAL_TIME if found is None else int(b"".join(found.groups()))

    def _write(self, offset: int) -> None:
        sign = "-" if offset < 0 else "+"
        seconds, milliseconds = divmod(abs(offset), 1_000)
        try:
            write_whole(self.path, f"{sign}{seconds}.{milliseconds:03}\n".encode())
        except OSError as error:
            raise self._not_written(error) from None
        self._offset = offset

    def _not_written(self, error: OSError) -> ClockNotLedError:
        return ClockNotLedError(f"{self._place} {self.path}: cannot be written: {why_not(error)}")
