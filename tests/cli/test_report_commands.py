"""Commands that read JSON reports."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from builders import exporter
from commands import written
from mockcampaign.cli import cli
from mockcampaign.errors import InvalidInputError
from mockcampaign.judging.finding import Finding
from mockcampaign.judging.verdict import RunResult, run_result
from mockcampaign.report.json_report import to_json
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.serving import serve_in_thread
from places import ROOT
from results import finding, scenario


def report(path: Path, *findings: Finding) -> Path:
    path.write_bytes(to_json(run_result([scenario(findings=findings, journal=exporter().journal.entries)])))
    return path


def test_two_reports_are_compared(tmp_path: Path) -> None:
    earlier = report(
        tmp_path / "a.json",
        finding("opens.delivered", "fail", identity="3", actual="2"),
        finding("clicks.delivered", "fail", identity="5", actual="4"),
        finding("consumer.processed"),
    )
    later = report(
        tmp_path / "b.json",
        finding("opens.delivered"),
        finding("clicks.delivered", "fail", identity="5", actual="1"),
        finding("consumer.processed", "fail", identity="missing", actual="3 missing\x1b[2J"),
        finding("opens.attempts", "fail", identity="7", actual="9"),
    )
    done = CliRunner().invoke(cli, ["compare", str(earlier), str(later)], standalone_mode=False)
    assert done.return_value == 1
    assert done.output == (
        "regressed      An outage, then all is well: consumer.processed\n"
        "               3 missing\\x1b[2J\n"
        "new            An outage, then all is well: opens.attempts\n"
        "               9\n"
        "still failing  An outage, then all is well: clicks.delivered\n"
        "               1\n"
        "fixed          An outage, then all is well: opens.delivered\n"
        "               2\n"
        "1 fixed, 1 regressed, 1 still failing, 1 new\n"
    )
    same = CliRunner().invoke(cli, ["compare", str(later), str(later)], standalone_mode=False)
    assert (same.return_value, same.output.splitlines()[-1]) == (0, "0 fixed, 0 regressed, 3 still failing, 0 new")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no report: Input data was truncated, allowed: a file that --report-json wrote"),
        (b"\xff", "no report: .*, allowed: a file that --report-json wrote"),
        (b"[]", "no report: Expected `object`, got `array`, allowed: a file that --report-json wrote"),
        (b'{"format": 1}', "no report: Object missing required field `compliant`, allowed: "),
    ],
)
def test_what_is_no_report_is_one_line(tmp_path: Path, content: bytes, why: str) -> None:
    good, bad = report(tmp_path / "a.json", finding()), tmp_path / "b.json"
    bad.write_bytes(content)
    with pytest.raises(InvalidInputError, match=f"b.json: {why}"):
        CliRunner().invoke(cli, ["compare", str(good), str(bad)], standalone_mode=False, catch_exceptions=False)


def test_a_report_of_another_format_is_one_line(tmp_path: Path) -> None:
    path = report(tmp_path / "a.json", finding())
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(InvalidInputError, match=r"a\.json: a report of format 2, allowed: format 1"):
        CliRunner().invoke(cli, ["compare", str(path), str(path)], standalone_mode=False, catch_exceptions=False)


def test_a_baseline_is_written_of_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = finding("opens.delivered", "fail", identity="3", actual="2")
    path, output = report(tmp_path / "a.json", wrong, finding("test", "fail")), tmp_path / "accepted.toml"
    done = CliRunner().invoke(cli, ["baseline", "write", str(path), "-o", str(output)], standalone_mode=False)
    assert done.return_value == 0
    assert done.stderr == (
        "mockcampaign: 1 failure without an identity cannot be accepted: An outage, then all is well: test\n"
    )
    assert 'rule = "opens.delivered"\nidentity = "3"\nsentence = "2"\n' in output.read_text()
    printed = CliRunner().invoke(cli, ["baseline", "write", str(path)], standalone_mode=False)
    assert printed.stdout == output.read_text()


def test_a_baseline_overwrites_no_report(tmp_path: Path) -> None:
    path = report(tmp_path / "a.json", finding())
    arguments = ["baseline", "write", str(path), "-o", str(path)]
    with pytest.raises(InvalidInputError, match="this run reads that file, allowed: another one"):
        CliRunner().invoke(cli, arguments, standalone_mode=False, catch_exceptions=False)


def test_a_run_and_its_journal_accept_what_their_baseline_accepts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, result, baseline = written(tmp_path), tmp_path / "a.json", tmp_path / "accepted.toml"
    journal = tmp_path / "j.jsonl"

    def ran(bug: str | None, *arguments: str) -> tuple[int, str]:
        with serve_in_thread(consumer_app(bug)) as url:
            monkeypatch.setenv("CONSUMER_URL", url)
            return invoked("run", str(path), "--no-color", "-q", *arguments)

    def invoked(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(cli, arguments, standalone_mode=False, catch_exceptions=False)
        return done.return_value, done.output

    bug, more = "stores-first-event-only", ("--baseline", str(baseline))
    assert ran(bug, "--report-json", str(result), "--journal", str(journal))[0] == 1
    assert invoked("baseline", "write", str(result), "-o", str(baseline))[0] == 0
    assert 'scenario = "three opens"\nrule = "consumer.processed"\n' in baseline.read_text()
    status, text = ran(bug, *more, "--report-json", str(result))
    assert (status, "gone" in text) == (0, False), text
    [played] = msgspec.json.decode(result.read_bytes(), type=RunResult).scenarios
    assert [one.id for one in played.expectations if one.known] == ["consumer.processed"]
    status, text = ran(None, *more)
    gone = "gone  three opens: consumer.processed: exactly-once: missing: remove it from the baseline"
    assert (status, gone in text) == (0, True), text
    assert invoked("judge", str(journal), "-q")[0] == 1
    assert invoked("judge", str(journal), "-q", *more)[0] == 0
    # A further violation is not accepted.
    written(tmp_path, ("{delivered: 3}", "{delivered: 4}"))
    assert ran(bug, *more)[0] == 1
    assert invoked("judge", str(journal), "-q", *more)[0] == 1


def test_a_replay_accepts_what_its_baseline_accepts(tmp_path: Path) -> None:
    result, baseline, statuses = tmp_path / "a.json", tmp_path / "accepted.toml", iter([202, *[200] * 9])

    async def hook(request: Request) -> Response:
        return Response(status_code=next(statuses))

    def invoked(*arguments: str) -> int:
        done = CliRunner().invoke(cli, arguments, standalone_mode=False, catch_exceptions=False)
        return int(done.return_value)

    with serve_in_thread(Starlette(routes=[Route("/hook", hook, methods=["POST"])])) as url:
        replay = ("replay", str(ROOT / "fixtures/journals/outage.jsonl"), "--target", f"{url}/hook", "-q")
        assert invoked(*replay, "--report-json", str(result)) == 1
        assert invoked("baseline", "write", str(result), "-o", str(baseline)) == 0
        statuses = iter([202, *[200] * 9])
        assert invoked(*replay, "--baseline", str(baseline)) == 0
