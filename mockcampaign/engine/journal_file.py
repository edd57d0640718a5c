"""Journals in a file of JSON lines, which grows during a run and is readable wherever it was cut off.

Several runs may share a file, so each line is an entry with the number of its journal. An entry that grows is written
again, and its last line counts.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Sequence
from io import BytesIO, RawIOBase

import msgspec

from mockcampaign import json_text
from mockcampaign.engine.journal import Attempted, Began, Entry, Journal
from mockcampaign.errors import InvalidInputError

FORMAT = 1

GROWTH_SECONDS = 0.1
"""Longest time that a grown entry stays unwritten, and so the most that a killed run loses."""


class Heading(msgspec.Struct, frozen=True, kw_only=True, tag_field="entry", tag="heading"):
    """The first line of a journal: which run it belongs to."""

    format: int = FORMAT
    name: str
    file: str = ""
    """Path of the scenario, relative to the folder of the journal; empty if there was none."""
    target: str
    strict: bool = False


class RecordedJournal(msgspec.Struct, kw_only=True):
    """One journal that was read from a file."""

    heading: Heading
    entries: list[Entry]
    lines: list[int]
    """Line of the file at which each entry is, from 1."""


class _Numbered(msgspec.Struct):
    journal: int | None = None
    """Number of the journal that a line belongs to. Every line of a journal file has one."""


def _raise(error: OSError) -> None:
    raise error


class JournalWriter:
    """Writes journals into an unbuffered file while they grow, in case the run is killed."""

    def __init__(
        self, file: RawIOBase | BytesIO, seconds: Callable[[], float], failed: Callable[[OSError], object] = _raise
    ) -> None:
        """`seconds` returns the time of a clock that never goes back.

        `failed` is called with the first error of the file, after which nothing more is written to it.
        """
        self._file: RawIOBase | BytesIO | None = file
        self._seconds = seconds
        self._failed = failed
        self._journals = 0

    @property
    def seconds(self) -> float:
        """The time of the clock."""
        return self._seconds()

    def follow(self, journal: Journal, heading: Heading) -> _Follower:
        """Write the journal's entries, and all that are added until the follower is closed."""
        self._journals += 1
        return _Follower(journal, heading, self._journals, self)

    def write(self, entries: Sequence[Entry], heading: Heading) -> None:
        """Write a journal that is complete."""
        self._journals += 1
        self.write_lines(_lines(self._journals, heading, *entries))

    def write_lines(self, lines: bytes) -> None:
        """Write lines of a journal, unless the file has failed."""
        if self._file is None:
            return
        rest = memoryview(lines)
        try:
            while rest:  # the file is not buffered, and may write less
                rest = rest[self._file.write(rest) or 0 :]
        except OSError as error:
            self._file = None
            self._failed(error)


class _Follower:
    def __init__(self, journal: Journal, heading: Heading, number: int, writer: JournalWriter) -> None:
        self._journal = journal
        self._number = number
        self._writer = writer
        self._written_at = writer.seconds
        self._written = 0
        self._grown: dict[int, Entry] = {}
        self._write(heading)
        journal.follow(self._listen)

    def close(self) -> None:
        """Write what is still unwritten, and stop following the journal."""
        self._journal.unfollow(self._listen)
        self._write()

    def _listen(self, position: int, entry: Entry) -> None:
        if position < self._written:
            self._grown[position] = entry
            if self._writer.seconds - self._written_at >= GROWTH_SECONDS:
                self._write()
        else:
            self._written = position + 1
            self._write(entry)

    def _write(self, *entries: Heading | Entry) -> None:
        """Write the entries that have grown, then the new ones."""
        lines = _lines(self._number, *self._grown.values(), *entries)
        self._grown.clear()
        self._writer.write_lines(lines)
        self._written_at = self._writer.seconds


def _lines(number: int, *entries: Heading | Entry) -> bytes:
    prefix = b'{"journal":%d,' % number
    return b"".join([prefix + msgspec.json.encode(entry)[1:] + b"\n" for entry in entries])


def read_journals(content: bytes, where: str) -> list[RecordedJournal]:
    """Return the journals of a file's content, whose last line may be incomplete.

    `where` is the file's name in messages. Raises `InvalidInputError` with the number of an invalid line.
    """
    line_decoder = msgspec.json.Decoder(_Numbered)
    entry_decoder: msgspec.json.Decoder[Heading | Entry] = msgspec.json.Decoder(Heading | Entry)
    # Editors and shells add a byte order mark and empty lines; captured events may have them as well.
    *lines, rest = content.removeprefix(BOM_UTF8).split(b"\n")
    if rest and _is_json(rest):
        lines.append(rest)  # otherwise the run was killed while it wrote the line
    journals: dict[int, RecordedJournal] = {}
    growing: dict[tuple[int, int], int] = {}
    for number, line in enumerate(map(json_text.without_lone_surrogates, lines), 1):
        if not line.strip():
            continue
        try:
            journal = line_decoder.decode(line).journal
            entry = None if journal is None else entry_decoder.decode(line)
        except (ValueError, RecursionError, InvalidInputError) as error:  # the last one is of a policy or a fault
            reason = " ".join(str(error).split())[:160]
            raise _problem(where, number, f"not an entry of a journal: {reason}") from None
        if journal is None or entry is None:
            raise _problem(where, number, "not a line of a journal")
        if isinstance(entry, Heading):
            if entry.format != FORMAT:
                raise _problem(where, number, f"format {entry.format}, allowed: {FORMAT}")
            journals[journal] = RecordedJournal(heading=entry, entries=[], lines=[])
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
        raise InvalidInputError(f"{where}: contains no journal, allowed: a file that --journal or `record` wrote")
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
        json_text.decode(line)
    except (ValueError, RecursionError):
        return False
    return True


def _problem(where: str, line: int, what: str) -> InvalidInputError:
    return InvalidInputError(f"{where}:{line}: {what}")
