"""The `campaign_check` fixture: the compliance check, with a subtest for each rule."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import textwrap
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import databases
from conftest import Inner
from consumers.flask_sqlite import make_app
from foreign_shapes import CAPTURED, SHAPES
from late_databases import FIELDS, MISSPELT, QUERY, LateDatabase, Misspelt
from mockcampaign.check import examiner
from mockcampaign.check.rules import durability
from mockcampaign.cli.commands.check import CheckArguments
from mockcampaign.errors import CouldNotTellError, InvalidInputError, MisuseError
from mockcampaign.pytest_plugin import CampaignCheck
from mockcampaign.pytest_plugin.check_options import CheckOptions
from mockcampaign.samples.bugs.redelivery import CountsRedeliveredEvents
from mockcampaign.samples.consumer import application, consumer_app
from mockcampaign.samples.correct import Consumer
from mockcampaign.samples.store import Store
from mockcampaign.serving import serve_in_thread
from plugin_apps import App
from plugin_apps import app as app

NAMES = {
    "event_type": "type",
    "shape_file": "shape",
    "authentication": "auth",
    "probe_url": "probe",
    "probe_query": "probe_sql",
    "probe_counters": "counters",
    "state_url": "state",
    "restart_cmd": "restart_command",
    "ca_file": "ca",
    "clock_file": "clock",
}
"""Arguments of the fixture that have another name than the parameter of the command."""

OF_PYTEST = {"journal", "outputs", "verbose", "quiet", "no_color", "wait_for_consumer"}
"""Parameters of the command for which pytest has options, or no use."""


def test_the_fixture_has_the_options_of_the_command() -> None:
    of_command = {NAMES.get(name, name) for name in CheckArguments.__annotations__} - OF_PYTEST
    assert of_command - set(CheckOptions.__annotations__) == set()


def test_rules_that_are_not_reached_are_reported_once(inner: Inner) -> None:
    result = inner(
        """
        import pytest
        from mockcampaign.check import examiner
        from mockcampaign.samples.consumer import consumer_app

        def test_it(campaign_check, monkeypatch):
            monkeypatch.setattr(examiner.Examiner, "_time_for", lambda self, rule: 1.0 if not self.examinations else 0)
            campaign_check(consumer_app(), "/hook", rules=["responds-200", "batch"], skip=["responds-in-time"])
        """
    )
    result.stdout.fnmatch_lines(["  * rules not reached: *, *: *budget*"])
    _, _, summary = result.stdout.str().partition("short test summary info")
    assert "Failed: inconclusive" in summary
    assert result.parseoutcomes()["failed"] == 1


def test_hazards_and_skipped_rules_are_named(inner: Inner) -> None:
    result = inner(
        """
        import pytest

        @pytest.mark.parametrize("strict", [False, True])
        def test_it(campaign_check, strict):
            async def accepts_everything(scope, receive, send):
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b""})

            rules = ["responds-200", "rejects-get-and-head", "stores-every-event"]
            campaign_check(accepts_everything, "/hook", rules=rules, lifespan=False, strict=strict)
        """,
        "-rA",
    )
    # With strict, it is a violation, and has lines of its own. The summary of some versions of pytest repeats them.
    told, _, _ = result.stdout.str().partition("short test summary info")
    assert told.count("  hazard rejects-get-and-head  ") == 1
    assert told.count("  1 rule skipped: stores-every-event: Needs a probe (--probe)") == 2
    assert "\n  1 rule skipped: stores-every-event" in told.partition("  hazard rejects-get-and-head  ")[2]


def test_a_failing_check_shows_little_of_the_applications_log_and_says_how_much_more_there_is(inner: Inner) -> None:
    test = """
        import logging

        def test_it(campaign_check, caplog):
            async def raises(scope, receive, send):
                try:
                    raise ValueError("deliberate")
                except ValueError:
                    logging.getLogger("app").exception("cannot read")
                await send({"type": "http.response.start", "status": 500, "headers": []})
                await send({"type": "http.response.body", "body": b""})

            logging.getLogger("app").warning("before")
            try:
                campaign_check(raises, "/hook", rules=["responds-200"], lifespan=False)
            finally:
                assert len(caplog.records) > 4
                logging.getLogger("app").warning("after")
        """
    shown = inner(test).stdout.str()
    assert shown.count("Traceback (most recent call last)") == 3, shown
    assert "more log records of the application during this check (--log-file=FILE or --log-cli-level=INFO" in shown
    assert "before" in shown
    assert "after" in shown
    assert "deliberate" not in inner(test, "-p", "no:logging").stdout.str()


def test_each_skipped_rule_is_named_in_the_summary(inner: Inner) -> None:
    if not hasattr(pytest, "Subtests"):
        pytest.skip("sub-results are built into pytest from version 9 on")
    shown = inner(
        """
        from mockcampaign.samples.consumer import consumer_app

        def test_it(campaign_check):
            campaign_check(consumer_app(), "/hook", rules=["responds-200", "authentication"])
        """,
        "-q",
        "-rs",
    ).stdout.str()
    _, _, summary = shown.partition("short test summary info")
    for rule in ("accepts-valid-credentials", "rejects-wrong-credentials"):
        assert f"{rule}: Needs the credentials" in summary, shown


QUICK = ("acknowledgement", "batch")


def test_a_correct_consumer_in_process(campaign_check: CampaignCheck) -> None:
    report = campaign_check(consumer_app(), "/hook", probe="/processed", rules=QUICK)
    assert report.compliant
    assert {finding.outcome for finding in report.rules} == {"pass"}


def test_a_probe_that_is_a_function(campaign_check: CampaignCheck) -> None:
    processed: list[Any] = []

    def consumer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        import json

        try:
            processed.extend(json.loads(environ["wsgi.input"].read()))
        except ValueError:
            start_response("400 Bad Request", [])
            return []
        start_response("200 OK", [])
        return []

    def probe() -> list[Any]:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return processed

    assert campaign_check(consumer, "/hook", probe=probe, rules=["batch"]).compliant
    assert campaign_check(consumer, "/hook", probe=lambda: len(processed), rules=["batch"]).compliant


SENDING = ("drains-backlog", "survives-many-requests", "accepts-generated-batches", "survives-random-histories")
"""Rules that send much more than they read; `tests/check/test_cost.py` has them."""

REQUESTS_MAX, SENT_MAX = 1_000, 28_000_000
READS_MAX = {"selecting": (390, 8_000_000), "everything": (230, 340_000_000)}
"""Most requests and reads of the probe without these rules, and most bytes of their bodies and rows: some 15 % more
than now. `tests/benchmarks/flask_check.py` has the processor time of all rules."""


@pytest.mark.slow
@pytest.mark.parametrize("probing", READS_MAX)
def test_the_check_of_flask_with_sqlite_sends_and_reads_little(
    campaign_check: CampaignCheck, tmp_path: Path, probing: str
) -> None:
    path = tmp_path / "events.sqlite"
    app, counts = make_app(user="acme", password="secret", store=str(path)), Counter[str]()

    def counted(environ: dict[str, Any], start_response: Any) -> Any:
        counts.update(requests=1, sent=int(environ.get("CONTENT_LENGTH") or 0))
        return app(environ, start_response)

    def stored(query: str = "", *values: object) -> list[Any]:
        with closing(sqlite3.connect(path)) as database:
            rows = [row for (row,) in database.execute(f"SELECT payload FROM event {query}", values)]
        counts.update(reads=1, read=sum(map(len, rows)))
        return [json.loads(row) for row in rows]

    def selecting(mailing_id: int) -> list[Any]:
        return stored("WHERE payload ->> 'mailingId' = ?", mailing_id)

    probe = selecting if probing == "selecting" else lambda: stored()
    campaign_check(counted, "/hook", probe=probe, auth=("acme", "secret"), skip=SENDING, seed=1, budget="1h")
    assert counts["requests"] <= REQUESTS_MAX
    assert counts["sent"] <= SENT_MAX
    reads_max, read_max = READS_MAX[probing]
    assert counts["reads"] <= reads_max
    assert counts["read"] <= read_max


def test_the_connections_to_a_database_are_closed(campaign_check: CampaignCheck, app: App, tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    path = tmp_path / "x.db"
    path.touch()
    query = f"sqlite:///{path}", "SELECT 1 AS mailId"
    with databases.all_closed():
        campaign_check(
            app, probe_sql=query, rules=["stores-every-event"], allow=["stores-every-event"], examples=1, seed=1
        )


@pytest.mark.parametrize("misspelt", MISSPELT)
def test_a_database_that_the_consumer_creates_need_not_exist(
    campaign_check: CampaignCheck, tmp_path: Path, misspelt: Misspelt
) -> None:
    pytest.importorskip("sqlalchemy")
    path = tmp_path / "shop.sqlite"
    app = LateDatabase(path)
    with pytest.raises(CouldNotTellError, match=misspelt.message(tmp_path)):
        campaign_check(app, probe_sql=(misspelt.url(tmp_path), misspelt.query), rules=["stores-every-event"])
    path.unlink()
    report = campaign_check(
        app, probe_sql=(f"sqlite:///{path}", QUERY), probe_fields=FIELDS, rules=["stores-every-event"]
    )
    assert [one.outcome for one in report.rules] == ["pass"]
    assert not (tmp_path / "shpo.sqlite").exists()


def test_whoever_stores_some_fields_gets_the_argument_that_names_them(inner: Inner) -> None:
    result = inner(
        """
        from plugin_apps import App

        class Table(App):
            def rows(self):
                return [{name: event[name] for name in ("mailId", "created", "device")} for event in self.events]

        def test_it(campaign_check):
            app = Table()
            campaign_check(app, probe=app.rows, rules=["stores-fields-unchanged"])
        """
    )
    line = "  probe_fields=['created', 'mailId', 'device'] compares only the fields that the consumer stores"
    assert line in result.outlines


def test_the_end_state_at_a_path_and_by_a_function(campaign_check: CampaignCheck) -> None:
    report = campaign_check(consumer_app(), "/hook", probe="/processed", state="/state", rules=["newest-event-wins"])
    assert [finding.outcome for finding in report.rules] == ["pass"]
    newest: dict[str, int] = {}

    def consumer(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        import json

        for event in json.loads(environ["wsgi.input"].read()):
            newest[event["recipientId"]] = max(event["created"], newest.get(event["recipientId"], 0))
        start_response("200 OK", [])
        return []

    report = campaign_check(consumer, "/hook", state=lambda: newest, rules=["newest-event-wins"])
    assert [finding.outcome for finding in report.rules] == ["pass"]
    with pytest.raises(MisuseError, match=r"^state is a dict, .* pass a function, such as state=lambda: app\.state$"):
        campaign_check(consumer, "/hook", state=newest, rules=["newest-event-wins"])  # type: ignore[arg-type]


@pytest.mark.parametrize("given", ["a file", "a list of events"])
def test_events_that_look_like_captured_ones(campaign_check: CampaignCheck, tmp_path: Path, given: str) -> None:
    body = dict(CAPTURED)["other-names"]
    like: Any = json.loads(body)
    if given == "a file":
        like = tmp_path / "captured.json"
        like.write_text(body, encoding="utf-8")
    consumer = consumer_app(shape=SHAPES["other-names"])
    report = campaign_check(consumer, "/hook", probe="/processed", state="/state", like=like, rules=(*QUICK, "order"))
    assert report.compliant
    consumer = consumer_app(shape=SHAPES["other-names"])
    report = campaign_check(consumer, "/hook", probe="/processed", shape=SHAPES["other-names"], rules=QUICK)
    assert report.compliant
    with pytest.raises(MisuseError, match=r"^a shape file corrects a file of captured events"):
        campaign_check(consumer, "/hook", like=json.loads(body), shape="shape.yaml")


def test_a_probe_that_returns_an_object_is_an_error_that_names_its_lists(
    campaign_check: CampaignCheck, app: App
) -> None:
    said = r"probe: the response is .*, expected a list of events; lists in it: rows \(return one of them\)"
    with pytest.raises(CouldNotTellError, match=said):
        campaign_check(app, "/hook", probe=lambda: {"rows": []}, rules=["responds-200"])


def test_a_probe_that_is_the_list_itself(campaign_check: CampaignCheck, app: App) -> None:
    with pytest.raises(
        MisuseError, match=r"^probe is a list, .* pass a function, such as probe=lambda: app\.processed$"
    ):
        campaign_check(app, "/hook", probe=app.events, rules=["batch"])  # type: ignore[arg-type]
    assert campaign_check(app, "/hook", probe=lambda: app.events, rules=["batch"]).compliant


def test_over_sockets_and_with_a_loop(campaign_check: CampaignCheck, app: App) -> None:
    async def main() -> None:
        with pytest.raises(MisuseError, match=r"write `await campaign_check.awaited\(…\)`"):
            campaign_check(app)
        report = await campaign_check.awaited(consumer_app(), "/hook", probe="/processed", rules=["batch"])
        assert report.compliant

    asyncio.run(main())
    with serve_in_thread(consumer_app()) as url:
        assert campaign_check(url, "/hook", probe="/processed", rules=["batch"]).compliant


def test_unknown_rules(campaign_check: CampaignCheck, app: App) -> None:
    with pytest.raises(InvalidInputError, match="unknown rule or family 'bach', did you mean 'batch'"):
        campaign_check(app, rules=["bach"])
    with pytest.raises(
        InvalidInputError, match="allow: unknown rule 'stores-text-changed', did you mean 'stores-text-unchanged'"
    ):
        campaign_check(app, rules=["batch"], allow=["stores-text-changed"])


CHECKING = """
    import pytest
    from mockcampaign.samples.consumer import consumer_app

    def test_bad(campaign_check):
        campaign_check(consumer_app("responds-204"), "/hook", rules=["acknowledgement"])

    @pytest.mark.mockcampaign(allow={wrong}, seed=7)
    def test_marked(campaign_check):
        report = campaign_check(consumer_app("responds-204"), "/hook", rules=["acknowledgement"])
        assert (report.compliant, report.seed) == (True, 7)

    def test_allowed(campaign_check):
        consumer = consumer_app("responds-204")
        report = campaign_check(consumer, "/hook", rules=["acknowledgement"], allow={wrong})
        assert report.compliant
        assert set(finding.id for finding in report.rules if finding.known) == set({wrong})
    """


@pytest.mark.slow
def test_each_rule_is_a_subtest(inner: Inner) -> None:
    if not hasattr(pytest, "Subtests"):
        pytest.skip("sub-results are built into pytest from version 9 on")
    wrong = violated()
    result = inner(CHECKING.format(wrong=wrong), "-rA")
    text = result.stdout.str()
    assert all(f"_ test_bad [{rule}] _" in text for rule in wrong)
    assert "test_allowed [" not in text
    assert "NOT COMPLIANT  1 of 1 rule violated; 1 needs a probe" in text
    assert text.count("SUBFAILED") == len(wrong)


def violated() -> list[str]:
    from mockcampaign.check.check import check
    from mockcampaign.check.settings import Settings
    from mockcampaign.transport.inprocess import AsgiTransport

    async def main() -> list[str]:
        transport = AsgiTransport(consumer_app("responds-204"))
        settings = Settings(now=1_700_000_000_000, rules=("acknowledgement",))
        report = await check("http://testserver/hook", transport=transport, settings=settings)
        await transport.aclose()
        return [finding.id for finding in report.rules if finding.outcome == "fail"]

    return asyncio.run(main())


@pytest.mark.slow
def test_without_subtests_one_failure_has_all_findings(inner: Inner) -> None:
    wrong = violated()
    assert len(wrong) >= 1
    result = inner(CHECKING.format(wrong=wrong), "-p", "no:subtests")
    result.assert_outcomes(failed=1, passed=2)
    text = result.stdout.str()
    assert all(rule in text for rule in wrong)
    assert "NOT COMPLIANT" in text
    assert "required" in text


@pytest.mark.parametrize("by_url", [True, False])
@pytest.mark.parametrize(("kind", "outcome"), [(Consumer, "pass"), (CountsRedeliveredEvents, "fail")])
def test_counters_are_judged_as_well(
    campaign_check: CampaignCheck, kind: type[Consumer], outcome: str, by_url: bool
) -> None:
    consumer, rules = kind(Store(), None), ["once-after-lost-response"]
    counters = {"opens": "/count#events" if by_url else consumer.total}
    report = campaign_check(
        application(consumer), "/hook", probe="/processed", counters=counters, rules=rules, allow=rules
    )
    [found] = report.rules
    assert found.outcome == outcome
    assert found.identity == (None if outcome == "pass" else "by opens: duplicate after redelivered")


class Breakable:
    """A correct consumer that responds 503 while it is broken, and a record of what was done to it."""

    def __init__(self) -> None:
        self.app, self.is_broken, self.done = consumer_app(), False, []  # type: tuple[Any, bool, list[str]]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self.is_broken and scope["type"] == "http" and scope["path"] == "/hook":
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await self.app(scope, receive, send)

    def set_broken(self, is_broken: bool) -> None:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        self.done.append("break" if is_broken else "restore")
        self.is_broken = is_broken

    async def restore(self) -> None:
        await asyncio.to_thread(self.set_broken, False)


RULE = "stores-acknowledged-while-broken"


@pytest.fixture
def _shortly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durability, "BROKEN", 60)
    monkeypatch.setattr(durability, "BEFORE_BROKEN", 30)


@pytest.mark.usefixtures("_shortly")
@pytest.mark.parametrize("is_async", [False, True])
def test_functions_break_and_restore(campaign_check: CampaignCheck, is_async: bool) -> None:
    app = Breakable()
    [found] = campaign_check(
        *(app, "/hook"),
        probe="/processed",
        rules=[RULE],
        break_command=lambda: app.set_broken(True),
        restore_command=app.restore if is_async else lambda: app.set_broken(False),
    ).rules
    assert (found.outcome, app.done) == ("pass", ["break", "restore"])
    assert not found.actual.endswith(": 0")


@pytest.mark.usefixtures("_shortly")
def test_a_test_with_a_loop_may_break_too(campaign_check: CampaignCheck) -> None:
    async def main() -> None:
        app = Breakable()

        async def set_broken() -> None:
            await asyncio.to_thread(app.set_broken, True)

        checking = campaign_check.awaited(
            *(app, "/hook"), probe="/processed", rules=[RULE], break_command=set_broken, restore_command=app.restore
        )
        [found] = (await checking).rules
        assert (found.outcome, app.done) == ("pass", ["break", "restore"])

    asyncio.run(main())


INTERRUPTED = """
    import pytest
    from mockcampaign.samples.consumer import consumer_app

    def test_interrupted(campaign_check):
        def interrupt():
            print("broken")
            raise KeyboardInterrupt

        def restore():
            print("restored")

        campaign_check(
            consumer_app(), "/hook", probe="/processed", rules=["stores-acknowledged-while-broken"],
            break_command=interrupt, restore_command=restore,
        )
    """


@pytest.mark.slow
def test_an_interrupted_test_restores(tmp_path: Path) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(textwrap.dedent(INTERRUPTED))
    command = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    text = done.stdout
    assert done.returncode == pytest.ExitCode.INTERRUPTED
    assert text.index("broken") < text.index("restored")


FAILING = """
    from mockcampaign.samples.consumer import consumer_app

    def test_failing(campaign_check):
        def fail():
            raise OSError("no database")

        campaign_check(
            consumer_app(), "/hook", probe="/processed", rules=["stores-acknowledged-while-broken"],
            break_command=fail, restore_command=fail,
        )
    """


def test_a_function_that_fails_is_named(inner: Inner) -> None:
    text = " ".join(inner(FAILING, "-p", "no:subtests").stdout.str().split())
    assert "Break command: OSError: no database; still broken: run the restore command yourself (restore" in text


def test_further_options(campaign_check: CampaignCheck, tmp_path: Path) -> None:
    given: Any = {"probe": "/processed", "rules": ["keeps-up", "stores-text-unchanged"]}
    report = campaign_check(
        *(consumer_app(), "/hook"), **given, rate=10**8, events=2_000, probe_fields=["mailId", "recipientId"]
    )
    assert [one.outcome for one in report.rules if one.id == "keeps-up"] == ["warn"]
    like = json.loads(dict(CAPTURED)["other-names"])
    event = like[0] if isinstance(like, list) else like
    field = next(iter(event))
    consumer = consumer_app(shape=SHAPES["other-names"])
    assert campaign_check(consumer, "/hook", like=like, keep=[field], rules=["responds-200"]).compliant


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"probe_count": "@"}, "probe_count= has no effect alone, allowed: probe_count= with probe="),
        ({"counters": {"a": "/a"}}, "counters= has no effect alone, allowed: counters= with probe="),
        ({"keep": ["a"]}, "keep= has no effect alone, allowed: keep= with like="),
        ({"break_command": "true"}, "break_command= has no effect alone, allowed: break_command= with restore"),
        ({"restart_command": "nope-cmd x"}, "^restart_command: no program 'nope-cmd', allowed: "),
        ({"probe_command": "nope-cmd x"}, "^probe_command: no program 'nope-cmd', allowed: "),
        ({"restart_command": 5}, "restart_command is an int, allowed: a command or a function"),
        ({"probe": "/a", "probe_fields": ["mailID"]}, "probe_fields: unknown field 'mailID', did you mean 'mailId'"),
        ({"like": {"mailId": "a", "created": 1}, "keep": ["x"]}, "keep: unknown field 'x'"),
        ({"budget": "0s"}, "^campaign_check: budget '0s' is too short, allowed: 1ms or longer$"),
    ],
)
def test_options_without_effect_are_errors(
    campaign_check: CampaignCheck, app: App, options: dict[str, Any], message: str
) -> None:
    with pytest.raises((MisuseError, InvalidInputError), match=message):
        campaign_check(app, "/hook", rules=["batch"], **options)


def test_a_check_waits_for_keys_that_live_for_minutes(
    campaign_check: CampaignCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []

    async def note(milliseconds: int) -> None:
        waited.append(milliseconds)

    monkeypatch.setattr(examiner, "pause", note)
    rules = ["once-after-lost-response", "once-at-end-of-check"]
    campaign_check(consumer_app(), "/hook", probe="/processed", rules=rules, memory="10m")
    assert len(waited) == 1
