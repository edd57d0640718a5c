"""Probes that read stored events from the consumer's database, by a query through SQLAlchemy."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mockcampaign.check.probes.question import Found, Question, Selection, Values, found_or_nothing
from mockcampaign.errors import CouldNotTellError, InvalidInputError, StoreMissingError
from mockcampaign.masking import Masking
from mockcampaign.shape.field import Event, EventField, Role, with_value
from mockcampaign.shape.moment import write_moment
from mockcampaign.shape.placeholders import MAIL_IDS, Placeholder, named
from mockcampaign.shape.shape import Shape
from mockcampaign.text import short, spelling_of
from mockcampaign.wallclock import Stopwatch

if TYPE_CHECKING:
    from sqlalchemy import URL, BindParameter, Connection
    from sqlalchemy import Engine as Engine

GRACE = 1_000
"""Milliseconds by which a database may end a query later than it should. After that, nobody waits for it any more."""

THREAD = "mockcampaign-sql-probe"
"""Name of the threads that read from databases."""

INSTALL = "pip install 'mockcampaign[sql]'"

DRIVERS = {
    **dict.fromkeys(("psycopg", "psycopg2"), "psycopg[binary]"),
    **dict.fromkeys(("pymysql", "MySQLdb"), "pymysql"),
}
"""Packages that bring drivers, by the names of their modules."""

_PARAMETER = re.compile(r"(?<![:\w\\]):([A-Za-z_]\w*)(?!:)")
_LITERAL = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_READING = re.compile(r"\s*(?:select|with|values|table)\b", re.IGNORECASE)


def query_placeholders(query: str, where: str) -> frozenset[Placeholder]:
    """Return the placeholders in a query. Raise `InvalidInputError`, which begins with `where`, for unknown ones, and
    for a query that does not read."""
    bare = _LITERAL.sub(" ", query)
    if not _READING.match(bare):
        raise InvalidInputError(f"{where}: {short(bare.strip())!r} is no query that reads, allowed: SELECT or WITH")
    return named(frozenset(_PARAMETER.findall(bare)), where, ":{}")


class SqlProbe:
    """Reads the stored events as rows of a query. It never changes the database."""

    reports_events = True

    def __init__(self, engine: Engine | str, query: str, shapes: Sequence[Shape], *, timeout: int) -> None:
        """`engine` may be the URL of a database: then `close` closes the engine that is made for it.

        `shapes` say to which fields the columns of the query belong; `timeout` is in milliseconds. Raise as
        `engine_at` and `query_placeholders` do.
        """
        self._is_own = isinstance(engine, str)
        self.engine = engine = engine_at(engine) if isinstance(engine, str) else engine
        self.query = query
        self._shapes = tuple(shapes)
        self._timeout = timeout
        password = engine.url.password
        self._masking = Masking(() if password is None else (str(password),))
        self.selection = Selection(query_placeholders(query, "probe query"), self._fetch)

    def close(self) -> None:
        """Close the connections of an engine made here. Those of an engine that was given are its owner's."""
        if self._is_own:
            self.engine.dispose()

    async def ask(self, question: Question | None = None) -> Found:
        return await self.selection.stored(question)

    def ask_here(self, question: Question, *, acknowledged: bool) -> list[Event]:
        """Return the rows that `ask` returns, without an event loop. The query runs in this thread.

        A database that is missing is judged as by `found_or_nothing`.
        """

        async def fetch(values: Values) -> list[Event]:
            return self._events(values)

        stored = Selection(self.selection.placeholders, fetch).stored(question)
        asking = found_or_nothing(stored, acknowledged=acknowledged)
        try:
            asking.send(None)  # which runs to the end, because nothing in it waits for a loop
        except StopIteration as done:
            found: list[Event] = done.value
            return found
        raise AssertionError("a query in this thread waits for nothing else")

    async def _fetch(self, values: Values) -> Found:
        # In a thread: the consumer may be an application in this event loop. Nobody waits for it at the end of the
        # process, because a driver may be caught in a call that nothing ends.
        found: Future[Found] = Future()
        found.set_running_or_notify_cancel()

        def work() -> None:
            try:
                found.set_result(self._events(values))
            except BaseException as error:
                found.set_exception(error)

        threading.Thread(target=work, name=THREAD, daemon=True).start()
        try:
            async with asyncio.timeout((self._timeout + GRACE) / 1_000):
                return await asyncio.wrap_future(found)
        except TimeoutError:
            raise self._too_slow() from None

    def _events(self, values: Values) -> list[Event]:
        names, rows = self._rows(values)
        fields = [self._field_of(name) for name in names]
        return [_event(zip(names, fields, row, strict=True)) for row in rows]

    def _rows(self, values: Values) -> tuple[list[str], list[Sequence[Any]]]:
        from sqlalchemy import bindparam, text
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError

        wanted = self.selection.placeholders
        parameters: list[BindParameter[Any]] = [bindparam(one.name, expanding=one is MAIL_IDS) for one in wanted]
        bound = {one.name: values.get(one.name, () if one is MAIL_IDS else None) for one in wanted}
        watch = Stopwatch()
        try:
            with self.engine.connect() as connection, self._limited(connection):
                result = connection.execute(text(self.query).bindparams(*parameters), bound)
                if not result.returns_rows:
                    raise CouldNotTellError("probe query: returns no rows, allowed: a query that reads")
                return list(result.keys()), [tuple(row) for row in result]
        except DBAPIError as error:
            if missing := _missing_file(self.engine.url):
                raise StoreMissingError(_missing(f"no file {missing}", "file", "the path")) from None
            if error.orig is not None and _is_missing_table(self.engine.dialect.name, error.orig):
                raise StoreMissingError(_missing(self._said(error.orig), "table", "the query or the URL")) from None
            # Each database has its own words, and codes, for a query that it has ended.
            raise (
                self._too_slow() if watch.milliseconds >= self._timeout else self._trouble(error.orig or error)
            ) from None
        except SQLAlchemyError as error:
            raise self._trouble(error) from None

    def _limited(self, connection: Connection) -> contextlib.AbstractContextManager[None]:
        """Let the database itself reject what would change it, and end what takes too long."""
        match self.engine.dialect.name:
            case "postgresql":
                return _limited_postgresql(connection, self._timeout)
            case "mysql" | "mariadb":
                return _limited_mysql(connection, self._timeout)
            case "sqlite":
                return _limited_sqlite(connection, self._timeout)
            case _:
                return _rolled_back(connection)

    def _too_slow(self) -> CouldNotTellError:
        return CouldNotTellError(f"probe query: still running after {self._timeout} ms")

    def _trouble(self, error: BaseException) -> CouldNotTellError:
        return CouldNotTellError(f"probe query: {self._said(error)}")

    def _said(self, error: BaseException) -> str:
        """Return the words of the database in one line, without a secret."""
        lines = [str(one) for one in error.args if isinstance(one, str)] or [str(error)]
        message = " ".join(lines[-1].split("\n")[0].split()).strip('()"')
        return short(self._masking.text(message), 200)

    def _field_of(self, column: str) -> EventField | None:
        """Return the field of events to which a column belongs: by its name in any spelling, or by its role."""
        folded = spelling_of(column)
        fields = [field for shape in self._shapes for field in shape.fields]
        by_name = (field for field in fields if field.name == column)
        by_spelling = (field for field in fields if spelling_of(field.name) == folded)
        by_role = (field for field in fields if spelling_of(field.role) == folded and field.role is not Role.OTHER)
        return next(chain(by_name, by_spelling, by_role), None)


# The engine may be the consumer's own, so whatever outlives a transaction is put back.


@contextlib.contextmanager
def _rolled_back(connection: Connection) -> Iterator[None]:
    try:
        yield
    finally:
        connection.rollback()


@contextlib.contextmanager
def _limited_postgresql(connection: Connection, timeout: int) -> Iterator[None]:
    with _rolled_back(connection):
        connection.rollback()
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {timeout}")
        yield


@contextlib.contextmanager
def _limited_mysql(connection: Connection, timeout: int) -> Iterator[None]:
    is_mariadb = getattr(connection.dialect, "is_mariadb", False)
    name, limit = ("max_statement_time", timeout / 1_000) if is_mariadb else ("max_execution_time", timeout)
    before = connection.exec_driver_sql(f"SELECT @@SESSION.{name}").scalar()
    connection.exec_driver_sql(f"SET SESSION {name} = {limit}")
    connection.rollback()
    try:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        yield
    finally:
        connection.rollback()
        connection.exec_driver_sql(f"SET SESSION {name} = {before}")


@contextlib.contextmanager
def _limited_sqlite(connection: Connection, timeout: int) -> Iterator[None]:
    busy = int(connection.exec_driver_sql("PRAGMA busy_timeout").scalar() or 0)
    only = int(connection.exec_driver_sql("PRAGMA query_only").scalar() or 0)
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {min(busy, timeout)}")
    connection.exec_driver_sql("PRAGMA query_only = ON")
    interrupting = threading.Timer(timeout / 1_000, _interrupt_of(connection))
    interrupting.daemon = True
    interrupting.start()
    try:
        yield
    finally:
        interrupting.cancel()
        connection.rollback()
        connection.exec_driver_sql(f"PRAGMA query_only = {only}")
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {busy}")
        connection.rollback()


def _interrupt_of(connection: Connection) -> Callable[[], object]:
    interrupt: Callable[[], object] | None = getattr(connection.connection.driver_connection, "interrupt", None)
    return (lambda: None) if interrupt is None else interrupt


def engine_at(url: str) -> Engine:
    """Return an engine for a database at a URL. It makes no file of SQLite.

    Raise `InvalidInputError`, without any password, if there is no such kind of database.
    """
    try:
        import sqlalchemy
    except ImportError:
        raise InvalidInputError(f"SQL probe: SQLAlchemy is not installed, allowed: {INSTALL}") from None
    try:
        engine = sqlalchemy.create_engine(_not_created(sqlalchemy.make_url(url)))
    except ImportError as error:
        driver = str(error.name or "").split(".")[0]
        package = DRIVERS.get(driver, driver)
        raise InvalidInputError(f"SQL probe: no driver {driver}, allowed: pip install {package!r}") from None
    except sqlalchemy.exc.NoSuchModuleError:
        raise InvalidInputError(
            "SQL probe: unknown kind of database, allowed: postgresql+psycopg://, mysql+pymysql://, sqlite:///"
        ) from None
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise InvalidInputError(
            "SQL probe: not the URL of a database, allowed: such as postgresql+psycopg://user@host/name"
        ) from None
    if engine.dialect.is_async:
        raise InvalidInputError(
            f"SQL probe: {engine.url.drivername} is asynchronous, allowed: a synchronous driver, such as "
            "postgresql+psycopg://"
        )
    return engine


def _not_created(url: URL) -> URL:
    """Return the URL so that SQLite does not make a file that is missing."""
    path = url.database
    if url.get_backend_name() != "sqlite" or not path or path == ":memory:" or path.startswith("file:"):
        return url
    # Not mode=ro, with which SQLite cannot read what a killed consumer has left half written. `query_only` lets no
    # query change anything.
    return url.set(database=Path(path).absolute().as_uri()).update_query_dict({"mode": "rw", "uri": "true"})


def _missing_file(url: URL) -> str | None:
    """Return the file of an engine made here if it does not exist."""
    if url.get_backend_name() != "sqlite" or url.query.get("mode") != "rw" or not url.database:
        return None
    path = url2pathname(urlsplit(url.database).path)
    return None if Path(path).exists() else path


def _is_missing_table(dialect: str, error: BaseException) -> bool:
    """Return whether a driver reports that a query reads a table that does not exist."""
    match dialect:
        case "sqlite":
            return "no such table" in str(error)  # its code stands for any mistake in a query
        case "postgresql":
            return "42P01" in (getattr(error, "sqlstate", None), getattr(error, "pgcode", None))
        case "mysql" | "mariadb":
            return error.args[:1] == (1146,)
        case _:
            return False


def _missing(what: str, made: str, named: str) -> str:
    return (
        f"probe query: {what}, although the consumer has acknowledged events: correct {named} if it is wrong, or let "
        f"the consumer create the {made} before it responds"
    )


def _event(columns: Iterable[tuple[str, EventField | None, Any]]) -> Event:
    """Return a row as an event. A column without a value is a field that the event does not have."""
    event: Event = {}
    for column, field, value in columns:
        if value is not None:
            path = (column,) if field is None else field.path
            event = with_value(event, path, _value(value, field))
    return event


def _value(value: Any, field: EventField | None) -> Any:
    """Return a value of a column as an event contains it: in the kind and format of the field's example."""
    example = None if field is None else field.example
    if isinstance(value, memoryview | bytearray | bytes):
        value = bytes(value).decode("utf-8", "replace")
    if isinstance(value, datetime):
        # A column without a zone has the time in UTC.
        whole = value.replace(tzinfo=value.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        moment = whole.days * 86_400_000 + whole.seconds * 1_000 + whole.microseconds // 1_000
        is_moment = isinstance(example, str | int | float) and not isinstance(example, bool)
        return write_moment(example, moment) if is_moment and example is not None else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping | list):
        return value
    if not isinstance(value, str | int | float):
        value = str(value)  # such as a UUID
    if isinstance(example, str) and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(example, bool) and value in (0, 1):
        return bool(value)
    return value
