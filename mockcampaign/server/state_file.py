"""The state file of a server (`--state`): webhooks, pending events, recipients, faults and the journal, in SQLite.

It is notified of each change (`Keeper`, and the journal's listener) and writes it in a transaction that `commit` ends.
Whoever lets a change be seen from outside, by a response or a request to a consumer, commits before.
"""

from __future__ import annotations

import os
import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from mockcampaign.clients.kept_table import Row, Table, TableName
from mockcampaign.engine.declared_faults import Declared
from mockcampaign.engine.duplicates import DuplicateDelivery
from mockcampaign.engine.event_streams import EventsDue
from mockcampaign.engine.journal import Entry, Happened, Journal, SerialRanges, serial_ranges, serials_in
from mockcampaign.engine.keeping import KeptSender, KeptWebhook
from mockcampaign.engine.outages import Outage
from mockcampaign.engine.outbox import Attempt, Due, Events, Idle, age_order
from mockcampaign.errors import InvalidInputError, MockcampaignError
from mockcampaign.events import Rates
from mockcampaign.model import Event, EventType, Webhook
from mockcampaign.server.kept_declarations import DECLARED_TABLE, Declaration, FaultAtStart, KeptDeclarations
from mockcampaign.server.kept_recipients import SCHEMA, Values, move_recipients, prepare
from mockcampaign.server.users import Rotation
from mockcampaign.whole_files import check_regular, why_not

APPLICATION_ID = 0x6D6F636B
"""Marks our files among those of SQLite: "mock"."""

_MIGRATIONS: tuple[tuple[str, Callable[[sqlite3.Connection], object]], ...] = (
    (
        """
        CREATE TABLE number (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE webhook (id INTEGER PRIMARY KEY, value BLOB NOT NULL, retry BLOB);
        CREATE TABLE happened (first_serial INTEGER PRIMARY KEY, position INTEGER NOT NULL, created BLOB NOT NULL);
        CREATE TABLE pending (
            first_serial INTEGER NOT NULL, webhook_id INTEGER NOT NULL, serials BLOB NOT NULL,
            PRIMARY KEY (first_serial, webhook_id)
        ) WITHOUT ROWID;
        CREATE TABLE scheduled (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, events BLOB NOT NULL);
        CREATE TABLE mailing (id INTEGER PRIMARY KEY, value BLOB NOT NULL);
        CREATE TABLE generator (client_id INTEGER PRIMARY KEY, position BLOB NOT NULL);
        CREATE TABLE journal (position INTEGER PRIMARY KEY, entry BLOB NOT NULL);
        """,
        bool,
    ),
    (
        """
        CREATE TABLE client_row (
            id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL, name TEXT NOT NULL, key BLOB NOT NULL, value BLOB,
            UNIQUE (client_id, name, key)
        );
        """,
        bool,
    ),
    (SCHEMA, move_recipients),
    (DECLARED_TABLE, bool),
)
"""Statements, and what follows them, that bring a file from each version to the next. A new file has version 0."""

TABLES = (
    *("number", "webhook", "happened", "pending", "scheduled", "mailing", "generator", "journal"),
    *("client_row", "recipient", "declared"),
)


class StateLostError(MockcampaignError):
    """The state file can no longer be written. The server ends: what it could not write has not been seen by anyone."""


class ChangingClients(Protocol):
    """The clients of a campaign, as far as their changes are stored."""

    changed_tables: dict[TableName, Table[Any, Any]]

    @property
    def next_id(self) -> int:
        """An id that is above all new ones."""


class KeptMailing(msgspec.Struct, frozen=True, kw_only=True):
    """A mailing whose events are still to come, as it is made again."""

    client_id: int
    number: int
    recipients: int
    start: int
    rates: Rates


class KeptCampaign(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a state file."""

    seed: int
    sender: KeptSender
    mailings: tuple[KeptMailing, ...]
    client_rows: list[Row]
    """Changes of clients, in order of client and change."""
    next_object_id: int
    generators: dict[int, tuple[int, ...]]
    """Positions of the generators, by client."""
    entries: list[Entry]
    dropped: int
    """Number of entries before these."""
    faults_at_start: list[FaultAtStart]
    rotations: list[Rotation]


class _Retry(msgspec.Struct, frozen=True, array_like=True):
    at: int
    number: int
    serials: SerialRanges
    turn: int = 0


class _Due(msgspec.Struct, frozen=True, array_like=True):
    client_id: int
    type: EventType
    payloads: tuple[tuple[int, bytes], ...]


class _Together(msgspec.Struct):
    """Events that occurred together, and with which webhooks they are still pending."""

    last: int
    position: int
    """Position of their entry in the journal, which has their payloads."""
    pending: dict[int, SerialRanges]
    """Serials by webhook."""


_encode = msgspec.msgpack.encode
_encode_entry = msgspec.json.Encoder().encode


class StateFile:
    """One file, which one process at a time has open."""

    def __init__(self, path: Path) -> None:
        """Open a file, or begin a new one. Raises `InvalidInputError` for anything that is no state file of ours."""
        self._path = path
        self._connection = _opened(path)
        self._error = ""
        """The first error, if there was one. Nothing is read or written after it, and the next commit says so."""
        self._open = False
        """Whether a transaction is."""
        self._moment = -1
        self._scheduled: dict[int, int] = {}
        """Row of each scheduled item, by its identity: the clock keeps it alive."""
        self._last_row = 0
        self._happened: dict[int, _Together] = {}
        self._firsts: list[int] = []
        """First serials of `_happened`, ascending, and of others that are gone."""
        self._grown: dict[int, Entry] = {}
        self._unsaved: set[tuple[int, int]] = set()
        self._journal: Journal | None = None
        self._dropped = 0
        self._next_webhook_id = 1
        self._has_start = False
        self._clients: ChangingClients | None = None
        self._declarations = KeptDeclarations()
        self._last_fault = 0
        self._turns: dict[int, tuple[int, int]] = {}
        """Moment and turn of each webhook's latest retry."""
        self._last_turn = 0

    @property
    def path(self) -> Path:
        """Path of the file."""
        return self._path

    def close(self) -> None:
        """Close the file. What is not committed is lost."""
        self._connection.close()

    # Reading

    def load(self) -> KeptCampaign | None:
        """Return what the file contains, or None if it is new. Raises `InvalidInputError`."""
        try:
            return self._load()
        except (sqlite3.Error, msgspec.MsgspecError, LookupError, TypeError, ValueError) as error:
            raise _refused(self._path, f"damaged ({' '.join(str(error).split())})") from None

    def _load(self) -> KeptCampaign | None:
        numbers = msgspec.convert(dict(self._rows("SELECT name, value FROM number")), dict[str, int])
        if not numbers:
            return None
        self._dropped = numbers.get("dropped", 0)
        self._has_start = True
        events = {
            event.serial: event
            for row in self._rows(
                "SELECT first_serial, position, created, entry FROM happened JOIN journal USING (position) "
                "ORDER BY first_serial"
            )
            for event in self._restore_together(*row)
        }
        pending: dict[int, list[Event]] = {}
        for first, webhook_id, encoded in self._rows("SELECT first_serial, webhook_id, serials FROM pending"):
            ranges = msgspec.msgpack.decode(encoded, type=SerialRanges)
            self._happened[first].pending[webhook_id] = ranges
            pending.setdefault(webhook_id, []).extend(events[serial] for serial in serials_in(ranges))
        webhooks = []
        for encoded, retry in self._rows("SELECT value, retry FROM webhook ORDER BY id"):
            webhook = msgspec.msgpack.decode(encoded, type=Webhook)
            left = tuple(sorted(pending.get(webhook.id, ()), key=age_order))
            kept_retry = None if retry is None else msgspec.msgpack.decode(retry, type=_Retry)
            if kept_retry is not None:
                self._turns[webhook.id] = kept_retry.at, kept_retry.turn
                self._last_turn = max(self._last_turn, kept_retry.turn)
            turn = 0 if kept_retry is None else kept_retry.turn
            next_attempt = None if kept_retry is None else _due(kept_retry, left)
            webhooks.append(KeptWebhook(webhook=webhook, pending=left, retry=next_attempt, turn=turn))
        scheduled = []
        for row, at, encoded in self._rows("SELECT id, at, events FROM scheduled ORDER BY id"):
            kept = msgspec.msgpack.decode(encoded, type=_Due)
            due = EventsDue(client_id=kept.client_id, type=kept.type, payloads=kept.payloads)
            scheduled.append((at, due))
            self._scheduled[id(due)] = self._last_row = row
        decoder = msgspec.json.Decoder(Entry)
        entries = self._rows(f"SELECT entry FROM journal WHERE position >= {self._dropped} ORDER BY position")
        self._next_webhook_id = numbers.get("next_webhook_id", 1)
        self._last_fault = numbers.get("last_fault", 0)
        declared = self._declarations.load(self._rows("SELECT id, value FROM declared ORDER BY id"))
        return KeptCampaign(
            seed=numbers.get("seed", 0),  # which every file had before it was kept, unless an option said otherwise
            sender=KeptSender(
                start=numbers["start"],
                now=numbers["now"],
                last_serial=numbers.get("last_serial", 0),
                next_webhook_id=self._next_webhook_id,
                webhooks=tuple(webhooks),
                scheduled=tuple(scheduled),
                declared=tuple(one for one in declared if isinstance(one, Declared | Outage | DuplicateDelivery)),
                last_fault=self._last_fault,
            ),
            mailings=tuple(
                msgspec.msgpack.decode(encoded, type=KeptMailing)
                for (encoded,) in self._rows("SELECT value FROM mailing ORDER BY id")
            ),
            generators={
                client_id: msgspec.msgpack.decode(position, type=tuple[int, ...])
                for client_id, position in self._rows("SELECT client_id, position FROM generator")
            },
            client_rows=list(self._rows("SELECT client_id, name, key, value FROM client_row ORDER BY client_id, id")),
            next_object_id=numbers.get("next_object_id", 0),
            entries=[decoder.decode(entry) for (entry,) in entries],
            dropped=self._dropped,
            faults_at_start=[one for one in declared if isinstance(one, FaultAtStart)],
            rotations=[one for one in declared if isinstance(one, Rotation)],
        )

    def _restore_together(self, first: int, position: int, created: bytes, encoded: bytes) -> list[Event]:
        moments = msgspec.msgpack.decode(created, type=list[int])
        payloads = msgspec.json.decode(encoded, type=Happened).events
        self._happened[first] = _Together(first + len(payloads) - 1, position, {})
        self._firsts.append(first)
        return [
            Event(serial, moment, bytes(payload))
            for serial, (moment, payload) in enumerate(zip(moments, payloads, strict=True), first)
        ]

    # Following

    def follow(self, journal: Journal) -> None:
        """Write the journal's entries, and all that are added or grow."""
        self._journal = journal
        journal.follow(self._note)

    def follow_clients(self, clients: ChangingClients) -> None:
        """Store the changes of the clients at each commit."""
        self._clients = clients

    def _note(self, position: int, entry: Entry) -> None:
        self._grown[position] = entry

    def seeded(self, seed: int) -> None:
        """Store the seed of the events, so that mailings are made again with it."""
        self._number("seed", seed)

    def changed(self, webhook: Webhook, state: Idle | Due | Attempt) -> None:
        """Store a webhook. Its credentials are in the file, which only its owner can read."""
        retry = self._retry(webhook.id, state) if isinstance(state, Due) and state.events else None
        self._write(
            "INSERT INTO webhook VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value, "
            "retry = coalesce(excluded.retry, retry)",
            (webhook.id, _encode(webhook), retry),
        )
        if webhook.id >= self._next_webhook_id:
            self._next_webhook_id = webhook.id + 1
            self._number("next_webhook_id", self._next_webhook_id)

    def scheduled(self, at: int, due: EventsDue) -> None:
        """Store events that will occur."""
        self._last_row += 1
        self._scheduled[id(due)] = self._last_row
        encoded = _encode(_Due(due.client_id, due.type, due.payloads))
        self._write("INSERT INTO scheduled VALUES (?, ?, ?)", (self._last_row, at, encoded))

    def mailing(self, mailing: KeptMailing) -> None:
        """Store a mailing whose events will occur."""
        self._write("INSERT INTO mailing (value) VALUES (?)", (_encode(mailing),))

    def mailing_over(self, mailing: KeptMailing) -> None:
        """Remove a mailing whose events have all occurred: to make it again takes seconds at each start."""
        self._write("DELETE FROM mailing WHERE value = ?", (_encode(mailing),))

    def generated(self, client_id: int, position: tuple[int, ...]) -> None:
        """Store how far a client's generator has come, so that nothing that it makes repeats."""
        self._write("INSERT OR REPLACE INTO generator VALUES (?, ?)", (client_id, _encode(position)))

    def occurred(self, due: EventsDue, events: Events, webhook_ids: Sequence[int]) -> None:
        """Store events that are pending with these webhooks."""
        row = self._scheduled.pop(id(due), None)
        if row is not None:
            self._write("DELETE FROM scheduled WHERE id = ?", (row,))
        serials = [event.serial for event in events]
        first, last = min(serials), max(serials)
        self._number("last_serial", last)
        if not webhook_ids:
            return
        assert self._journal is not None, "occurred: the file follows no journal"
        position = self._journal.next_position - 1
        self._happened[first] = _Together(last, position, dict.fromkeys(webhook_ids, ((first, last),)))
        self._firsts.append(first)
        created = _encode([moment for moment, _ in due.payloads])
        self._write("INSERT INTO happened VALUES (?, ?, ?)", (first, position, created))
        self._unsaved.update((first, webhook_id) for webhook_id in webhook_ids)

    def finished(self, webhook_id: int, events: Events) -> None:
        """Remove events that a webhook has delivered or discarded."""
        for first, last in serial_ranges(events):
            for place in range(bisect_right(self._firsts, first) - 1, len(self._firsts)):
                key = self._firsts[place]
                if key > last:
                    break
                together = self._happened.get(key)
                ranges = None if together is None else together.pending.get(webhook_id)
                if together is None or ranges is None:
                    continue
                left = _without(ranges, first, last)
                if left:
                    together.pending[webhook_id] = left
                else:
                    del together.pending[webhook_id]
                self._unsaved.add((key, webhook_id))

    def emptied(self, webhook_id: int) -> None:
        """Forget when a batch would have been retried: nothing that is still to come waits for it."""
        if self._turns.pop(webhook_id, None) is not None:
            self._write("UPDATE webhook SET retry = NULL WHERE id = ?", (webhook_id,))

    def rejected(self, webhook_id: int, retry: Due) -> None:
        """Store which batch will be retried, and when."""
        self._write("UPDATE webhook SET retry = ? WHERE id = ?", (self._retry(webhook_id, retry), webhook_id))

    def _retry(self, webhook_id: int, due: Due) -> bytes:
        at, turn = self._turns.get(webhook_id, (None, 0))
        if at != due.at:
            turn = self._last_turn = self._last_turn + 1
            self._turns[webhook_id] = due.at, turn
        return _encode(_Retry(due.at, due.number, serial_ranges(due.events), turn))

    def declared(self, what: Declaration) -> None:
        """Store something that was declared, or has changed since."""
        self._declarations.declared(what)
        if isinstance(what, Declared) and what.number > self._last_fault:
            self._last_fault = what.number
            self._number("last_fault", what.number)

    def over(self, what: Declaration) -> None:
        """Remove what has no more effect."""
        self._declarations.over(what)

    def clear(self) -> None:
        """Forget everything but which ids were given, as the campaign begins anew."""
        for table in TABLES:
            self._write(f"DELETE FROM {table}", ())
        self._number("next_webhook_id", self._next_webhook_id)
        self._moment = -1
        self._has_start = False
        self._scheduled.clear()
        self._happened.clear()
        self._firsts.clear()
        self._grown.clear()
        self._unsaved.clear()
        self._declarations.clear()
        self._last_fault = 0
        self._turns.clear()
        self._dropped = 0

    # Committing

    @property
    def is_saved(self) -> bool:
        """Whether the file contains every change."""
        has_changes = self._clients is not None and bool(self._clients.changed_tables)
        return not (self._open or self._grown or self._unsaved or has_changes) and self._declarations.is_saved

    def commit(self, now: int) -> None:
        """Write what was kept, as of this moment. Raises `StateLostError`."""
        if self.is_saved and now == self._moment and not self._error:
            return
        self._save_pending()
        self._save_journal()
        self._save_clients()
        self._declarations.save(self._write)
        if not self._has_start:
            self._number("start", now)
            self._has_start = True
        if now != self._moment:
            self._number("now", now)
            self._moment = now
        self._execute("COMMIT")
        self._check()
        self._open = False

    def _save_pending(self) -> None:
        finished = set()
        for first, webhook_id in self._unsaved:
            together = self._happened[first]
            left = together.pending.get(webhook_id)
            if left is None:
                self._write("DELETE FROM pending WHERE first_serial = ? AND webhook_id = ?", (first, webhook_id))
                if not together.pending:
                    finished.add(first)
            else:
                self._write("INSERT OR REPLACE INTO pending VALUES (?, ?, ?)", (first, webhook_id, _encode(left)))
        self._unsaved.clear()
        for first in finished:
            self._write("DELETE FROM happened WHERE first_serial = ?", (first,))
            position = self._happened.pop(first).position
            if position < self._dropped:
                self._write("DELETE FROM journal WHERE position = ?", (position,))
        if len(self._firsts) > 2 * len(self._happened) + 100:
            self._firsts = [first for first in self._firsts if first in self._happened]

    def _save_journal(self) -> None:
        journal = self._journal
        if journal is not None and journal.dropped > self._dropped:
            self._dropped = journal.dropped
            self._number("dropped", self._dropped)
            # The payloads of what is pending are in the journal.
            self._write(
                "DELETE FROM journal WHERE position < ? AND position NOT IN (SELECT position FROM happened)",
                (self._dropped,),
            )
        for position, entry in self._grown.items():
            if position >= self._dropped or isinstance(entry, Happened):
                self._write("INSERT OR REPLACE INTO journal VALUES (?, ?)", (position, _encode_entry(entry)))
        self._grown.clear()

    def _save_clients(self) -> None:
        if self._clients is None or not self._clients.changed_tables:
            return
        self._number("next_object_id", self._clients.next_id)
        for (client_id, name), table in self._clients.changed_tables.items():
            for change in table.changes():
                place = (client_id, name, change.key)
                if change.was_gone:
                    self._write("DELETE FROM client_row WHERE client_id = ? AND name = ? AND key = ?", place)
                if change.stays:
                    self._write(
                        "INSERT INTO client_row (client_id, name, key, value) VALUES (?, ?, ?, ?) "
                        "ON CONFLICT DO UPDATE SET value = excluded.value",
                        (*place, change.value),
                    )
        self._clients.changed_tables.clear()

    # Recipients are read and written when somebody asks for them

    def read(self, statement: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a statement, with what is not committed. Raises `StateLostError`."""
        return list(self.each(statement, values))

    def each(self, statement: str, values: Values = ()) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a statement one by one. Nothing may be written meanwhile. Raises `StateLostError`."""
        self._check()
        try:
            yield from self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise self.lost(str(error)) from None

    def lost(self, why: str) -> StateLostError:
        """Return the error to raise because the file cannot be used any longer. The server ends."""
        self._error = " ".join(why.split())
        return StateLostError(f"state file {self._path}: {self._error}; it is as it was, and the server ends")

    def write(self, statement: str, values: Values) -> None:
        """Carry out a statement as a part of the next commit, which says if that fails."""
        self._write(statement, values)

    def _check(self) -> None:
        if self._error:
            raise self.lost(self._error)

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        if not self._open:
            self._execute("BEGIN IMMEDIATE")
            self._open = True
        self._execute(statement, values)

    def _execute(self, statement: str, values: tuple[object, ...] = ()) -> None:
        """Raises nothing: whoever decides has made the change already, and must not stop half-way."""
        if not self._error:
            try:
                self._connection.execute(statement, values)
            except sqlite3.Error as error:
                self._error = str(error)

    def _number(self, name: str, value: int) -> None:
        self._write("INSERT OR REPLACE INTO number VALUES (?, ?)", (name, value))

    def _rows(self, statement: str) -> Iterator[tuple[Any, ...]]:
        return self._connection.execute(statement)


def _opened(path: Path) -> sqlite3.Connection:
    check_regular(path)
    try:
        # Credentials are in it.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise _refused(path, why_not(error) if isinstance(error, OSError) else str(error)) from None
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        locked = getattr(error, "sqlite_errorname", "") in ("SQLITE_BUSY", "SQLITE_LOCKED")
        raise _refused(path, "another process uses it" if locked else str(error)) from None
    except (msgspec.MsgspecError, ValueError) as error:
        connection.close()
        raise _refused(path, f"damaged ({error})") from None
    except InvalidInputError:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Lock a file, and bring it to the newest version."""
    prepare(connection)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    [[application_id]] = connection.execute("PRAGMA application_id")
    [[version]] = connection.execute("PRAGMA user_version")
    [[objects]] = connection.execute("SELECT count(*) FROM sqlite_schema")
    if application_id != APPLICATION_ID and (application_id or version or objects):
        raise _refused(path, "another program wrote it")
    if version > len(_MIGRATIONS):
        raise _refused(path, "a newer version of mockcampaign wrote it")
    for statements, follow_up in _MIGRATIONS[version:]:
        for statement in filter(str.strip, statements.split(";")):
            connection.execute(statement)
        follow_up(connection)
    if version < len(_MIGRATIONS):
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")
    # A killed process loses nothing that it has committed; a machine without power may lose the last moments.
    connection.execute("PRAGMA synchronous = NORMAL")


def _refused(path: Path, why: str) -> InvalidInputError:
    return InvalidInputError(f"--state: {path}: {why}, allowed: a new file, or one that --state wrote")


def _due(retry: _Retry, pending: Events) -> Due:
    """Return the next attempt at a batch, or at what is left of it: nobody forgets one when all of it is delivered."""
    serials = set(serials_in(retry.serials))
    return Due(retry.at, retry.number, tuple(event for event in pending if event.serial in serials))


def _without(ranges: SerialRanges, first: int, last: int) -> SerialRanges:
    """Return ranges without the serials from `first` to `last`."""
    left: list[tuple[int, int]] = []
    for low, high in ranges:
        if low < first:
            left.append((low, min(high, first - 1)))
        if high > last:
            left.append((max(low, last + 1), high))
    return tuple(left)
