"""Journals as a file of JSON lines that grows while a run goes on, and can be read wherever it was cut off.

Each line is an entry with the number of the journal that it belongs to, since several runs may share a file. A run of
equal attempts that goes on is written again as it grows; the last line of it counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from mockcampaign.engine.journal import Attempted, Began, Entry, Journal
from mockcampaign.errors import InvalidInputError

FORMAT = 1

GROWTH_SECONDS = 0.1
"""So long may a growing run of attempts stay unwritten while nothing else happens: that much a killed run loses."""


class Heading(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="heading"):
    """The first line of a journal: what it is the journal of."""

    format: int = FORMAT
    name: str
    file: str = ""
    """The scenario that was played, as the run knew its path; empty where there was none."""
    target: str
    strict: bool = False


class Recorded(msgspec.Struct, kw_only=True):
    """One journal of a file."""

    heading: Heading
    entries: list[Entry]
    lines: list[int]
    """On which line of the file each entry stands, counted from 1."""


class _Numbered(msgspec.Struct):
    journal: int | None = None
    """Number of the journal that a line belongs to. Every line of a journal file has one."""


class JournalWriter:
    """Writes journals into a file while they grow. It is flushed at each line, so that a killed run has left them."""

    def __init__(self, file: BinaryIO, seconds: Callable[[], float]) -> None:
        """`seconds` reads a clock that never goes back."""
        self._file = file
        self._seconds = seconds
        self._journals = 0

    def follow(self, journal: Journal, heading: Heading) -> _Follower:
        """Write down what is in the journal and what comes into it, until the follower is closed."""
        self._journals += 1
        return _Follower(journal, heading, self._journals, self._file, self._seconds)

    def write(self, entries: Sequence[Entry], heading: Heading) -> None:
        """Write down a journal that is over."""
        self._journals += 1
        self._file.write(_lines(self._journals, heading, *entries))
        self._file.flush()


class _Follower:
    def __init__(
        self, journal: Journal, heading: Heading, number: int, file: BinaryIO, seconds: Callable[[], float]
    ) -> None:
        self._journal = journal
        self._number = number
        self._file = file
        self._seconds = seconds
        self._written_at = seconds()
        self._written = 0
        self._grown: dict[int, Entry] = {}
        self._write(heading)
        journal.follow(self._listen)

    def close(self) -> None:
        """Write what is still unwritten, and let go of the journal."""
        self._journal.unfollow(self._listen)
        self._write()

    def _listen(self, position: int, entry: Entry) -> None:
        if position < self._written:
            self._grown[position] = entry
            if self._seconds() - self._written_at >= GROWTH_SECONDS:
                self._write()
        else:
            self._written = position + 1
            self._write(entry)

    def _write(self, *entries: Heading | Entry) -> None:
        """What has grown meanwhile comes before what is new."""
        lines = _lines(self._number, *self._grown.values(), *entries)
        self._grown.clear()
        self._file.write(lines)
        self._file.flush()
        self._written_at = self._seconds()


def _lines(number: int, *entries: Heading | Entry) -> bytes:
    prefix = b'{"journal":%d,' % number
    return b"".join([prefix + msgspec.json.encode(entry)[1:] + b"\n" for entry in entries])


def load_journals(path: Path) -> list[Recorded]:
    """The journals of a file. Raises `InvalidInputError` where it cannot be read, and as `read_journals` does."""
    try:
        return read_journals(path.read_bytes(), str(path))
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from None


def read_journals(content: bytes, where: str) -> list[Recorded]:
    """The journals of a file, whose last line may be cut off.

    Raises `InvalidInputError` with the line where something else is wrong; `where` names the file.
    """
    line_decoder = msgspec.json.Decoder(_Numbered)
    entry_decoder: msgspec.json.Decoder[Heading | Entry] = msgspec.json.Decoder(Heading | Entry)
    *lines, rest = content.split(b"\n")
    if rest and _is_json(rest):
        lines.append(rest)  # else it was being written when the run was killed
    journals: dict[int, Recorded] = {}
    growing: dict[tuple[int, int], int] = {}
    for number, line in enumerate(lines, 1):
        try:
            journal = line_decoder.decode(line).journal
            if journal is None:
                raise _problem(where, number, "not a line of a journal")
            entry = entry_decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            reason = " ".join(str(error).split())[:160]
            raise _problem(where, number, f"not an entry of a journal: {reason}") from None
        if isinstance(entry, Heading):
            if entry.format != FORMAT:
                raise _problem(where, number, f"format {entry.format}, allowed: {FORMAT}")
            journals[journal] = Recorded(heading=entry, entries=[], lines=[])
            continue
        if journal not in journals:
            raise _problem(where, number, f"journal {journal} has no heading before this line")
        recorded = journals[journal]
        if not recorded.entries and not isinstance(entry, Began):
            raise _problem(where, number, "a journal begins with 'began'")
        if isinstance(entry, Attempted):
            position = growing.get((journal, entry.webhook_id))
            known = None if position is None else recorded.entries[position]
            if position is not None and isinstance(known, Attempted) and _continues(known, entry):
                recorded.entries[position] = entry
                recorded.lines[position] = number
                continue
            growing[journal, entry.webhook_id] = len(recorded.entries)
        recorded.entries.append(entry)
        recorded.lines.append(number)
    found = [recorded for recorded in journals.values() if recorded.entries]
    if not found:
        raise InvalidInputError(f"{where}: holds no journal, allowed: a file that --journal or `record` wrote")
    return found


def _continues(known: Attempted, entry: Attempted) -> bool:
    return (entry.at, entry.first_number, entry.serials, entry.redelivered) == (
        known.at,
        known.first_number,
        known.serials,
        known.redelivered,
    ) and entry.count > known.count


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _problem(where: str, line: int, what: str) -> InvalidInputError:
    return InvalidInputError(f"{where}:{line}: {what}")
