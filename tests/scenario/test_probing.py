"""The probe of a scenario asks for the events of the run, by URL or by a query, and for nothing else."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request as Received
from starlette.responses import Response
from starlette.routing import Route

import databases
from late_databases import MISSPELT, QUERY, LateDatabase, Misspelt
from mockcampaign.check.rules import CATALOGUE
from mockcampaign.errors import CouldNotTellError
from mockcampaign.model import Outcome, Request
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.scenario.load import load
from mockcampaign.scenario.plan import Plan
from mockcampaign.transport.inprocess import AsgiTransport
from plays import own_plan, played

OLD_PROBE = '{url: "http://x.test/processed", events: "@"}'
BY_MAILING = '{url: "http://x.test/processed?mailing={mailingId}", events: "@"}'
BY_ALL = '{url: "http://x.test/processed?c={clientId}&mailing={mailingId}&m={mailIds}&s={since}", events: "@"}'
COUNTED = '{url: "http://x.test/processed?mailing={mailingId}", count: "length(@)"}'
IGNORED = '{url: "http://x.test/processed?ignored={mailingId}", count: "length(@)"}'


def plan_with(folder: Path, probe: str, expected: str = "processed: exactly-once") -> Plan:
    steps = ("emit: {type: open, count: 3}", "emit: {type: open, count: 2, over: 1h}", "run: until-idle")
    path = own_plan(folder, "http://x.test", *steps, f"expect: {{consumer: {{{expected}}}}}").path
    path.write_text(path.read_text().replace(OLD_PROBE, probe))
    return load(path)


class Asking(AsgiTransport):
    """Notes where the stored events were asked for."""

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self.asked: list[str] = []

    async def send(self, request: Request) -> Outcome:
        self.asked += [request.url] if request.method == "GET" else []
        return await super().send(request)


def violated(plan: Plan, app: Any, seed: int = 1) -> list[str]:
    _, findings = played(plan, AsgiTransport(app), seed)
    return [one.actual for one in findings if one.outcome == "fail"]


@pytest.mark.parametrize("probe", [BY_MAILING, BY_ALL])
def test_placeholders_have_the_values_of_the_run(tmp_path: Path, probe: str) -> None:
    plan, asking = plan_with(tmp_path, probe), Asking(consumer_app())
    _, findings = played(plan, asking)
    assert [one.outcome for one in findings if one.id.startswith("consumer")] == ["pass"]
    assert asking.asked
    for url in asking.asked:
        assert all(value[0] and "{" not in value[0] for value in parse_qs(urlsplit(url).query).values()), url
    [lost] = violated(plan, consumer_app("stores-first-event-only"))
    assert "missing" in lost


@pytest.mark.parametrize("probe", [BY_MAILING, BY_ALL])
def test_events_of_an_earlier_run_are_inconclusive_also_if_they_are_selected(tmp_path: Path, probe: str) -> None:
    plan, app = plan_with(tmp_path, probe), consumer_app()
    assert violated(plan, app) == []
    with pytest.raises(CouldNotTellError, match="5 of this run's events were there before it began"):
        violated(plan, app)
    assert violated(plan, app, seed=2) == []


@pytest.mark.parametrize("probe", [COUNTED, IGNORED])
def test_a_number_is_that_of_the_run_whether_the_consumer_selects_or_not(tmp_path: Path, probe: str) -> None:
    plan, app = plan_with(tmp_path, probe, "processed: 5"), consumer_app()
    for seed in (1, 2):
        assert violated(plan, app, seed) == []
    assert violated(plan, consumer_app("stores-first-event-only")) == ["3"]


RENAMED = "[].{mail_id: mailId, kind: type}"
"""Rows without any field by which events are recognised."""


def test_rows_that_name_no_mail_are_inconclusive(tmp_path: Path) -> None:
    renamed = OLD_PROBE.replace('"@"', f'"{RENAMED}"')
    with pytest.raises(CouldNotTellError) as raised:
        violated(plan_with(tmp_path, renamed), consumer_app())
    said = str(raised.value)
    assert "probe http://x.test/processed: none of 5 elements has mailId, by which events are recognised" in said
    assert "select the events with events of the probe, such as '[].event' or '[].{mailId: mail_id, …}'" in said
    # A consumer that has stored nothing has lost everything, and a number needs no names.
    [lost] = violated(plan_with(tmp_path, OLD_PROBE.replace('"@"', '"[?type==mailId]"')), consumer_app(), seed=2)
    assert lost.startswith("5 events are missing")
    assert violated(plan_with(tmp_path, renamed, "processed: 5"), consumer_app(), seed=3) == []


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("stores-large-ids: TITLE", "stores-large-ids"),
        ("stores-large-ids, as we see it", "stores-every-event"),
    ],
)
def test_a_failure_of_a_generated_scenario_names_its_rule(tmp_path: Path, name: str, rule: str) -> None:
    [title] = [one.title for one in CATALOGUE if one.id == "stores-large-ids"]
    plan = plan_with(tmp_path, OLD_PROBE)
    plan.path.write_text(plan.path.read_text().replace("a test's own", json.dumps(name.replace("TITLE", title))))
    _, findings = played(load(plan.path), AsgiTransport(consumer_app("stores-first-event-only")))
    [found] = [one for one in findings if one.outcome == "fail"]
    assert found.fix == f"The rule behind it, and how to fix it: mockcampaign rules {rule}"


class Database:
    """A consumer that keeps some fields of its events in SQLite."""

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        self._table = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._table.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, mail_id, mailing_id, moment, device, note)")
        self.app = Starlette(routes=[Route("/hook", self._store, methods=["POST"])])

    async def _store(self, request: Received) -> Response:
        for event in json.loads(await request.body()):
            row = [event[name] for name in ("mailId", "mailingId", "created")]
            self._table.execute("INSERT INTO events (mail_id, mailing_id, moment) VALUES (?, ?, ?)", row)
        return Response()

    def close(self) -> None:
        self._table.close()


@pytest.mark.parametrize("settle", ["0s", pytest.param("100ms", marks=pytest.mark.slow)])
@pytest.mark.parametrize("misspelt", MISSPELT)
def test_a_database_that_the_consumer_creates_need_not_exist(tmp_path: Path, misspelt: Misspelt, settle: str) -> None:
    pytest.importorskip("sqlalchemy")

    def violated_with(url: str, query: str, seed: int) -> list[str]:
        probe = f'{{sql: "{url}", query: "{query}", settle: {settle}}}'
        expected = "processed: exactly-once, fields: [mailId, created]"
        return violated(plan_with(tmp_path, probe, expected), LateDatabase(tmp_path / "shop.sqlite"), seed)

    with pytest.raises(CouldNotTellError, match=misspelt.message(tmp_path)):
        violated_with(misspelt.url(tmp_path), misspelt.query, 1)
    (tmp_path / "shop.sqlite").unlink()
    assert violated_with(f"sqlite:///{tmp_path / 'shop.sqlite'}", QUERY, 2) == []
    assert not (tmp_path / "shpo.sqlite").exists()


def test_a_query_reads_the_stored_events(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    with contextlib.closing(Database(tmp_path / "x.db")) as database:
        query = "SELECT * FROM events WHERE mailing_id = :mailingId"
        probe = f'{{sql: "{database.url}", query: "{query}"}}'
        plan = plan_with(tmp_path, probe, "processed: exactly-once, fields: [mailId, created]")
        with databases.all_closed():
            assert violated(plan, database.app) == []
        [found] = violated(plan_with(tmp_path, probe, "processed: exactly-once"), database.app, seed=3)
        assert "; no stored event has " in found
        assert "if the consumer keeps only some fields, compare only these with fields: [" in found
        kept, _, others = found.rpartition("[")[2].partition("]. ")
        assert set(kept.split(", ")) == {"mailId", "mailingId", "created"}
        assert others.startswith("Stored events also have id, which no event has")
        losing = plan_with(tmp_path, probe.replace(" = :", " + 0 < :"), "processed: exactly-once, fields: [mailId]")
        [found] = violated(losing, database.app, seed=2)
        assert found.startswith("5 events are missing")
