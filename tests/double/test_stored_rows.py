"""What a test says about stored events, and the other arguments of a campaign: accepted, or one line why not."""

from __future__ import annotations

import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import databases
import mockcampaign
from late_databases import MISSPELT, QUERY, LateDatabase, Misspelt
from mockcampaign.double.control.differences import explain_difference
from mockcampaign.double.in_process import CampaignFixture
from mockcampaign.errors import CouldNotTellError, InvalidInputError, MisuseError
from mockcampaign.model import KeyAuthentication
from plugin_apps import App

FIVE = ("type", "recipientId", "created", "mailId", "device")


class Table(App):
    """A consumer with a table of five of the twelve fields."""

    def rows(self, fields: tuple[str, ...] = FIVE) -> list[dict[str, Any]]:
        return [{name: event[name] for name in fields} for event in self.events]


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def delivered(table: Table) -> Iterator[CampaignFixture]:
    with mockcampaign.campaign(table) as campaign:
        campaign.emit("open", count=250)
        campaign.run()
        yield campaign


def said(delivered: CampaignFixture, processed: Any, **given: Any) -> str:
    with pytest.raises(AssertionError) as raised:
        delivered.assert_compliant(processed=processed, **given)
    return str(raised.value).splitlines()[0]


@pytest.mark.parametrize(
    "given", [{"fields": FIVE}, {"identified_by": ["mailId", "created"]}, {"identified_by": ["mailId"], "fields": FIVE}]
)
def test_a_table_of_some_fields(table: Table, delivered: CampaignFixture, given: dict[str, Any]) -> None:
    rows = [{"id": number, **row} for number, row in enumerate(table.rows())]
    delivered.assert_compliant(processed=rows, **given)
    assert said(delivered, rows[1:], **given).startswith("processed: 1 of 250 delivered events is missing")
    assert said(delivered, [*rows, rows[7]], **given).startswith("processed: 1 duplicate is in the store")


def test_an_altered_field_is_seen_only_if_it_is_compared(table: Table, delivered: CampaignFixture) -> None:
    rows = table.rows()
    rows[3]["device"] = "toaster"
    delivered.assert_compliant(processed=rows, identified_by=["mailId", "created"])
    for given in ({"fields": FIVE}, {"fields": FIVE, "identified_by": ["mailId", "created"]}):
        assert said(delivered, rows, **given).startswith("processed: 1 event is altered")


def test_fields_that_identify_an_event_without_its_mail(table: Table, delivered: CampaignFixture) -> None:
    rows = table.rows(("recipientId", "created", "device"))
    rows[3]["device"] = "toaster"
    given = {"fields": ["device"], "identified_by": ["recipientId", "created"]}
    assert said(delivered, rows, **given).startswith("processed: 1 event is altered: device ")


def test_whoever_forgets_the_fields_is_told_of_them(table: Table, delivered: CampaignFixture) -> None:
    line = said(delivered, table.rows())
    assert "no stored event has userListId, remoteAddress, clientId" in line
    assert f"pass fields={list(FIVE)}" in line


def test_names_of_the_consumers_own_are_pointed_out(table: Table, delivered: CampaignFixture) -> None:
    rows = [{**row, "kind": row.pop("type"), "ada@example.com": 1} for row in table.rows()]
    line = said(delivered, rows)
    assert "Stored events also have kind, which no event has" in line
    assert "ada" not in line


@pytest.mark.parametrize(
    ("given", "names"), [({}, "mailId"), ({"fields": ["mailId", "type"]}, "mailId"), ({"fields": ["device"]}, "device")]
)
def test_rows_that_name_no_mail_are_a_mistake_of_the_test(
    table: Table, delivered: CampaignFixture, given: dict[str, Any], names: str
) -> None:
    rows = [{"mail": event["mailId"], "kind": event["type"]} for event in table.events]
    with pytest.raises(MisuseError) as raised:
        delivered.assert_compliant(processed=rows, **given)
    line = str(raised.value)
    # The rows are whoever's: their values are no part of a message.
    assert line.startswith(
        f"processed: none of 250 elements has {names}, by which events are recognised; the first is an element with "
        "kind and mail: "
    )
    assert "rename the fields of the rows, such as processed=[{" in line
    assert "identified_by=[…]" in line


def test_one_altered_row_gives_no_hint(table: Table, delivered: CampaignFixture) -> None:
    assert "no stored event has" not in said(delivered, [{**table.events[0], "device": "toaster"}, *table.events[1:]])


def test_a_number_of_stored_events(delivered: CampaignFixture) -> None:
    delivered.assert_compliant(processed=250)
    assert said(delivered, 210).startswith("processed: 40 events are missing")
    assert said(delivered, 251).startswith("processed: 1 duplicate is in the store")


def test_rows_of_a_database(table: Table, delivered: CampaignFixture) -> None:
    database = sqlite3.connect(":memory:")
    database.row_factory = sqlite3.Row
    database.execute("create table opens (mailId, created)")
    database.executemany("insert into opens values (:mailId, :created)", table.events)
    rows = database.execute("select * from opens").fetchall()
    database.close()
    delivered.assert_compliant(processed=rows, fields=["mailId", "created"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"processed": "250"},
            "processed is a str, allowed: the stored events, each a mapping of fields, or their number",
        ),
        ({"processed": {"mailId": "A"}}, "processed is a dict, allowed: the stored events"),
        ({"processed": True}, "processed is True, allowed: the stored events"),
        ({"processed": -1}, "processed is -1, allowed: the stored events"),
        ({"processed": print}, "processed is a builtin_function_or_method, allowed: the stored events"),
        ({"processed": [("A", 5)]}, "processed[0] is a tuple, allowed: the stored events"),
        ({"processed": [{}, {"created": object()}]}, "processed[1] is an event that is no JSON ("),
        ({"processed": [], "fields": "mailId"}, "fields is 'mailId', allowed: a list of fields such as"),
        ({"processed": [], "identified_by": [1]}, "identified_by is [1], allowed: a list of fields such as"),
        ({"processed": [], "identified_by": []}, "identified_by: no fields, allowed: at least one"),
        (
            {"processed": [], "fields": ["mailID"]},
            "fields: unknown field 'mailID', did you mean 'mailId'? (allowed: type,",
        ),
        (
            {"processed": 250, "identified_by": ["mailId"]},
            "fields and identified_by need the stored events, found their number",
        ),
        (
            {"processed": [{"mail_id": "A"}], "fields": ["mailId"]},
            "processed: the rows have no field mailId, but mail_id: did you mean it? (allowed: the names",
        ),
        ({"processed": [{"mail_id": "A"}]}, "processed: the rows have no field mailId, but mail_id: did you mean it?"),
        ({"fields": ["mailId"]}, "fields and identified_by have no effect alone, allowed: with processed="),
    ],
)
def test_wrong_arguments_of_a_verdict(delivered: CampaignFixture, given: dict[str, Any], message: str) -> None:
    with pytest.raises(MisuseError) as raised:
        delivered.assert_compliant(**given)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("auth", ["acme:sec:ret", ("acme", "sec:ret"), ["acme", "sec:ret"]])
def test_credentials_in_one_text_or_two(table: Table, auth: Any) -> None:
    with mockcampaign.campaign(table, auth=auth) as campaign:
        campaign.emit("open")
        campaign.run()
    [headers] = [dict(scope["headers"]) for scope in table.scopes]
    assert headers[b"authorization"] == b"Basic " + b64encode(b"acme:sec:ret")


@pytest.mark.parametrize(
    ("auth", "found"),
    [
        ("secret", "a text without a colon"),
        (("a", "secret", "c"), "a tuple"),
        ({"user": "secret"}, "a dict"),
        (5, "an int"),
    ],
)
def test_credentials_of_another_type_are_not_quoted(auth: Any, found: str) -> None:
    with (
        pytest.raises(MisuseError) as raised,
        mockcampaign.campaign(App(), auth=auth),
    ):
        pass
    assert str(raised.value).startswith(f'auth is {found}, allowed: ("user", "password"), "user:password" or ')
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("count", ["3", 0, -1, 2.5, True])
def test_a_count_of_another_type(delivered: CampaignFixture, count: Any) -> None:
    with pytest.raises(MisuseError) as raised:
        delivered.emit("open", count=count)
    assert str(raised.value) == f"count {count!r}, allowed: a whole number from 1, such as 250, to 10,000,000"


def test_keys_are_credentials(table: Table) -> None:
    with mockcampaign.campaign(table, auth=KeyAuthentication("x-key", "value")) as campaign:
        campaign.emit("open")
        campaign.run()
    assert (b"x-key", b"value") in table.scopes[0]["headers"]


class Sql(App):
    """A consumer with a table in SQLite, whose columns have names of its own."""

    def database(self, path: Path) -> Any:
        engine = pytest.importorskip("sqlalchemy").create_engine(f"sqlite:///{path}")
        columns = ("type", "recipientid", "created", "mail_id", "device")
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE TABLE events (id INTEGER PRIMARY KEY, mailing, {', '.join(columns)})")
            for event in self.events:
                row = tuple(event[name] for name in ("mailingId", *FIVE))
                connection.exec_driver_sql("INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?)", row)
        return engine


def test_rows_of_a_query_are_events(tmp_path: Path) -> None:
    app = Sql()
    with mockcampaign.campaign(app) as campaign:
        campaign.emit("open", count=120)
        campaign.run()
        engine = app.database(tmp_path / "x.db")
        query = "SELECT * FROM events WHERE mailing = :mailingId AND mail_id IN :mailIds"
        rows = campaign.probe_sql(engine, query)
        assert sorted(rows[0]) == sorted(["id", "mailingId", *FIVE])
        campaign.assert_compliant(processed=rows, fields=FIVE)
        assert said(campaign, campaign.probe_sql(engine, f"{query} AND id > 1"), fields=FIVE).startswith("processed: 1")
        with databases.all_closed():
            assert len(campaign.probe_sql(f"sqlite:///{tmp_path / 'x.db'}", query)) == 120
        with pytest.raises(InvalidInputError, match="'DROP TABLE events' is no query that reads"):
            campaign.probe_sql(engine, "DROP TABLE events")
        engine.dispose()


@pytest.mark.parametrize("misspelt", MISSPELT)
def test_a_database_that_the_consumer_creates_need_not_exist(tmp_path: Path, misspelt: Misspelt) -> None:
    pytest.importorskip("sqlalchemy")
    path = tmp_path / "shop.sqlite"
    with mockcampaign.campaign(LateDatabase(path)) as campaign:
        assert campaign.probe_sql(f"sqlite:///{path}", QUERY) == []
        campaign.emit("open", count=3)
        assert campaign.probe_sql(misspelt.url(tmp_path), misspelt.query) == []
        campaign.run()
        assert len(campaign.probe_sql(f"sqlite:///{path}", QUERY)) == 3
        with pytest.raises(CouldNotTellError, match=misspelt.message(tmp_path)):
            campaign.probe_sql(misspelt.url(tmp_path), misspelt.query)
        campaign.assert_compliant()
    assert not (tmp_path / "shpo.sqlite").exists()


def test_a_comparison_with_rows_of_fewer_fields_says_how_to_compare_only_these(
    table: Table, delivered: CampaignFixture
) -> None:
    lines = explain_difference(table.rows(), delivered.delivered)
    assert lines[0] == "250 events == 250 events that differ only in fields"
    assert lines[1].startswith("none of the others has userListId, remoteAddress, clientId")
    assert f"campaign.assert_compliant(processed=…, fields={list(FIVE)}) compares only these" in lines[1]
    altered = [{**event, "device": "toaster"} for event in table.events]
    assert "fields=" not in "".join(explain_difference(delivered.delivered, altered))
