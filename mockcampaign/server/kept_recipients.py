"""Recipients in a state file: read when somebody asks for them, so that a million costs neither start-up nor memory."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import msgspec

from mockcampaign.clients.recipient_list import Recipient
from mockcampaign.clients.recipient_table import ID, attribute_of, decode_row, encode_row

SCHEMA = """
    CREATE TABLE recipient (
        place INTEGER PRIMARY KEY, client_id INTEGER NOT NULL, list_id INTEGER NOT NULL, id TEXT NOT NULL,
        state INTEGER NOT NULL, is_defined INTEGER NOT NULL, value BLOB
    );
    CREATE INDEX recipient_by_id ON recipient (client_id, list_id, id, state);
    CREATE INDEX recipient_in_order ON recipient (client_id, list_id);
    CREATE INDEX recipient_as_defined ON recipient (client_id, list_id, place) WHERE is_defined;
"""
"""The table, whose order is that of places. `is_defined`: the row is as the list has it from the start."""

ACCESSIBLE, PENDING, GONE = 0, 1, 2
"""States of a row. Of recipients from the start, a row has to say that they are gone."""

_STATES = (ACCESSIBLE, PENDING, GONE)
_IDS_AT_ONCE = 1_000
_BEFORE_ALL = -(1 << 62)
_OF_LIST = "FROM recipient WHERE client_id = ? AND list_id = ?"
_INSERT = "INSERT INTO recipient (client_id, list_id, id, state, is_defined, value, place) VALUES (?, ?, ?, ?, ?, ?, ?)"

Values = tuple[object, ...]


class File(Protocol):
    """The state file: rows are read and written in the transaction that is open."""

    def read(self, statement: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a statement."""

    def each(self, statement: str, values: Values = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a statement one by one. Nothing may be written meanwhile."""

    def lost(self, why: str) -> Exception:
        """Return the error to raise because the file cannot be used any longer."""

    def write(self, statement: str, values: Values) -> None:
        """Carry out a statement, at the latest before the next row is read."""


def prepare(connection: sqlite3.Connection) -> None:
    """Give a connection the functions that statements on recipients call."""
    connection.create_function("attribute_of", 2, _attribute, deterministic=True)


def _attribute(row: bytes, name: str) -> str:
    try:
        return attribute_of(row, name)
    except msgspec.MsgspecError:
        return ""  # whoever reads the row gets the error


class _NamedRecipient(Recipient, frozen=True, kw_only=True, array_like=False):
    """A recipient as files had it before there was a table for them: with the names of its fields."""


def move_recipients(connection: sqlite3.Connection) -> None:
    """Move recipients from the rows of clients to their own table. Raises `msgspec.MsgspecError` for a damaged one."""
    of_lists = "FROM client_row WHERE name LIKE 'recipients of %'"
    for client_id, name, key, value in connection.execute(f"SELECT client_id, name, key, value {of_lists} ORDER BY id"):
        recipient_id = msgspec.msgpack.decode(key, type=str)
        state, row = GONE, None
        if value is not None:
            found = msgspec.msgpack.decode(value, type=_NamedRecipient)
            state = PENDING if found.is_pending else ACCESSIBLE
            row = msgspec.msgpack.encode(Recipient(**msgspec.structs.asdict(found)))
        connection.execute(_INSERT, (client_id, int(name.split()[-1]), recipient_id, state, False, row, None))
    connection.execute(f"DELETE {of_lists}")


class KeptRows:
    """The rows of one list. See `RecipientRows` for its methods."""

    def __init__(self, file: File, client_id: int, list_id: int) -> None:
        self._file = file
        self._list = (client_id, list_id)
        self._defined: frozenset[str] = frozenset()
        # In one pass over the index; grouped, SQLite would sort first.
        states = ", ".join(f"coalesce(sum(state = {state}), 0)" for state in _STATES)
        [counts] = file.read(f"SELECT {states} {_OF_LIST}", self._list)
        self._counts = dict(zip(_STATES, counts, strict=True))
        self._order: tuple[str, array[int]] | None = None
        """Attribute by which a page was sorted, and all places in its order, until something changes."""
        self._last: tuple[bool, int, str] | None = None
        """Direction of the newest page by id, number of rows to its end, and its last id, until something changes."""

    def define(self, recipients: Sequence[Recipient]) -> None:
        rows = {one.id: encode_row(one) for one in recipients}
        self._defined = frozenset(rows)
        read = self._file.read
        before = read(f"SELECT id, value {_OF_LIST} AND is_defined ORDER BY place", self._list)
        changed = {recipient_id for recipient_id in rows if (found := self._find(recipient_id)) and not found[2]}
        wanted = [(recipient_id, row) for recipient_id, row in rows.items() if recipient_id not in changed]
        if before == wanted:
            return
        self._file.write(f"DELETE {_OF_LIST} AND is_defined", self._list)
        [[lowest]] = read("SELECT coalesce(min(place), 0) FROM recipient")
        for place, (recipient_id, row) in enumerate(wanted, min(lowest, 0) - len(wanted)):
            self._file.write(_INSERT, (*self._list, recipient_id, ACCESSIBLE, True, row, place))
        self._counts[ACCESSIBLE] += len(wanted) - len(before)

    def get(self, recipient_id: str) -> Recipient | None:
        found = self._file.read(f"SELECT value {_OF_LIST} AND id = ? AND state != {GONE}", (*self._list, recipient_id))
        return next(self._decoded(found), None)

    def put(self, recipient: Recipient) -> None:
        row, state = encode_row(recipient), PENDING if recipient.is_pending else ACCESSIBLE
        found = self._find(recipient.id)
        if found is not None and found[1] == GONE:
            self._file.write("DELETE FROM recipient WHERE place = ?", (found[0],))
        if found is None or found[1] == GONE:
            self._file.write(_INSERT, (*self._list, recipient.id, state, False, row, None))
        else:
            self._file.write(
                "UPDATE recipient SET state = ?, is_defined = 0, value = ? WHERE place = ?", (state, row, found[0])
            )
        self._count(found, state)

    def remove(self, recipient_id: str) -> None:
        found = self._find(recipient_id)
        if found is None or found[1] == GONE:
            return
        if recipient_id in self._defined:
            statement = f"UPDATE recipient SET state = {GONE}, is_defined = 0, value = NULL WHERE place = ?"
            self._file.write(statement, (found[0],))
            self._count(found, GONE)
        else:
            self._file.write("DELETE FROM recipient WHERE place = ?", (found[0],))
            self._count(found, None)

    def counts(self) -> tuple[int, int]:
        pending = self._counts[PENDING]
        return self._counts[ACCESSIBLE] + pending, pending

    def ids(self) -> Iterator[str]:
        found = [(_BEFORE_ALL, "")]
        while found:
            found = self._from(found[-1][0], _IDS_AT_ONCE)
            yield from (recipient_id for _, recipient_id in found)

    def oldest(self) -> str | None:
        found = self._from(_BEFORE_ALL, 1)
        return found[0][1] if found else None

    def _from(self, place: int, limit: int) -> list[tuple[int, str]]:
        """Return the first places behind one, with their ids."""
        return self._file.read(
            f"SELECT place, id {_OF_LIST} AND place > ? AND state != {GONE} ORDER BY place LIMIT ?",
            (*self._list, place, limit),
        )

    def page(self, sort: str, offset: int, limit: int, *, descending: bool) -> Iterator[Recipient]:
        if sort != ID:
            return self._page_by_attribute(sort, offset, limit, descending=descending)
        condition, direction = ("<", "DESC") if descending else (">", "ASC")
        of_list = f"SELECT value, id {_OF_LIST} AND state = {ACCESSIBLE}"
        ending = f"ORDER BY id {direction} LIMIT ?"
        if self._last is not None and self._last[:2] == (descending, offset):
            # Whoever reads one page after the other skips none.
            rows = self._file.each(f"{of_list} AND id {condition} ? {ending}", (*self._list, self._last[2], limit))
        else:
            rows = self._file.each(f"{of_list} {ending} OFFSET ?", (*self._list, limit, offset))
        return self._decoded(self._noting_last(rows, offset, descending=descending))

    def _noting_last(
        self, rows: Iterator[tuple[Any, ...]], offset: int, *, descending: bool
    ) -> Iterator[tuple[Any, ...]]:
        last = None
        for row in rows:
            last = row
            offset += 1
            yield row
        if last is not None:
            self._last = descending, offset, last[1]

    def _page_by_attribute(self, name: str, offset: int, limit: int, *, descending: bool) -> Iterator[Recipient]:
        if self._order is None or self._order[0] != name:
            found = self._file.each(
                f"SELECT place {_OF_LIST} AND state = {ACCESSIBLE} ORDER BY attribute_of(value, ?), place",
                (*self._list, name),
            )
            self._order = name, array("q", (place for (place,) in found))
        places = self._order[1]
        last = len(places) - 1
        wanted = [places[last - one if descending else one] for one in range(offset, min(offset + limit, len(places)))]
        read = self._file.read
        return self._decoded(read("SELECT value FROM recipient WHERE place = ?", (place,))[0] for place in wanted)

    def _decoded(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[Recipient]:
        try:
            for row in rows:
                yield decode_row(row[0])
        except msgspec.MsgspecError as error:
            raise self._file.lost(f"a recipient is damaged ({error})") from None

    def _find(self, recipient_id: str) -> tuple[int, int, int] | None:
        """Return place, state and `is_defined` of a row, or None."""
        found = self._file.read(f"SELECT place, state, is_defined {_OF_LIST} AND id = ?", (*self._list, recipient_id))
        return found[0] if found else None

    def _count(self, found: tuple[int, int, int] | None, state: int | None) -> None:
        """Count a row that had one state and has another."""
        self._order = self._last = None
        if found is not None:
            self._counts[found[1]] -= 1
        if state is not None:
            self._counts[state] += 1


def kept_in(file: File) -> Callable[[int, int], KeptRows]:
    """Return what makes the rows of a client's list in a state file."""
    return lambda client_id, list_id: KeptRows(file, client_id, list_id)
