"""The SQL probe against real databases: SQLite in every suite, PostgreSQL and MariaDB started for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import databases
from late_databases import FIELDS, MISSPELT, LateDatabase, Misspelt
from late_databases import QUERY as QUERY_OF_OPENS
from mockcampaign.check.check import check
from mockcampaign.check.probes import sql_probe
from mockcampaign.check.probes.probe_making import close_probe
from mockcampaign.check.probes.question import Found, Question, found_or_nothing
from mockcampaign.check.probes.sql_probe import SqlProbe, engine_at, query_placeholders
from mockcampaign.check.rules import CATALOGUE
from mockcampaign.check.settings import Settings
from mockcampaign.errors import CouldNotTellError, InvalidInputError, StoreMissingError
from mockcampaign.judging.finding import Finding
from mockcampaign.model import EventType
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.scenario.load import load
from mockcampaign.shape.builtin import builtin_shape
from mockcampaign.transport.inprocess import AsgiTransport
from plugin_apps import App

sqlalchemy = pytest.importorskip("sqlalchemy")

OPEN = builtin_shape(EventType.OPEN)
NOW = 1_750_000_000_123
QUERY = "SELECT * FROM events WHERE mailing_id = :mailingId"


def needed(*programs: str) -> None:
    """Skip the test if a program is missing; in CI that is an error."""
    missing = databases.missing_program(*programs)
    if missing:
        if os.environ.get("CI"):
            pytest.fail(f"{missing} is missing")
        pytest.skip(f"{missing} is missing")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with databases.short_folder() as found:
        yield found


@pytest.fixture(scope="module")
def postgresql(folder: Path) -> Iterator[str]:
    pytest.importorskip("psycopg")
    needed(*databases.POSTGRESQL)
    with databases.postgresql(folder) as port:
        yield f"postgresql+psycopg://h:geheim@127.0.0.1:{port}/postgres"


@pytest.fixture(scope="module")
def mariadb(folder: Path) -> Iterator[str]:
    pytest.importorskip("pymysql")
    needed(*databases.MARIADB)
    with databases.mariadb(folder) as port:
        yield f"mysql+pymysql://root@127.0.0.1:{port}/test"


@pytest.fixture(params=["sqlite", *(pytest.param(one, marks=pytest.mark.slow) for one in ("postgresql", "mariadb"))])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    url = f"sqlite:///{tmp_path / 'x.db'}" if request.param == "sqlite" else request.getfixturevalue(request.param)
    found = sqlalchemy.create_engine(url)
    yield found
    with found.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS events")
    found.dispose()


def filled(engine: Any) -> None:
    time = {"postgresql": "TIMESTAMPTZ", "mysql": "DATETIME(3)"}.get(engine.dialect.name, "TIMESTAMP")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TABLE events (mailing_id BIGINT, MailID VARCHAR(40), moment {time}, clientid DECIMAL(20), "
            "recipient VARCHAR(20), device VARCHAR(20), note VARCHAR(9))"
        )
        moment = "2025-06-15 15:06:40.123" + ("+00:00" if engine.dialect.name == "postgresql" else "")
        for mailing, mail in ((1, "a"), (1, "b"), (2, "c")):
            connection.exec_driver_sql(
                f"INSERT INTO events VALUES ({mailing}, '{mail}', '{moment}', 7, '0012', NULL, 'x')"
            )


def asked(engine: Any, query: str, *mailings: tuple[int, str], timeout: int = 10_000) -> Any:
    question = Question(OPEN, NOW)
    question.add([{"clientId": 7, "mailingId": mailing, "mailId": mail, "created": NOW} for mailing, mail in mailings])
    return asyncio.run(SqlProbe(engine, query, (OPEN,), timeout=timeout).ask(question))


def test_rows_are_events_by_names_spellings_and_roles(engine: Any) -> None:
    filled(engine)
    typed = QUERY.replace("*", "mailing_id, MailID, moment, clientid, recipient, device, note")
    found = asked(engine, typed, (1, "a"), (1, "b"))
    if engine.dialect.name == "sqlite":  # which has no times, only text
        found = [{**one, "created": NOW} for one in found]
    expected = {"mailingId": 1, "created": NOW, "clientId": 7, "recipientId": "0012", "note": "x"}
    assert sorted(found, key=lambda one: str(one["mailId"])) == [expected | {"mailId": mail} for mail in ("a", "b")]


def test_mail_ids_expand(engine: Any) -> None:
    filled(engine)
    query = "SELECT * FROM events WHERE MailID IN :mailIds AND clientid = :clientId"
    assert sorted(one["mailId"] for one in asked(engine, query, (1, "a"), (2, "c"))) == ["a", "c"]


def test_a_query_changes_nothing(engine: Any) -> None:
    filled(engine)
    with pytest.raises(InvalidInputError, match="'DELETE FROM events WHERE a =' is no query that reads, allowed: S"):
        query_placeholders("DELETE FROM events WHERE a = 'geheim'", "--probe-query")
    hidden = "WITH gone AS (SELECT 1) DELETE FROM events"
    if engine.dialect.name == "postgresql":
        hidden = "WITH gone AS (DELETE FROM events RETURNING *) SELECT * FROM gone"
    with pytest.raises(CouldNotTellError, match=r"^probe query: "):
        asked(engine, hidden, (1, "a"))
    with engine.begin() as connection:  # which can still be written through
        connection.exec_driver_sql("DELETE FROM events WHERE mailing_id = 2")
        assert connection.exec_driver_sql("SELECT count(*) FROM events").scalar() == 2


@pytest.mark.parametrize("query", ["SELECT * FROM nowhere", "SELECT nothing FROM events"])
def test_what_is_wrong_with_a_query_is_one_line_without_the_password(engine: Any, query: str) -> None:
    filled(engine)
    with pytest.raises(CouldNotTellError) as refused:
        asked(engine, query, (1, "a"))
    assert str(refused.value).startswith("probe query: ")
    assert "\n" not in str(refused.value)
    assert "geheim" not in str(refused.value)
    assert "nowhere" in str(refused.value) or "nothing" in str(refused.value)


def test_unknown_placeholders_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"unknown placeholder ':mailingID', did you mean ':mailingId'\?"):
        query_placeholders("SELECT ':x', a::text FROM t WHERE m = :mailingID", "--probe-query")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nothing:geheim@", "not the URL"),
        ("nothing://u:geheim@h/d", "unknown kind"),
        ("mysql+cymysql://u:geheim@h/d", "no driver cymysql, allowed: pip install 'cymysql'"),
    ],
)
def test_what_is_wrong_with_a_url_is_said_without_its_password(url: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as refused:
        engine_at(url)
    assert "geheim" not in str(refused.value)


def test_an_asynchronous_driver_is_refused() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(
        InvalidInputError, match=r"^SQL probe: postgresql\+psycopg_async is asynchronous, allowed: a synchronous driver"
    ):
        engine_at("postgresql+psycopg_async://u:geheim@127.0.0.1:9/d")


SLEEPING = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
    "mysql": "SELECT SLEEP(60)",
}
LOCKING = {
    "sqlite": "BEGIN EXCLUSIVE",
    "postgresql": "LOCK TABLE events IN ACCESS EXCLUSIVE MODE",
    "mysql": "LOCK TABLES events WRITE",
}
LIMITS = {
    "sqlite": ("PRAGMA busy_timeout", "PRAGMA query_only"),
    "postgresql": ("SHOW statement_timeout", "SHOW transaction_read_only"),
    "mysql": ("SELECT @@max_statement_time", "SELECT @@tx_read_only"),
}


def limits(engine: Any) -> list[Any]:
    with engine.connect() as connection:
        return [connection.exec_driver_sql(one).scalar() for one in LIMITS[engine.dialect.name]]


def test_a_query_that_sleeps_ends_with_one_line(engine: Any) -> None:
    filled(engine)
    before = limits(engine)
    with pytest.raises(CouldNotTellError, match=r"^probe query: still running after 150 ms$"):
        asked(engine, SLEEPING[engine.dialect.name], timeout=150)
    assert limits(engine) == before
    assert len(asked(engine, QUERY, (1, "a"))) == 2


def test_an_engine_that_changes_nothing_stays_so(tmp_path: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'x.db'}", poolclass=sqlalchemy.pool.StaticPool)
    filled(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    before = limits(engine)
    assert len(asked(engine, QUERY, (1, "a"))) == 2
    assert limits(engine) == before
    engine.dispose()


def test_a_query_of_a_locked_table_ends_with_one_line(engine: Any) -> None:
    filled(engine)
    with engine.connect() as locking:
        locking.exec_driver_sql(LOCKING[engine.dialect.name])
        with pytest.raises(CouldNotTellError, match=r"^probe query: still running after 150 ms$"):
            asked(engine, QUERY, (1, "a"), timeout=150)
        locking.rollback()
        if engine.dialect.name == "mysql":
            locking.exec_driver_sql("UNLOCK TABLES")
    assert len(asked(engine, QUERY, (1, "a"))) == 2


def test_a_file_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "misspelt #1 ä.db"
    url = f"sqlite:///{path}"
    engine = engine_at(url)
    with pytest.raises(StoreMissingError, match=f"^probe query: no file {re.escape(str(path))}, although the consumer"):
        asked(engine, "SELECT 1 FROM events", (1, "a"))
    assert not path.exists()
    made = sqlalchemy.create_engine(url)
    filled(made)
    assert len(asked(engine, QUERY, (1, "a"), (1, "b"))) == 2
    made.dispose()
    engine.dispose()


@pytest.mark.parametrize("query", ["SELECT * FROM events", "SELECT * FROM events WHERE mailing_id = :mailingId"])
def test_a_table_that_does_not_exist_is_empty_until_something_was_acknowledged(engine: Any, query: str) -> None:
    question, probe = Question(OPEN, NOW), SqlProbe(engine, query, (OPEN,), timeout=10_000)
    question.add([{"clientId": 7, "mailingId": 1, "mailId": "a", "created": NOW}])
    assert asyncio.run(found_or_nothing(probe.ask(question), acknowledged=False)) == []
    assert probe.ask_here(question, acknowledged=False) == []
    for ask in (
        lambda: asyncio.run(found_or_nothing(probe.ask(question), acknowledged=True)),
        lambda: probe.ask_here(question, acknowledged=True),
    ):
        with pytest.raises(
            StoreMissingError, match=r"events.*, although the consumer has acknowledged events: correct "
        ):
            ask()
    filled(engine)
    assert len(probe.ask_here(question, acknowledged=False)) >= 2


@pytest.mark.parametrize("query", ["SELECT nothing FROM events", "SELECT * FRM events"])
def test_another_mistake_of_a_query_is_one_also_before_anything_was_acknowledged(engine: Any, query: str) -> None:
    filled(engine)
    probe = SqlProbe(engine, query, (OPEN,), timeout=10_000)
    with pytest.raises(CouldNotTellError, match=r"^probe query: (?!.*although)"):
        probe.ask_here(Question(OPEN, NOW), acknowledged=False)


@pytest.mark.parametrize("settle", [0, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("misspelt", MISSPELT)
def test_a_check_reads_a_database_that_the_consumer_creates(tmp_path: Path, misspelt: Misspelt, settle: int) -> None:
    def checked(url: str, query: str) -> list[str]:
        settings = Settings(now=NOW, seed=1, rules=("stores-every-event",), probe_fields=FIELDS, settle=settle)
        probe = SqlProbe(url, query, settings.shapes, timeout=10_000)
        transport = AsgiTransport(LateDatabase(tmp_path / "shop.sqlite"))
        try:
            checking = check("http://app/hook", transport=transport, settings=settings, probe=probe)
            return [one.outcome for one in asyncio.run(checking).rules]
        finally:
            probe.close()

    with pytest.raises(StoreMissingError, match=misspelt.message(tmp_path)):
        checked(misspelt.url(tmp_path), misspelt.query)
    assert not (tmp_path / "shpo.sqlite").exists()
    (tmp_path / "shop.sqlite").unlink()
    assert checked(f"sqlite:///{tmp_path / 'shop.sqlite'}", QUERY_OF_OPENS) == ["pass"]


def finding_of(app: LateDatabase, query: str, rule: str, probe_fields: tuple[str, ...] = ()) -> Finding:
    """Return the finding of one rule, by a query of the consumer's database."""
    settings = Settings(now=NOW, seed=1, rules=(rule,), probe_fields=probe_fields)
    probe = SqlProbe(f"sqlite:///{app.path}", query, settings.shapes, timeout=10_000)
    with contextlib.closing(probe):
        checking = check("http://app/hook", transport=AsgiTransport(app), settings=settings, probe=probe)
        [finding] = asyncio.run(checking).rules
    return finding


def test_columns_that_are_no_fields_are_named(tmp_path: Path) -> None:
    query = "SELECT mailId, created, mailingId AS campaign_number FROM opens"
    finding = finding_of(LateDatabase(tmp_path / "shop.sqlite"), query, "stores-fields-unchanged")
    assert "Stored events also have campaign_number, which no event has" in finding.fix


def test_a_violation_seen_by_a_query_has_a_scenario_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class ForgetsEven(LateDatabase):
        async def before_response(self) -> None:
            self.events = [event for event in self.events if event["created"] % 2]
            await super().before_response()

    app = ForgetsEven(tmp_path / "shop.sqlite")
    finding = finding_of(app, QUERY_OF_OPENS, "stores-every-event", FIELDS)
    assert finding.outcome == "fail", finding.actual
    assert finding.reproduce is not None
    assert finding.reproduce.scenario is not None
    path = tmp_path / "again.scenario.yaml"
    path.write_text(finding.reproduce.scenario)
    url = f"sqlite:///{app.path}"
    monkeypatch.setenv("PROBE_SQL", url)
    consumer = load(path).scenario.consumer
    assert (consumer.probe.sql, consumer.probe.query) == (url, QUERY_OF_OPENS)


@pytest.mark.slow
def test_a_consumer_that_stores_later_may_create_its_table_later(tmp_path: Path) -> None:
    app = LateDatabase(tmp_path / "shop.sqlite")

    class Later:
        """Reports a database as missing, three times after the consumer has acknowledged events."""

        def __init__(self, probe: SqlProbe) -> None:
            self._probe, self.selection, self.reports_events, self.missing = probe, probe.selection, True, 0

        async def ask(self, question: Question | None = None) -> Found:
            if self.missing < 3 and app.path.exists():
                self.missing += 1
                raise StoreMissingError("no file")
            return await self._probe.ask(question)

    settings = Settings(now=NOW, seed=1, rules=("stores-every-event",), probe_fields=FIELDS, settle=300)
    with contextlib.closing(
        SqlProbe(f"sqlite:///{app.path}", QUERY_OF_OPENS, settings.shapes, timeout=10_000)
    ) as probe:
        later = Later(probe)
        checking = check("http://app/hook", transport=AsgiTransport(app), settings=settings, probe=later)
        assert [one.outcome for one in asyncio.run(checking).rules] == ["pass"]
    assert later.missing == 3


@pytest.mark.slow
@pytest.mark.parametrize("rejects", [2, 100])
def test_a_database_that_was_never_there_is_no_violation_of_a_consumer_that_rejects(
    tmp_path: Path, rejects: int
) -> None:
    class Rejecting(App):
        """Rejects so many requests, and stores nothing."""

        async def before_response(self) -> None:
            self.status = 503 if len(self.scopes) < rejects else 200

    settings = Settings(now=NOW, seed=1, rules=("acknowledgement", "batch", "redelivery"), examples=1)
    probe = SqlProbe(f"sqlite:///{tmp_path / 'shpo.sqlite'}", QUERY_OF_OPENS, settings.shapes, timeout=10_000)
    checking = check("http://app/hook", transport=AsgiTransport(Rejecting(503)), settings=settings, probe=probe)
    try:
        result = asyncio.run(checking)
    finally:
        probe.close()
    needs = {rule.id for rule in CATALOGUE if set(rule.needs) & {"probe", "probe events"}}
    reading = [one for one in result.rules if one.id in needs]
    assert [(one.id, one.actual) for one in reading if one.outcome == "fail"] == []


def test_only_an_engine_made_here_is_closed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    engine = sqlalchemy.create_engine(url)
    filled(engine)
    held = engine.pool.checkedin()
    for given, left in ((engine, held), (url, 0)):
        probe = SqlProbe(given, "SELECT 1 AS mailId", (OPEN,), timeout=10_000)
        assert len(probe.ask_here(Question(OPEN, NOW), acknowledged=True)) == 1
        assert probe.engine.pool.checkedin() == 1
        close_probe(probe)
        assert probe.engine.pool.checkedin() == left
    engine.dispose()


def test_what_a_killed_consumer_has_left_half_written_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    working = (
        f"import os, sqlite3; c = sqlite3.connect({str(path)!r}, isolation_level=None); "
        "c.execute('CREATE TABLE events (mailing_id, mailId)'); c.execute(\"INSERT INTO events VALUES (1, 'a')\"); "
        "c.execute('PRAGMA cache_size = 1'); c.execute('BEGIN'); "
        "c.executemany('INSERT INTO events VALUES (1, ?)', [('b' * 3_000,)] * 100); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", working], check=False)
    assert path.with_name("x.db-journal").exists()
    engine = engine_at(f"sqlite:///{path}")
    assert asked(engine, "SELECT * FROM events", (1, "a")) == [{"mailingId": 1, "mailId": "a"}]
    engine.dispose()


def test_nobody_waits_for_a_driver_that_ends_no_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_probe, "GRACE", 0)
    engine, over = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'x.db'}"), threading.Event()
    sqlalchemy.event.listen(engine, "connect", lambda made, _: made.create_function("sleep", 0, over.wait))
    with pytest.raises(CouldNotTellError, match=r"^probe query: still running after 20 ms$"):
        asked(engine, "SELECT sleep()", timeout=20)
    [abandoned] = [one for one in threading.enumerate() if one.name == sql_probe.THREAD]
    over.set()
    abandoned.join()
    engine.dispose()


def test_a_database_that_hangs_is_not_the_fault_of_the_consumer(tmp_path: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    transport = AsgiTransport(consumer_app())
    settings = Settings(now=NOW, seed=1, rules=("stores-every-event",))
    probe = SqlProbe(engine, SLEEPING["sqlite"], settings.shapes, timeout=20)
    checking = check("http://app/hook", transport=transport, settings=settings, probe=probe)
    with pytest.raises(CouldNotTellError, match=r"^probe query: still running after 20 ms$"):
        asyncio.run(checking)
    engine.dispose()
